//! One device on the whole screen: what the wire says it holds, beside what it says itself, and which remedies it
//! behaves as having.
//!
//! Knows the order in which a person asks. Refuses to call a remedy in place that no frame has shown.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{detail::heading, devices, experiment, fit, gauge};
use crate::analysis::host::{DeviceFacts, RstInTimeWait, SynInTimeWait};
use crate::tui::keymap::{self, Command};
use crate::tui::model::Model;
use crate::tui::theme::Theme;
use crate::tui::words;

/// Tuples in TIME-WAIT that are listed; the others are counted.
const LISTED: usize = 12;
/// From the left edge to the values.
const VALUES: usize = 14;

pub fn lines(model: &Model, facts: &DeviceFacts, width: u16) -> Vec<Line<'static>> {
    let theme = model.theme;
    let watched = model.shown();
    let room = width.saturating_sub(1);
    let (severity, said) = words::verdict(watched, facts);
    let style = severity.map_or_else(Style::new, |severity| theme.severity(severity));
    let mut lines = fit::paragraph(&theme.show(&said), room, 1, "", style);
    if let Some(told) = watched.progress.as_ref().filter(|told| told.progress.device == facts.address) {
        lines.extend(experiment::lines(model, told, width));
    }
    lines.push(Line::default());
    let mut row = |name: &str, value: &str, style: Style| {
        lines.extend(fit::paragraph(value, room, VALUES, &format!(" {name}"), style));
    };
    let plain = Style::new();
    if let Some(summary) = &watched.summary {
        row("Run", &format!("ended. {}", theme.show(&summary.verdict)), plain);
    }
    row("Address", &facts.address.to_string(), plain);
    row("MAC", &words::mac(facts).map_or_else(|| "not seen".to_owned(), |mac| theme.show(&mac)), plain);
    row("Stack", &words::stack(facts), plain);
    let mode = facts.mode.as_ref().map_or_else(|| "not told".to_owned(), |mode| theme.show(mode));
    row("Mode", &mode, plain);
    row("Behaviour", &devices::behaviour(theme, facts), theme.behaviour(facts.behaves_as));
    row("Accepted", &crate::text::counted(facts.accepted, "connection"), plain);
    row("Pulse", &devices::pulse(model, facts, width), plain);
    for (name, value) in [("Blocks", words::room(facts)), ("Waited", words::delays(facts))] {
        if let Some(value) = value {
            row(name, &value, plain);
        }
    }
    lines.extend(ledger(model, facts, width));
    lines.extend(remedies(model, facts, width));
    if let Some(note) = &facts.note {
        lines.extend(heading(theme, "Note"));
        lines.extend(fit::paragraph(&theme.show(note), room, 3, "", Style::new()));
    }
    lines.extend(alerts(model, facts, width));
    lines
}

/// What it holds in TIME-WAIT by the wire, tuple by tuple, and by its own list.
fn ledger(model: &Model, facts: &DeviceFacts, width: u16) -> Vec<Line<'static>> {
    let theme = model.theme;
    let glyphs = theme.glyphs();
    let room = width.saturating_sub(1);
    let mut lines = heading(theme, "TIME-WAIT");
    let mut row = |name: &str, value: &str, style: Style| {
        lines.extend(fit::paragraph(value, room, VALUES, &format!(" {name}"), style));
    };
    row("By the wire", &devices::held(model, facts, width), Style::new());
    let (own, style) = match (words::own_list(facts), facts.own_account) {
        (Some(list), Some(own)) if own.disagreements > 0 => (format!("{} {list}", glyphs.bad), theme.bad()),
        (Some(list), _) => (format!("{} {list}", glyphs.good), theme.good()),
        (None, _) => ("it was not asked, or did not answer".to_owned(), theme.quiet()),
    };
    row("By itself", &own, style);
    row("MSL", words::msl(facts, glyphs.at_least).trim_start_matches("MSL "), Style::new());
    row("There", &words::in_time_wait(facts), Style::new());
    let met = format!(
        "{} and {} met a tuple in TIME-WAIT",
        crate::text::counted(facts.time_wait.syns, "SYN"),
        crate::text::counted(facts.time_wait.rsts, "RST")
    );
    row("Met", &met, Style::new());
    let held = model.shown().held(facts, model.now());
    let whole = facts.msl_s.assumed_time_wait_s();
    for ((client, server), left) in held.iter().take(LISTED) {
        let bar = gauge::spark(theme, &[left.as_secs_f64(), whole]);
        let bar: String = bar.chars().take(1).collect();
        let text = format!("{client} {} {server}", glyphs.to);
        lines.push(Line::raw(fit::cut(
            &format!(
                "{:VALUES$}{bar} {}  ends {}",
                "",
                fit::left(&text, 44, glyphs.ellipsis),
                devices::ends(facts, *left)
            ),
            room.into(),
            glyphs.ellipsis,
        )));
    }
    if held.len() > LISTED {
        lines.push(Line::styled(format!("{:VALUES$}and {} more", "", held.len() - LISTED), theme.quiet()));
    }
    lines
}

/// Whether the wire shows a remedy at work.
enum Seen {
    InPlace,
    Missing,
    NotYet,
}

/// The remedies as `mode` takes them, and what the wire shows of each.
fn remedies(model: &Model, facts: &DeviceFacts, width: u16) -> Vec<Line<'static>> {
    /// The remedy's MSL, with room for a tick.
    const SHORT_MSL_S: f64 = 7.0;
    let theme = model.theme;
    let glyphs = theme.glyphs();
    let syn = match facts.syn_in_time_wait {
        SynInTimeWait::Accepted => (Seen::InPlace, "a newer SYN was let in".to_owned()),
        SynInTimeWait::Refused => (Seen::Missing, "a SYN was refused there".to_owned()),
        SynInTimeWait::Unknown => (Seen::NotYet, "no SYN met TIME-WAIT yet".to_owned()),
    };
    let rst = match facts.rst_in_time_wait {
        RstInTimeWait::Honoured => (Seen::InPlace, "an exact RST freed its port".to_owned()),
        RstInTimeWait::Ignored => (Seen::Missing, "an exact RST changed nothing".to_owned()),
        RstInTimeWait::Unknown => (Seen::NotYet, "no exact RST was judged yet".to_owned()),
    };
    let msl = match (facts.msl_s.at_least, facts.msl_s.at_most) {
        (_, Some(most)) if most <= SHORT_MSL_S => (Seen::InPlace, words::msl(facts, glyphs.at_least)),
        (Some(least), _) if least > SHORT_MSL_S => (Seen::Missing, words::msl(facts, glyphs.at_least)),
        (_, _) => (Seen::NotYet, words::msl(facts, glyphs.at_least)),
    };
    let cap = match facts.pcb_cap.at_most {
        Some(most) => (Seen::InPlace, format!("with {most} the oldest was gone before its time")),
        None => (Seen::NotYet, "none was seen to give way".to_owned()),
    };
    let close = match facts.time_wait.entered {
        0 if facts.accepted > 0 => (Seen::NotYet, "the device did not close first so far".to_owned()),
        0 => (Seen::NotYet, "no close was seen".to_owned()),
        count => (Seen::Missing, format!("the device closed first {}", crate::text::times(count))),
    };
    let mut lines = heading(theme, "Remedies, as far as the wire shows them");
    for (name, (seen, why)) in [
        ("syn_in_time_wait=accept", syn),
        ("rst_in_time_wait=honour", rst),
        ("msl_ms=6000", msl),
        ("pcb_cap=12", cap),
        ("close=keep-alive", close),
    ] {
        let (mark, word, style) = match seen {
            Seen::InPlace => (glyphs.good, "in place", theme.good()),
            Seen::Missing => (glyphs.bad, "missing", theme.bad()),
            Seen::NotYet => ("?", "not shown", theme.quiet()),
        };
        let text = format!(
            " {} {} {} {why}",
            fit::left(mark, 2, ""),
            fit::left(word, 10, ""),
            fit::left(name, 24, "")
        );
        lines.push(Line::styled(fit::cut(&text, width.into(), glyphs.ellipsis), style));
    }
    let switches = keymap::does_something(model, Command::Mode);
    if let Some(key) = model.keymap.first(Command::Mode).filter(|_| switches) {
        lines.push(Line::from(vec![
            Span::styled(format!(" {key}"), theme.accent().patch(theme.strong())),
            Span::raw(" switches them where the device runs the test firmware; it asks first."),
        ]));
    }
    lines
}

fn alerts(model: &Model, facts: &DeviceFacts, width: u16) -> Vec<Line<'static>> {
    let theme = model.theme;
    let alerts = model.shown().alerts_in_order();
    let alerts: Vec<_> = alerts.into_iter().filter(|entry| entry.alert.device == facts.address).collect();
    let mut lines = if alerts.is_empty() { Vec::new() } else { heading(theme, "Alerts") };
    for entry in alerts {
        let alert = &entry.alert;
        let text = format!("{}{} {}", theme.glyphs().times, entry.count, theme.show(&alert.title));
        let mark =
            format!(" {} {}", theme.severity_glyph(alert.severity), Theme::severity_word(alert.severity));
        lines.extend(fit::paragraph(
            &text,
            width.saturating_sub(1),
            VALUES,
            &mark,
            theme.severity(alert.severity),
        ));
    }
    lines
}
