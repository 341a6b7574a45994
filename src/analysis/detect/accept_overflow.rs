//! `accept-overflow`: the device resets a connection it has just accepted, before it sent a single octet on it.
//!
//! That nothing was sent is told by the RST's own number, not by what was captured. Why it was reset cannot be
//! seen: lwIP completes the handshake before the application has a socket for it, and an application that aborts
//! a connection at once sends the same.

use super::{Detector, Finding, Parameter, Seen, Spec, evidence::seconds};
use crate::analysis::{
    certainty::Certainty,
    flow::Belongs,
    tcp::{Kind, TcpState},
    wire::Flags,
};

pub const SPEC: Spec = Spec {
    id: "accept-overflow",
    parameters: &[Parameter {
        name: "within_s",
        default: WITHIN_S,
        least: 0.01,
        most: 60.0,
        what: "how soon after the SYN a RST is put down to the accepting, and not to what the application did later",
    }],
    new: |settings| Box::new(AcceptOverflow { within_s: settings[0] }),
};

/// The default of `within_s`; `reset-close` takes what comes later.
const WITHIN_S: f64 = 3.0;

#[derive(Debug)]
struct AcceptOverflow {
    within_s: f64,
}

impl Detector for AcceptOverflow {
    fn on_segment(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        if !is_early_reset(seen, self.within_s) {
            return;
        }
        let parties = seen.parties();
        let (syn, reset) = (seen.before.opening, seen.note());
        let request = seen.receiver_before().last_data;
        let asked = match request {
            Some(data) => format!("after the request had been sent (frame {})", data.frame),
            None => "before anything was sent on it".to_owned(),
        };
        let text = format!(
            "{server} accepted the connection from {client} (SYN in frame {syn}) and reset it {after:.3} s later \
             (frame {reset}), {asked}.",
            server = parties.server,
            client = parties.client,
            syn = syn.frame,
            after = reset.time.seconds_after(syn.time),
            reset = reset.frame,
        );
        let mut evidence = vec![
            parties.row(&syn, parties.client_side, "client asks"),
            parties.row(&reset, parties.device_side, "device resets"),
        ];
        evidence.extend(request.map(|data| parties.row(&data, parties.client_side, "request")));
        findings.push(
            parties
                .finding(SPEC.id, Certainty::Suspected, reset.time, vec![syn.frame, reset.frame], text)
                .with_quantity("after_syn_s", seconds(reset.time.seconds_after(syn.time)))
                .with_quantity("request_sent", f64::from(u8::from(request.is_some())))
                .with_evidence(evidence),
        );
    }
}

/// A RST|ACK of the device on a connection it accepted not long ago, at its first sequence number.
fn is_early_reset(seen: &Seen<'_>, within_s: f64) -> bool {
    let own = seen.sender_before();
    is_reset_of_open_connection(seen)
        && seen.before.saw_open
        && seen.before.opener != seen.device_side
        && seen.segment.flags.has(Flags::ACK)
        && own.iss.is_some_and(|iss| iss.plus(1) == seen.segment.seq)
        && seen.segment.time.seconds_after(seen.before.opening.time) <= within_s
        // A client that has closed already is told that its data was not read: another matter.
        && seen.receiver_before().fin.is_none()
}

/// A RST of the device, numbered as its next octet, where a FIN could have stood.
pub(super) fn is_reset_of_open_connection(seen: &Seen<'_>) -> bool {
    let own = seen.sender_before();
    let is_open = own.view.is(TcpState::Established) || own.view.is(TcpState::CloseWait);
    seen.from_device()
        && seen.kind == Kind::Reset
        && seen.place == Belongs::ThisLife
        && is_open
        && own.fin.is_none()
        && own.snd_nxt == Some(seen.segment.seq)
}

/// What `accept-overflow` tells, told once.
pub(super) fn is_told(seen: &Seen<'_>) -> bool {
    is_early_reset(seen, WITHIN_S)
}
