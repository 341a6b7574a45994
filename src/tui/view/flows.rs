//! The table of flows, one row each, under the names of its columns.
//!
//! Knows a row's columns, and which of them there is room for. Refuses to explain: see `detail`.

use core::net::SocketAddr;

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{Listing, fit};
use crate::analysis::{certainty::Certainty, event::FlowChange};
use crate::tui::model::{Model, Subject};
use crate::tui::order::FlowColumn;
use crate::tui::theme::Theme;
use crate::tui::watched::{FlowEntry, FlowKey};
use crate::tui::words;

/// A column and its width.
struct Column {
    of: FlowColumn,
    name: &'static str,
    width: usize,
    to_the_right: bool,
    /// Which goes first where there is no room for all: the highest.
    rank: u8,
}

const fn column(of: FlowColumn, name: &'static str, width: usize, to_the_right: bool, rank: u8) -> Column {
    Column { of, name, width, to_the_right, rank }
}

/// After the addresses, which come first and keep what is left.
const COLUMNS: [Column; 10] = [
    column(FlowColumn::Client, " client", 14, false, 1),
    column(FlowColumn::Server, " server", 14, false, 2),
    column(FlowColumn::Life, "life", 6, true, 4),
    column(FlowColumn::Again, "again", 7, true, 3),
    column(FlowColumn::Connect, "connect", 10, true, 5),
    column(FlowColumn::Bytes, "c sent", 9, true, 6),
    column(FlowColumn::Bytes, "s sent", 9, true, 7),
    column(FlowColumn::Opened, "opened", 8, true, 8),
    column(FlowColumn::Changed, "last", 6, true, 0),
    column(FlowColumn::Findings, "  findings", 26, false, 9),
];
/// Addresses longer than this are shortened before a column is left out for them; on a wide screen two fifths of it.
const ADDRESSES: usize = 36;

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
    let chosen = flows.iter().position(|(key, _)| model.chosen.flow == Some(**key)).unwrap_or(0);
    let width = usize::from(area.width);
    let height = usize::from(area.height);
    let mut listing = Listing::default();
    let with_names = height > 3;
    let shown =
        super::in_sight(flows.len(), &(chosen..chosen + 1), height - usize::from(with_names).min(height));
    let rows = || flows.iter().enumerate().take(shown.end).skip(shown.start);
    let longest = rows().map(|(_, (key, _))| fit::width(&tuple(**key, usize::MAX, model.theme))).max();
    let table = Table::of(width, longest.unwrap_or_default(), model.theme);
    if with_names {
        listing.push(names(model, &table), None);
    }
    for (at, (key, entry)) in rows() {
        let row = row(model, **key, entry, &table, at == chosen, focused);
        listing.push(row, Some(Subject::Flow(**key)));
    }
    listing
}

/// How the width is divided.
struct Table {
    columns: Vec<&'static Column>,
    /// What is left for the addresses.
    addresses: usize,
}

impl Table {
    /// With as many columns as there is room for beside addresses that are `longest` wide.
    fn of(width: usize, longest: usize, theme: Theme) -> Table {
        let rest = width.saturating_sub(mark_width(theme));
        let mut left = rest.saturating_sub(longest.min(ADDRESSES.max(width * 2 / 5)));
        let mut by_rank: Vec<&Column> = COLUMNS.iter().collect();
        by_rank.sort_by_key(|column| column.rank);
        let fitting = by_rank.iter().take_while(|column| {
            let fits = column.width <= left;
            left = left.saturating_sub(column.width);
            fits
        });
        let count = fitting.count();
        let columns: Vec<_> = COLUMNS.iter().filter(|column| usize::from(column.rank) < count).collect();
        let used: usize = columns.iter().map(|column| column.width).sum();
        Table { columns, addresses: rest.saturating_sub(used) }
    }
}

/// Both ends, whole or with their addresses shortened; a port is never cut off where `room` has any for it.
pub fn tuple((client, server): FlowKey, room: usize, theme: Theme) -> String {
    let glyphs = theme.glyphs();
    let arrow = format!(" {} ", glyphs.to);
    let whole = format!("{client}{arrow}{server}");
    if fit::width(&whole) <= room {
        return whole;
    }
    let port = |end: SocketAddr| format!(":{}", end.port());
    let address = |end: SocketAddr, room: usize| match end {
        SocketAddr::V4(end) => fit::middle(&end.ip().to_string(), room, glyphs.ellipsis),
        SocketAddr::V6(end) => {
            format!("[{}]", fit::middle(&end.ip().to_string(), room.saturating_sub(2), glyphs.ellipsis))
        }
    };
    let fixed = fit::width(&arrow) + port(client).len() + port(server).len();
    let each = room.saturating_sub(fixed) / 2;
    format!("{}{}{arrow}{}{}", address(client, each), port(client), address(server, each), port(server))
}

/// Columns before the addresses: the mark of what is chosen, and that of trouble.
fn mark_width(theme: Theme) -> usize {
    2 + fit::width(theme.glyphs().bad)
}

fn names(model: &Model, table: &Table) -> Line<'static> {
    let theme = model.theme;
    let glyphs = theme.glyphs();
    let order = model.flow_order;
    let arrow = if order.reversed { glyphs.up } else { glyphs.down };
    let of_addresses = if order.column == FlowColumn::Tuple { arrow } else { "" };
    let addresses = format!("client {} server {of_addresses}", glyphs.to);
    let mut text = " ".repeat(mark_width(theme));
    text.push_str(&fit::left(&addresses, table.addresses, glyphs.ellipsis));
    for column in &table.columns {
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
    table: &Table,
    chosen: bool,
    focused: bool,
) -> Line<'static> {
    let theme = model.theme;
    let glyphs = theme.glyphs();
    let trouble = if entry.findings > 0 { glyphs.bad } else { " " };
    let over = entry.event.change == FlowChange::Closed;
    let tuple = tuple(key, table.addresses, theme);
    let style = if over { theme.quiet() } else { Style::new() };
    let mark = if chosen { glyphs.selected } else { " " };
    let mut spans = vec![
        Span::raw(mark),
        Span::styled(fit::left(trouble, fit::width(glyphs.bad) + 1, ""), theme.bad()),
        Span::styled(fit::left(&tuple, table.addresses, glyphs.ellipsis), style),
    ];
    let mut client_sent = true;
    for column in &table.columns {
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
        FlowColumn::Again => entry.again.map_or_else(
            || glyphs.dot.to_owned(),
            |again| {
                let least = if again.is_exact { "" } else { glyphs.at_least };
                format!("{least}{}", again.count)
            },
        ),
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

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "fd12:3456:789a:bcde:f012:3456:789a:bcde";

    #[test]
    fn every_column_has_a_rank_of_its_own() {
        let mut ranks = COLUMNS.map(|column| usize::from(column.rank));
        ranks.sort_unstable();
        assert!(ranks.into_iter().eq(0..COLUMNS.len()));
    }

    #[test]
    fn addresses_are_shortened_and_ports_are_not() {
        let v4 = ("10.77.0.1:40000".parse().unwrap(), "10.77.0.2:80".parse().unwrap());
        let v6 = (format!("[{LONG}]:65535").parse().unwrap(), format!("[{LONG}]:8080").parse().unwrap());
        let theme = Theme::default();
        assert_eq!(tuple(v4, 30, theme), "10.77.0.1:40000 → 10.77.0.2:80");
        assert_eq!(tuple(v4, 24, theme), "10…0.1:40000 → 10…0.2:80");
        assert_eq!(tuple(v6, 36, theme), "[fd12…bcde]:65535 → [fd12…bcde]:8080");
        for room in 14..110 {
            for key in [v4, v6] {
                let text = tuple(key, room, theme);
                assert!(fit::width(&text) <= room.max(18), "{text} in {room}");
                assert!(text.contains(&format!(":{} ", key.0.port())), "{text}");
                assert!(text.ends_with(&format!(":{}", key.1.port())), "{text}");
            }
        }
    }

    #[test]
    fn no_row_is_wider_than_the_screen() {
        for width in 0..240 {
            for longest in [30, 44, 100] {
                let table = Table::of(width, longest, Theme::default());
                let used: usize = table.columns.iter().map(|column| column.width).sum();
                assert!(used + table.addresses + mark_width(Theme::default()) <= width.max(3), "{width}");
                assert!(table.addresses >= longest.min(ADDRESSES).min(width.saturating_sub(3)), "{width}");
            }
        }
    }
}
