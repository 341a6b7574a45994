//! The ladder: who sent what to whom, a line a segment, in a code block.
//!
//! Knows how to draw, and how to leave out the middle of a long chain. Sequence numbers are written from a few
//! lettered bases, so that the eye sees at once which connection a number belongs to; the legend gives the bases.

use core::fmt::Write;

use super::{
    episode::{Episode, Rows},
    safe::clip,
    words::{after, flags, is_opening},
};
use crate::analysis::{detect::EvidenceSegment, time::Timestamp};
use crate::text::{counted, escape};

/// Rows drawn at most: first ones, and last ones.
const FIRST: usize = 13;
const LAST: usize = 5;
/// Opening SYNs shown before the middle is left out.
const CYCLES: usize = 2;
/// Numbers this close to a base are of the same connection: more than any window, less than chance would give.
const SAME_STREAM: i32 = 1 << 24;
/// Bases of one side that get a letter.
const BASES: usize = 9;
const ARROW: usize = 42;

/// A drawn ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// Lines for a code block.
    pub lines: String,
    /// What the letters stand for: name and raw number.
    pub bases: Vec<(String, u32)>,
}

/// Draws the frames of `episode`; `None` where there are none.
pub fn draw(episode: &Episode) -> Option<Ladder> {
    let rows: Vec<&EvidenceSegment> = episode.rows.iter().collect();
    let origin = rows.first()?.epoch;
    let mut bases = Bases::default();
    let mut lines =
        format!("{:>7}  {:>11}  {:<w$}{}\n", "frame", "seconds", "client", "device", w = ARROW - 6);
    let cut = Cut::of(&episode.rows, &rows);
    for row in cut.head(&rows) {
        line(&mut lines, row, origin, &mut bases);
    }
    if let Some(words) = cut.left_out(&episode.rows, &rows) {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{:>7}  {words}", "...");
    }
    for row in cut.tail(&rows) {
        line(&mut lines, row, origin, &mut bases);
    }
    Some(Ladder { lines, bases: bases.legend() })
}

/// Which rows of a long chain are drawn: those before `head`, and those from `tail` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    head: usize,
    tail: usize,
}

impl Cut {
    /// It falls between whole cycles where the rows have any: two of them, then the last.
    pub fn of(kept: &Rows, rows: &[&EvidenceSegment]) -> Cut {
        let gap = kept.before_gap();
        if gap.is_none() && rows.len() <= FIRST + LAST {
            return Cut { head: rows.len(), tail: rows.len() };
        }
        let openings: Vec<usize> = (0..rows.len()).filter(|&at| is_opening(rows[at])).collect();
        let head = openings.get(CYCLES).copied().filter(|&at| at <= FIRST).unwrap_or(FIRST);
        let tail = openings
            .last()
            .copied()
            .filter(|&at| rows.len() - at <= LAST)
            .unwrap_or(rows.len().saturating_sub(LAST));
        // Where frames are missing in the middle, the cut must not join what was not together.
        let head = head.min(rows.len()).min(gap.unwrap_or(usize::MAX));
        Cut { head, tail: tail.max(head).max(gap.unwrap_or(0).min(rows.len())) }
    }

    pub fn head<'a, 'b>(&self, rows: &'a [&'b EvidenceSegment]) -> &'a [&'b EvidenceSegment] {
        &rows[..self.head]
    }

    pub fn tail<'a, 'b>(&self, rows: &'a [&'b EvidenceSegment]) -> &'a [&'b EvidenceSegment] {
        &rows[self.tail..]
    }

    /// What is not drawn, in words; `None` where all is.
    pub fn left_out(&self, kept: &Rows, rows: &[&EvidenceSegment]) -> Option<String> {
        let hidden = &rows[self.head..self.tail];
        let count = hidden.len() as u64 + kept.omitted;
        if count == 0 {
            return None;
        }
        let openings = hidden.iter().filter(|row| is_opening(row)).count() as u64;
        let range = match (hidden.first(), hidden.last()) {
            (Some(first), Some(last)) if first.frame != last.frame => {
                format!(" (frames {} to {})", first.frame, last.frame)
            }
            (Some(only), _) => format!(" (frame {})", only.frame),
            (None, _) => String::new(),
        };
        let again = if kept.omitted == 0 && openings > 0 {
            format!(": the same with {}", counted(openings, "more SYN"))
        } else {
            String::new()
        };
        Some(format!("{} left out here{range}{again}", counted(count, "segment")))
    }
}

fn line(lines: &mut String, row: &EvidenceSegment, origin: Timestamp, bases: &mut Bases) {
    let seq = bases.name(row.from_client, row.seq, row.flags.contains('S'));
    let mut what = format!("{}  seq {seq}", flags(&row.flags));
    if let Some(ack) = row.ack {
        what.push_str(&format!("  ack {}", bases.name(!row.from_client, ack, false)));
    }
    let dashes = "-".repeat(ARROW.saturating_sub(what.chars().count() + 6).max(1));
    let arrow =
        if row.from_client { format!("|- {what} {dashes}>|") } else { format!("|<{dashes} {what} -|") };
    let octets =
        if row.len > 0 { format!(" ({})", counted(u64::from(row.len), "octet")) } else { String::new() };
    let role = escape(&row.role);
    let _ = writeln!(
        lines,
        "{:>7}  {:>11}  {arrow}  {}{octets}",
        row.frame,
        after(row.epoch, origin),
        clip(&role, 60)
    );
}

/// The numbers that the ladder counts from: `C`, `C2`, … of the client, `D`, `D2`, … of the device.
#[derive(Debug, Default)]
struct Bases {
    client: Vec<u32>,
    device: Vec<u32>,
}

impl Bases {
    /// `number` as a distance from a base of its side; a SYN with a new number begins a new base.
    fn name(&mut self, of_client: bool, number: u32, is_syn: bool) -> String {
        let (letter, known) = if of_client { ('C', &mut self.client) } else { ('D', &mut self.device) };
        let distance = |base: u32| number.wrapping_sub(base).cast_signed();
        let exact = known.iter().position(|&base| base == number);
        let near = known
            .iter()
            .enumerate()
            .filter(|(_, base)| !is_syn && distance(**base).unsigned_abs() < SAME_STREAM.unsigned_abs())
            .min_by_key(|(_, base)| distance(**base).unsigned_abs())
            .map(|(at, _)| at);
        let at = match exact.or(near) {
            Some(at) => at,
            None if known.len() < BASES => {
                known.push(number);
                known.len() - 1
            }
            None => return number.to_string(),
        };
        format!("{}{:+}", base_name(letter, at), distance(known[at]))
    }

    fn legend(&self) -> Vec<(String, u32)> {
        let of = |letter, known: &[u32]| -> Vec<(String, u32)> {
            known.iter().enumerate().map(|(at, base)| (base_name(letter, at), *base)).collect()
        };
        let mut legend = of('C', &self.client);
        legend.extend(of('D', &self.device));
        legend
    }
}

fn base_name(letter: char, at: usize) -> String {
    if at == 0 { letter.to_string() } else { format!("{letter}{}", at + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_from_the_base_of_its_own_connection() {
        let mut bases = Bases::default();
        assert_eq!(bases.name(true, 1_000, false), "C+0");
        assert_eq!(bases.name(true, 1_031, false), "C+31");
        assert_eq!(bases.name(true, 999, false), "C-1");
        assert_eq!(
            bases.name(true, 3_000_000, true),
            "C2+0",
            "a SYN with another number is another connection"
        );
        assert_eq!(bases.name(true, 3_000_000, true), "C2+0");
        assert_eq!(bases.name(true, 1_031, false), "C+31");
        assert_eq!(bases.name(false, u32::MAX, false), "D+0");
        assert_eq!(bases.name(false, 3, false), "D+4", "the number space is a circle");
        assert_eq!(bases.legend(), [("C".into(), 1_000), ("C2".into(), 3_000_000), ("D".into(), u32::MAX)]);
    }
}
