//! `capture-gap`: one side acknowledged octets of the other that the capture does not hold, or the capture itself counted
//! frames that it lost.
//!
//! Nobody acknowledges what was never sent: the frame was on the wire and not in the capture, or stands later in
//! it. What a full buffer lost is counted but not described: it is told of the devices that had just been heard or spoken to,
//! whose frames they were most likely. Neither says anything against a device.

use core::{net::IpAddr, time::Duration};

use super::{Detector, Finding, LastSegments, Occasions, Seen, Spec};
use crate::analysis::{
    certainty::Certainty,
    flow::Belongs,
    input::{FrameNo, Gap, GapCause},
    tcp::Kind,
    time::Timestamp,
    wire::Flags,
};

/// Further than this ahead it is a number of another life, not a gap.
const NEAR: i32 = 1 << 20;
/// A device without a segment for this long has lost little by a gap.
const BUSY: Duration = Duration::from_secs(60);
/// Busy devices told of: those heard or spoken to last.
const CAPACITY: usize = 16;
/// One loss follows another where the machine is too slow: those within this are told together.
const TOGETHER: Duration = Duration::from_secs(1);

pub const SPEC: Spec = Spec { id: "capture-gap", parameters: &[], new: |_| Box::new(CaptureGap::default()) };

#[derive(Debug, Default)]
struct CaptureGap {
    lost: Option<Lost>,
    told: Option<Timestamp>,
}

/// Frames that were counted as lost and not told of yet.
#[derive(Debug)]
struct Lost {
    /// The devices that were busy when it began, and the last segment of each before that.
    before: Vec<(IpAddr, FrameNo)>,
    last: Timestamp,
    frames: u64,
    gaps: u32,
    cause: GapCause,
}

impl Detector for CaptureGap {
    fn hears(&self) -> Occasions {
        Occasions::ACKS_UNSEEN.or(Occasions::TIME)
    }

    fn on_segment(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        findings.extend(acknowledged_unseen(seen));
    }

    fn due(&self) -> Timestamp {
        match (&self.lost, self.told) {
            (None, _) => Timestamp::MAX,
            (Some(_), None) => Timestamp::ZERO,
            (Some(_), Some(told)) => told.saturating_add(TOGETHER),
        }
    }

    fn on_time(&mut self, now: Timestamp, _last: &LastSegments, findings: &mut Vec<Finding>) {
        self.tell_lost(now, findings);
    }

    fn on_gap(&mut self, gap: &Gap, last: &LastSegments) {
        match gap.cause {
            // Told when it is over: only then is it known how much was missed.
            GapCause::Gone => return,
            // Nothing is known to be missing.
            GapCause::Link { .. } | GapCause::Clock { .. } => return,
            GapCause::Kernel | GapCause::Interface | GapCause::Queue | GapCause::Back(_) => {}
        }
        let lost = self.lost.get_or_insert_with(|| Lost {
            before: busy(last, gap.at),
            last: gap.at,
            frames: 0,
            gaps: 0,
            cause: gap.cause,
        });
        lost.last = gap.at;
        lost.frames = lost.frames.saturating_add(gap.lost);
        lost.gaps = lost.gaps.saturating_add(1);
        lost.cause = gap.cause;
    }
}

impl CaptureGap {
    fn tell_lost(&mut self, now: Timestamp, findings: &mut Vec<Finding>) {
        let is_soon = self.told.is_some_and(|told| now.since(told) < TOGETHER);
        let Some(lost) = self.lost.take_if(|_| !is_soon) else { return };
        for (device, frame) in &lost.before {
            self.told = Some(now);
            findings.push(lost.of(*device, *frame));
        }
    }
}

impl Lost {
    fn of(&self, device: IpAddr, last_before: FrameNo) -> Finding {
        let counted = |whose: &str| {
            format!(
                "The capture lost {frames} frames after frame {last_before}, the last of {device} before that: {whose}. What \
                 they were is not known; some will have been to or from {device}.",
                frames = self.frames,
            )
        };
        let text = match self.cause {
            GapCause::Kernel => counted("the kernel's capture buffer was full"),
            GapCause::Interface => counted("the interface dropped them"),
            GapCause::Queue => counted("the analysis fell behind the capture"),
            GapCause::Gone => counted("the interface went away"),
            GapCause::Link { .. } => counted("another kind of link came in its place"),
            GapCause::Clock { .. } => counted("the clock was set"),
            GapCause::Back(away) => format!(
                "The interface was away for {:.1} s after frame {last_before}, the last of {device} before that. What passed \
                 meanwhile is not known; some may have been to or from {device}.",
                away.as_secs_f64()
            ),
        };
        // That frames were lost is counted; that they were this device's is only likely.
        Finding::of_device(SPEC.id, Certainty::Inferred, self.last, device, vec![last_before], text)
            .with_quantity("lost_frames", self.frames as f64)
            .with_quantity("gaps", f64::from(self.gaps))
    }
}

/// The devices that were heard or spoken to shortly before `at`, the latest first, and the last segment of each.
fn busy(last: &LastSegments, at: Timestamp) -> Vec<(IpAddr, FrameNo)> {
    let latest = last.latest(CAPACITY).into_iter();
    latest
        .filter(|(_, last)| at.since(last.time) <= BUSY)
        .map(|(device, last)| (device, last.frame))
        .collect()
}

fn acknowledged_unseen(seen: &Seen<'_>) -> Option<Finding> {
    let segment = seen.segment;
    if seen.place != Belongs::ThisLife || seen.kind == Kind::Reset || segment.flags.has(Flags::SYN) {
        return None;
    }
    let (ack, sent) = (segment.acknowledges()?, seen.receiver_before().snd_nxt()?);
    let missing = sent.distance_to(ack);
    if !(1..NEAR).contains(&missing) {
        return None;
    }
    // One hole is told once; where one direction is not captured at all, that is one hole.
    if seen.sender_before().rcv_nxt().is_some_and(|before| sent.precedes(before)) {
        return None;
    }
    let (parties, note) = (seen.parties(), seen.note());
    let text = format!(
        "{from} acknowledged {missing} octets of sequence space from {to} in frame {frame} that were not \
         captured before it: frames are missing from the capture, or stand in it out of order.",
        from = parties.tuple.socket(seen.from),
        to = parties.tuple.socket(seen.from.other()),
        frame = note.frame,
    );
    let finding = parties
        .finding(SPEC.id, Certainty::Inferred, segment.time, vec![note.frame], text)
        .with_quantity("missing_octets", f64::from(missing))
        .with_evidence(vec![parties.row(&note, seen.from, "ACKs what was not captured")]);
    Some(finding)
}
