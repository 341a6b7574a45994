//! `ack-loop`: both sides send the same empty ACK over and over, each in answer to the other's.
//!
//! Duplicate ACKs of a lossy transfer run one way, with data between them: any data, SYN, FIN or RST begins the
//! count anew. What brought the two sides out of step is not on the wire any more.

use core::time::Duration;

use super::{
    Detector, Finding, LastSegments, Occasions, Parameter, Seen, Spec, evidence::seconds, seen::Parties,
    watch::Watch,
};
use crate::analysis::{
    certainty::Certainty,
    flow::{Belongs, FourTuple, Side},
    tcp::Kind,
    time::Timestamp,
    wire::Note,
};

pub const SPEC: Spec = Spec {
    id: "ack-loop",
    parameters: &[
        Parameter {
            name: "acks",
            default: 20.0,
            least: 2.0,
            most: 100_000.0,
            what: "identical ACKs each way; one more each way is a loop",
        },
        Parameter {
            name: "within_s",
            default: 2.0,
            least: 0.1,
            most: 3_600.0,
            what: "seconds in which they must lie, counted from the first of them",
        },
    ],
    new: |settings| {
        Box::new(AckLoop {
            acks: settings[0] as u32,
            within: Duration::from_secs_f64(settings[1]),
            loops: Watch::default(),
        })
    },
};

#[derive(Debug)]
struct AckLoop {
    acks: u32,
    within: Duration,
    /// Forgotten `within` after the first ACK (a loop fills every such span), once told after the last.
    loops: Watch<Loop>,
}

#[derive(Debug, Default)]
struct Loop {
    device: Option<Same>,
    other: Option<Same>,
    told: bool,
}

/// One ACK and how often it came.
#[derive(Clone, Copy, Debug)]
struct Same {
    first: Note,
    last: Note,
    count: u32,
}

impl Detector for AckLoop {
    fn hears(&self) -> Occasions {
        Occasions::NOTHING_NEW.or(Occasions::ANOTHER_LIFE)
    }

    fn waits_for(&self, tuple: FourTuple) -> bool {
        self.loops.holds(tuple)
    }

    fn keep_to(&mut self, tuples: usize) {
        self.loops.keep_to(tuples);
    }

    fn on_segment(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        let tuple = seen.tuple();
        if !seen.segment.is_pure_ack() {
            self.loops.disarm(tuple);
            return;
        }
        // Nothing new is said; in numbers of another life the kind does not apply.
        let is_idle = seen.place == Belongs::AnotherLife
            || matches!(seen.kind, Kind::IdleAck | Kind::DuplicateAck | Kind::KeepAlive);
        if !is_idle {
            return;
        }
        let note = seen.note();
        if self.loops.get_mut(tuple).is_none() {
            self.loops.arm(tuple, note.time, self.within, Loop::default());
        }
        let Some(looping) = self.loops.get_mut(tuple) else { return };
        let slot = if seen.from_device() { &mut looping.device } else { &mut looping.other };
        match slot {
            Some(same) if is_same(&same.first, &note) => {
                same.count += 1;
                same.last = note;
            }
            _ => *slot = Some(Same { first: note, last: note, count: 1 }),
        }
        if looping.told {
            if let Some(looping) = self.loops.disarm(tuple) {
                self.loops.arm(tuple, note.time, self.within, looping);
            }
            return;
        }
        let (Some(device), Some(other)) = (looping.device, looping.other) else { return };
        if device.count > self.acks && other.count > self.acks {
            looping.told = true;
            findings.push(tell(&seen.parties(), device, other));
        }
    }

    fn on_time(&mut self, now: Timestamp, _last: &LastSegments, _findings: &mut Vec<Finding>) {
        while self.loops.expired(now).is_some() {}
    }
}

fn is_same(a: &Note, b: &Note) -> bool {
    (a.seq, a.ack, a.window) == (b.seq, b.ack, b.window)
}

fn tell(parties: &Parties, device: Same, other: Same) -> Finding {
    let (device_side, other_side) = (parties.device_side, parties.device_side.other());
    let mut notes: [(Note, Side, &str); 4] = [
        (device.first, device_side, "device's ACK"),
        (other.first, other_side, "the other's ACK"),
        (device.last, device_side, "same ACK again"),
        (other.last, other_side, "same ACK again"),
    ];
    notes.sort_by_key(|(note, ..)| note.frame);
    let [(begin, ..), .., (end, ..)] = notes;
    let span = seconds(end.time.seconds_after(begin.time));
    parties
        .finding(
            SPEC.id,
            Certainty::Proven,
            end.time,
            notes.iter().map(|(note, ..)| note.frame).collect(),
            format!(
                "{} and {} sent each other the same empty ACK {} and {} times in {span:.3} s (frames {} to {}), and \
                 nothing else.",
                parties.tuple.socket(device_side),
                parties.tuple.socket(other_side),
                device.count,
                other.count,
                begin.frame,
                end.frame,
            ),
        )
        .with_quantity("device_acks", f64::from(device.count))
        .with_quantity("other_acks", f64::from(other.count))
        .with_quantity("span_s", span)
        .with_evidence(notes.iter().map(|(note, side, role)| parties.row(note, *side, role)).collect())
}
