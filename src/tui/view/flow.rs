//! One flow on the whole screen: who talks, in which life, what is wrong with it, and all its segments.
//!
//! Knows what to say where the stream has no segments: then the frames that findings name are the ladder.

use std::rc::Rc;

use ratatui::style::Style;
use ratatui::text::Line;

use super::trail::Trail;
use super::{detail, fit, trail};
use crate::analysis::certainty::Certainty;
use crate::tui::model::Model;
use crate::tui::theme::Theme;
use crate::tui::watched::{FlowEntry, FlowKey};
use crate::tui::words;

pub fn lines(model: &Model, key: FlowKey, entry: &FlowEntry, width: u16) -> Vec<Line<'static>> {
    [pinned(model, key, entry, width), packets(model, key, width)].concat()
}

/// Who talks, how to read the ladder, and its head: what should stay in sight above its rungs.
pub fn pinned(model: &Model, key: FlowKey, entry: &FlowEntry, width: u16) -> Vec<Line<'static>> {
    let mut lines = facts(model, key, entry, width);
    let trail = segments(model, key, width);
    if trail.heading.is_some() {
        lines.extend(explanation(model.theme, &trail, width));
    }
    lines.extend(trail.heading);
    lines
}

/// The ladder's rungs; without segments, what the findings name.
pub fn packets(model: &Model, key: FlowKey, width: u16) -> Vec<Line<'static>> {
    let trail = segments(model, key, width);
    if trail.lines.is_empty() { what_findings_name(model, key, width) } else { trail.lines }
}

/// The rungs at which a life begins.
pub fn lives(model: &Model, key: FlowKey, width: u16) -> Vec<usize> {
    segments(model, key, width).lives
}

fn segments(model: &Model, key: FlowKey, width: u16) -> Trail {
    trail::trail(model.theme, width.saturating_sub(1), model.shown(), key)
}

fn facts(model: &Model, key: FlowKey, entry: &FlowEntry, width: u16) -> Vec<Line<'static>> {
    let theme = model.theme;
    let flow = &entry.event;
    let room = width.saturating_sub(1);
    let ago = |then| format!("{} ago", words::age(model.now().since(then)));
    let name = |address: core::net::SocketAddr, otherwise| {
        if flow.device == Some(address.ip()) { " Device" } else { otherwise }
    };
    let side = |address: core::net::SocketAddr, state: &str, bytes: u64| {
        format!("{address}  {}  {} sent", theme.show(state), words::bytes(bytes))
    };
    let life = format!(
        "{} of this tuple, opened {}; last change {}, frame {}",
        flow.incarnation,
        ago(entry.opened),
        ago(flow.when.0),
        flow.frame
    );
    let mut lines = Vec::new();
    for (name, value) in [
        (name(key.0, " Client"), side(key.0, &flow.client_state, flow.client_bytes)),
        (name(key.1, " Server"), side(key.1, &flow.server_state, flow.server_bytes)),
        (" Life", life),
    ] {
        lines.extend(fit::paragraph(&value, room, 10, name, Style::new()));
    }
    if let Some(rule) = &entry.rule {
        let text = format!(
            "{} {}, the last by rule {}",
            theme.glyphs().bad,
            crate::text::counted(entry.findings, "finding"),
            theme.show(rule)
        );
        lines.extend(fit::paragraph(&text, room, 10, " Trouble", theme.bad()));
    }
    lines
}

/// How to read the ladder.
fn explanation(theme: Theme, trail: &Trail, width: u16) -> Vec<Line<'static>> {
    let sure = |certainty| theme.certainty_glyph(certainty);
    let mut text = format!(
        "{} proven, {} inferred; numbers from each life's ISN",
        sure(Certainty::Proven),
        sure(Certainty::Inferred)
    );
    if trail.lives.len() > 1 {
        text.push_str("; ] [ change life");
    }
    fit::paragraph(&text, width.saturating_sub(1), 10, " Packets", theme.quiet())
}

fn what_findings_name(model: &Model, key: FlowKey, width: u16) -> Vec<Line<'static>> {
    let theme = model.theme;
    let why = if model.shown().packets.is_told() {
        "The segments of this flow are no longer kept; these are the ones that its findings name."
    } else {
        "The stream has no segments (--events segment); these are the ones that the findings name."
    };
    let findings: Vec<_> = model.shown().findings_of(key).map(Rc::clone).collect();
    let ladder = detail::packets(theme, width, findings.iter().map(Rc::as_ref), "");
    if ladder.is_empty() {
        return ladder;
    }
    let mut lines = fit::paragraph(why, width.saturating_sub(1), 10, " Note", theme.quiet());
    lines.extend(ladder);
    lines
}
