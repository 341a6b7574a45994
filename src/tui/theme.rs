//! Colours and glyphs: a palette, and for each of its colours a glyph or a word that says the same.
//!
//! Knows how things look. Refuses to know what is shown, except for the vocabulary that has a look of its own.

use ratatui::style::{Color, Modifier, Style};

use super::palette::{Palette, ThemeName};
use crate::analysis::{certainty::Certainty, host::Behaviour, rule::Severity};
use crate::text::escape;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Theme {
    pub name: ThemeName,
    pub ascii: bool,
    pub no_color: bool,
}

/// Characters that differ between a terminal with Unicode and one without.
#[derive(Clone, Copy, Debug)]
pub struct Glyphs {
    pub rule: &'static str,
    pub column: &'static str,
    pub selected: &'static str,
    pub focus: &'static str,
    pub arrow_right: &'static str,
    pub arrow_left: &'static str,
    pub shaft: &'static str,
    pub to: &'static str,
    pub times: &'static str,
    pub at_least: &'static str,
    pub dot: &'static str,
    pub ellipsis: &'static str,
    pub good: &'static str,
    pub bad: &'static str,
    /// From next to nothing to all there is.
    pub bars: [&'static str; 8],
    /// Where a bar could be and none is.
    pub no_bar: &'static str,
    pub down: &'static str,
    pub up: &'static str,
}

const UNICODE: Glyphs = Glyphs {
    rule: "─",
    column: "│",
    selected: "▌",
    focus: "▸ ",
    arrow_right: "▶",
    arrow_left: "◀",
    shaft: "─",
    to: "→",
    times: "×",
    at_least: "≥",
    dot: "·",
    ellipsis: "…",
    good: "✓",
    bad: "✗",
    bars: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    no_bar: "·",
    down: "▼",
    up: "▲",
};

const ASCII: Glyphs = Glyphs {
    rule: "-",
    column: "|",
    selected: ">",
    focus: "* ",
    arrow_right: ">",
    arrow_left: "<",
    shaft: "-",
    to: "->",
    times: "x",
    at_least: ">=",
    dot: "-",
    ellipsis: "~",
    good: "ok",
    bad: "!!",
    bars: ["_", ",", ":", "-", "=", "+", "*", "#"],
    no_bar: ".",
    down: "v",
    up: "^",
};

impl Theme {
    pub const fn glyphs(self) -> Glyphs {
        if self.ascii { ASCII } else { UNICODE }
    }

    /// Text that came with an event, fit to be shown: nothing in it acts on the terminal.
    pub fn show(self, text: &str) -> String {
        let shown = escape(text);
        if self.ascii && !shown.is_ascii() {
            return shown.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
        }
        shown.into_owned()
    }

    pub const fn severity_glyph(self, severity: Severity) -> &'static str {
        match (severity, self.ascii) {
            (Severity::Critical, false) => "✖",
            (Severity::Warning, false) => "▲",
            (Severity::Notice, false) => "◆",
            (Severity::Info, false) => "●",
            (Severity::Critical, true) => "X",
            (Severity::Warning, true) => "!",
            (Severity::Notice, true) => "*",
            (Severity::Info, true) => "i",
        }
    }

    pub const fn severity_word(severity: Severity) -> &'static str {
        match severity {
            Severity::Critical => "CRITICAL",
            Severity::Warning => "WARNING",
            Severity::Notice => "notice",
            Severity::Info => "info",
        }
    }

    pub fn severity(self, severity: Severity) -> Style {
        match severity {
            Severity::Critical => self.bad().add_modifier(Modifier::BOLD),
            Severity::Warning => self.warn(),
            Severity::Notice => self.accent(),
            Severity::Info => Style::new(),
        }
    }

    /// Three marks that read as more and more filled.
    pub const fn certainty_glyph(self, certainty: Certainty) -> &'static str {
        match (certainty, self.ascii) {
            (Certainty::Proven, false) => "●",
            (Certainty::Inferred, false) => "◐",
            (Certainty::Suspected, false) => "○",
            (Certainty::Proven, true) => "=",
            (Certainty::Inferred, true) => "~",
            (Certainty::Suspected, true) => "?",
        }
    }

    pub fn behaviour(self, behaviour: Behaviour) -> Style {
        match behaviour {
            Behaviour::Unfixed => self.bad(),
            Behaviour::HonoursRst | Behaviour::AcceptsSyn => self.good(),
            Behaviour::Mixed => self.coloured(self.palette().warn),
            Behaviour::Unknown => self.quiet(),
        }
    }

    /// The line that must be seen from across the room.
    pub fn banner(self, severity: Severity) -> Style {
        if self.no_color {
            return Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD);
        }
        let palette = self.palette();
        let ((ink, ground), modifier) = match severity {
            Severity::Critical => (palette.alarm, Modifier::BOLD),
            Severity::Warning => (palette.caution, Modifier::empty()),
            Severity::Notice | Severity::Info => (palette.calm, Modifier::empty()),
        };
        Style::new().fg(ink).bg(ground).add_modifier(modifier)
    }

    /// What every cell has that nothing else gave a colour: letters and ground.
    pub fn ground(self) -> (Color, Color) {
        if self.no_color { (Color::Reset, Color::Reset) } else { self.palette().ground }
    }

    pub fn good(self) -> Style {
        self.coloured(self.palette().good)
    }

    pub fn bad(self) -> Style {
        self.coloured(self.palette().bad)
    }

    pub fn warn(self) -> Style {
        self.coloured(self.palette().warn).add_modifier(Modifier::BOLD)
    }

    pub fn accent(self) -> Style {
        self.coloured(self.palette().accent)
    }

    pub fn quiet(self) -> Style {
        match self.palette().quiet {
            Some(color) if !self.no_color => Style::new().fg(color),
            Some(_) | None => Style::new().add_modifier(Modifier::DIM),
        }
    }

    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The chosen row: reversed in the pane that has the keys, its glyph alone elsewhere.
    pub fn chosen(self, focused: bool) -> Style {
        if focused { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() }
    }

    const fn palette(self) -> Palette {
        Palette::of(self.name)
    }

    fn coloured(self, color: Color) -> Style {
        if self.no_color { Style::new() } else { Style::new().fg(color) }
    }
}
