//! `app-stall`: the device acknowledged a request and then sent no payload for a while.
//!
//! TCP took the request; whether an answer was due is not written on the wire (a long poll, a protocol in which
//! the client alone speaks), so this is never proven.

use core::time::Duration;

use super::{
    Detector, Finding, LastSegments, Occasions, Parameter, Seen, Spec, evidence::seconds, seen::Parties,
    watch::Watch,
};
use crate::analysis::{
    certainty::Certainty,
    flow::{Belongs, FourTuple},
    input::Gap,
    tcp::Kind,
    time::Timestamp,
    wire::{Flags, Note},
};

pub const SPEC: Spec = Spec {
    id: "app-stall",
    parameters: &[Parameter {
        name: "silent_s",
        default: 3.0,
        least: 0.1,
        most: 86_400.0,
        what: "seconds without payload after the ACK of a request",
    }],
    new: |settings| {
        Box::new(AppStall {
            silent: Duration::from_secs_f64(settings[0]),
            last_gap: None,
            waiting: Watch::default(),
        })
    },
};

#[derive(Debug)]
struct AppStall {
    silent: Duration,
    last_gap: Option<Timestamp>,
    waiting: Watch<Wait>,
}

#[derive(Debug)]
struct Wait {
    parties: Parties,
    request: Note,
    ack: Note,
    /// The device had answered earlier in this life: from then on one side alone may speak.
    is_later: bool,
}

impl Detector for AppStall {
    fn hears(&self) -> Occasions {
        Occasions::DEVICE_ACKS_ALL
    }

    fn waits_for(&self, tuple: FourTuple) -> bool {
        self.waiting.holds(tuple)
    }

    fn keep_to(&mut self, tuples: usize) {
        self.waiting.keep_to(tuples);
    }

    fn on_segment(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        self.hear(seen, findings);
    }

    /// Most of what it hears begins or ends a wait: then nothing has to be looked up.
    fn hear(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) -> bool {
        if seen.place == Belongs::AnotherLife {
            return self.waits_for(seen.tuple());
        }
        if ends_the_wait(seen) {
            // The clock is looked at ten times a second: what ends the wait may itself come too late.
            if let Some(wait) = self.waiting.disarm(seen.tuple())
                && seen.segment.time.since(wait.ack.time) >= self.silent
            {
                findings.push(self.finding(&wait));
            }
            return false;
        }
        let Some(request) = acknowledged_request(seen) else { return self.waits_for(seen.tuple()) };
        let wait = Wait {
            parties: seen.parties(),
            request,
            ack: seen.note(),
            is_later: seen.sender_before().payload > 0,
        };
        self.waiting.arm(seen.tuple(), seen.segment.time, self.silent, wait);
        true
    }

    fn on_time(&mut self, now: Timestamp, _last: &LastSegments, findings: &mut Vec<Finding>) {
        while let Some((_, wait)) = self.waiting.expired(now) {
            findings.push(self.finding(&wait));
        }
    }

    fn on_gap(&mut self, gap: &Gap, _last: &LastSegments) {
        self.last_gap = Some(gap.at);
    }
}

impl AppStall {
    fn finding(&self, wait: &Wait) -> Finding {
        let Wait { parties, request, ack, .. } = wait;
        let is_gapless = self.last_gap.is_none_or(|gap| gap < request.time);
        let certainty = if is_gapless && !wait.is_later { Certainty::Inferred } else { Certainty::Suspected };
        let silent = self.silent.as_secs_f64();
        let text = format!(
            "{server} acknowledged the request of {client} (frame {request_frame}) in frame {ack_frame}, and sent \
             no payload in the {silent} s after it.",
            server = parties.server(),
            client = parties.client(),
            request_frame = request.frame,
            ack_frame = ack.frame,
        );
        let client = parties.client_side;
        parties
            .finding(
                SPEC.id,
                certainty,
                ack.time.saturating_add(self.silent),
                vec![request.frame, ack.frame],
                text,
            )
            .with_quantity("silent_s", silent)
            .with_quantity("request_octets", f64::from(request.len))
            .with_quantity("until_ack_s", seconds(ack.time.seconds_after(request.time)))
            .with_evidence(vec![
                parties.row(request, client, "request"),
                parties.row(ack, client.other(), "device ACKs, then silence"),
            ])
    }
}

/// Payload from either side begins a new turn; a FIN or a RST says that no answer is awaited, or that none comes.
fn ends_the_wait(seen: &Seen<'_>) -> bool {
    let segment = seen.segment;
    let is_news = segment.len > 0 && matches!(seen.kind, Kind::News | Kind::BeyondAHole);
    let over = is_news || seen.place == Belongs::NewLife;
    over || segment.flags.has(Flags::FIN) || seen.kind == Kind::Reset || acknowledges_unseen(seen)
}

/// It answers octets that were not captured: the device had sent something.
fn acknowledges_unseen(seen: &Seen<'_>) -> bool {
    match (seen.segment.acknowledges(), seen.receiver_before().snd_nxt()) {
        (Some(ack), Some(next)) => next.precedes(ack),
        _ => false,
    }
}

/// The last piece of the request, where this is the ACK of a server that has now taken all of it and said nothing.
fn acknowledged_request(seen: &Seen<'_>) -> Option<Note> {
    let segment = seen.segment;
    let (device, client) = (seen.sender_before(), seen.receiver_before());
    let is_server = seen.device_side != seen.flow.life.opener;
    // A window of zero: the client may not be through with its request (`zero-window` tells of that).
    if !seen.from_device() || !is_server || seen.kind != Kind::AckOfNews || segment.window == 0 {
        return None;
    }
    // A jump in the device's own numbers: it sent something that was not captured. Where none of them was captured yet,
    // the client has said how far it has heard the device.
    let next = device.snd_nxt().or(client.rcv_nxt());
    if next.is_some_and(|next| next != segment.seq) || device.has_fin() || client.has_fin() {
        return None;
    }
    client.last_data.filter(|data| segment.ack == data.seq_end() && client.snd_nxt() == Some(segment.ack))
}
