//! Sequence numbers that a person can follow: counted from where each side of each life began.
//!
//! Knows the initial sequence numbers as far as segments tell them. Refuses to know arrows and columns.

use std::collections::BTreeMap;

use super::ladder::Rung;
use crate::analysis::{event::SegmentEvent, flow::Belongs};

/// Numbers further apart than this belong to another life of the tuple and are shown as they are.
const NEAR: u32 = 1 << 24;

/// The numbers that relative ones count from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bases {
    pub client: Option<u32>,
    pub server: Option<u32>,
}

impl Bases {
    /// Learns from a segment of which nothing better is known: `seq` is where its sender stands, `ack` where it
    /// takes the other to stand.
    pub fn learn(&mut self, from_client: bool, seq: u32, ack: Option<u32>) {
        let (own, other) = if from_client {
            (&mut self.client, &mut self.server)
        } else {
            (&mut self.server, &mut self.client)
        };
        own.get_or_insert(seq);
        if let Some(ack) = ack {
            other.get_or_insert(ack);
        }
    }

    /// `SYN isn 1223109905`, `ACK seq 1 len 30 ack 1`, `RST seq 31`.
    pub fn label(&self, rung: &Rung<'_>) -> String {
        let (own, other) =
            if rung.from_client { (self.client, self.server) } else { (self.server, self.client) };
        let mut label = flags(rung.flags);
        if rung.flags.contains('S') {
            label.push_str(&format!(" isn {}", rung.seq));
        } else {
            label.push_str(&format!(" seq {}", relative(rung.seq, own)));
        }
        if rung.len > 0 {
            label.push_str(&format!(" len {}", rung.len));
        }
        if let Some(ack) = rung.ack {
            label.push_str(&format!(" ack {}", relative(ack, other)));
        }
        label
    }
}

fn relative(number: u32, base: Option<u32>) -> String {
    let distance = base.map(|base| number.wrapping_sub(base) as i32);
    match distance.filter(|distance| distance.unsigned_abs() < NEAR) {
        Some(distance) => distance.to_string(),
        None => number.to_string(),
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

/// The bases of every life of a flow.
#[derive(Clone, Debug, Default)]
pub struct Lives(BTreeMap<u32, Bases>);

impl Lives {
    /// As Wireshark counts: the SYN is 0, the first octet 1, also where the SYN was not seen.
    pub fn of(segments: &[&SegmentEvent]) -> Lives {
        let mut lives = Lives::default();
        for segment in segments.iter().filter(|segment| segment.place != Belongs::AnotherLife) {
            let opens = segment.flags.is_opening() || segment.flags.is_syn_ack();
            let isn = segment.seq.wrapping_sub(u32::from(!opens));
            let ack = segment.ack.map(|ack| ack.wrapping_sub(1));
            lives.0.entry(segment.incarnation).or_default().learn(segment.from_client, isn, ack);
        }
        lives
    }

    /// What the numbers of `segment` count from, and the life that they are of: where the segment is another life's,
    /// the latest one before that had come so far.
    pub fn bases(&self, segment: &SegmentEvent) -> (Bases, Option<u32>) {
        if segment.place != Belongs::AnotherLife {
            let bases = self.0.get(&segment.incarnation).copied().unwrap_or_default();
            return (bases, Some(segment.incarnation));
        }
        let own = |bases: &Bases| if segment.from_client { bases.client } else { bases.server };
        let earlier = self
            .0
            .range(..segment.incarnation)
            .rev()
            .find(|(_, bases)| own(bases).is_some_and(|base| segment.seq.wrapping_sub(base) < NEAR));
        earlier.map_or((Bases::default(), None), |(life, bases)| (*bases, Some(*life)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_and_strangers_keep_their_own() {
        for (number, base, shown) in [
            (5, Some(u32::MAX), "6"),
            (u32::MAX, Some(5), "-6"),
            (1 << 24, Some(0), "16777216"),
            ((1 << 24) - 1, Some(0), "16777215"),
            (1 << 31, Some(0), "2147483648"),
            (7, None, "7"),
        ] {
            assert_eq!(relative(number, base), shown, "{number} from {base:?}");
        }
    }
}
