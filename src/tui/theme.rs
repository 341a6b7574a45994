//! Colours and glyphs: the sixteen colours of the terminal's own palette, each doubled by a glyph or a word.
//!
//! Knows how things look. Refuses to know what is shown, except for the vocabulary that has a look of its own.

use ratatui::style::{Color, Modifier, Style};

use crate::analysis::{certainty::Certainty, host::Behaviour, rule::Severity};
use crate::text::escape;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Theme {
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
            Severity::Critical => self.coloured(Color::LightRed).add_modifier(Modifier::BOLD),
            Severity::Warning => self.coloured(Color::Yellow).add_modifier(Modifier::BOLD),
            Severity::Notice => self.coloured(Color::Cyan),
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
            Behaviour::Mixed => self.coloured(Color::Yellow),
            Behaviour::Unknown => self.quiet(),
        }
    }

    /// The line that must be seen from across the room.
    pub fn banner(self, severity: Severity) -> Style {
        match (severity, self.no_color) {
            (_, true) => Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD),
            (Severity::Critical, false) => {
                Style::new().fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD)
            }
            (Severity::Warning, false) => Style::new().fg(Color::Black).bg(Color::Yellow),
            (Severity::Notice | Severity::Info, false) => Style::new().fg(Color::Black).bg(Color::Green),
        }
    }

    pub fn good(self) -> Style {
        self.coloured(Color::Green)
    }

    pub fn bad(self) -> Style {
        self.coloured(Color::LightRed)
    }

    pub fn warn(self) -> Style {
        self.coloured(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    pub fn accent(self) -> Style {
        self.coloured(Color::Cyan)
    }

    pub fn quiet(self) -> Style {
        // Not the palette's "bright black": in Solarized that is the background.
        Style::new().add_modifier(Modifier::DIM)
    }

    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The chosen row: reversed in the pane that has the keys, its glyph alone elsewhere.
    pub fn chosen(self, focused: bool) -> Style {
        if focused { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() }
    }

    fn coloured(self, color: Color) -> Style {
        if self.no_color { Style::new() } else { Style::new().fg(color) }
    }
}
