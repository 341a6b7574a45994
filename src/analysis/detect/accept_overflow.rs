//! `accept-overflow`: the device ends a connection it has just accepted, before it sent a single octet on it.
//!
//! That nothing was sent is told by the RST's or the FIN's own number, not by what was captured. Why it ended cannot
//! be seen: lwIP completes the handshake before the application has a socket for it, and an application that drops
//! a connection at once sends the same. A RST after the device announced itself comes from a restart instead.

use core::net::IpAddr;

use super::{Detector, Finding, Occasions, Parameter, Seen, Spec, evidence::seconds};
use crate::analysis::{
    certainty::Certainty,
    flow::Belongs,
    host::Device,
    tcp::{Kind, TcpState},
    time::Timestamp,
    wire::{Flags, Sign, SignKind},
};

pub const SPEC: Spec = Spec {
    id: "accept-overflow",
    parameters: &[
        Parameter {
            name: "within_s",
            default: WITHIN_S,
            least: 0.01,
            most: 60.0,
            what: "how soon after the SYN a RST is put down to the accepting, and not to what the application did later",
        },
        Parameter {
            name: "close_within_s",
            default: 0.5,
            least: 0.01,
            most: 60.0,
            what: "the same for a FIN, which a server sends as well when a client has been silent for too long",
        },
    ],
    new: |settings| {
        Box::new(AcceptOverflow {
            within_s: settings[0],
            close_within_s: settings[1],
            starts: Starts::default(),
        })
    },
};

/// The default of `within_s`; `reset-close` takes what comes later.
const WITHIN_S: f64 = 3.0;

#[derive(Debug)]
struct AcceptOverflow {
    within_s: f64,
    close_within_s: f64,
    starts: Starts,
}

impl Detector for AcceptOverflow {
    fn hears(&self) -> Occasions {
        Occasions::DEVICE_RESETS.or(Occasions::DEVICE_CLOSES)
    }

    fn on_sign(&mut self, sign: &Sign, device: &Device, _findings: &mut Vec<Finding>) {
        self.starts.note(sign, device);
    }

    fn on_segment(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        if is_early_close(seen, self.close_within_s) {
            findings.push(tell(seen, "closed", "device closes", "and took nothing from it"));
        } else if is_early_reset(seen, self.within_s) && !self.starts.explain(seen) {
            let asked = match seen.receiver_before().last_data {
                Some(data) => format!("after the request had been sent (frame {})", data.frame),
                None => "before anything was sent on it".to_owned(),
            };
            findings.push(tell(seen, "reset", "device resets", &asked));
        }
    }
}

fn tell(seen: &Seen<'_>, ended: &str, role: &'static str, asked: &str) -> Finding {
    let parties = seen.parties();
    let (syn, end) = (seen.before.opening, seen.note());
    let request = seen.receiver_before().last_data;
    let text = format!(
        "{server} accepted the connection from {client} (SYN in frame {syn}) and {ended} it {after:.3} s later \
         (frame {end}), {asked}.",
        server = parties.server(),
        client = parties.client(),
        syn = syn.frame,
        after = end.time.seconds_after(syn.time),
        end = end.frame,
    );
    let mut evidence = vec![
        parties.row(&syn, parties.client_side, "client asks"),
        parties.row(&end, parties.device_side, role),
    ];
    evidence.extend(request.map(|data| parties.row(&data, parties.client_side, "request")));
    parties
        .finding(SPEC.id, Certainty::Suspected, end.time, vec![syn.frame, end.frame], text)
        .with_quantity("after_syn_s", seconds(end.time.seconds_after(syn.time)))
        .with_quantity("request_sent", f64::from(u8::from(request.is_some())))
        .with_evidence(evidence)
}

/// A RST|ACK of the device on a connection it accepted not long ago, at its first sequence number.
fn is_early_reset(seen: &Seen<'_>, within_s: f64) -> bool {
    is_reset_of_open_connection(seen) && seen.segment.flags.has(Flags::ACK) && is_at_the_start(seen, within_s)
}

/// A FIN at the device's first sequence number that acknowledges nothing but the client's SYN: whoever closed had not
/// read a request. (lwIP's accept() without a socket left closes what it cannot take; with a request unread it is a RST.)
fn is_early_close(seen: &Seen<'_>, within_s: f64) -> bool {
    let segment = seen.segment;
    seen.from_device()
        && seen.place == Belongs::ThisLife
        && segment.flags.has(Flags::FIN)
        && seen.kind == Kind::News
        && segment.len == 0
        && seen.sender_before().view.is(TcpState::Established)
        && seen.receiver_before().iss().is_some_and(|iss| segment.acknowledges() == Some(iss.plus(1)))
        && is_at_the_start(seen, within_s)
}

/// The device's first octet, on a connection that it accepted not long ago and that the client has not closed.
fn is_at_the_start(seen: &Seen<'_>, within_s: f64) -> bool {
    seen.before.saw_open
        && seen.before.opener != seen.device_side
        && seen.sender_before().iss().is_some_and(|iss| iss.plus(1) == seen.segment.seq)
        && seen.segment.time.seconds_after(seen.before.opening.time) <= within_s
        // A client that has closed already is told that its data was not read: another matter.
        && !seen.receiver_before().has_fin()
}

/// When each device announced itself last, as after a start: what it resets then, it has forgotten.
#[derive(Debug, Default)]
pub(super) struct Starts(Vec<(IpAddr, Timestamp)>);

impl Starts {
    /// Devices remembered; the one noted first gives way.
    const CAPACITY: usize = 256;

    pub(super) fn note(&mut self, sign: &Sign, device: &Device) {
        let is_own = sign.from == Some(device.address)
            || (sign.from.is_none() && sign.mac.is_some() && sign.mac == device.mac);
        if !is_own || !matches!(sign.kind, SignKind::Announcement | SignKind::DhcpDiscover) {
            return;
        }
        self.0.retain(|(address, _)| *address != device.address);
        if self.0.len() == Self::CAPACITY {
            self.0.remove(0);
        }
        self.0.push((device.address, sign.time));
    }

    /// The device announced itself after it had accepted this connection.
    pub(super) fn explain(&self, seen: &Seen<'_>) -> bool {
        self.0.iter().any(|(address, at)| *address == seen.device.address && *at > seen.before.opening.time)
    }
}

/// A RST of the device, numbered as its next octet, where a FIN could have stood.
pub(super) fn is_reset_of_open_connection(seen: &Seen<'_>) -> bool {
    let own = seen.sender_before();
    let is_open = own.view.is(TcpState::Established) || own.view.is(TcpState::CloseWait);
    seen.from_device()
        && seen.kind == Kind::Reset
        && seen.place == Belongs::ThisLife
        && is_open
        && !own.has_fin()
        && own.snd_nxt() == Some(seen.segment.seq)
}

/// What `accept-overflow` tells, told once.
pub(super) fn is_told(seen: &Seen<'_>, starts: &Starts) -> bool {
    is_early_reset(seen, WITHIN_S) && !starts.explain(seen)
}
