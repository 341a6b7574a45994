//! The help: the keymap's own table, and what the marks mean.
//!
//! Knows how to print a table. Refuses to know any key by itself.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::fit;
use crate::analysis::{certainty::Certainty, rule::Severity};
use crate::tui::keymap::BINDINGS;
use crate::tui::model::Model;
use crate::tui::theme::Theme;

/// What no table of keys can say.
const MOUSE: &[(&str, &str)] = &[
    ("click", "choose; on what is chosen: open it; on a screen's name: go there"),
    ("wheel", "move, or scroll"),
    ("Shift-drag", "select text, as the terminal does (some want Option or Fn instead of Shift)"),
];

pub fn lines(model: &Model, width: u16) -> Vec<Line<'static>> {
    let theme = model.theme;
    let bound: Vec<(String, &str)> = BINDINGS
        .iter()
        .filter_map(|binding| {
            let keys = model.keymap.keys(binding.command);
            let names = keys.iter().map(|key| key.name()).collect::<Vec<_>>().join(" ");
            (!names.is_empty()).then_some((names, binding.label))
        })
        .collect();
    let column = bound.iter().map(|(names, _)| fit::width(names)).max().unwrap_or(0).max(10) + 3;
    let mut lines = vec![Line::styled(" Keys", theme.strong())];
    for (names, label) in &bound {
        lines.extend(row(names, theme.accent(), label, column, width));
    }
    lines.push(Line::default());
    lines.push(Line::styled(" Mouse", theme.strong()));
    for (what, label) in MOUSE {
        lines.extend(row(what, theme.accent(), label, column, width));
    }
    lines.push(Line::default());
    lines.push(Line::styled(" Marks", theme.strong()));
    for (severity, meaning) in [
        (Severity::Critical, "a connection was refused or a device stopped serving"),
        (Severity::Warning, "something failed or waited"),
        (Severity::Notice, "a risk"),
        (Severity::Info, "worth knowing"),
    ] {
        let mark = format!("{} {}", theme.severity_glyph(severity), Theme::severity_word(severity));
        lines.extend(row(&mark, theme.severity(severity), meaning, column, width));
    }
    for (certainty, meaning) in [
        (Certainty::Proven, "seen, frame by frame"),
        (Certainty::Inferred, "follows from what was seen, unless frames were lost or reordered"),
        (Certainty::Suspected, "fits what was seen, and so does something else"),
    ] {
        let mark = format!("{} {certainty}", theme.certainty_glyph(certainty));
        lines.extend(row(&mark, Style::new(), meaning, column, width));
    }
    let glyphs = theme.glyphs();
    let [low, .., high] = glyphs.bars;
    for (mark, meaning) in [
        (
            format!("{high}{low}{}", glyphs.no_bar),
            "a connection block in TIME-WAIT, for long or not for long yet; one that is free",
        ),
        (format!("{low}{high}"), "one bar a second: connections asked for; the slowest connect()"),
    ] {
        lines.extend(row(&mark, Style::new(), meaning, column, width));
    }
    lines
}

fn row(mark: &str, style: Style, text: &str, column: usize, width: u16) -> Vec<Line<'static>> {
    fit::wrap(text, usize::from(width).saturating_sub(column))
        .into_iter()
        .enumerate()
        .map(|(at, text)| {
            let mark = if at == 0 { fit::left(&format!(" {mark}"), column, "") } else { " ".repeat(column) };
            Line::from(vec![Span::styled(mark, style), Span::raw(text)])
        })
        .collect()
}
