//! `half-closed`: one side closed, the other acknowledged that and never closes.
//!
//! shutdown(SHUT_WR) makes this state legal for as long as both want it, so it is never proven to be a fault.

use core::time::Duration;

use super::{Detector, Finding, LastSegments, Occasions, Parameter, Seen, Spec, seen::Parties, watch::Watch};
use crate::analysis::{
    certainty::Certainty,
    flow::{Belongs, FourTuple, Side},
    input::Gap,
    tcp::Kind,
    time::Timestamp,
    wire::Note,
};

pub const SPEC: Spec = Spec {
    id: "half-closed",
    parameters: &[Parameter {
        name: "open_s",
        default: 10.0,
        least: 0.1,
        most: 86_400.0,
        what: "seconds that one side stays open, without sending, after it acknowledged the other's FIN",
    }],
    new: |settings| {
        Box::new(HalfClosed {
            open: Duration::from_secs_f64(settings[0]),
            last_gap: None,
            waiting: Watch::default(),
        })
    },
};

#[derive(Debug)]
struct HalfClosed {
    open: Duration,
    last_gap: Option<Timestamp>,
    waiting: Watch<Wait>,
}

#[derive(Debug)]
struct Wait {
    parties: Parties,
    /// Who sent the FIN.
    closed: Side,
    fin: Note,
    ack: Note,
    /// The other side still sent payload: the half-open state was used, which is what it is for.
    is_used: bool,
    /// The last payload after the FIN, or the ACK of it.
    quiet_since: Timestamp,
}

impl Detector for HalfClosed {
    fn hears(&self) -> Occasions {
        Occasions::AFTER_FIN
    }

    fn waits_for(&self, tuple: FourTuple) -> bool {
        self.waiting.holds(tuple)
    }

    fn keep_to(&mut self, tuples: usize) {
        self.waiting.keep_to(tuples);
    }

    fn on_segment(&mut self, seen: &Seen<'_>, _findings: &mut Vec<Finding>) {
        if seen.place == Belongs::AnotherLife {
            return;
        }
        let segment = seen.segment;
        // It acknowledges what was not captured: perhaps the FIN that is waited for.
        let unseen = match (segment.acknowledges(), seen.receiver_before().snd_nxt()) {
            (Some(ack), Some(next)) => next.precedes(ack),
            _ => false,
        };
        if seen.place == Belongs::NewLife || seen.kind == Kind::Reset || unseen {
            self.waiting.disarm(seen.tuple());
            return;
        }
        let closed = seen.from.other();
        let Some(fin) = seen.flow.life.endpoint(closed).fin() else { return };
        // Its own FIN, or numbers that jump: something was sent that was not captured, perhaps that FIN. So it may be
        // where nothing it sent was captured before.
        let sender = seen.sender_before();
        let may_have_closed =
            sender.snd_nxt().is_none_or(|next| next.precedes(segment.seq)) || sender.has_hole();
        if seen.flow.life.endpoint(seen.from).has_fin() || may_have_closed {
            self.waiting.disarm(seen.tuple());
            return;
        }
        if segment.len > 0
            && let Some(mut wait) = self.waiting.disarm(seen.tuple())
        {
            wait.is_used = true;
            wait.quiet_since = segment.time;
            self.waiting.arm(seen.tuple(), segment.time, self.open, wait);
        } else if !seen.before.endpoint(closed).fin_acked() && seen.flow.life.endpoint(closed).fin_acked() {
            let wait = Wait {
                parties: seen.parties(),
                closed,
                fin,
                ack: seen.note(),
                is_used: segment.len > 0,
                quiet_since: segment.time,
            };
            self.waiting.arm(seen.tuple(), segment.time, self.open, wait);
        }
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

impl HalfClosed {
    fn finding(&self, wait: &Wait) -> Finding {
        let Wait { parties, closed, fin, ack, .. } = wait;
        let is_gapless = self.last_gap.is_none_or(|gap| gap < fin.time);
        let certainty = if is_gapless && !wait.is_used { Certainty::Inferred } else { Certainty::Suspected };
        let open = self.open.as_secs_f64();
        let is_devices_turn = *closed != parties.device_side;
        let state = if is_devices_turn {
            "the device is in CLOSE-WAIT, until its program closes"
        } else {
            "the device is in FIN-WAIT-2, until the other side closes"
        };
        let text = format!(
            "{closed} closed the connection (frame {fin}); {other} acknowledged that (frame {ack}) and neither \
             closed nor sent anything for {open} s: {state}.",
            closed = parties.tuple.socket(*closed),
            other = parties.tuple.socket(closed.other()),
            fin = fin.frame,
            ack = ack.frame,
        );
        parties
            .finding(
                SPEC.id,
                certainty,
                wait.quiet_since.saturating_add(self.open),
                vec![fin.frame, ack.frame],
                text,
            )
            .with_quantity("open_s", open)
            .with_quantity("by_device", f64::from(u8::from(is_devices_turn)))
            .with_evidence(vec![
                parties.row(fin, *closed, "closes"),
                parties.row(ack, closed.other(), "ACKs the FIN, stays open"),
            ])
    }
}
