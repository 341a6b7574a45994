//! All segments of a flow as a ladder: the state of both ends beside it, its lives apart, its findings in the margin.
//!
//! Knows the segments that the stream told and the findings that name their frames. Refuses to judge: a mark is a
//! finding's, a state and how sure it is are the stream's.

use std::collections::{BTreeMap, BTreeSet};

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::fit;
use super::ladder::{Rung, arrow, ends};
use super::numbers::Lives;
use crate::analysis::{
    certainty::Certainty,
    detect::Finding,
    event::SegmentEvent,
    flow::Belongs,
    input::FrameNo,
    rule::Severity,
    tcp::{StateView, TcpState},
    time::Timestamp,
    wire::Flags,
};
use crate::tui::theme::Theme;
use crate::tui::watched::{FlowKey, Watched};
use crate::tui::words;

const FRAME: usize = 6;
const GAP: usize = 9;
const MARK: usize = 3;
/// A mark of certainty and the longest name, SYN-RECEIVED.
const STATE: usize = 13;
const WINDOW: usize = 6;
/// `client opens again (time-wait-collision +1)`.
const NOTE: usize = 43;
/// A wait that a person should not overlook, in seconds.
const LONG: f64 = 1.0;

/// The lines, and those of them on which a life begins.
#[derive(Default)]
pub struct Trail {
    /// What the columns are; absent where there are no lines.
    pub heading: Option<Line<'static>>,
    pub lines: Vec<Line<'static>>,
    pub lives: Vec<usize>,
}

/// The ladder of `key`; empty where no segment of it is kept.
pub fn trail(theme: Theme, width: u16, watched: &Watched, key: FlowKey) -> Trail {
    let segments: Vec<&SegmentEvent> = watched.packets.of(key).collect();
    let Some(first) = segments.first() else { return Trail::default() };
    let mut drawing = Drawing {
        theme,
        width: usize::from(width),
        columns: Columns::of(usize::from(width)),
        numbers: Lives::of(&segments),
        marks: marks(watched, key),
        ends: Ends::of(first),
        explained: BTreeSet::new(),
        time_wait: None,
        trail: Trail::default(),
    };
    drawing.heading(first);
    let mut losses = watched.packets.losses().peekable();
    let mut before: Option<&SegmentEvent> = None;
    for segment in segments {
        while let Some(loss) = losses.next_if(|loss| loss.after < segment.frame) {
            // What was lost before the first segment is not between any two.
            if before.is_some_and(|before| before.frame <= loss.after) {
                drawing.aside(&format!(
                    "{} lost by the capture here",
                    crate::text::counted(loss.frames, "frame")
                ));
            }
        }
        let expected = before.map_or(1, |before| before.number.saturating_add(1));
        if let missing @ 1.. = segment.number.saturating_sub(expected) {
            let which = if before.is_none() { "earlier segment" } else { "segment" };
            drawing.aside(&format!("{} not kept", crate::text::counted(missing, which)));
        }
        drawing.life(segment, before);
        drawing.rung(segment, before);
        before = Some(segment);
    }
    drawing.trail
}

/// Columns of the parts of a row. What does not fit is left out, from the edges inwards.
struct Columns {
    gap: bool,
    states: bool,
    arrow: usize,
    /// Zero: notes stand under the row.
    note: usize,
}

impl Columns {
    fn of(width: usize) -> Columns {
        let gap = width >= 36;
        let states = width >= 72;
        let wide = width >= 112;
        let fixed = FRAME + if gap { GAP } else { 0 } + MARK + 2 + if states { 2 * STATE } else { 0 };
        let rest = width.saturating_sub(fixed);
        if !wide {
            return Columns { gap, states, arrow: rest.max(8), note: 0 };
        }
        let rest = rest.saturating_sub(WINDOW + 1);
        let arrow = rest.saturating_sub(NOTE).clamp(30, 44);
        Columns { gap, states, arrow, note: rest.saturating_sub(arrow) }
    }

    /// Columns before the left rail.
    fn before_rail(&self) -> usize {
        FRAME + if self.gap { GAP } else { 0 } + MARK + if self.states { STATE } else { 0 }
    }
}

/// Who stands on which side.
struct Ends {
    client: &'static str,
    server: &'static str,
}

impl Ends {
    fn of(segment: &SegmentEvent) -> Ends {
        let is_device = |address| segment.device == Some(address);
        Ends {
            client: if is_device(segment.client.ip()) { "device" } else { "client" },
            server: if is_device(segment.server.ip()) { "device" } else { "server" },
        }
    }
}

/// What findings say of one frame.
#[derive(Default)]
struct Mark<'a> {
    /// Of the alert that its gravest rule raised.
    severity: Option<Severity>,
    /// The rules whose findings name the frame, the gravest first.
    rules: Vec<&'a str>,
    /// What the frame is in the story.
    role: Option<&'a str>,
}

fn marks(watched: &Watched, key: FlowKey) -> BTreeMap<FrameNo, Mark<'_>> {
    let severities: BTreeMap<&str, Severity> =
        watched.alerts.iter().map(|entry| (entry.alert.rule.as_str(), entry.alert.severity)).collect();
    let of_alerts = watched.alerts.iter().flat_map(|entry| &entry.findings);
    // An alert keeps findings that the common store has forgotten: they are the older ones.
    let findings = of_alerts.chain(&watched.findings).map(|finding| -> &Finding { finding });
    let mut marks: BTreeMap<FrameNo, Mark<'_>> = BTreeMap::new();
    for finding in findings.filter(|finding| (finding.client, finding.server) == key) {
        for frame in &finding.frames {
            let rules = &mut marks.entry(*frame).or_default().rules;
            if !rules.contains(&finding.rule.as_ref()) {
                rules.push(&finding.rule);
            }
        }
        for row in &finding.evidence {
            // The last one to name a frame knows best what it is.
            marks.entry(row.frame).or_default().role = Some(&row.role);
        }
    }
    for mark in marks.values_mut() {
        mark.rules.sort_by_key(|rule| core::cmp::Reverse(severities.get(rule)));
        mark.severity = mark.rules.first().and_then(|rule| severities.get(rule)).copied();
    }
    marks
}

/// When an end was seen to enter TIME-WAIT.
#[derive(Clone, Copy)]
struct TimeWait {
    whose: &'static str,
    since: Timestamp,
    view: StateView,
}

struct Drawing<'a> {
    theme: Theme,
    width: usize,
    columns: Columns,
    numbers: Lives,
    marks: BTreeMap<FrameNo, Mark<'a>>,
    ends: Ends,
    /// Notes that stand under a row already, in the life at hand.
    explained: BTreeSet<String>,
    time_wait: Option<TimeWait>,
    trail: Trail,
}

impl Drawing<'_> {
    fn heading(&mut self, first: &SegmentEvent) {
        let (client, server) = ((self.ends.client, first.client), (first.server, self.ends.server));
        let mut text = format!("{:>FRAME$}", "frame");
        if self.columns.gap {
            text.push_str(&format!("{:>GAP$}", "after"));
        }
        text.push_str(&" ".repeat(self.columns.before_rail().saturating_sub(fit::width(&text))));
        text.push_str(&ends(self.theme, client, server, self.columns.arrow + 2));
        if self.columns.note > 0 {
            text.push_str(&format!("{:>1$}", "window", STATE + WINDOW));
        }
        self.trail.heading = Some(Line::styled(text, self.theme.strong()));
    }

    /// A line between two rows about what is not among them.
    fn aside(&mut self, text: &str) {
        let ellipsis = self.theme.glyphs().ellipsis;
        let line = format!("{:>FRAME$} {text}", ellipsis);
        self.trail.lines.push(Line::styled(fit::cut(&line, self.width, ellipsis), self.theme.warn()));
    }

    /// The line on which a life begins, where one does.
    fn life(&mut self, segment: &SegmentEvent, before: Option<&SegmentEvent>) {
        if before.is_some_and(|before| {
            before.incarnation == segment.incarnation && segment.place != Belongs::NewLife
        }) {
            return;
        }
        self.explained.clear();
        let mut text = format!("life {}", segment.incarnation);
        match (before, self.time_wait) {
            (Some(_), Some(TimeWait { whose, since, view })) => {
                let span = words::span(segment.when.0.seconds_after(since));
                text.push_str(&format!(", {span} after the {whose}'s TIME-WAIT began"));
                if matches!(view, StateView::Inferred(_)) {
                    text.push_str(" (inferred)");
                }
            }
            (Some(before), None) => {
                let span = words::span(segment.when.0.seconds_after(before.when.0));
                text.push_str(&format!(", {span} after the segment before"));
            }
            (None, _) if segment.place != Belongs::NewLife => text.push_str(", from here on"),
            (None, _) if !segment.flags.is_opening() => text.push_str(", already under way"),
            (None, _) => {}
        }
        let rule = self.theme.glyphs().rule;
        let text = fit::cut(&format!("{} {text} ", rule.repeat(2)), self.width, self.theme.glyphs().ellipsis);
        let rest = self.width.saturating_sub(fit::width(&text));
        let style = self.theme.accent().patch(self.theme.strong());
        self.trail.lives.push(self.trail.lines.len());
        self.trail.lines.push(Line::styled(format!("{text}{}", rule.repeat(rest)), style));
    }

    fn rung(&mut self, segment: &SegmentEvent, before: Option<&SegmentEvent>) {
        let theme = self.theme;
        let rail = theme.glyphs().column;
        let (mark, style) = self.mark(segment.frame);
        let letters = segment.flags.to_string();
        let rung = Rung {
            from_client: segment.from_client,
            flags: &letters,
            seq: segment.seq,
            ack: segment.ack,
            len: segment.len,
        };
        let (bases, life) = self.numbers.bases(segment);
        let mut spans = vec![Span::styled(format!("{:>FRAME$}", segment.frame), theme.quiet())];
        if self.columns.gap {
            let gap = before.map(|before| segment.when.0.seconds_after(before.when.0));
            let text = gap.map_or_else(String::new, |gap| format!("+{}", words::span(gap)));
            let is_long = gap.is_some_and(|gap| gap >= LONG);
            let look = if is_long { theme.strong() } else { theme.quiet() };
            spans.push(Span::styled(fit::right(&text, GAP, ""), look));
        }
        spans.push(Span::styled(fit::left(&format!(" {mark}"), MARK, ""), style));
        let same_life = before.filter(|before| before.incarnation == segment.incarnation);
        let state = |now: StateView, then: Option<StateView>| {
            if then == Some(now) { String::new() } else { shown(theme, now) }
        };
        let client = state(segment.client_state, same_life.map(|before| before.client_state));
        let server = state(segment.server_state, same_life.map(|before| before.server_state));
        if self.columns.states {
            spans.push(Span::raw(fit::right(&client, STATE, "")));
        }
        spans.push(Span::styled(rail, theme.quiet()));
        let mut label = bases.label(&rung);
        if segment.window == 0 && segment.ack.is_some() && !segment.flags.has(Flags::RST) {
            label.push_str(" win 0");
        }
        if segment.place == Belongs::AnotherLife {
            match life {
                Some(life) => label.push_str(&format!(" of life {life}")),
                None => label.push_str(" of another life"),
            }
        }
        spans.push(Span::styled(arrow(theme, &label, self.columns.arrow, segment.from_client), style));
        spans.push(Span::styled(rail, theme.quiet()));
        if self.columns.states {
            spans.push(Span::raw(fit::left(&server, STATE, "")));
        }
        let note = self.note(segment);
        if self.columns.note > 0 {
            spans.push(Span::styled(format!("{:>WINDOW$} ", segment.window), theme.quiet()));
            let note = fit::cut(&note, self.columns.note, theme.glyphs().ellipsis);
            spans.push(Span::styled(note, style));
            self.trail.lines.push(Line::from(spans));
        } else {
            self.trail.lines.push(Line::from(spans));
            self.note_under(note, style);
        }
        self.follow_time_wait(segment);
    }

    /// On a narrow screen each thing is said once in a life; the mark in the margin says that it is so again.
    fn note_under(&mut self, note: String, style: Style) {
        if note.is_empty() || !self.explained.insert(note.clone()) {
            return;
        }
        let indent = self.columns.before_rail() + 2;
        let room = u16::try_from(self.width).unwrap_or(u16::MAX);
        self.trail.lines.extend(fit::paragraph(&note, room, indent, "", style));
    }

    fn mark(&self, frame: FrameNo) -> (&'static str, Style) {
        let theme = self.theme;
        match self.marks.get(&frame).filter(|mark| !mark.rules.is_empty()) {
            Some(Mark { severity: Some(severity), .. }) => {
                (theme.severity_glyph(*severity), theme.severity(*severity))
            }
            Some(Mark { severity: None, .. }) => (theme.glyphs().dot, theme.bad()),
            None => ("", Style::new()),
        }
    }

    /// `stale ACK (time-wait-collision +1)`, `keep-alive`; empty where there is nothing to say.
    fn note(&self, segment: &SegmentEvent) -> String {
        let mark = self.marks.get(&segment.frame);
        let role = mark.and_then(|mark| mark.role).map(|role| self.theme.show(role));
        // Whose numbers they are, the label says.
        let what = segment.kind.and_then(|_| segment.what()).map(str::to_owned);
        let mut note = role.or(what).unwrap_or_default();
        if let Some((rule, more)) = mark.and_then(|mark| mark.rules.split_first()) {
            let more = if more.is_empty() { String::new() } else { format!(" +{}", more.len()) };
            let space = if note.is_empty() { "" } else { " " };
            note.push_str(&format!("{space}({}{more})", self.theme.show(rule)));
        }
        note
    }

    /// Keeps when TIME-WAIT began, until another life is accepted.
    fn follow_time_wait(&mut self, segment: &SegmentEvent) {
        if segment.place == Belongs::AnotherLife {
            return;
        }
        let (client, server) = (segment.client_state, segment.server_state);
        let accepted = [client, server].contains(&StateView::Proven(TcpState::Established))
            || server == StateView::Proven(TcpState::SynReceived);
        if accepted {
            self.time_wait = None;
        }
        for (whose, view) in [(self.ends.client, client), (self.ends.server, server)] {
            let is_news = match self.time_wait {
                None => true,
                // Proven later than inferred: that is when it began for certain.
                Some(known) => {
                    known.whose == whose && matches!(known.view, StateView::Inferred(_)) && known.view != view
                }
            };
            if view.is(TcpState::TimeWait) && is_news {
                self.time_wait = Some(TimeWait { whose, since: segment.when.0, view });
            }
        }
    }
}

/// A state and a mark of how sure it is.
fn shown(theme: Theme, view: StateView) -> String {
    match view {
        StateView::Unknown => "?".to_owned(),
        StateView::Inferred(state) => {
            format!("{}{}", theme.certainty_glyph(Certainty::Inferred), state.name())
        }
        StateView::Proven(state) => format!("{}{}", theme.certainty_glyph(Certainty::Proven), state.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_never_has_more_columns_than_there_are() {
        for width in 24..=240 {
            let columns = Columns::of(width);
            let right = if columns.states { STATE } else { 0 };
            let beside = if columns.note > 0 { WINDOW + 1 + columns.note } else { 0 };
            let used = columns.before_rail() + 1 + columns.arrow + 1 + right + beside;
            assert!(used <= width, "{used} of {width}");
            assert_eq!(columns.note > 0, width >= 112, "{width}");
        }
    }
}
