//! The line that must not be missed: who refused whom, how long, and why; at the end of a run, the verdict.
//!
//! Knows one sentence. Refuses to appear when there is nothing grave to say.

use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::{detail, fit};
use crate::analysis::rule::Severity;
use crate::tui::keymap::Command;
use crate::tui::model::{Model, Screen};
use crate::tui::theme::Theme;
use crate::tui::watched::AlertEntry;
use crate::tui::words;

pub fn rows(model: &Model, width: u16, height: u16) -> u16 {
    let most = match height {
        0..4 => 0,
        4..8 => 1,
        8..16 => 2,
        // The verdict stays; an alarm is followed by lists that say more.
        16..40 => 2 + u16::from(model.is_over()),
        _ => 5,
    };
    sentence(model).map_or(0, |said| said.rows(model, width, most).len() as u16)
}

pub fn banner(model: &Model, area: Rect) -> Paragraph<'static> {
    let Some(said) = sentence(model) else { return Paragraph::default() };
    let lines =
        said.rows(model, area.width, area.height).into_iter().map(|line| Line::raw(format!(" {line}")));
    Paragraph::new(lines.collect::<Vec<_>>()).style(model.theme.banner(said.severity))
}

/// What the banner says.
struct Said {
    severity: Severity,
    text: String,
    /// Its beginning for where there is no room for all, and the screen that has the rest.
    brief: Option<(String, Screen)>,
}

impl Said {
    /// In at most so many rows. What is left out is marked, or where it can be read.
    fn rows(&self, model: &Model, width: u16, most: u16) -> Vec<String> {
        let (room, most) = (room(width), usize::from(most));
        let whole = fit::wrap(&self.text, room);
        if whole.len() <= most {
            return whole;
        }
        let ellipsis = model.theme.glyphs().ellipsis;
        let brief = self.brief.as_ref().and_then(|(text, screen)| {
            model.keymap.first(Command::Show(*screen)).map(|key| (text, format!(" ({key}: all of it)")))
        });
        let (mut text, hint) = brief.map_or_else(
            || (format!("{}{ellipsis}", self.text), String::new()),
            |(text, hint)| (text.clone(), hint),
        );
        // So that no text, however long, is looked at again and again.
        text = fit::cut(&text, (most * room).saturating_sub(fit::width(&hint)), ellipsis);
        loop {
            let rows = fit::wrap(&format!("{text}{hint}"), room);
            if rows.len() <= most {
                return rows;
            }
            match text.rsplit_once(' ') {
                Some((kept, _)) => text = format!("{kept}{ellipsis}"),
                None => return rows.into_iter().take(most).collect(),
            }
        }
    }
}

fn room(width: u16) -> usize {
    usize::from(width).saturating_sub(2)
}

fn sentence(model: &Model) -> Option<Said> {
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
        let verdict = theme.show(&summary.verdict);
        let text = format!("{glyph} Ended. {verdict}");
        // Names hold points too; a sentence ends before a blank.
        let first = verdict.split_inclusive(". ").next().unwrap_or_default().trim_end();
        let brief =
            (!watched.devices.is_empty()).then(|| (format!("{glyph} Ended. {first}"), Screen::Device));
        return Some(Said { severity, text, brief });
    }
    if model.stream_over && !model.is_frozen() {
        let text = "The stream broke off before its summary: what is shown may not be all.";
        let severity = worst.unwrap_or(Severity::Warning).max(Severity::Warning);
        return Some(Said { severity, text: text.to_owned(), brief: None });
    }
    let urgent = watched.most_urgent(model.now())?;
    Some(Said { severity: Severity::Critical, text: alarm(model, urgent), brief: None })
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
