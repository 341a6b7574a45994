//! Device cards: who it is, what it holds in TIME-WAIT, how it behaves there, and the last word on it.
//!
//! Knows one card. Refuses to explain: see `detail`.

use core::ops::Range;

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::fit;
use crate::analysis::host::{Behaviour, DeviceFacts};
use crate::tui::model::{Model, Pane};
use crate::tui::theme::Theme;
use crate::tui::words;

/// Rows of a whole card.
pub const fn card_rows(_width: u16) -> usize {
    4
}

pub fn lines(model: &Model, area: Rect, focused: bool) -> (Vec<Line<'static>>, Range<usize>) {
    let devices = model.shown().devices_in_order();
    if devices.is_empty() {
        let text = if model.is_over() { "No device was seen." } else { "No device seen yet." };
        return (vec![Line::styled(format!(" {text}"), model.theme.quiet())], 0..0);
    }
    let chosen = model.chosen_index(Pane::Devices, &model.listed(Pane::Devices));
    let whole = devices.len() * card_rows(area.width) <= usize::from(area.height);
    let mut lines = Vec::new();
    let mut chosen_lines = 0..0;
    for (at, facts) in devices.into_iter().enumerate() {
        let from = lines.len();
        let mark = if at == chosen { model.theme.glyphs().selected } else { " " };
        let mut card = card(model, facts, area.width);
        if !whole && at != chosen {
            card.truncate(1);
        }
        for line in card {
            let mark = Span::styled(mark, if focused { model.theme.accent() } else { model.theme.quiet() });
            lines.push(Line::from([vec![mark], line.spans].concat()));
        }
        if at == chosen {
            chosen_lines = from..lines.len();
        }
    }
    (lines, chosen_lines)
}

fn card(model: &Model, facts: &DeviceFacts, width: u16) -> Vec<Line<'static>> {
    let theme = model.theme;
    let glyphs = theme.glyphs();
    let room = usize::from(width).saturating_sub(1);
    // A narrow card loses the end first: the MAC.
    let mut name = vec![
        Span::styled(facts.address.to_string(), theme.strong()),
        Span::styled(format!("  {}", behaviour(theme, facts)), theme.behaviour(facts.behaves_as)),
        Span::raw(format!("  {}", words::stack(facts))),
    ];
    if let Some(mac) = &facts.mac {
        name.push(Span::styled(format!("  {}", theme.show(mac)), theme.quiet()));
    }
    let (severity, said) = words::verdict(model.shown(), facts);
    let (mark, style) = match severity {
        Some(severity) => (theme.severity_glyph(severity), theme.severity(severity)),
        None => (" ", Style::new()),
    };
    vec![
        fitted(name, room, glyphs.ellipsis),
        Line::raw(fit::cut(&format!("  {}", time_wait(theme, facts)), room, glyphs.ellipsis)),
        Line::raw(fit::cut(&format!("  {}", words::in_time_wait(facts)), room, glyphs.ellipsis)),
        Line::styled(fit::cut(&format!("{mark} {}", theme.show(&said)), room, glyphs.ellipsis), style),
    ]
}

/// `TIME-WAIT: 1 held, 1 entered · refused until 67.7 s · MSL ≥ 33.6 s`
pub fn time_wait(theme: Theme, facts: &DeviceFacts) -> String {
    let glyphs = theme.glyphs();
    let held = &facts.time_wait;
    let mut parts = vec![format!("TIME-WAIT: {} held now, {} entered", held.held_now, held.entered)];
    if let Some(until) = held.refused_until_s {
        parts.push(format!("refused until {}", words::span(until)));
    }
    if let Some(from) = held.accepted_from_s {
        parts.push(format!("accepted from {}", words::span(from)));
    }
    parts.push(words::msl(facts, glyphs.at_least));
    parts.join(&format!(" {} ", glyphs.dot))
}

pub fn behaviour(theme: Theme, facts: &DeviceFacts) -> String {
    let glyphs = theme.glyphs();
    let said = words::behaviour(facts.behaves_as);
    match facts.behaves_as {
        Behaviour::Unfixed => format!("{} {said}", glyphs.bad),
        Behaviour::HonoursRst | Behaviour::AcceptsSyn => format!("{} {said}", glyphs.good),
        Behaviour::Mixed => format!("? {said}"),
        Behaviour::Unknown => said.to_owned(),
    }
}

/// Spans for as far as there is room.
fn fitted(spans: Vec<Span<'static>>, room: usize, ellipsis: &str) -> Line<'static> {
    let mut left = room;
    let mut kept = Vec::new();
    for span in spans {
        let wide = fit::width(&span.content);
        if wide > left {
            kept.push(Span::styled(fit::cut(&span.content, left, ellipsis), span.style));
            break;
        }
        left -= wide;
        kept.push(span);
    }
    Line::from(kept)
}
