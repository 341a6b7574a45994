//! The table of flows, one row each, under the names of its columns.
//!
//! Knows a row's columns, and which of them there is room for. Refuses to explain: see `detail`.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{Listing, fit};
use crate::analysis::{certainty::Certainty, event::FlowChange};
use crate::tui::model::{Model, Pane, Subject};
use crate::tui::order::FlowColumn;
use crate::tui::theme::Theme;
use crate::tui::watched::{FlowEntry, FlowKey};
use crate::tui::words;

/// A column, its width, and the width of the table from which on it is shown.
struct Column {
    of: FlowColumn,
    name: &'static str,
    width: usize,
    from: usize,
    to_the_right: bool,
}

const fn column(of: FlowColumn, name: &'static str, width: usize, from: usize, to_the_right: bool) -> Column {
    Column { of, name, width, from, to_the_right }
}

/// After the addresses, which come first and keep what is left.
const COLUMNS: [Column; 9] = [
    column(FlowColumn::Client, " client", 15, 62, false),
    column(FlowColumn::Server, " server", 15, 62, false),
    column(FlowColumn::Life, "life", 6, 72, true),
    column(FlowColumn::Connect, "connect", 10, 114, true),
    column(FlowColumn::Bytes, "c sent", 9, 92, true),
    column(FlowColumn::Bytes, "s sent", 9, 92, true),
    column(FlowColumn::Opened, "opened", 8, 102, true),
    column(FlowColumn::Changed, "last", 7, 44, true),
    column(FlowColumn::Findings, "  findings", 26, 142, false),
];

pub fn listing(model: &Model, area: Rect, focused: bool) -> Listing {
    let flows = model.flows();
    if flows.is_empty() {
        let text = match (model.filters.flows.is_empty(), model.is_over()) {
            (false, _) => "No flow has these words.",
            (true, true) => "No connection was seen.",
            (true, false) => "No connection seen yet.",
        };
        return Listing::nothing(model, text);
    }
    let chosen = model.chosen_index(Pane::Flows, &model.listed(Pane::Flows));
    let width = usize::from(area.width);
    let height = usize::from(area.height);
    let mut listing = Listing::default();
    let with_names = height > 3;
    if with_names {
        listing.push(names(model, width), None);
    }
    let shown =
        super::in_sight(flows.len(), &(chosen..chosen + 1), height - usize::from(with_names).min(height));
    for (at, (key, entry)) in flows.iter().enumerate().take(shown.end).skip(shown.start) {
        let row = row(model, **key, entry, width, at == chosen, focused);
        listing.push(row, Some(Subject::Flow(**key)));
    }
    listing
}

fn columns(width: usize) -> impl Iterator<Item = &'static Column> {
    COLUMNS.iter().filter(move |column| width >= column.from)
}

fn room(width: usize, mark: usize) -> usize {
    width.saturating_sub(mark + columns(width).map(|column| column.width).sum::<usize>())
}

/// Columns before the addresses: the mark of what is chosen, and that of trouble.
fn mark_width(theme: Theme) -> usize {
    2 + fit::width(theme.glyphs().bad)
}

fn names(model: &Model, width: usize) -> Line<'static> {
    let theme = model.theme;
    let glyphs = theme.glyphs();
    let order = model.flow_order;
    let arrow = if order.reversed { glyphs.up } else { glyphs.down };
    let mark = mark_width(theme);
    let of_addresses = if order.column == FlowColumn::Tuple { arrow } else { "" };
    let addresses = format!("client {} server {of_addresses}", glyphs.to);
    let mut text = " ".repeat(mark);
    text.push_str(&fit::left(&addresses, room(width, mark), glyphs.ellipsis));
    for column in columns(width) {
        let name = if column.of == order.column {
            format!("{}{arrow}", column.name)
        } else {
            column.name.to_owned()
        };
        text.push_str(&placed(column, &name, glyphs.ellipsis));
    }
    Line::styled(text, theme.quiet())
}

fn placed(column: &Column, text: &str, ellipsis: &str) -> String {
    if column.to_the_right {
        fit::right(text, column.width, ellipsis)
    } else {
        fit::left(text, column.width, ellipsis)
    }
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
    let trouble = if entry.findings > 0 { glyphs.bad } else { " " };
    let over = entry.event.change == FlowChange::Closed;
    let tuple = format!("{} {} {}", key.0, glyphs.to, key.1);
    let style = if over { theme.quiet() } else { Style::new() };
    let mark = if chosen { glyphs.selected } else { " " };
    let mut spans = vec![
        Span::raw(mark),
        Span::styled(fit::left(trouble, fit::width(glyphs.bad) + 1, ""), theme.bad()),
        Span::styled(fit::left(&tuple, room(width, mark_width(theme)), glyphs.ellipsis), style),
    ];
    let mut client_sent = true;
    for column in columns(width) {
        let (text, style) = cell(model, entry, column.of, &mut client_sent);
        spans.push(Span::styled(placed(column, &text, glyphs.ellipsis), style));
    }
    let line = Line::from(spans);
    if chosen { line.style(theme.chosen(focused)) } else { line }
}

/// `client_sent`: which of the two columns of octets comes next.
fn cell(model: &Model, entry: &FlowEntry, of: FlowColumn, client_sent: &mut bool) -> (String, Style) {
    let theme = model.theme;
    let glyphs = theme.glyphs();
    let flow = &entry.event;
    let ago = |at| words::age(model.now().since(at));
    let text = match of {
        FlowColumn::Client => state(theme, &flow.client_state),
        FlowColumn::Server => state(theme, &flow.server_state),
        FlowColumn::Life => flow.incarnation.to_string(),
        FlowColumn::Connect => {
            entry.connected.map_or_else(|| glyphs.dot.to_owned(), |took| words::span(took.as_secs_f64()))
        }
        FlowColumn::Bytes if core::mem::take(client_sent) => words::bytes(flow.client_bytes),
        FlowColumn::Bytes => words::bytes(flow.server_bytes),
        FlowColumn::Opened => ago(entry.opened),
        FlowColumn::Changed => ago(flow.when.0),
        FlowColumn::Findings => match &entry.rule {
            Some(rule) => format!("  {}{} {}", glyphs.times, entry.findings, theme.show(rule)),
            None => String::new(),
        },
        FlowColumn::Tuple => String::new(),
    };
    let style = if of == FlowColumn::Findings { theme.bad() } else { Style::new() };
    (text, style)
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
    format!(" {certainty}{name}")
}
