//! `window-shrink`: one side took back room that it had promised: acknowledgment + window moved back.
//!
//! Taken as proof: three segments of that side. The first promises; the other two promise less, though by their numbers they
//! were sent no earlier than the first. Frames out of order look the same for a moment: an older, smaller
//! promise comes late. So the later one of the two must have gone on in what it sent or acknowledged, or stand a second later.
//! Less than one step of the window scale is rounding; without both SYNs the scale is unknown and nothing is said.

use core::time::Duration;

use super::{
    Detector, Finding, LastSegments, Occasions, Seen, Spec, evidence::seconds, seen::Parties, watch::Watch,
};
use crate::analysis::{
    certainty::Certainty,
    flow::{Belongs, FourTuple, Side},
    input::Gap,
    tcp::Kind,
    time::Timestamp,
    wire::{Flags, Note},
};

/// No network and no capture holds a frame back for longer.
const REORDERED: Duration = Duration::from_secs(1);
/// A second look that does not come within this is not waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// What was told is kept for this long, lest it be told again.
const REMEMBER: Duration = Duration::from_secs(3_600);

pub const SPEC: Spec = Spec {
    id: "window-shrink",
    parameters: &[],
    new: |_| Box::new(WindowShrink { last_gap: None, waiting: [Watch::default(), Watch::default()] }),
};

#[derive(Debug)]
struct WindowShrink {
    last_gap: Option<Timestamp>,
    /// By the side that took back.
    waiting: [Watch<Shrunk>; 2],
}

/// A right edge that moved back, seen once.
#[derive(Clone, Copy, Debug)]
struct Shrunk {
    parties: Parties,
    side: Side,
    shift: u8,
    promise: Note,
    first: Note,
    /// It was told; kept until the promise is fulfilled after all.
    is_told: bool,
}

impl Detector for WindowShrink {
    fn hears(&self) -> Occasions {
        Occasions::OTHER_EDGE
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
        let (tuple, flags) = (seen.tuple(), seen.segment.flags);
        if seen.place == Belongs::NewLife || seen.kind == Kind::Reset {
            for watch in &mut self.waiting {
                watch.disarm(tuple);
            }
        }
        if seen.place != Belongs::ThisLife || !flags.has(Flags::ACK) || flags.has(Flags::SYN) {
            return;
        }
        // Nobody needs room for what will not be sent any more.
        let is_closing = seen.flow.life.a.has_fin() || seen.flow.life.b.has_fin();
        let Some((promise, shift)) = promise(seen).filter(|_| seen.kind != Kind::Reset && !is_closing) else {
            return;
        };
        let watch = self.watch(seen.from);
        let note = seen.note();
        if taken_back(&promise, &note, shift) <= 0 {
            watch.disarm(tuple);
        } else if !is_older(&note, &promise) && taken_back(&promise, &note, shift) >= 1 << shift {
            match watch.get_mut(tuple) {
                None => {
                    let side = seen.from;
                    let parties = seen.parties();
                    let shrunk = Shrunk { parties, side, shift, promise, first: note, is_told: false };
                    watch.arm(tuple, note.time, PATIENCE, shrunk);
                }
                Some(shrunk) if !shrunk.is_told && shrunk.is_confirmed_by(&note) => {
                    let shrunk = Shrunk { is_told: true, ..*shrunk };
                    watch.arm(tuple, note.time, REMEMBER, shrunk);
                    findings.push(self.finding(&shrunk, &note));
                }
                Some(_) => {}
            }
        }
    }

    fn on_time(&mut self, now: Timestamp, _last: &LastSegments, _findings: &mut Vec<Finding>) {
        for watch in &mut self.waiting {
            while watch.expired(now).is_some() {}
        }
    }

    fn on_gap(&mut self, gap: &Gap, _last: &LastSegments) {
        self.last_gap = Some(gap.at);
    }
}

impl WindowShrink {
    fn watch(&mut self, side: Side) -> &mut Watch<Shrunk> {
        match side {
            Side::A => &mut self.waiting[0],
            Side::B => &mut self.waiting[1],
        }
    }

    fn finding(&self, shrunk: &Shrunk, last: &Note) -> Finding {
        let Shrunk { parties, side, shift, promise, first, .. } = shrunk;
        let is_gapless = self.last_gap.is_none_or(|gap| gap < promise.time);
        // Numbers that went on exclude that the frames are out of order; mere time makes it very unlikely.
        let certainty = match (goes_on(promise, first) && goes_on(promise, last), is_gapless) {
            (true, true) => Certainty::Proven,
            (true, false) | (false, true) => Certainty::Inferred,
            (false, false) => Certainty::Suspected,
        };
        let octets = taken_back(promise, last, *shift);
        let text = format!(
            "{who} ({address}) had said that it takes everything up to sequence number {edge} (frame {promised}), then took \
             back {octets} octets of that (frames {first} and {last}).",
            who = if *side == parties.device_side { "The device" } else { "The other side" },
            address = parties.tuple.socket(*side),
            edge = promise.right_edge(*shift),
            promised = promise.frame,
            first = first.frame,
            last = last.frame,
        );
        parties
            .finding(SPEC.id, certainty, last.time, vec![promise.frame, first.frame, last.frame], text)
            .with_quantity("octets", f64::from(octets))
            .with_quantity("window_scale", f64::from(*shift))
            .with_quantity("after_s", seconds(first.time.seconds_after(promise.time)))
            .with_quantity("by_device", f64::from(u8::from(*side == parties.device_side)))
            .with_evidence(vec![
                parties.row(promise, *side, "promises this much room"),
                parties.row(first, *side, "promises less"),
                parties.row(last, *side, "and still less than before"),
            ])
    }
}

impl Shrunk {
    /// `note` came after `first`, not merely out of its place.
    fn is_confirmed_by(&self, note: &Note) -> bool {
        let since = note.time.since(self.promise.time);
        !is_older(note, &self.first) && (goes_on(&self.promise, note) || since >= REORDERED)
    }
}

/// The furthest promise of this side before this segment, and its scale.
fn promise(seen: &Seen<'_>) -> Option<(Note, u8)> {
    let sender = seen.sender_before();
    Some((sender.widest()?, sender.shift(seen.receiver_before())?))
}

/// Octets from the edge of `note` forward to that of `promise`.
fn taken_back(promise: &Note, note: &Note, shift: u8) -> i32 {
    note.right_edge(shift).distance_to(promise.right_edge(shift))
}

/// By its numbers, `note` was sent before `other`.
fn is_older(note: &Note, other: &Note) -> bool {
    note.seq.precedes(other.seq) || note.ack.precedes(other.ack)
}

/// By its numbers, `note` was sent after `other`.
fn goes_on(other: &Note, note: &Note) -> bool {
    !is_older(note, other) && (other.seq.precedes(note.seq) || other.ack.precedes(note.ack))
}
