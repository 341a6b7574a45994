//! `reset-close`: the device ended a connection by a RST where a FIN could have stood.
//!
//! It cannot see what the device had: lwIP's close() sends a RST when data was left unread (tcp_close_shutdown),
//! an abort sends one always, and a device that lost the connection answers with one that looks the same.

use super::{
    Detector, Finding, Occasions, Seen, Spec,
    accept_overflow::{Starts, is_reset_of_open_connection, is_told},
    evidence::seconds,
};
use crate::analysis::{certainty::Certainty, host::Device, wire::Sign};

pub const SPEC: Spec =
    Spec { id: "reset-close", parameters: &[], new: |_| Box::new(ResetClose { starts: Starts::default() }) };

#[derive(Debug)]
struct ResetClose {
    starts: Starts,
}

impl Detector for ResetClose {
    fn hears(&self) -> Occasions {
        Occasions::DEVICE_RESETS
    }

    fn on_sign(&mut self, sign: &Sign, device: &Device, _findings: &mut Vec<Finding>) {
        self.starts.note(sign, device);
    }

    fn on_segment(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        if !is_reset_of_open_connection(seen) || is_told(seen, &self.starts) {
            return;
        }
        let parties = seen.parties();
        let reset = seen.note();
        let peer = seen.receiver_before();
        // What the RST itself does not acknowledge, the device had not even received.
        let unread = peer.last_data.filter(|_| peer.snd_una().is_none_or(|una| peer.snd_nxt() != Some(una)));
        let lossy = seen.last_gap.is_some_and(|gap| gap >= seen.before.opening.time);
        let certainty = if lossy { Certainty::Suspected } else { Certainty::Inferred };
        let text = format!(
            "{device} ended the connection between {client} and {server} by a RST (frame {frame}) and not by a FIN, \
             after {payload} octets of its own.",
            device = parties.device(),
            client = parties.client(),
            server = parties.server(),
            frame = reset.frame,
            payload = seen.sender_before().payload,
        );
        let mut evidence = vec![parties.row(&reset, parties.device_side, "device resets")];
        evidence.extend(
            peer.fin().map(|fin| parties.row(&fin, parties.device_side.other(), "the other side closes")),
        );
        evidence
            .extend(unread.map(|data| parties.row(&data, parties.device_side.other(), "not acknowledged")));
        evidence.dedup_by_key(|row| row.frame);
        findings.push(
            parties
                .finding(SPEC.id, certainty, reset.time, vec![reset.frame], text)
                .with_quantity("device_octets", seen.sender_before().payload as f64)
                .with_quantity("open_for_s", seconds(reset.time.seconds_after(seen.before.opening.time)))
                .with_evidence(evidence),
        );
    }
}
