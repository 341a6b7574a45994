//! `rst-storm`: on one tuple, stale ACK and RST answer each other many times in a short while.
//!
//! It counts pairs of one tuple only: fifty ports refused once each are no storm, and the eleven refusals that a
//! Linux connect() makes in 68 s are none either. It does not say who could stop it first.

use core::time::Duration;

use super::{
    Detector, Finding, LastSegments, Occasions, Parameter, Seen, Spec, evidence::seconds, seen::Parties,
    watch::Watch,
};
use crate::analysis::{
    certainty::Certainty,
    flow::{Belongs, FourTuple},
    time::Timestamp,
    wire::{Flags, Note},
};

pub const SPEC: Spec = Spec {
    id: "rst-storm",
    parameters: &[
        Parameter {
            name: "pairs",
            default: 50.0,
            least: 2.0,
            most: 100_000.0,
            what: "pairs of stale ACK and RST on one four-tuple; one more is a storm",
        },
        Parameter {
            name: "within_s",
            default: 10.0,
            least: 0.1,
            most: 3_600.0,
            what: "seconds in which they must lie, counted from the first of them",
        },
    ],
    new: |settings| {
        Box::new(RstStorm {
            pairs: settings[0] as u32,
            within: Duration::from_secs_f64(settings[1]),
            storms: Watch::default(),
        })
    },
};

#[derive(Debug)]
struct RstStorm {
    pairs: u32,
    within: Duration,
    /// Forgotten `within` after the first pair, so a storm that straddles two spans is told in the second:
    /// at a storm's rate every span fills. One that was told is forgotten `within` after its last pair.
    storms: Watch<Storm>,
}

#[derive(Debug)]
struct Storm {
    /// The stale ACK that has no RST yet.
    open: Option<Note>,
    first: Option<(Note, Note)>,
    pairs: u32,
    told: bool,
}

impl Detector for RstStorm {
    fn hears(&self) -> Occasions {
        Occasions::ANOTHER_LIFE
    }

    fn waits_for(&self, tuple: FourTuple) -> bool {
        self.storms.holds(tuple)
    }

    fn keep_to(&mut self, tuples: usize) {
        self.storms.keep_to(tuples);
    }

    fn on_segment(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        if seen.from_device() {
            if seen.place == Belongs::AnotherLife && seen.segment.is_pure_ack() {
                self.note_stale_ack(seen);
            }
        } else if seen.segment.flags.has(Flags::RST) {
            self.note_rst(seen, findings);
        }
    }

    fn on_time(&mut self, now: Timestamp, _last: &LastSegments, _findings: &mut Vec<Finding>) {
        while self.storms.expired(now).is_some() {}
    }
}

impl RstStorm {
    fn note_stale_ack(&mut self, seen: &Seen<'_>) {
        let note = seen.note();
        match self.storms.get_mut(seen.tuple()) {
            Some(storm) => storm.open = Some(note),
            None => {
                let storm = Storm { open: Some(note), first: None, pairs: 0, told: false };
                self.storms.arm(seen.tuple(), note.time, self.within, storm);
            }
        }
    }

    fn note_rst(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        let tuple = seen.tuple();
        let rst = seen.note();
        let Some(storm) = self.storms.get_mut(tuple) else { return };
        // The client's RST bears the number that the stale ACK asked for (RFC 9293 §3.10.7.3).
        let Some(stale_ack) = storm.open.take_if(|ack| ack.ack == rst.seq) else { return };
        storm.pairs += 1;
        let (first_ack, first_rst) = *storm.first.get_or_insert((stale_ack, rst));
        if storm.told {
            if let Some(storm) = self.storms.disarm(tuple) {
                self.storms.arm(tuple, rst.time, self.within, storm);
            }
        } else if storm.pairs > self.pairs {
            storm.told = true;
            let pairs = storm.pairs;
            findings.push(tell(&seen.parties(), [first_ack, first_rst, stale_ack, rst], pairs));
        }
    }
}

fn tell(parties: &Parties, notes: [Note; 4], pairs: u32) -> Finding {
    let [first_ack, first_rst, last_ack, last_rst] = notes;
    let span = seconds(last_rst.time.seconds_after(first_ack.time));
    let (device, client) = (parties.device_side, parties.device_side.other());
    parties
        .finding(
            SPEC.id,
            // Every pair was seen; a lost frame could only have hidden more of them.
            Certainty::Proven,
            last_rst.time,
            notes.map(|note| note.frame).to_vec(),
            format!(
                "{} and {} exchanged {pairs} pairs of stale ACK and RST in {span:.3} s, from frames {} and {} to \
                 frames {} and {}: neither ends it.",
                parties.tuple.socket(device),
                parties.tuple.socket(client),
                first_ack.frame,
                first_rst.frame,
                last_ack.frame,
                last_rst.frame,
            ),
        )
        .with_quantity("pairs", f64::from(pairs))
        .with_quantity("span_s", span)
        .with_evidence(vec![
            parties.row(&first_ack, device, "first stale ACK"),
            parties.row(&first_rst, client, "client resets"),
            parties.row(&last_ack, device, "stale ACK again"),
            parties.row(&last_rst, client, "client resets again"),
        ])
}
