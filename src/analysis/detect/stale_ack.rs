//! `stale-ack`: a SYN is answered by a pure ACK of other numbers, and nothing seen says whose they are.
//!
//! A TIME-WAIT from before the capture, a half-open peer and a challenge ACK (RFC 5961 §4) send the same octets.
//! Where the ledger knows the close, or two ignored RSTs stand for it, it is a `time-wait-collision` instead.

use core::time::Duration;

use super::{Detector, Finding, LastSegments, Occasions, Seen, Spec, evidence::seconds, watch::Watch};
use crate::analysis::{certainty::Certainty, host::HostEvent, input::FrameNo, time::Timestamp, wire::Note};

pub const SPEC: Spec = Spec {
    id: "stale-ack",
    parameters: &[],
    new: |_| Box::new(StaleAck { collision: None, told: Watch::default() }),
};

/// A SYN waits no longer for its answer.
const ATTEMPT: Duration = Duration::from_secs(140);

#[derive(Debug)]
struct StaleAck {
    /// The stale ACK that the ledger recognised last.
    collision: Option<FrameNo>,
    /// The SYN told last, of each tuple: an ACK that comes twice answers it once.
    told: Watch<FrameNo>,
}

impl Detector for StaleAck {
    fn hears(&self) -> Occasions {
        Occasions::ANOTHER_LIFE
    }

    fn keep_to(&mut self, tuples: usize) {
        self.told.keep_to(tuples);
    }

    fn on_host(&mut self, event: &HostEvent, _: &mut Vec<Finding>) {
        if let Some(frame) = recognised(event) {
            self.collision = Some(frame);
        }
    }

    fn on_segment(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        let Some(syn) = seen.syn_met_by_stale_ack() else { return };
        let ack = seen.note();
        let known = self.told.get_mut(seen.tuple()).copied();
        if self.collision == Some(ack.frame) || known == Some(syn.frame) {
            return;
        }
        self.told.arm(seen.tuple(), ack.time, ATTEMPT, syn.frame);
        findings.push(tell(seen, &syn, &ack));
    }

    fn on_time(&mut self, now: Timestamp, _last: &LastSegments, _: &mut Vec<Finding>) {
        while self.told.expired(now).is_some() {}
    }
}

/// The stale ACK that the ledger calls a collision, whose close was seen or concluded.
pub(super) fn recognised(event: &HostEvent) -> Option<FrameNo> {
    match event {
        HostEvent::Refused { story, stale_ack, .. } if story.certainty > Certainty::Suspected => {
            Some(stale_ack.frame)
        }
        _ => None,
    }
}

fn tell(seen: &Seen<'_>, syn: &Note, ack: &Note) -> Finding {
    let parties = seen.parties();
    let text = format!(
        "{server} answered the SYN from {client} (frame {syn}) with an ACK that does not belong to it (frame {ack}): \
         the old connection is in TIME-WAIT there, or still open there, or this is a challenge ACK.",
        server = parties.server(),
        client = parties.client(),
        syn = syn.frame,
        ack = ack.frame,
    );
    parties
        .finding(SPEC.id, Certainty::Suspected, ack.time, vec![syn.frame, ack.frame], text)
        .with_quantity("stale_seq", f64::from(ack.seq.0))
        .with_quantity("stale_ack", f64::from(ack.ack.0))
        .with_quantity("after_syn_s", seconds(ack.time.seconds_after(syn.time)))
        .with_evidence(vec![
            parties.row(syn, parties.client_side, "client asks"),
            parties.row(ack, parties.device_side, "stale ACK"),
        ])
}
