//! A ladder of segments: the client on the left, the device on the right, time going down.
//!
//! Knows the rows that findings bring as evidence. Refuses to judge them: what is marked is what a finding names.

use std::collections::{BTreeMap, BTreeSet};

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::fit;
use crate::analysis::detect::{EvidenceSegment, Finding};
use crate::tui::theme::Theme;
use crate::tui::words;

/// Rows kept of a long story: its beginning and its end.
const HEAD: usize = 8;
const TAIL: usize = 60;
/// Numbers further apart than this belong to another life of the tuple and are shown as they are.
const NEAR: i32 = 1 << 24;

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
    let canvas = Canvas { theme, room: Room::of(width), base: Base::of(&rows) };
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

struct Canvas {
    theme: Theme,
    room: Room,
    base: Base,
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

/// The numbers that relative ones count from: the first that each side used.
#[derive(Default)]
struct Base {
    client: Option<u32>,
    device: Option<u32>,
}

impl Base {
    fn of(rows: &[&EvidenceSegment]) -> Base {
        let mut base = Base::default();
        for row in rows.iter().filter(|row| !row.flags.contains('S')) {
            let (own, other) = if row.from_client {
                (&mut base.client, &mut base.device)
            } else {
                (&mut base.device, &mut base.client)
            };
            own.get_or_insert(row.seq);
            if let Some(ack) = row.ack {
                other.get_or_insert(ack);
            }
        }
        base
    }

    fn relative(number: u32, base: Option<u32>) -> String {
        let distance = number.wrapping_sub(base.unwrap_or(number)) as i32;
        if distance.checked_abs().is_some_and(|far| far < NEAR) {
            distance.to_string()
        } else {
            number.to_string()
        }
    }

    /// `SYN isn 1223109905`, `PSH ACK seq 0 len 30 ack 0`, `ACK seq 25 ack 31`, `RST seq 31`.
    fn label(&self, row: &EvidenceSegment) -> String {
        let (own, other) =
            if row.from_client { (self.client, self.device) } else { (self.device, self.client) };
        let mut label = flags(&row.flags);
        if row.flags.contains('S') {
            label.push_str(&format!(" isn {}", row.seq));
        } else {
            label.push_str(&format!(" seq {}", Base::relative(row.seq, own)));
        }
        if row.len > 0 {
            label.push_str(&format!(" len {}", row.len));
        }
        if let Some(ack) = row.ack {
            label.push_str(&format!(" ack {}", Base::relative(ack, other)));
        }
        label
    }
}

/// tcpdump's letters as words.
fn flags(letters: &str) -> String {
    let words: Vec<_> = letters
        .chars()
        .filter_map(|letter| match letter {
            'S' => Some("SYN"),
            'F' => Some("FIN"),
            'R' => Some("RST"),
            'P' => Some("PSH"),
            'U' => Some("URG"),
            'E' => Some("ECE"),
            'W' => Some("CWR"),
            '.' => Some("ACK"),
            _ => None,
        })
        .collect();
    // An ACK that carries or closes something says little by itself.
    let told: Vec<_> = words.iter().filter(|word| words.len() == 1 || **word != "PSH").copied().collect();
    told.join("+")
}

impl Canvas {
    fn heading(&self, finding: &Finding, device_opened: bool) -> Line<'static> {
        let ellipsis = self.theme.glyphs().ellipsis;
        let (left, right) = if device_opened { ("device", "server") } else { ("client", "device") };
        let (client, server) = (finding.client, finding.server);
        let ways = [
            (format!("{left} {client}"), format!("{server} {right}")),
            (client.to_string(), server.to_string()),
            (left.to_owned(), right.to_owned()),
        ];
        let fits =
            |(client, server): &&(String, String)| fit::width(client) + fit::width(server) < self.room.arrow;
        let (client, server) = ways.iter().find(fits).unwrap_or(&ways[2]);
        let half = self.room.arrow.saturating_sub(fit::width(server));
        Line::styled(
            format!("{:>FRAME$}{:>GAP$}  {}{}", "frame", "after", fit::left(client, half, ellipsis), server,),
            self.theme.strong(),
        )
    }

    fn row(&self, row: &EvidenceSegment, gap: Option<f64>, is_fact: bool) -> Line<'static> {
        let theme = self.theme;
        let glyphs = theme.glyphs();
        let role = theme.show(&row.role);
        let gap = gap.map_or_else(String::new, |gap| format!("+{}", words::span(gap)));
        let label = if self.room.role > 0 { self.base.label(row) } else { role.clone() };
        let style = if is_fact { theme.bad() } else { Style::new() };
        let mut spans = vec![
            Span::styled(format!("{:>FRAME$}{gap:>GAP$}  ", row.frame), theme.quiet()),
            Span::styled(self.arrow(&label, row.from_client), style),
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

    /// `─── SYN isn 7 ────────▶` or `◀──────── ACK seq 25 ───`
    fn arrow(&self, label: &str, to_the_right: bool) -> String {
        let glyphs = self.theme.glyphs();
        let room = self.room.arrow;
        let label = fit::cut(label, room.saturating_sub(8), glyphs.ellipsis);
        let shaft = room.saturating_sub(fit::width(&label) + 3);
        let (near, far) = (3.min(shaft), shaft.saturating_sub(3));
        if to_the_right {
            format!(
                "{} {label} {}{}",
                glyphs.shaft.repeat(near),
                glyphs.shaft.repeat(far),
                glyphs.arrow_right
            )
        } else {
            format!("{}{} {label} {}", glyphs.arrow_left, glyphs.shaft.repeat(far), glyphs.shaft.repeat(near))
        }
    }
}
