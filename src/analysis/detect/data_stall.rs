//! `data-stall`: the oldest data that is not acknowledged is sent again and again, each time after a longer wait.
//!
//! Taken as evidence: at least two repetitions of the same octet by the sender's timer, whatever the size of the segments that
//! carry it, with waits that grow; and no ACK that reaches it, not even one of what was never captured. One repetition
//! is no evidence: lwIP delays ACKs by up to 250 ms and Linux repeats after 200 ms; and a sniffer that shows one frame twice, the second late,
//! makes one out of nothing. Keep-alives, probes of a closed window and SYN or FIN alone are no data that waits.
//! It is never proven: the ACK may have passed where the capture did not see it. Where the data gets lost is not on the wire.

use core::time::Duration;

use super::{
    Detector, Finding, LastSegments, Occasions, Parameter, Seen, Spec, evidence::seconds, seen::Parties,
    watch::Watch,
};
use crate::analysis::{
    certainty::Certainty,
    flow::{Belongs, FourTuple, Side},
    input::{FrameNo, Gap},
    tcp::Kind,
    time::Timestamp,
    wire::{Note, Segment, SeqNum},
};

/// No retransmission timer is shorter (Linux: 200 ms at least; lwIP counts in ticks of 500 ms), but for the jitter of timestamps.
/// What comes sooner is a copy, a fast retransmission or a tail-loss probe.
const TIMER: Duration = Duration::from_millis(180);
/// Repetitions by the timer without which nothing is said, however long it takes.
const EVIDENCE: usize = 2;
/// Repetitions cited.
const CITED: usize = 16;
/// Longer than any sender goes on: Linux gives up after some 15 minutes.
const REMEMBER: Duration = Duration::from_secs(1_200);

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
            name: "stalled_s",
            default: 3.0,
            least: 0.5,
            most: 86_400.0,
            what: "seconds without an ACK after the first sending, with at least two retransmissions in them",
        },
    ],
    new: |settings| {
        Box::new(DataStall {
            retransmissions: settings[0] as usize,
            stalled: Duration::from_secs_f64(settings[1]),
            last_gap: None,
            waiting: [Watch::default(), Watch::default()],
        })
    },
};

#[derive(Debug)]
struct DataStall {
    retransmissions: usize,
    stalled: Duration,
    last_gap: Option<Timestamp>,
    /// By the sender of the data.
    waiting: [Watch<Wait>; 2],
}

#[derive(Debug)]
struct Wait {
    parties: Parties,
    sender: Side,
    /// The oldest octet that is not acknowledged.
    octet: SeqNum,
    /// The first sending of it that is known by its frame.
    first: Note,
    /// Retransmissions of it by the timer, until they were told of.
    again: Vec<Note>,
    /// Segments of the other side meanwhile.
    heard: u32,
    /// The other side was captured in this life.
    saw_both: bool,
    /// How long an ACK took before.
    usual: Option<Duration>,
    is_told: bool,
}

impl Detector for DataStall {
    fn hears(&self) -> Occasions {
        Occasions::AGAIN
    }

    fn waits_for(&self, tuple: FourTuple) -> bool {
        self.waiting.iter().any(|watch| watch.holds(tuple))
    }

    fn keep_to(&mut self, tuples: usize) {
        for watch in &mut self.waiting {
            watch.keep_to(tuples);
        }
    }

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
        let theirs = self.watch(seen.from.other());
        if let Some(wait) = theirs.get_mut(tuple) {
            wait.heard = wait.heard.saturating_add(1);
            // An ACK of it, or of something beyond; or no room for it, which is `zero-window`.
            if segment.acknowledges().is_some_and(|ack| wait.octet.precedes(ack)) || segment.window == 0 {
                theirs.disarm(tuple);
            }
        }
        if seen.answers_what_was_not_captured() {
            self.watch(seen.from).disarm(tuple);
        }
        if let Some(octet) = repeated_octet(seen) {
            self.repeated(seen, octet, findings);
        }
    }

    fn on_time(&mut self, now: Timestamp, _last: &LastSegments, findings: &mut Vec<Finding>) {
        for index in 0..self.waiting.len() {
            while let Some((tuple, wait)) = self.waiting[index].expired(now) {
                if !wait.is_told && wait.is_evident() {
                    let at = wait.first.time.saturating_add(self.stalled).max(wait.last().time);
                    self.tell(index, tuple, at, wait, findings);
                }
            }
        }
    }

    fn on_gap(&mut self, gap: &Gap, _last: &LastSegments) {
        self.last_gap = Some(gap.at);
    }
}

impl DataStall {
    fn watch(&mut self, sender: Side) -> &mut Watch<Wait> {
        &mut self.waiting[index(sender)]
    }

    /// `octet`, the oldest that is not acknowledged, was on the wire before.
    fn repeated(&mut self, seen: &Seen<'_>, octet: SeqNum, findings: &mut Vec<Finding>) {
        let (tuple, note) = (seen.tuple(), seen.note());
        let (needed, stalled) = (self.retransmissions, self.stalled);
        let watch = self.watch(seen.from);
        let Some(mut wait) = watch.disarm(tuple).filter(|wait| wait.octet == octet) else {
            // Whatever it is, one repetition is not enough: its deadline only forgets it.
            return watch.arm(tuple, note.time, REMEMBER, Wait::begin(seen, octet));
        };
        if wait.is_told || note.time.since(wait.last().time) < TIMER {
            return self.keep(seen.from, tuple, wait);
        }
        if wait.shrinks_with(&note) {
            // No timer does that. What was seen may have been copies; this may be the first of a row.
            return self.keep(seen.from, tuple, Wait { first: note, again: Vec::new(), heard: 0, ..wait });
        }
        wait.again.push(note);
        let is_long = note.time.since(wait.first.time) >= stalled;
        if wait.is_evident() && (wait.again.len() >= needed || is_long) {
            return self.tell(index(seen.from), tuple, note.time, wait, findings);
        }
        if wait.again.len() >= CITED {
            wait.again.remove(0);
        }
        self.keep(seen.from, tuple, wait);
    }

    /// Goes on waiting for what is waited for.
    fn keep(&mut self, sender: Side, tuple: FourTuple, wait: Wait) {
        let is_due = !wait.is_told && wait.is_evident();
        let (from, after) =
            if is_due { (wait.first.time, self.stalled) } else { (wait.last().time, REMEMBER) };
        self.watch(sender).arm(tuple, from, after, wait);
    }

    /// What was told is remembered until it is acknowledged, lest it be told again.
    fn tell(
        &mut self,
        index: usize,
        tuple: FourTuple,
        at: Timestamp,
        mut wait: Wait,
        findings: &mut Vec<Finding>,
    ) {
        findings.push(self.finding(&wait, at));
        wait.is_told = true;
        self.waiting[index].arm(tuple, at, REMEMBER, wait);
    }

    fn finding(&self, wait: &Wait, at: Timestamp) -> Finding {
        let Wait { parties, sender, first, again, .. } = wait;
        let is_gapless = self.last_gap.is_none_or(|gap| gap < first.time);
        let certainty = if is_gapless && wait.saw_both { Certainty::Inferred } else { Certainty::Suspected };
        let mut frames: Vec<FrameNo> = vec![first.frame];
        frames.extend(again.iter().map(|note| note.frame));
        let mut evidence = vec![parties.row(first, *sender, "data")];
        evidence.extend(again.iter().map(|note| parties.row(note, *sender, "the same data again")));
        let heard = match wait.heard {
            0 => "nothing came back".to_owned(),
            1 => "1 segment came back, and no ACK of it".to_owned(),
            heard => format!("{heard} segments came back, and no ACK of it"),
        };
        let usual = match wait.usual.map(|usual| usual.as_millis()) {
            None => String::new(),
            Some(0) => " Before that, an ACK took less than a millisecond.".to_owned(),
            Some(millis) => format!(" Before that, an ACK took about {millis} ms."),
        };
        let text = format!(
            "{who} ({address}) sent the data at sequence number {octet} {times} times in {waited:.3} s (frames {list}), and \
             {heard}.{usual}",
            who = if *sender == parties.device_side { "The device" } else { "The other side" },
            address = parties.tuple.socket(*sender),
            octet = wait.octet,
            times = frames.len(),
            waited = at.seconds_after(first.time),
            list = frames.iter().map(FrameNo::to_string).collect::<Vec<_>>().join(", "),
        );
        let sendings = frames.len() as f64;
        let finding = parties
            .finding(SPEC.id, certainty, at, frames, text)
            .with_quantity("sendings", sendings)
            .with_quantity("unacked_s", seconds(at.seconds_after(first.time)))
            .with_quantity("heard_meanwhile", f64::from(wait.heard))
            .with_quantity("by_device", f64::from(u8::from(*sender == parties.device_side)))
            .with_evidence(evidence);
        match wait.usual {
            Some(usual) => finding.with_quantity("usual_ack_s", seconds(usual.as_secs_f64())),
            None => finding,
        }
    }
}

impl Wait {
    fn begin(seen: &Seen<'_>, octet: SeqNum) -> Wait {
        let note = seen.note();
        let sender = seen.sender_before();
        // The first sending, where it is the last data that was sent; else this one is the first that is known.
        let first = sender.last_data.filter(|data| covers(data.seq, data.seq_end(), octet));
        let is_timers = first.is_some_and(|first| note.time.since(first.time) >= TIMER);
        Wait {
            parties: seen.parties(),
            sender: seen.from,
            octet,
            first: first.unwrap_or(note),
            again: if is_timers { vec![note] } else { Vec::new() },
            heard: 0,
            saw_both: seen.receiver_before().snd_nxt().is_some(),
            usual: sender.round_trip.smoothed(),
            is_told: false,
        }
    }

    fn last(&self) -> &Note {
        self.again.last().unwrap_or(&self.first)
    }

    fn gaps(&self) -> impl Iterator<Item = Duration> {
        let sendings = core::iter::once(&self.first).chain(&self.again);
        sendings.zip(&self.again).map(|(before, after)| after.time.since(before.time))
    }

    /// RFC 6298 §5.5: a timer backs off. An eighth is left for its ticks.
    fn shrinks_with(&self, next: &Note) -> bool {
        let gap = next.time.since(self.last().time);
        self.gaps().last().is_some_and(|before| gap.saturating_add(gap / 8) < before)
    }

    /// Enough repetitions, and waits as a timer makes them.
    fn is_evident(&self) -> bool {
        self.again.len() >= EVIDENCE && self.grows()
    }

    /// From the first wait to the last: a timer that backs off doubles, or nearly so (lwIP's first wait is cut by its ticks).
    fn grows(&self) -> bool {
        match (self.gaps().next(), self.gaps().last()) {
            (Some(first), Some(last)) => last >= first.saturating_add(first / 2),
            _ => false,
        }
    }
}

/// The oldest octet that is not acknowledged, where this segment sends it anew to a side that has room for it.
fn repeated_octet(seen: &Seen<'_>) -> Option<SeqNum> {
    let Segment { seq, len, .. } = *seen.segment;
    let (sender, receiver) = (seen.sender_before(), seen.receiver_before());
    let end = seq.plus(len);
    if seen.kind != Kind::Again || len == 0 || receiver.window() == Some(0) {
        return None;
    }
    // Without an ACK nothing is known of what was acknowledged, and one old octet may be a keep-alive.
    let Some(una) = sender.snd_una() else {
        return (len > 1).then_some(seq);
    };
    let has_room = receiver.receive_window(sender).is_none_or(|window| window.accepts(una, 1));
    // The receiver acknowledged more than was ever captured: it has this too, whatever its sender knows.
    let is_taken = receiver.rcv_nxt().is_some_and(|acked| una.precedes(acked));
    (covers(seq, end, una) && has_room && !is_taken).then_some(una)
}

/// `at` lies in `seq..end`.
fn covers(seq: SeqNum, end: SeqNum, at: SeqNum) -> bool {
    at.reaches(seq) && at.precedes(end)
}

const fn index(side: Side) -> usize {
    match side {
        Side::A => 0,
        Side::B => 1,
    }
}
