//! The list of flows, one row each.
//!
//! Knows a row's columns. Refuses to explain: see `detail`.

use core::ops::Range;

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::fit;
use crate::analysis::{certainty::Certainty, event::FlowChange};
use crate::tui::model::{Model, Pane};
use crate::tui::theme::Theme;
use crate::tui::watched::{FlowEntry, FlowKey};
use crate::tui::words;

const STATE: usize = 14;
const LIFE: usize = 8;
const BYTES: usize = 8;
const AGE: usize = 6;
const TROUBLE: usize = 22;

pub fn lines(model: &Model, width: u16, focused: bool) -> (Vec<Line<'static>>, Range<usize>) {
    let flows = model.shown().flows_in_order();
    if flows.is_empty() {
        let text = if model.is_over() { "No connection was seen." } else { "No connection seen yet." };
        return (vec![Line::styled(format!(" {text}"), model.theme.quiet())], 0..0);
    }
    let chosen = model.chosen_index(Pane::Flows, &model.listed(Pane::Flows));
    let lines = flows
        .iter()
        .enumerate()
        .map(|(at, (key, entry))| row(model, **key, entry, usize::from(width), at == chosen, focused))
        .collect();
    (lines, chosen..chosen + 1)
}

fn row(
    model: &Model,
    key: FlowKey,
    entry: &FlowEntry,
    width: usize,
    chosen: bool,
    focused: bool,
) -> Line<'static> {
    let theme = model.theme;
    let glyphs = theme.glyphs();
    let flow = &entry.event;
    let age = fit::right(&words::age(model.now().since(flow.when.0)), AGE, "");
    let life = fit::right(&format!("life {}", flow.incarnation), LIFE, glyphs.ellipsis);
    let bytes = |count| fit::right(&words::bytes(count), BYTES, glyphs.ellipsis);
    let mut after =
        vec![Span::raw(state(theme, &flow.client_state)), Span::raw(state(theme, &flow.server_state))];
    if width >= 72 {
        after.push(Span::raw(life));
    }
    if width >= 92 {
        after.push(Span::raw(format!("{}{}", bytes(flow.client_bytes), bytes(flow.server_bytes))));
    }
    after.push(Span::raw(age));
    if width >= 110 {
        let text = match &entry.rule {
            Some(rule) => format!("  {} {}", glyphs.bad, theme.show(rule)),
            None => String::new(),
        };
        after.push(Span::styled(fit::left(&text, TROUBLE, glyphs.ellipsis), theme.bad()));
    }
    let used: usize = after.iter().map(Span::width).sum();
    // The tuple comes first and keeps the most.
    while fit_room(width, &after) < 30 && after.len() > 1 {
        after.remove(0);
    }
    let room = if used < width { fit_room(width, &after) } else { width.saturating_sub(2) };
    let mark = if chosen { glyphs.selected } else { " " };
    let trouble = if entry.findings > 0 { glyphs.bad } else { " " };
    let over = flow.change == FlowChange::Closed;
    let tuple = format!("{} {} {}", key.0, glyphs.to, key.1);
    let mut spans = vec![
        Span::raw(mark),
        Span::styled(fit::left(trouble, fit::width(glyphs.bad) + 1, ""), theme.bad()),
        Span::styled(
            fit::left(&tuple, room, glyphs.ellipsis),
            if over { theme.quiet() } else { Style::new() },
        ),
    ];
    spans.extend(after);
    let line = Line::from(spans);
    if chosen { line.style(theme.chosen(focused)) } else { line }
}

fn fit_room(width: usize, after: &[Span<'_>]) -> usize {
    width.saturating_sub(4 + after.iter().map(Span::width).sum::<usize>())
}

/// The contract's `ESTABLISHED (proven)` as a state and a mark of how sure it is.
fn state(theme: Theme, text: &str) -> String {
    let shown = theme.show(text);
    let (name, certainty) = match shown.split_once(" (") {
        Some((name, "proven)")) => (name, theme.certainty_glyph(Certainty::Proven)),
        Some((name, "inferred)")) => (name, theme.certainty_glyph(Certainty::Inferred)),
        Some((name, _)) => (name, theme.certainty_glyph(Certainty::Suspected)),
        None => (shown.as_str(), " "),
    };
    fit::left(&format!(" {certainty}{name}"), STATE + 1, theme.glyphs().ellipsis)
}
