//! `half-open`: the device still held a connection that the client had forgotten; the client's RST ended it.
//!
//! The stale ACK alone looks like a TIME-WAIT. A lwIP in TIME-WAIT ignores the RST, so a SYN that is let in
//! right after it speaks for an open connection, unless the device has been taught to honour that RST.

use core::time::Duration;

use super::{
    Detector, Finding, LastSegments, Occasions, Parameter, Seen, Spec, evidence::seconds,
    stale_ack::recognised, watch::Watch,
};
use crate::analysis::{
    certainty::Certainty,
    flow::FourTuple,
    host::HostEvent,
    input::FrameNo,
    tcp::{Kind, TcpState},
    time::Timestamp,
    wire::Note,
};

pub const SPEC: Spec = Spec {
    id: "half-open",
    parameters: &[Parameter {
        name: "within_s",
        default: 3.0,
        least: 0.1,
        most: 60.0,
        what: "how soon after the RST the SYN must be let in, for the RST to be the reason",
    }],
    new: |settings| {
        Box::new(HalfOpen {
            within: Duration::from_secs_f64(settings[0]),
            collision: None,
            met: Watch::default(),
        })
    },
};

/// A client goes on with one attempt no longer than this.
const ATTEMPT: Duration = Duration::from_secs(140);

#[derive(Debug)]
struct HalfOpen {
    within: Duration,
    /// The stale ACK that the ledger recognised last: a collision, not this.
    collision: Option<FrameNo>,
    met: Watch<Met>,
}

/// A SYN that met a stale ACK, and the RST that followed.
#[derive(Clone, Copy, Debug)]
struct Met {
    syn: Note,
    stale_ack: Note,
    rst: Option<Note>,
    /// The old connection was seen open, and not closed by anyone.
    was_open: bool,
    times: u32,
}

impl Detector for HalfOpen {
    fn hears(&self) -> Occasions {
        Occasions::ANOTHER_LIFE
    }

    fn waits_for(&self, tuple: FourTuple) -> bool {
        self.met.holds(tuple)
    }

    fn keep_to(&mut self, tuples: usize) {
        self.met.keep_to(tuples);
    }

    fn on_host(&mut self, event: &HostEvent, _: &mut Vec<Finding>) {
        if let Some(frame) = recognised(event) {
            self.collision = Some(frame);
        }
    }

    fn on_segment(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        let tuple = seen.tuple();
        if let Some(syn) = seen.syn_met_by_stale_ack() {
            let before = self.met.disarm(tuple);
            if self.collision != Some(seen.segment.frame) {
                let view = seen.flow.life.endpoint(seen.device_side).view;
                // What was not captured of it may have been its close, and this a TIME-WAIT.
                let was_open = (view.is(TcpState::Established) || view.is(TcpState::CloseWait))
                    && seen.flow.goes_on_with_the_past(seen.segment, seen.from);
                let times = before.map_or(1, |met| met.times + 1);
                let met = Met { syn, stale_ack: seen.note(), rst: None, was_open, times };
                self.met.arm(tuple, syn.time, ATTEMPT, met);
            }
        } else if seen.kind == Kind::Reset && !seen.from_device() {
            if let Some(met) = self.met.get_mut(tuple)
                && met.stale_ack.ack == seen.segment.seq
            {
                met.rst.get_or_insert(seen.note());
            }
        } else if seen.kind == Kind::SynAck && seen.from_device() {
            let Some(met) = self.met.disarm(tuple) else { return };
            if let Some(rst) = met.rst
                && seen.segment.time.since(rst.time) <= self.within
                && seen
                    .flow
                    .life
                    .endpoint(seen.device_side.other())
                    .iss()
                    .is_some_and(|iss| iss.plus(1) == seen.segment.ack)
            {
                findings.push(tell(seen, &met, &rst));
            }
        }
    }

    fn on_time(&mut self, now: Timestamp, _last: &LastSegments, _: &mut Vec<Finding>) {
        while self.met.expired(now).is_some() {}
    }
}

fn tell(seen: &Seen<'_>, met: &Met, rst: &Note) -> Finding {
    let parties = seen.parties();
    let (client, device) = (parties.client_side, parties.device_side);
    let (accepted, answer) = (seen.flow.life.opening, seen.note());
    let lossy = seen.last_gap.is_some_and(|gap| gap >= met.syn.time);
    let inferred = met.was_open && met.times == 1 && !lossy;
    let certainty = if inferred { Certainty::Inferred } else { Certainty::Suspected };
    let why = if met.was_open { "was seen open" } else { "was not seen open any more" };
    let text = format!(
        "{server} still held an older connection from {client}, which {why}: it answered the SYN (frame {syn}) with \
         that connection's ACK (frame {ack}), took the RST (frame {rst}) and accepted the SYN in frame {accepted} \
         (frame {answer}).",
        server = parties.server(),
        client = parties.client(),
        syn = met.syn.frame,
        ack = met.stale_ack.frame,
        rst = rst.frame,
        accepted = accepted.frame,
        answer = answer.frame,
    );
    let frames = vec![met.syn.frame, met.stale_ack.frame, rst.frame, accepted.frame, answer.frame];
    parties
        .finding(SPEC.id, certainty, answer.time, frames, text)
        .with_quantity("stale_seq", f64::from(met.stale_ack.seq.0))
        .with_quantity("stale_ack", f64::from(met.stale_ack.ack.0))
        .with_quantity("waited_s", seconds(answer.time.seconds_after(met.syn.time)))
        .with_evidence(vec![
            parties.row(&met.syn, client, "client asks"),
            parties.row(&met.stale_ack, device, "ACK of the old connection"),
            parties.row(rst, client, "client resets it"),
            parties.row(&accepted, client, "SYN again"),
            parties.row(&answer, device, "accepted"),
        ])
}
