//! The list of alerts, one row each.
//!
//! Knows a row's columns. Refuses to explain: see `detail`.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Listing, fit};
use crate::tui::model::{Model, Pane, Subject};
use crate::tui::theme::Theme;
use crate::tui::watched::AlertEntry;
use crate::tui::words;

const COUNT: usize = 7;
const AGE: usize = 6;
const CLIENT: usize = 23;
const RULE: usize = 20;

pub fn listing(model: &Model, area: Rect, focused: bool) -> Listing {
    let alerts = model.alerts();
    if alerts.is_empty() {
        let text = match (model.filters.alerts.is_empty(), model.is_over()) {
            (false, _) => "No alert has these words.",
            (true, true) => "Nothing was alerted.",
            (true, false) => "Nothing alerted so far.",
        };
        return Listing::nothing(model, text);
    }
    let chosen = model.chosen_index(Pane::Alerts, &model.listed(Pane::Alerts));
    let shown = super::in_sight(alerts.len(), &(chosen..chosen + 1), area.height.into());
    let mut listing = Listing::default();
    for (at, entry) in alerts.iter().enumerate().take(shown.end).skip(shown.start) {
        let row = row(model, entry, usize::from(area.width), at == chosen, focused);
        listing.push(row, Some(Subject::Alert(entry.alert.id)));
    }
    listing
}

fn row(model: &Model, entry: &AlertEntry, width: usize, chosen: bool, focused: bool) -> Line<'static> {
    let theme = model.theme;
    let glyphs = theme.glyphs();
    let alert = &entry.alert;
    let with_rule = width >= 60;
    let with_client = width >= 110;
    let mark = if chosen { glyphs.selected } else { " " };
    let word = Theme::severity_word(alert.severity);
    let severity = format!("{mark}{} {word:<9}", theme.severity_glyph(alert.severity));
    let mut after = fit::right(&format!("{}{}", glyphs.times, entry.count), COUNT, glyphs.ellipsis);
    after.push_str(&fit::right(&words::age(model.now().since(entry.last)), AGE, ""));
    if with_client {
        let client = words::client(alert);
        after.push_str(&format!("  {}", fit::left(&client, CLIENT - 2, glyphs.ellipsis)));
    }
    if with_rule {
        after.push_str(&format!("  {}", fit::left(&theme.show(&alert.rule), RULE - 1, glyphs.ellipsis)));
    }
    let room = width.saturating_sub(fit::width(&severity) + fit::width(&after));
    let over = if entry.ended() && !model.is_over() { "over: " } else { "" };
    let title = fit::left(&format!("{over}{}", theme.show(&alert.title)), room, glyphs.ellipsis);
    let style = if entry.ended() { theme.quiet() } else { ratatui::style::Style::new() };
    let line = Line::from(vec![
        Span::styled(severity, theme.severity(alert.severity)),
        Span::raw(title),
        Span::styled(after, style),
    ]);
    if chosen { line.style(theme.chosen(focused)) } else { line }
}
