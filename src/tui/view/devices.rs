//! Device cards: who it is, what it holds in TIME-WAIT and for how long yet, how it behaves there, how it is being used,
//! and the last word on it.
//!
//! Knows one card. Refuses to explain: see `device`.

use core::time::Duration;

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{Listing, fit, gauge};
use crate::analysis::host::{Behaviour, DeviceFacts};
use crate::tui::model::{Model, Pane, Subject};
use crate::tui::theme::Theme;
use crate::tui::vitals::SECONDS;
use crate::tui::words;

/// Rows of all cards.
pub fn rows(model: &Model) -> usize {
    model.shown().devices.iter().map(card_rows).sum()
}

fn card_rows(facts: &DeviceFacts) -> usize {
    5 + usize::from(facts.own_account.is_some())
}

pub fn listing(model: &Model, area: Rect) -> Listing {
    let devices = model.shown().devices_in_order();
    if devices.is_empty() {
        let text = if model.is_over() { "No device was seen." } else { "No device seen yet." };
        return Listing::nothing(model, text);
    }
    let chosen = model.chosen_index(Pane::Devices, &model.listed(Pane::Devices));
    let height = usize::from(area.height);
    let whole = rows(model) <= height;
    let several = devices.len() > 1;
    // The chosen card is whole, the others are a line each where there is no room for all.
    let lines_of = |at: usize, facts| if whole || at == chosen { card_rows(facts) } else { 1 };
    let from: usize = devices.iter().enumerate().take(chosen).map(|(at, facts)| lines_of(at, facts)).sum();
    let all: usize = devices.iter().enumerate().map(|(at, facts)| lines_of(at, facts)).sum();
    let own = devices.get(chosen).map_or(0, |facts| card_rows(facts));
    let shown = super::in_sight(all, &(from..from + own), height);
    let mut listing = Listing::default();
    let mut line = 0;
    for (at, facts) in devices.into_iter().enumerate() {
        let lines = lines_of(at, facts);
        if line + lines > shown.start && line < shown.end {
            let mark = if several && at == chosen { model.theme.glyphs().selected } else { " " };
            for (row, text) in card(model, facts, area.width).into_iter().take(lines).enumerate() {
                if shown.contains(&(line + row)) {
                    let mark = Span::styled(mark, model.theme.accent());
                    listing.push(
                        Line::from([vec![mark], text.spans].concat()),
                        Some(Subject::Device(facts.address)),
                    );
                }
            }
        }
        line += lines;
    }
    listing
}

fn card(model: &Model, facts: &DeviceFacts, width: u16) -> Vec<Line<'static>> {
    let theme = model.theme;
    let ellipsis = theme.glyphs().ellipsis;
    let room = usize::from(width).saturating_sub(1);
    // A narrow card loses the end first: the MAC.
    let mut name = vec![
        Span::styled(facts.address.to_string(), theme.strong()),
        Span::styled(format!("  {}", behaviour(theme, facts)), theme.behaviour(facts.behaves_as)),
        Span::raw(format!("  {}", words::stack(facts))),
    ];
    if let Some(mode) = &facts.mode {
        name.push(Span::styled(format!("  mode {}", theme.show(mode)), theme.strong()));
    }
    if let Some(mac) = words::mac(facts) {
        name.push(Span::styled(format!("  {}", theme.show(&mac)), theme.quiet()));
    }
    let (severity, said) = words::verdict(model.shown(), facts);
    let (mark, style) = match severity {
        Some(severity) => (theme.severity_glyph(severity), theme.severity(severity)),
        None => (" ", Style::new()),
    };
    let mut lines = vec![
        fitted(name, room, ellipsis),
        Line::raw(fit::cut(&format!("  TIME-WAIT {}", held(model, facts, width)), room, ellipsis)),
        Line::raw(fit::cut(&format!("  {}", known(theme, facts)), room, ellipsis)),
        Line::raw(fit::cut(&format!("  {}", pulse(model, facts, width)), room, ellipsis)),
    ];
    if let Some(list) = words::own_list(facts) {
        let style = if facts.own_account.is_some_and(|own| own.disagreements > 0) {
            theme.bad()
        } else {
            Style::new()
        };
        lines.push(Line::styled(fit::cut(&format!("  Own list: {list}"), room, ellipsis), style));
    }
    lines.push(Line::styled(fit::cut(&format!("{mark} {}", theme.show(&said)), room, ellipsis), style));
    lines
}

/// `███·············  3 held, 3 entered, next in 114 s if MSL is 60 s`
pub fn held(model: &Model, facts: &DeviceFacts, width: u16) -> String {
    let theme = model.theme;
    let held: Vec<Duration> =
        model.shown().held(facts, model.now()).into_iter().map(|(_, left)| left).collect();
    let whole = Duration::from_secs_f64(facts.msl_s.assumed_time_wait_s().clamp(0.0, 1e6));
    let bars = gauge::held(theme, &held, whole, facts.pcb_cap.at_most);
    let told = &facts.time_wait;
    let mut text = format!("{bars}  {} held", told.held_now);
    // When one is free again says more than how many there were.
    if held.is_empty() || width >= 79 {
        text.push_str(&format!(", {} entered", told.entered));
    }
    if let Some(left) = held.first() {
        text.push_str(&format!(" {} next {}", theme.glyphs().dot, ends(facts, *left)));
    }
    text
}

/// When a TIME-WAIT ends, as sure as the device's MSL is known.
pub fn ends(facts: &DeviceFacts, left: Duration) -> String {
    let left = left.as_secs();
    match (facts.msl_s.at_least, facts.msl_s.at_most) {
        (_, Some(_)) => format!("within {left} s"),
        (Some(least), None) if 2.0 * least > facts.msl_s.assumed_time_wait_s() - 1e-9 => {
            format!("in {left} s at the earliest")
        }
        (Some(_) | None, None) => format!("in {left} s if MSL is 60 s"),
    }
}

/// `MSL ≥ 33.6 s · refused until 67.7 s · a SYN is refused, a RST ignored`
fn known(theme: Theme, facts: &DeviceFacts) -> String {
    let glyphs = theme.glyphs();
    let mut parts = vec![words::msl(facts, glyphs.at_least)];
    if let Some(until) = facts.time_wait.refused_until_s {
        parts.push(format!("refused until {}", words::span(until)));
    }
    if let Some(from) = facts.time_wait.accepted_from_s {
        parts.push(format!("accepted from {}", words::span(from)));
    }
    parts.push(words::in_time_wait_briefly(facts));
    parts.join(&format!(" {} ", glyphs.dot))
}

/// `Connects ▁▁▂▁  4/s, 84 in 60 s · took ▁▁▁█  204 ms, most 18.5 s`
pub fn pulse(model: &Model, facts: &DeviceFacts, width: u16) -> String {
    let theme = model.theme;
    let dot = theme.glyphs().dot;
    let Some(vitals) = model.shown().vitals.get(&facts.address) else {
        return "No connection was told of.".to_owned();
    };
    let now = model.now();
    let cells = match width {
        0..70 => 6,
        70..100 => 10,
        _ => 18,
    };
    let opened = vitals.opened_each(now, SECONDS);
    // The second that goes on is not over.
    let last = opened.get(SECONDS.saturating_sub(2)).copied().unwrap_or_default();
    let minute: u32 = opened.iter().sum();
    let shown: Vec<f64> =
        opened.iter().skip(opened.len().saturating_sub(cells)).map(|count| f64::from(*count)).collect();
    let mut text = format!("Connects {} {last}/s, {minute} in 60 s", gauge::spark(theme, &shown));
    if let Some(took) = vitals.last_connect_s() {
        let slowest = vitals.slowest_each(now, cells).into_iter();
        let slowest: Vec<f64> = slowest.map(|slowest| f64::from(slowest.unwrap_or(0.0))).collect();
        let bars = gauge::spark(theme, &slowest);
        text.push_str(&format!(" {dot} took {bars} {}", words::span(took)));
    }
    let most = vitals.slowest_each(now, SECONDS).into_iter().flatten().fold(0.0, f32::max);
    match facts.delays.waiting {
        0 if most > 0.0 => text.push_str(&format!(", most {}", words::span(most.into()))),
        0 => {}
        waiting => text.push_str(&format!(" {dot} {waiting} waiting")),
    }
    text
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
