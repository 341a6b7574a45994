//! The colours of each theme, by what they mean.
//!
//! Knows names of themes and their colours. Refuses to know glyphs and words: a colour here never carries meaning
//! alone, so that any of these may be taken away.

use core::fmt;
use core::str::FromStr;

use ratatui::style::Color;

/// Which colours; the first is what a terminal's owner chose for himself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThemeName {
    /// The sixteen colours of the terminal's own palette, on its own ground.
    #[default]
    Terminal,
    /// Chosen colours on a dark ground.
    Dark,
    /// Chosen colours on a light ground.
    Light,
    /// Blue and vermilion where others have green and red; on the terminal's own ground.
    ColourBlind,
}

/// A theme that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no theme `{0}`; there are {all}", all = ThemeName::names())]
pub struct UnknownTheme(String);

impl ThemeName {
    pub const ALL: [ThemeName; 4] =
        [ThemeName::Terminal, ThemeName::Dark, ThemeName::Light, ThemeName::ColourBlind];

    pub const fn name(self) -> &'static str {
        match self {
            ThemeName::Terminal => "terminal",
            ThemeName::Dark => "dark",
            ThemeName::Light => "light",
            ThemeName::ColourBlind => "colour-blind",
        }
    }

    fn names() -> String {
        ThemeName::ALL.map(ThemeName::name).join(", ")
    }
}

impl fmt::Display for ThemeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ThemeName {
    type Err = UnknownTheme;

    /// One of [`ThemeName::ALL`] by its name.
    ///
    /// # Errors
    /// [`UnknownTheme`], which names those there are.
    fn from_str(name: &str) -> Result<ThemeName, UnknownTheme> {
        // The same word, as it is written elsewhere.
        let wanted = if name == "color-blind" { "colour-blind" } else { name };
        ThemeName::ALL
            .into_iter()
            .find(|theme| theme.name() == wanted)
            .ok_or_else(|| UnknownTheme(crate::text::escape(name).into_owned()))
    }
}

/// Letters and the ground they stand on.
pub type Inks = (Color, Color);

#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// What everything else stands on; `Reset` is the terminal's own.
    pub ground: Inks,
    pub bad: Color,
    pub warn: Color,
    pub good: Color,
    pub accent: Color,
    /// `None`: dimmed instead. The palette's own "bright black" is the ground in Solarized.
    pub quiet: Option<Color>,
    /// The banner: grave, uncertain, fine.
    pub alarm: Inks,
    pub caution: Inks,
    pub calm: Inks,
}

impl Palette {
    pub const fn of(theme: ThemeName) -> Palette {
        match theme {
            ThemeName::Terminal => Palette {
                ground: (Color::Reset, Color::Reset),
                bad: Color::LightRed,
                warn: Color::Yellow,
                good: Color::Green,
                accent: Color::Cyan,
                quiet: None,
                alarm: (Color::White, Color::Red),
                caution: (Color::Black, Color::Yellow),
                calm: (Color::Black, Color::Green),
            },
            // Of the 256 that every terminal draws alike, so that ssh and tmux without true colour show them too.
            ThemeName::Dark => Palette {
                ground: (Color::Indexed(252), Color::Indexed(234)),
                bad: Color::Indexed(210),
                warn: Color::Indexed(221),
                good: Color::Indexed(114),
                accent: Color::Indexed(117),
                quiet: Some(Color::Indexed(246)),
                alarm: (Color::Indexed(231), Color::Indexed(124)),
                caution: (Color::Indexed(234), Color::Indexed(221)),
                calm: (Color::Indexed(234), Color::Indexed(114)),
            },
            ThemeName::Light => Palette {
                ground: (Color::Indexed(235), Color::Indexed(255)),
                bad: Color::Indexed(124),
                warn: Color::Indexed(94),
                good: Color::Indexed(22),
                accent: Color::Indexed(25),
                quiet: Some(Color::Indexed(241)),
                alarm: (Color::Indexed(231), Color::Indexed(124)),
                caution: (Color::Indexed(234), Color::Indexed(221)),
                calm: (Color::Indexed(231), Color::Indexed(22)),
            },
            // After Okabe and Ito: told apart with any of the three usual kinds of colour blindness.
            ThemeName::ColourBlind => Palette {
                ground: (Color::Reset, Color::Reset),
                bad: Color::Indexed(208),
                warn: Color::Indexed(220),
                good: Color::Indexed(75),
                accent: Color::Indexed(117),
                quiet: None,
                alarm: (Color::Indexed(16), Color::Indexed(208)),
                caution: (Color::Indexed(16), Color::Indexed(220)),
                calm: (Color::Indexed(231), Color::Indexed(25)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_theme_is_found_by_its_name_and_an_unknown_one_names_them_all() {
        for theme in ThemeName::ALL {
            assert_eq!(theme.to_string().parse(), Ok(theme));
        }
        assert_eq!("color-blind".parse(), Ok(ThemeName::ColourBlind));
        let error = "neon\u{1b}".parse::<ThemeName>().unwrap_err().to_string();
        assert_eq!(error, "there is no theme `neon\\u{1b}`; there are terminal, dark, light, colour-blind");
    }

    /// Relative luminance and contrast as WCAG 2 defines them.
    fn contrast(a: Color, b: Color) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn luminance(color: Color) -> f64 {
        let Color::Indexed(index) = color else { panic!("{color:?} has no colour of its own") };
        let rgb = match index {
            16..232 => {
                let index = index - 16;
                let step = |part: u8| if part == 0 { 0.0 } else { f64::from(55 + 40 * u32::from(part)) };
                [step(index / 36), step(index / 6 % 6), step(index % 6)]
            }
            232.. => [f64::from(8 + 10 * (u32::from(index) - 232)); 3],
            0..16 => panic!("{index} is the terminal's own"),
        };
        let [r, g, b] = rgb.map(|part| {
            let part = part / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    #[test]
    fn what_stands_on_a_ground_of_ours_can_be_read() {
        for theme in [ThemeName::Dark, ThemeName::Light] {
            let palette = Palette::of(theme);
            let (ink, ground) = palette.ground;
            for color in
                [ink, palette.bad, palette.warn, palette.good, palette.accent, palette.quiet.unwrap()]
            {
                assert!(contrast(color, ground) >= 4.5, "{theme}: {color:?} {}", contrast(color, ground));
            }
        }
        for theme in [ThemeName::Dark, ThemeName::Light, ThemeName::ColourBlind] {
            let palette = Palette::of(theme);
            for (ink, ground) in [palette.alarm, palette.caution, palette.calm] {
                assert!(contrast(ink, ground) >= 4.5, "{theme}: {ink:?} on {ground:?}");
            }
        }
    }
}
