//! A ladder of segments: the client on the left, the device on the right, time going down.
//!
//! Knows the rows that findings bring as evidence. Refuses to judge them: what is marked is what a finding names.

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet};

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::fit;
use super::numbers::Bases;
use crate::analysis::detect::{EvidenceSegment, Finding};
use crate::tui::theme::Theme;
use crate::tui::words;

/// Rows kept of a long story: its beginning and its end.
const HEAD: usize = 8;
const TAIL: usize = 60;

const FRAME: usize = 6;
const GAP: usize = 9;

/// The ladder of the tuple that the last of `findings` is about; the frames that `rule` names are marked, or those
/// of every rule where it is empty.
pub fn lines<'a>(
    theme: Theme,
    width: u16,
    findings: impl Iterator<Item = &'a Finding> + Clone,
    rule: &str,
) -> Vec<Line<'static>> {
    let Some(last) = findings.clone().last() else { return Vec::new() };
    let tuple = (last.client, last.server);
    let mut rows = BTreeMap::new();
    let mut facts = BTreeSet::new();
    for finding in findings.filter(|finding| (finding.client, finding.server) == tuple) {
        if rule.is_empty() || finding.rule == rule {
            facts.extend(finding.frames.iter().copied());
        }
        for row in &finding.evidence {
            // The last one to name a frame knows best what it is.
            rows.insert(row.frame, row);
        }
    }
    let rows: Vec<&EvidenceSegment> = rows.into_values().collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let device_opened = last.device == last.client.ip();
    let canvas = Canvas { theme, room: Room::of(width), bases: bases(&rows) };
    let mut lines = vec![canvas.heading(last, device_opened)];
    let skipped = rows.len().saturating_sub(HEAD + TAIL);
    for (at, row) in rows.iter().enumerate() {
        if skipped > 0 && (HEAD..HEAD + skipped).contains(&at) {
            if at == HEAD {
                lines.push(Line::styled(
                    format!("{:>FRAME$}  {skipped} segments not shown", ""),
                    theme.quiet(),
                ));
            }
            continue;
        }
        let before = at.checked_sub(1).and_then(|before| rows.get(before));
        let gap = before.map(|before| row.epoch.seconds_after(before.epoch));
        lines.push(canvas.row(row, gap, facts.contains(&row.frame)));
    }
    lines
}

/// One segment, whoever told it.
#[derive(Clone, Copy, Debug)]
pub struct Rung<'a> {
    pub from_client: bool,
    /// tcpdump's letters.
    pub flags: &'a str,
    pub seq: u32,
    pub ack: Option<u32>,
    /// Payload octets.
    pub len: u32,
}

impl<'a> From<&'a EvidenceSegment> for Rung<'a> {
    fn from(row: &'a EvidenceSegment) -> Rung<'a> {
        Rung { from_client: row.from_client, flags: &row.flags, seq: row.seq, ack: row.ack, len: row.len }
    }
}

/// The first that each side used: what came before it is not among the rows.
fn bases(rows: &[&EvidenceSegment]) -> Bases {
    let mut bases = Bases::default();
    for row in rows.iter().filter(|row| !row.flags.contains('S')) {
        bases.learn(row.from_client, row.seq, row.ack);
    }
    bases
}

struct Canvas {
    theme: Theme,
    room: Room,
    bases: Bases,
}

/// Columns of the parts of a row.
struct Room {
    arrow: usize,
    role: usize,
}

impl Room {
    fn of(width: u16) -> Room {
        let width = usize::from(width);
        let rest = width.saturating_sub(FRAME + GAP + 2);
        if rest < 62 {
            // The role is then written on the arrow.
            return Room { arrow: rest.saturating_sub(2).max(8), role: 0 };
        }
        let role = (rest / 3).clamp(29, 34);
        Room { arrow: (rest - role - 3).min(64), role }
    }
}

impl Canvas {
    fn heading(&self, finding: &Finding, device_opened: bool) -> Line<'static> {
        let (left, right) = if device_opened { ("device", "server") } else { ("client", "device") };
        let ends = ends(self.theme, (left, finding.client), (finding.server, right), self.room.arrow);
        Line::styled(format!("{:>FRAME$}{:>GAP$}  {ends}", "frame", "after"), self.theme.strong())
    }

    fn row(&self, row: &EvidenceSegment, gap: Option<f64>, is_fact: bool) -> Line<'static> {
        let theme = self.theme;
        let glyphs = theme.glyphs();
        let role = theme.show(&row.role);
        let gap = gap.map_or_else(String::new, |gap| format!("+{}", words::span(gap)));
        let label = if self.room.role > 0 { self.bases.label(&Rung::from(row)) } else { role.clone() };
        let style = if is_fact { theme.bad() } else { Style::new() };
        let mut spans = vec![
            Span::styled(format!("{:>FRAME$}{gap:>GAP$}  ", row.frame), theme.quiet()),
            Span::styled(arrow(theme, &label, self.room.arrow, row.from_client), style),
        ];
        let mark = if is_fact { glyphs.bad } else { "" };
        if self.room.role > 0 {
            let text = fit::cut(&role, self.room.role, glyphs.ellipsis);
            spans.push(Span::styled(
                format!(" {} {text}", fit::left(mark, fit::width(glyphs.bad), "")),
                style,
            ));
        } else {
            spans.push(Span::styled(format!(" {mark}"), style));
        }
        Line::from(spans)
    }
}

/// Who stands left and who right of `room` columns, in as many words as there is room for.
pub fn ends(
    theme: Theme,
    (left, client): (&str, SocketAddr),
    (server, right): (SocketAddr, &str),
    room: usize,
) -> String {
    let ways = [
        (format!("{left} {client}"), format!("{server} {right}")),
        (client.to_string(), server.to_string()),
        (left.to_owned(), right.to_owned()),
    ];
    let fits = |(left, right): &&(String, String)| fit::width(left) + fit::width(right) < room;
    let (left, right) = ways.iter().find(fits).unwrap_or(&ways[2]);
    let left = fit::left(left, room.saturating_sub(fit::width(right)), theme.glyphs().ellipsis);
    left + right
}

/// `─── SYN isn 7 ────────▶` or `◀──────── ACK seq 25 ───` in `room` columns, where the label leaves a shaft.
pub fn arrow(theme: Theme, label: &str, room: usize, to_the_right: bool) -> String {
    let glyphs = theme.glyphs();
    // The head, two blanks and a stub of the shaft on either side.
    let label = fit::cut(label, room.saturating_sub(5), glyphs.ellipsis);
    let shaft = room.saturating_sub(fit::width(&label) + 3);
    let near = 3.min(shaft.saturating_sub(1));
    let (near, far) = (glyphs.shaft.repeat(near), glyphs.shaft.repeat(shaft - near));
    if to_the_right {
        format!("{near} {label} {far}{}", glyphs.arrow_right)
    } else {
        format!("{}{far} {label} {near}", glyphs.arrow_left)
    }
}
