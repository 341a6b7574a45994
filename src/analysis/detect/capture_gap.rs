//! `capture-gap`: one side acknowledged octets of the other that the capture does not hold.
//!
//! Nobody acknowledges what was never sent: the frame was on the wire and not in the capture, or stands later in
//! it. It says nothing of the device; frames that the capture itself counts as lost are told without a rule.

use super::{Detector, Finding, Seen, Spec};
use crate::analysis::{certainty::Certainty, flow::Belongs, tcp::Kind, wire::Flags};

/// Further than this ahead it is a number of another life, not a gap.
const NEAR: i32 = 1 << 20;

pub const SPEC: Spec = Spec { id: "capture-gap", parameters: &[], new: |_| Box::new(CaptureGap) };

#[derive(Debug)]
struct CaptureGap;

impl Detector for CaptureGap {
    fn on_segment(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        let segment = seen.segment;
        if seen.place != Belongs::ThisLife || seen.kind == Kind::Reset || segment.flags.has(Flags::SYN) {
            return;
        }
        let (Some(ack), Some(sent)) = (segment.acknowledges(), seen.receiver_before().snd_nxt) else {
            return;
        };
        let missing = sent.distance_to(ack);
        if !(1..NEAR).contains(&missing) {
            return;
        }
        // One hole is told once; where one direction is not captured at all, that is one hole.
        if seen.sender_before().rcv_nxt.is_some_and(|before| sent.precedes(before)) {
            return;
        }
        let (parties, note) = (seen.parties(), seen.note());
        let text = format!(
            "{from} acknowledged {missing} octets of sequence space from {to} in frame {frame} that were not \
             captured before it: frames are missing from the capture, or stand in it out of order.",
            from = parties.tuple.socket(seen.from),
            to = parties.tuple.socket(seen.from.other()),
            frame = note.frame,
        );
        findings.push(
            parties
                .finding(SPEC.id, Certainty::Inferred, segment.time, vec![note.frame], text)
                .with_quantity("missing_octets", f64::from(missing))
                .with_evidence(vec![parties.row(&note, seen.from, "ACKs what was not captured")]),
        );
    }
}
