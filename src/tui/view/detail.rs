//! The explanation of one thing: an alert, a device, a flow; short beside the lists, whole on the full screen.
//!
//! Knows the order in which a person asks: what happened, what to do, how sure, which packets.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::{device, fit, flow, flows, ladder};
use crate::analysis::certainty::Certainty;
use crate::tui::keymap::Command;
use crate::tui::model::{Model, Subject};
use crate::tui::theme::Theme;
use crate::tui::watched::AlertEntry;
use crate::tui::words;

/// From so many rows on, the explanation beside the lists is the whole text.
const WHOLE: u16 = 16;
/// Columns of a flow's addresses in a title.
const TUPLE: usize = 44;

pub fn title(model: &Model, subject: Subject) -> String {
    match subject {
        Subject::Alert(id) => match model.shown().alert(id) {
            Some(entry) => format!("Alert {id}: {}", model.theme.show(&entry.alert.rule)),
            None => format!("Alert {id}"),
        },
        Subject::Device(address) => format!("Device {address}"),
        // The screen says both whole, and beside a title there must be room.
        Subject::Flow(key) => format!("Flow {}", flows::tuple(key, TUPLE, model.theme)),
    }
}

/// The pane beside or between the lists.
pub fn explanation(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let Some(subject) = model.explained() else {
        let title = if model.clears_a_filter() { "Nothing chosen" } else { "Waiting" };
        let body = super::titled(model, frame, area, title, false, None);
        return super::scrolled(frame, body, nothing_yet(model, body.width), 0);
    };
    let body_rows = area.height.saturating_sub(1);
    let lines = match subject {
        Subject::Alert(id) if body_rows < WHOLE => model
            .shown()
            .alert(id)
            .map(|entry| brief(model, entry, area.width, body_rows))
            .unwrap_or_default(),
        Subject::Alert(_) | Subject::Device(_) | Subject::Flow(_) => lines(model, subject, area.width),
    };
    let more =
        lines.len() > usize::from(body_rows) || matches!(subject, Subject::Alert(_) if body_rows < WHOLE);
    let opens = model.can_open() == Some(subject);
    let hint =
        model.keymap.first(Command::Open).filter(|_| more && opens).map(|key| format!("{key}: all of it"));
    let body = super::titled(model, frame, area, &title(model, subject), false, hint);
    super::scrolled(frame, body, lines, 0);
}

/// All there is to say.
pub fn lines(model: &Model, subject: Subject, width: u16) -> Vec<Line<'static>> {
    match subject {
        Subject::Alert(id) => model.shown().alert(id).map(|entry| alert(model, entry, width)),
        Subject::Device(address) => {
            model.shown().device_at(address).map(|facts| device::lines(model, facts, width))
        }
        Subject::Flow(key) => {
            model.shown().flows.get(&key).map(|entry| flow::lines(model, key, entry, width))
        }
    }
    .unwrap_or_else(|| vec![Line::styled(" This is no longer kept.", model.theme.quiet())])
}

/// Why, the best remedy, how sure: in a few rows.
fn brief(model: &Model, entry: &AlertEntry, width: u16, rows: u16) -> Vec<Line<'static>> {
    let theme = model.theme;
    let ellipsis = theme.glyphs().ellipsis;
    let rows = usize::from(rows);
    let alert = &entry.alert;
    let mut remedy = alert.remedies.first().map_or_else(Vec::new, |remedy| {
        fit::paragraph(&theme.show(remedy), width.saturating_sub(1), 5, " Do:", Style::new())
    });
    shorten(&mut remedy, if rows >= 6 { 2 } else { usize::from(rows >= 3) }, ellipsis);
    let mut why = fit::paragraph(&theme.show(&alert.why), width.saturating_sub(1), 1, "", Style::new());
    shorten(&mut why, rows.saturating_sub(remedy.len() + usize::from(rows >= 4)), ellipsis);
    why.extend(remedy);
    if rows >= 4 {
        let sure = format!(" {}. Frames {}", capital(&sureness(theme, alert.certainty)), frames(entry));
        why.push(Line::styled(fit::cut(&sure, width.into(), ellipsis), theme.quiet()));
    }
    why
}

fn shorten(lines: &mut Vec<Line<'static>>, most: usize, ellipsis: &'static str) {
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut().and_then(|line| line.spans.last_mut()) {
            let room = fit::width(&last.content).saturating_sub(1);
            last.content = format!("{}{ellipsis}", fit::cut(&last.content, room, "")).into();
        }
    }
}

fn alert(model: &Model, entry: &AlertEntry, width: u16) -> Vec<Line<'static>> {
    let theme = model.theme;
    let alert = &entry.alert;
    let prose = |text: &str, mark: &str| {
        fit::paragraph(&theme.show(text), width.saturating_sub(1), 3, mark, Style::new())
    };
    let head = format!(
        "{} {}: {}",
        theme.severity_glyph(alert.severity),
        Theme::severity_word(alert.severity),
        theme.show(&alert.title)
    );
    let mut lines = fit::paragraph(&head, width.saturating_sub(1), 1, "", theme.severity(alert.severity));
    let span = words::span(entry.last.since(alert.first).as_secs_f64());
    let state = if entry.ended() { "over" } else { "going on" };
    let whom = if alert.is_of_device() {
        format!("about {} as a whole", alert.device)
    } else {
        let client = if alert.client.is_some() { "client " } else { "" };
        format!("{client}{}, server {}", words::client(alert), alert.server)
    };
    let mode = alert.mode.as_ref().map_or_else(String::new, |mode| format!(", in mode {}", theme.show(mode)));
    let facts = format!(
        "{} in {span}, {state}, last {} ago; {whom}{mode}",
        crate::text::counted(entry.count, "finding"),
        words::age(model.now().since(entry.last)),
    );
    lines.extend(fit::paragraph(&facts, width.saturating_sub(1), 1, "", theme.quiet()));
    lines.extend(heading(theme, "What happened"));
    lines.extend(prose(&alert.why, ""));
    if let Some(finding) = entry.findings.back() {
        lines.extend(fit::paragraph(
            &format!("Last: {}", theme.show(&finding.text)),
            width.saturating_sub(1),
            3,
            "",
            theme.quiet(),
        ));
        let causes = model.shown().findings.iter().filter(|known| finding.caused_by.contains(&known.id));
        for cause in causes {
            let text = format!("Because ({}): {}", theme.show(&cause.rule), theme.show(&cause.text));
            lines.extend(fit::paragraph(&text, width.saturating_sub(1), 3, "", theme.quiet()));
        }
    }
    if !alert.remedies.is_empty() {
        lines.extend(heading(theme, "What to do, best first"));
        for (at, remedy) in alert.remedies.iter().enumerate() {
            let mark = format!(" {}. ", at + 1);
            let indent = mark.len();
            lines.extend(fit::paragraph(
                &theme.show(remedy),
                width.saturating_sub(1),
                indent,
                &mark,
                Style::new(),
            ));
        }
    }
    lines.extend(heading(theme, "How sure"));
    lines.extend(prose(
        &sureness(theme, alert.certainty),
        &format!(" {}", theme.certainty_glyph(alert.certainty)),
    ));
    lines.extend(prose(&format!("Frames {}", frames(entry)), ""));
    // Findings of other rules on the same tuple tell the rest of the story: the RSTs between the SYNs.
    let key = entry.findings.back().map(|finding| (finding.client, finding.server));
    let neighbours = model
        .shown()
        .findings
        .iter()
        .filter(|finding| key == Some((finding.client, finding.server)) && finding.rule != alert.rule);
    let own = entry.findings.iter();
    lines.extend(packets(theme, width, neighbours.chain(own).map(AsRef::as_ref), &alert.rule));
    if !alert.references.is_empty() {
        lines.extend(heading(theme, "Read on"));
        lines.extend(alert.references.iter().flat_map(|reference| prose(reference, "")));
    }
    lines
}

/// The ladder under its heading; with `rule`, only that rule's findings are marked.
pub fn packets<'a>(
    theme: Theme,
    width: u16,
    findings: impl Iterator<Item = &'a crate::analysis::detect::Finding> + Clone,
    rule: &str,
) -> Vec<Line<'static>> {
    let rows = ladder::lines(theme, width.saturating_sub(1), findings, rule);
    if rows.is_empty() {
        return rows;
    }
    let mut lines = heading(theme, "Packets; numbers count from the first shown of each side");
    lines.extend(rows);
    lines
}

pub(super) fn heading(theme: Theme, text: &'static str) -> Vec<Line<'static>> {
    vec![Line::default(), Line::styled(format!(" {text}"), theme.accent().patch(theme.strong()))]
}

fn sureness(_theme: Theme, certainty: Certainty) -> String {
    match certainty {
        Certainty::Proven => "proven: seen, frame by frame",
        Certainty::Inferred => "inferred: follows from what was seen, unless frames were lost or reordered",
        Certainty::Suspected => "suspected: fits what was seen, and so does something else",
    }
    .to_owned()
}

fn frames(entry: &AlertEntry) -> String {
    let mut text = entry.alert.frames.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    if entry.alert.frames_omitted > 0 {
        text.push_str(&format!(" and {} more", entry.alert.frames_omitted));
    }
    text
}

fn nothing_yet(model: &Model, width: u16) -> Vec<Line<'static>> {
    let text = if model.is_over() || !model.filters.alerts.is_empty() {
        "Nothing to explain."
    } else {
        "Watching. A device shows up here with its first frame, an alert as soon as a connection is refused. \
         If nothing comes: is anybody talking to the device, and do its packets pass this machine? On Wi-Fi, watch \
         on the client itself or on the access point."
    };
    fit::paragraph(text, width.saturating_sub(1), 1, "", Style::new())
}

pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
