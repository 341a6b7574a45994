//! `zero-window`: one side announced a window of zero and let it stand for too long.
//!
//! Zero is zero at any window scale, so none is needed. The windows of SYN and RST segments say nothing here
//! (lwIP's RST bears one with its octets swapped); nor does a window after the other side's FIN, who needs none.

use core::time::Duration;

use super::{
    Detector, Finding, LastSegments, Occasions, Parameter, Seen, Spec, evidence::seconds, seen::Parties,
    watch::Watch,
};
use crate::analysis::{
    certainty::Certainty,
    flow::{Belongs, FourTuple, Side},
    input::Gap,
    tcp::Kind,
    time::Timestamp,
    wire::{Flags, Note},
};

pub const SPEC: Spec = Spec {
    id: "zero-window",
    parameters: &[Parameter {
        name: "closed_s",
        default: 3.0,
        least: 0.1,
        most: 86_400.0,
        what: "seconds that a window of zero stands",
    }],
    new: |settings| {
        Box::new(ZeroWindow {
            closed: Duration::from_secs_f64(settings[0]),
            last_gap: None,
            waiting: [Watch::default(), Watch::default()],
        })
    },
};

#[derive(Debug)]
struct ZeroWindow {
    closed: Duration,
    last_gap: Option<Timestamp>,
    /// By the side that announced zero: both may.
    waiting: [Watch<Wait>; 2],
}

#[derive(Debug)]
struct Wait {
    parties: Parties,
    side: Side,
    first: Note,
    /// The last segment that announced zero.
    last: Note,
    /// Probes of the other side: it has something to send.
    probes: u32,
}

impl Detector for ZeroWindow {
    fn hears(&self) -> Occasions {
        Occasions::ZERO_WINDOW
    }

    fn waits_for(&self, tuple: FourTuple) -> bool {
        self.waiting.iter().any(|watch| watch.holds(tuple))
    }

    fn keep_to(&mut self, tuples: usize) {
        for watch in &mut self.waiting {
            watch.keep_to(tuples);
        }
    }

    fn on_segment(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        if seen.place == Belongs::AnotherLife {
            return;
        }
        if seen.kind == Kind::Reset || seen.place == Belongs::NewLife {
            self.opened(seen, seen.from, findings);
            self.opened(seen, seen.from.other(), findings);
        }
        if seen.kind == Kind::WindowProbe
            && let Some(wait) = self.watch(seen.from.other()).get_mut(seen.tuple())
        {
            wait.probes += 1;
        }
        if seen.segment.flags.has(Flags::SYN) || seen.kind == Kind::Reset {
            return;
        }
        // The other side has closed: it has nothing more to send, whatever the window.
        let is_needed = !seen.flow.life.endpoint(seen.from.other()).fin_acked();
        if seen.segment.window > 0 || !is_needed {
            return self.opened(seen, seen.from, findings);
        }
        if let Some(wait) = self.watch(seen.from).get_mut(seen.tuple()) {
            wait.last = seen.note();
        } else if seen.sender_before().window() != Some(0) {
            let note = seen.note();
            let wait = Wait { parties: seen.parties(), side: seen.from, first: note, last: note, probes: 0 };
            let closed = self.closed;
            self.watch(seen.from).arm(seen.tuple(), note.time, closed, wait);
        }
    }

    fn on_time(&mut self, now: Timestamp, _last: &LastSegments, findings: &mut Vec<Finding>) {
        for index in 0..self.waiting.len() {
            while let Some((_, wait)) = self.waiting[index].expired(now) {
                findings.push(self.finding(&wait));
            }
        }
    }

    fn on_gap(&mut self, gap: &Gap, _last: &LastSegments) {
        self.last_gap = Some(gap.at);
    }
}

impl ZeroWindow {
    fn watch(&mut self, side: Side) -> &mut Watch<Wait> {
        match side {
            Side::A => &mut self.waiting[0],
            Side::B => &mut self.waiting[1],
        }
    }

    /// `side` lets more in, or nothing more will come. The clock is looked at ten times a second: it may be late.
    fn opened(&mut self, seen: &Seen<'_>, side: Side, findings: &mut Vec<Finding>) {
        if let Some(wait) = self.watch(side).disarm(seen.tuple())
            && seen.segment.time.since(wait.first.time) >= self.closed
        {
            findings.push(self.finding(&wait));
        }
    }

    fn finding(&self, wait: &Wait) -> Finding {
        let Wait { parties, side, first, last, probes } = wait;
        let is_gapless = self.last_gap.is_none_or(|gap| gap < first.time);
        let is_repeated = last.frame != first.frame;
        let certainty = match (is_gapless, is_repeated) {
            (true, true) => Certainty::Proven,
            (true, false) | (false, true) => Certainty::Inferred,
            (false, false) => Certainty::Suspected,
        };
        let mut frames = vec![first.frame];
        let mut evidence = vec![parties.row(first, *side, "window 0: send nothing")];
        let mut again = String::new();
        if is_repeated {
            frames.push(last.frame);
            evidence.push(parties.row(last, *side, "window still 0"));
            again = format!(", said so last in frame {}", last.frame);
        }
        let closed = self.closed.as_secs_f64();
        let text = format!(
            "{who} ({address}) announced a window of 0 in frame {frame}{again}, and let nothing in for {closed} s.",
            who = if *side == parties.device_side { "The device" } else { "The other side" },
            address = parties.tuple.socket(*side),
            frame = first.frame,
        );
        parties
            .finding(SPEC.id, certainty, first.time.saturating_add(self.closed), frames, text)
            .with_quantity("closed_s", closed)
            .with_quantity("repeated_for_s", seconds(last.time.seconds_after(first.time)))
            .with_quantity("probes", f64::from(*probes))
            .with_quantity("by_device", f64::from(u8::from(*side == parties.device_side)))
            .with_evidence(evidence)
    }
}
