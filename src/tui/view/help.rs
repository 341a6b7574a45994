//! The help: the keymap's own table, and what the marks mean.
//!
//! Knows how to print a table. Refuses to know any key by itself.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::fit;
use crate::analysis::{certainty::Certainty, rule::Severity};
use crate::tui::keymap::{BINDINGS, Key};
use crate::tui::model::Model;
use crate::tui::theme::Theme;

pub fn render(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let lines = lines(model, area.width);
    let at = model.help.unwrap_or(0);
    let body = super::titled(model, frame, area, "Help", true, super::position(at, lines.len(), area));
    let first = at.min(super::end(lines.len(), body.height));
    super::scrolled(frame, body, lines, first);
}

pub fn lines(model: &Model, width: u16) -> Vec<Line<'static>> {
    let theme = model.theme;
    let keys: Vec<String> = BINDINGS
        .iter()
        .map(|binding| binding.keys.iter().map(|key| Key::name(*key)).collect::<Vec<_>>().join(" "))
        .collect();
    let column = keys.iter().map(|name| fit::width(name)).max().unwrap_or(0) + 3;
    let mut lines = vec![Line::styled(" Keys", theme.strong())];
    for (binding, name) in BINDINGS.iter().zip(&keys) {
        let room = usize::from(width).saturating_sub(column);
        for (at, text) in fit::wrap(binding.label, room).into_iter().enumerate() {
            let key = if at == 0 { fit::left(&format!(" {name}"), column, "") } else { " ".repeat(column) };
            lines.push(Line::from(vec![Span::styled(key, theme.accent()), Span::raw(text)]));
        }
    }
    lines.push(Line::default());
    lines.push(Line::styled(" Marks", theme.strong()));
    for (severity, meaning) in [
        (Severity::Critical, "a connection was refused or a device stopped serving"),
        (Severity::Warning, "something failed or waited"),
        (Severity::Notice, "a risk"),
        (Severity::Info, "worth knowing"),
    ] {
        let mark = format!(" {} {}", theme.severity_glyph(severity), Theme::severity_word(severity));
        lines.push(legend(&mark, theme.severity(severity), meaning, column.max(14)));
    }
    for (certainty, meaning) in [
        (Certainty::Proven, "seen, frame by frame"),
        (Certainty::Inferred, "follows from what was seen, unless frames were lost or reordered"),
        (Certainty::Suspected, "fits what was seen, and so does something else"),
    ] {
        let mark = format!(" {} {certainty}", theme.certainty_glyph(certainty));
        lines.push(legend(&mark, ratatui::style::Style::new(), meaning, column.max(14)));
    }
    lines
}

fn legend(mark: &str, style: ratatui::style::Style, meaning: &'static str, column: usize) -> Line<'static> {
    Line::from(vec![Span::styled(fit::left(mark, column, ""), style), Span::raw(meaning)])
}
