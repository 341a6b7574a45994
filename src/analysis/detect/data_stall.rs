//! `data-stall`: the same data is sent again and again, and never acknowledged.
//!
//! Where it gets lost is not on the wire: the network, the access point or the receiver. Keep-alives and probes
//! of a closed window look alike and are no data; one retransmission before a late ACK is normal (lwIP
//! delays its ACKs by up to 250 ms, Linux repeats after 200 ms).

use core::time::Duration;

use super::{Detector, Finding, Parameter, Seen, Spec, evidence::seconds, seen::Parties, watch::Watch};
use crate::analysis::{
    certainty::Certainty,
    flow::{Belongs, FourTuple, Side},
    input::{FrameNo, Gap},
    tcp::Kind,
    time::Timestamp,
    wire::Note,
};

/// A retransmission timer takes longer (Linux: 200 ms at least); what comes sooner is a copy or a fast retransmission.
const TIMER: Duration = Duration::from_millis(100);

pub const SPEC: Spec = Spec {
    id: "data-stall",
    parameters: &[
        Parameter {
            name: "retransmissions",
            default: 3.0,
            least: 2.0,
            most: 16.0,
            what: "retransmissions of the same octets by the timer, in a row",
        },
        Parameter {
            name: "unacked_s",
            default: 3.0,
            least: 0.5,
            most: 86_400.0,
            what: "seconds without an ACK after the first retransmission",
        },
    ],
    new: |settings| {
        Box::new(DataStall {
            retransmissions: settings[0] as usize,
            unacked: Duration::from_secs_f64(settings[1]),
            last_gap: None,
            waiting: [Watch::default(), Watch::default()],
        })
    },
};

#[derive(Debug)]
struct DataStall {
    retransmissions: usize,
    unacked: Duration,
    last_gap: Option<Timestamp>,
    /// By the sender of the data.
    waiting: [Watch<Wait>; 2],
}

#[derive(Debug)]
struct Wait {
    parties: Parties,
    sender: Side,
    /// The first sending of these octets that was seen.
    first: Note,
    /// Retransmissions of it, until they were told of.
    again: Vec<Note>,
    is_told: bool,
}

impl Detector for DataStall {
    fn on_segment(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        if seen.place == Belongs::AnotherLife {
            return;
        }
        let (tuple, segment) = (seen.tuple(), seen.segment);
        if seen.place == Belongs::NewLife || seen.kind == Kind::Reset {
            for watch in &mut self.waiting {
                watch.disarm(tuple);
            }
            return;
        }
        let answered = self.watch(seen.from.other());
        if let (Some(ack), Some(wait)) = (segment.acknowledges(), answered.get_mut(tuple)) {
            // An ACK, or a window of zero: whoever says so is there.
            if !wait.first.seq.reaches(ack) || segment.window == 0 {
                answered.disarm(tuple);
            }
        }
        if is_retransmission(seen) {
            self.repeated(seen, findings);
        }
    }

    fn on_time(&mut self, now: Timestamp, findings: &mut Vec<Finding>) {
        for index in 0..self.waiting.len() {
            while let Some((tuple, mut wait)) = self.waiting[index].expired(now) {
                if wait.is_told || wait.again.is_empty() {
                    continue;
                }
                let at = wait.again.first().map_or(now, |first| first.time.saturating_add(self.unacked));
                findings.push(self.finding(&wait, at));
                wait.is_told = true;
                self.keep(index, tuple, now, wait);
            }
        }
    }

    fn on_gap(&mut self, gap: &Gap) {
        self.last_gap = Some(gap.at);
    }
}

impl DataStall {
    fn watch(&mut self, sender: Side) -> &mut Watch<Wait> {
        &mut self.waiting[index(sender)]
    }

    fn repeated(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        let (tuple, note) = (seen.tuple(), seen.note());
        let (unacked, needed) = (self.unacked, self.retransmissions);
        let watch = self.watch(seen.from);
        match watch.get_mut(tuple) {
            Some(wait) if wait.first.seq == note.seq => {
                let last = wait.again.last().unwrap_or(&wait.first).time;
                if wait.is_told || note.time.since(last) < TIMER {
                    return;
                }
                wait.again.push(note);
                let (counted, is_stall) = (wait.again.len(), wait.again.len() >= needed && wait.gaps_grow());
                if counted > 1 && !is_stall {
                    return;
                }
                let Some(mut wait) = watch.disarm(tuple) else { return };
                if !is_stall {
                    return watch.arm(tuple, note.time, unacked, wait);
                }
                findings.push(self.finding(&wait, note.time));
                wait.is_told = true;
                self.keep(index(seen.from), tuple, note.time, wait);
            }
            // Not the data that is waited for, which is still unacknowledged before it.
            Some(wait) if wait.first.seq.precedes(note.seq) && !acked(seen, &wait.first) => {}
            Some(_) | None => {
                // Without the first sending it may be late news: a capture may swap frames.
                let first = seen.sender_before().last_data.filter(|data| data.seq == note.seq);
                let is_timers = first.is_some_and(|first| note.time.since(first.time) >= TIMER);
                let wait = Wait {
                    parties: seen.parties(),
                    sender: seen.from,
                    first: first.unwrap_or(note),
                    again: if is_timers { vec![note] } else { Vec::new() },
                    is_told: false,
                };
                watch.arm(tuple, note.time, if is_timers { unacked } else { REMEMBER }, wait);
            }
        }
    }

    /// What was told is remembered until it is acknowledged, lest it be told again.
    fn keep(&mut self, index: usize, tuple: FourTuple, now: Timestamp, wait: Wait) {
        self.waiting[index].arm(tuple, now, REMEMBER, wait);
    }

    fn finding(&self, wait: &Wait, at: Timestamp) -> Finding {
        let Wait { parties, sender, first, again, .. } = wait;
        let is_gapless = self.last_gap.is_none_or(|gap| gap < first.time);
        let certainty = if is_gapless { Certainty::Inferred } else { Certainty::Suspected };
        let mut frames: Vec<FrameNo> = vec![first.frame];
        frames.extend(again.iter().map(|note| note.frame));
        let mut evidence = vec![parties.row(first, *sender, "data")];
        evidence.extend(again.iter().map(|note| parties.row(note, *sender, "the same data again")));
        let text = format!(
            "{from} sent the same {octets} octets to {to} {times} times (frames {list}), and no ACK of them was seen \
             for {waited:.3} s.",
            from = parties.tuple.socket(*sender),
            to = parties.tuple.socket(sender.other()),
            octets = first.len,
            times = frames.len(),
            list = frames.iter().map(FrameNo::to_string).collect::<Vec<_>>().join(", "),
            waited = at.seconds_after(first.time),
        );
        let times = frames.len() as f64;
        parties
            .finding(SPEC.id, certainty, at, frames, text)
            .with_quantity("sendings", times)
            .with_quantity("unacked_s", seconds(at.seconds_after(first.time)))
            .with_quantity("by_device", f64::from(u8::from(*sender == parties.device_side)))
            .with_evidence(evidence)
    }
}

impl Wait {
    /// RFC 6298 §5.5: the timer backs off. An eighth is left for its ticks.
    fn gaps_grow(&self) -> bool {
        let mut before = (self.first.time, Duration::ZERO);
        self.again.iter().all(|note| {
            let gap = note.time.since(before.0);
            let grows = gap.saturating_add(gap / 8) >= before.1;
            before = (note.time, gap);
            grows
        })
    }
}

/// Longer than any sender goes on: Linux gives up after some 15 minutes.
const REMEMBER: Duration = Duration::from_secs(1_200);

/// Old data, not acknowledged yet, towards a side that has room for it.
fn is_retransmission(seen: &Seen<'_>) -> bool {
    let unacked = seen.sender_before().snd_una.is_none_or(|una| una.precedes(seen.segment.seq_end()));
    seen.kind == Kind::Again && seen.segment.len > 0 && unacked && seen.receiver_before().window != Some(0)
}

fn acked(seen: &Seen<'_>, note: &Note) -> bool {
    seen.sender_before().snd_una.is_some_and(|una| una.reaches(note.seq_end()))
}

const fn index(side: Side) -> usize {
    match side {
        Side::A => 0,
        Side::B => 1,
    }
}
