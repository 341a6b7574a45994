//! `handshake-stall`: the device accepted, said so again and again, and the client never finished the handshake.
//!
//! It knows only what was captured: the client's SYN must have been seen, or its silence would mean nothing
//! (a capture of one side). Whether the client is gone or does not hear the device is told by its repeated SYNs.

use core::time::Duration;

use super::{
    Detector, Finding, LastSegments, Occasions, Parameter, Seen, Spec, evidence::seconds, seen::Parties,
    watch::Watch,
};
use crate::analysis::{
    certainty::Certainty,
    flow::{Belongs, FourTuple},
    tcp::Kind,
    time::Timestamp,
    wire::Note,
};

pub const SPEC: Spec = Spec {
    id: "handshake-stall",
    parameters: &[Parameter {
        name: "wait_s",
        default: 3.0,
        least: 0.5,
        most: 60.0,
        what: "how long after the first repeated SYN-ACK the client's ACK is waited for",
    }],
    new: |settings| {
        Box::new(HandshakeStall { wait: Duration::from_secs_f64(settings[0]), stalled: Watch::default() })
    },
};

/// No stack repeats a SYN-ACK sooner; a capture that shows one twice does.
const SOONEST: Duration = Duration::from_millis(500);
/// SYN-ACKs cited.
const CITED: usize = 8;
/// Longer than a device repeats its SYN-ACK (lwIP: SYN-RECEIVED ends after 20 s).
const ATTEMPT: Duration = Duration::from_secs(140);

#[derive(Debug)]
struct HandshakeStall {
    wait: Duration,
    stalled: Watch<Stalled>,
}

#[derive(Debug)]
struct Stalled {
    parties: Parties,
    syn: Note,
    answers: Vec<Note>,
    /// The client asked again although it had been answered.
    client_repeats: bool,
    last_gap: Option<Timestamp>,
    told: bool,
}

impl Detector for HandshakeStall {
    fn hears(&self) -> Occasions {
        Occasions::TIME.or(Occasions::AGAIN)
    }

    fn waits_for(&self, tuple: FourTuple) -> bool {
        self.stalled.holds(tuple)
    }

    fn keep_to(&mut self, tuples: usize) {
        self.stalled.keep_to(tuples);
    }

    fn on_segment(&mut self, seen: &Seen<'_>, _findings: &mut Vec<Finding>) {
        match (seen.from_device(), seen.kind) {
            (true, Kind::SynAckAgain) if is_waiting(seen) => self.answered_again(seen),
            (false, Kind::SynAgain) if is_waiting(seen) && seen.receiver_before().iss().is_some() => {
                self.asked_again(seen);
            }
            // The stale answers of an older life, and a SYN-ACK that the capture shows twice, decide nothing.
            (true, Kind::SynAck | Kind::SynAckAgain) => {}
            (true, _) if seen.place == Belongs::AnotherLife => {}
            // Whatever else either sends: the client has decided, or the device has heard that it did.
            (_, _) => drop(self.stalled.disarm(seen.tuple())),
        }
    }

    fn due(&self) -> Timestamp {
        self.stalled.due()
    }

    fn on_time(&mut self, now: Timestamp, _last: &LastSegments, findings: &mut Vec<Finding>) {
        while let Some((tuple, mut stalled)) = self.stalled.expired(now) {
            if !stalled.told && !stalled.answers.is_empty() {
                findings.push(tell(&stalled, now));
                stalled.told = true;
                self.stalled.arm(tuple, now, ATTEMPT, stalled);
            }
        }
    }
}

/// The client's SYN was seen, and nothing of the client since.
fn is_waiting(seen: &Seen<'_>) -> bool {
    let client = seen.before.endpoint(seen.device_side.other());
    seen.place != Belongs::AnotherLife
        && seen.before.saw_open
        && seen.before.opener != seen.device_side
        && client.rcv_nxt().is_none()
        && client.last_data.is_none()
}

impl HandshakeStall {
    /// The client repeats its SYN although the device's answer was seen.
    fn asked_again(&mut self, seen: &Seen<'_>) {
        if let Some(stalled) = self.stalled.get_mut(seen.tuple()) {
            stalled.client_repeats = true;
            return;
        }
        let stalled = Stalled { client_repeats: true, ..Stalled::since(seen) };
        self.stalled.arm(seen.tuple(), seen.segment.time, self.wait, stalled);
    }

    fn answered_again(&mut self, seen: &Seen<'_>) {
        let (tuple, note) = (seen.tuple(), seen.note());
        if let Some(stalled) = self.stalled.get_mut(tuple) {
            if stalled.answers.len() < CITED {
                stalled.answers.push(note);
            }
            stalled.last_gap = seen.last_gap;
        } else if note.time.since(seen.before.opening.time) >= SOONEST {
            let stalled = Stalled { answers: vec![note], ..Stalled::since(seen) };
            self.stalled.arm(tuple, note.time, self.wait, stalled);
        }
    }
}

impl Stalled {
    fn since(seen: &Seen<'_>) -> Stalled {
        Stalled {
            parties: seen.parties(),
            syn: seen.before.opening,
            answers: Vec::new(),
            client_repeats: false,
            last_gap: seen.last_gap,
            told: false,
        }
    }
}

fn tell(stalled: &Stalled, now: Timestamp) -> Finding {
    let Stalled { parties, syn, answers, .. } = stalled;
    let lossy = stalled.last_gap.is_some_and(|gap| gap >= syn.time);
    let certainty = if lossy { Certainty::Suspected } else { Certainty::Inferred };
    let listed: Vec<String> = answers.iter().map(|note| note.frame.to_string()).collect();
    let how = if stalled.client_repeats {
        "and the client asks again as if it had heard nothing"
    } else {
        "and nothing more came from the client"
    };
    let text = format!(
        "{server} accepted the SYN from {client} (frame {syn}) and repeated its SYN-ACK (frames {again}), {how}.",
        server = parties.server(),
        client = parties.client(),
        syn = syn.frame,
        again = listed.join(", "),
    );
    let mut frames = vec![syn.frame];
    frames.extend(answers.iter().map(|note| note.frame));
    let mut evidence = vec![parties.row(syn, parties.client_side, "client asks")];
    evidence.extend(answers.iter().map(|note| parties.row(note, parties.device_side, "SYN-ACK again")));
    parties
        .finding(SPEC.id, certainty, now, frames, text)
        .with_quantity("syn_acks_repeated", answers.len() as f64)
        .with_quantity("waited_s", seconds(now.seconds_after(syn.time)))
        .with_quantity("client_repeats", f64::from(u8::from(stalled.client_repeats)))
        .with_evidence(evidence)
}
