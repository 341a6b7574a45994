//! `keepalive-failure`: one side asked whether the other is still there, more than once, and nothing came back.
//!
//! A keep-alive probe stands one number before what its sender would send next, all of it acknowledged (RFC 9293
//! §3.8.4), so that its receiver must answer at once. Anything from the other side on that tuple is an answer. Whether a probe
//! was lost on its way, or its answer was, or nobody is there any more, looks the same. Where the acknowledgment of what came
//! before was not seen (a capture of one side, or one that began later), a probe cannot be told from an idle ACK.

use core::time::Duration;

use super::{
    Detector, Finding, LastSegments, Occasions, Parameter, Seen, Spec, evidence::seconds, seen::Parties,
    watch::Watch,
};
use crate::analysis::{
    certainty::Certainty,
    flow::{Belongs, FourTuple, Side},
    input::{FrameNo, Gap},
    tcp::Kind,
    time::Timestamp,
    wire::Note,
};

/// Nobody asks again sooner (Linux and ESP-IDF set the interval in whole seconds); a capture that shows a frame twice does.
const SOONEST: Duration = Duration::from_millis(900);
/// How long the next probe is waited for. lwIP and Linux ask again after 75 s; a longer interval is somebody's choice.
const NEXT_PROBE: Duration = Duration::from_secs(600);
/// Probes cited; lwIP and Linux give up after nine.
const CITED: usize = 9;

pub const SPEC: Spec = Spec {
    id: "keepalive-failure",
    parameters: &[
        Parameter {
            name: "probes",
            default: 2.0,
            least: 1.0,
            most: 9.0,
            what: "keep-alive probes in a row that nothing answers",
        },
        Parameter {
            name: "answer_s",
            default: 5.0,
            least: 0.1,
            most: 3_600.0,
            what: "seconds that an answer to the last of them may take",
        },
    ],
    new: |settings| {
        Box::new(KeepaliveFailure {
            probes: settings[0] as usize,
            answer: Duration::from_secs_f64(settings[1]),
            last_gap: None,
            waiting: [Watch::default(), Watch::default()],
        })
    },
};

#[derive(Debug)]
struct KeepaliveFailure {
    probes: usize,
    answer: Duration,
    last_gap: Option<Timestamp>,
    /// By the side that asks: both may.
    waiting: [Watch<Asked>; 2],
}

#[derive(Debug)]
struct Asked {
    parties: Parties,
    side: Side,
    probes: Vec<Note>,
    is_told: bool,
}

impl Detector for KeepaliveFailure {
    fn hears(&self) -> Occasions {
        Occasions::NOTHING_NEW
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
        let (tuple, note) = (seen.tuple(), seen.note());
        if seen.place == Belongs::NewLife || seen.kind == Kind::Reset {
            for side in [Side::A, Side::B] {
                self.answered(seen, side, findings);
            }
            return;
        }
        self.answered(seen, seen.from.other(), findings);
        if seen.place != Belongs::ThisLife {
            return;
        }
        let (needed, answer) = (self.probes, self.answer);
        let watch = self.watch(seen.from);
        if seen.kind != Kind::KeepAlive {
            // It sends something else, and waits for the answer to that; or it had one that was not captured.
            if seen.segment.seq_len() > 0 || seen.answers_what_was_not_captured() {
                watch.disarm(tuple);
            }
            return;
        }
        let before = watch.disarm(tuple).filter(|_| !seen.answers_what_was_not_captured());
        let mut asked = before.unwrap_or_else(|| Asked {
            parties: seen.parties(),
            side: seen.from,
            probes: Vec::new(),
            is_told: false,
        });
        let is_next = asked.probes.last().is_none_or(|last| note.time.since(last.time) >= SOONEST);
        if is_next && asked.probes.len() < CITED {
            asked.probes.push(note);
        }
        let (from, until) = match asked.probes.get(needed.saturating_sub(1)) {
            Some(last) if !asked.is_told => (last.time, answer),
            Some(_) | None => (note.time, NEXT_PROBE),
        };
        watch.arm(tuple, from, until, asked);
    }

    fn on_time(&mut self, now: Timestamp, _last: &LastSegments, findings: &mut Vec<Finding>) {
        for index in 0..self.waiting.len() {
            while let Some((tuple, mut asked)) = self.waiting[index].expired(now) {
                if asked.is_told || asked.probes.len() < self.probes {
                    continue;
                }
                findings.push(self.finding(&asked));
                asked.is_told = true;
                self.waiting[index].arm(tuple, now, NEXT_PROBE, asked);
            }
        }
    }

    fn on_gap(&mut self, gap: &Gap, _last: &LastSegments) {
        self.last_gap = Some(gap.at);
    }
}

impl KeepaliveFailure {
    fn watch(&mut self, side: Side) -> &mut Watch<Asked> {
        match side {
            Side::A => &mut self.waiting[0],
            Side::B => &mut self.waiting[1],
        }
    }

    /// Something came that ends what `side` waits for. The clock is looked at ten times a second: it may be late.
    fn answered(&mut self, seen: &Seen<'_>, side: Side, findings: &mut Vec<Finding>) {
        let Some(asked) = self.watch(side).disarm(seen.tuple()) else { return };
        let is_late = |last: &Note| seen.segment.time.since(last.time) >= self.answer;
        if !asked.is_told && asked.probes.get(self.probes.saturating_sub(1)).is_some_and(is_late) {
            findings.push(self.finding(&asked));
        }
    }

    fn finding(&self, asked: &Asked) -> Finding {
        let Asked { parties, side, probes, .. } = asked;
        let first = probes.first().map_or(Timestamp::ZERO, |probe| probe.time);
        let last = probes.get(self.probes.saturating_sub(1)).map_or(first, |probe| probe.time);
        let at = last.saturating_add(self.answer);
        let is_gapless = self.last_gap.is_none_or(|gap| gap < first);
        let certainty = if is_gapless { Certainty::Inferred } else { Certainty::Suspected };
        let frames: Vec<FrameNo> = probes.iter().map(|probe| probe.frame).collect();
        let text = format!(
            "{who} ({address}) asked {times} whether {other} is still there (frames {list}), and nothing came back within \
             {waited:.1} s of the first.",
            who = if *side == parties.device_side { "The device" } else { "The other side" },
            address = parties.tuple.socket(*side),
            times = if probes.len() == 1 { "once".to_owned() } else { format!("{} times", probes.len()) },
            other = parties.tuple.socket(side.other()),
            list = frames.iter().map(FrameNo::to_string).collect::<Vec<_>>().join(", "),
            waited = at.seconds_after(first),
        );
        let evidence =
            probes.iter().map(|probe| parties.row(probe, *side, "keep-alive: still there?")).collect();
        parties
            .finding(SPEC.id, certainty, at, frames, text)
            .with_quantity("probes", probes.len() as f64)
            .with_quantity("unanswered_s", seconds(at.seconds_after(first)))
            .with_quantity("by_device", f64::from(u8::from(*side == parties.device_side)))
            .with_evidence(evidence)
    }
}
