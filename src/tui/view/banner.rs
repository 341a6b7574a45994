//! The line that must not be missed: who refused whom, how long, and why; at the end of a run, the verdict.
//!
//! Knows one sentence. Refuses to appear when there is nothing grave to say.

use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::{detail, fit};
use crate::analysis::rule::Severity;
use crate::tui::model::Model;
use crate::tui::theme::Theme;
use crate::tui::watched::AlertEntry;
use crate::tui::words;

pub fn rows(model: &Model, width: u16, height: u16) -> u16 {
    let Some((_, text)) = sentence(model) else { return 0 };
    let most = match height {
        0..4 => 0,
        4..8 => 1,
        8..16 => 2,
        // The verdict stays; an alarm is followed by lists that say more.
        16..40 if !model.is_over() => 2,
        _ => 5,
    };
    u16::try_from(fit::wrap(&text, room(width)).len()).unwrap_or(u16::MAX).min(most)
}

pub fn banner(model: &Model, area: Rect) -> Paragraph<'static> {
    let Some((severity, text)) = sentence(model) else { return Paragraph::default() };
    let ellipsis = model.theme.glyphs().ellipsis;
    let mut lines = fit::wrap(&text, room(area.width));
    if lines.len() > usize::from(area.height) {
        lines.truncate(area.height.into());
        if let Some(last) = lines.last_mut() {
            *last = fit::cut(&format!("{last}{ellipsis}"), room(area.width), ellipsis);
        }
    }
    Paragraph::new(lines.into_iter().map(|line| Line::raw(format!(" {line}"))).collect::<Vec<_>>())
        .style(model.theme.banner(severity))
}

fn room(width: u16) -> usize {
    usize::from(width).saturating_sub(2)
}

fn sentence(model: &Model) -> Option<(Severity, String)> {
    let theme = model.theme;
    let watched = model.shown();
    let worst = watched.alerts.iter().map(|entry| entry.alert.severity).max();
    if let Some(summary) = &watched.summary {
        let severity = worst.unwrap_or(Severity::Info);
        let glyph = if worst >= Some(Severity::Warning) {
            theme.severity_glyph(severity)
        } else {
            theme.glyphs().good
        };
        return Some((severity, format!("{glyph} Ended. {}", theme.show(&summary.verdict))));
    }
    if model.stream_over && !model.is_frozen() {
        let text = "The stream broke off before its summary: what is shown may not be all.";
        return Some((worst.unwrap_or(Severity::Warning).max(Severity::Warning), text.to_owned()));
    }
    watched.most_urgent(model.now()).map(|entry| (Severity::Critical, alarm(model, entry)))
}

fn alarm(model: &Model, entry: &AlertEntry) -> String {
    let theme = model.theme;
    let alert = &entry.alert;
    let client = match (alert.client, entry.findings.back()) {
        // Its title names the device, and there is no client.
        _ if alert.is_of_device() => String::new(),
        (Some(client), _) => format!(", {client}"),
        (None, Some(finding)) => format!(", {} and others", finding.client),
        (None, None) => ", several clients".to_owned(),
    };
    let span = match entry.count {
        1 => "once".to_owned(),
        count => {
            format!(
                "{} in {}",
                crate::text::times(count),
                words::span(entry.last.since(alert.first).as_secs_f64())
            )
        }
    };
    let state = if entry.ended() { "over" } else { "last" };
    format!(
        "{} {}: {}. {}, {state} {} ago{client}.",
        theme.severity_glyph(alert.severity),
        Theme::severity_word(alert.severity),
        theme.show(alert.title.trim_end_matches('.')),
        detail::capital(&span),
        words::age(model.now().since(entry.last)),
    )
}
