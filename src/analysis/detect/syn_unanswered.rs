//! `syn-unanswered`: a client asked twice or more, and the device said nothing on that tuple.
//!
//! It knows whether the device was heard on other connections meanwhile, which tells a port that is silent from
//! a device that is. It does not know why: lwIP drops a SYN in silence when the backlog is full and when no
//! connection block can be had (tcp_in.c, tcp_listen_input), and a lost frame looks the same.

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
    id: "syn-unanswered",
    parameters: &[Parameter {
        name: "client_rto_s",
        default: 1.0,
        least: 0.1,
        most: 60.0,
        what: "how long after its second SYN a client goes without an answer (1 s is RFC 6298's first timeout)",
    }],
    new: |settings| {
        Box::new(SynUnanswered { rto: Duration::from_secs_f64(settings[0]), asked: Watch::default() })
    },
};

/// No stack repeats a SYN that got no answer sooner; a capture that shows one twice does.
const SOONEST: Duration = Duration::from_millis(500);
/// SYNs cited; the further ones of an attempt say nothing new.
const CITED: usize = 8;
/// Longer than any client goes on with one attempt (Linux: 134 s).
const ATTEMPT: Duration = Duration::from_secs(140);

#[derive(Debug)]
struct SynUnanswered {
    rto: Duration,
    asked: Watch<Asked>,
}

/// One attempt to connect, or the part of it that came after the last answer.
#[derive(Debug)]
struct Asked {
    parties: Parties,
    syns: Vec<Note>,
    last_gap: Option<Timestamp>,
    told: bool,
}

impl Detector for SynUnanswered {
    fn hears(&self) -> Occasions {
        Occasions::TIME.or(Occasions::AGAIN).or(Occasions::ANOTHER_LIFE)
    }

    fn waits_for(&self, tuple: FourTuple) -> bool {
        self.asked.holds(tuple)
    }

    fn keep_to(&mut self, tuples: usize) {
        self.asked.keep_to(tuples);
    }

    fn on_segment(&mut self, seen: &Seen<'_>, _findings: &mut Vec<Finding>) {
        if seen.from_device() {
            return self.answered(seen);
        }
        let is_again = seen.kind == Kind::SynAgain && seen.place == Belongs::SameSyn;
        if is_again && seen.before.awaits_answer() {
            self.asked_again(seen);
        } else if seen.kind == Kind::Syn {
            self.asked.disarm(seen.tuple());
        } else {
            // Whoever goes on has got an answer, even if it was not captured.
            self.answered(seen);
        }
    }

    fn due(&self) -> Timestamp {
        self.asked.due()
    }

    fn on_time(&mut self, now: Timestamp, last: &LastSegments, findings: &mut Vec<Finding>) {
        while let Some((tuple, asked)) = self.asked.expired(now) {
            if !asked.told && asked.syns.len() >= 2 {
                self.tell(tuple, asked, now, last, findings);
            }
        }
    }
}

impl SynUnanswered {
    fn answered(&mut self, seen: &Seen<'_>) {
        self.asked.disarm(seen.tuple());
        // An answer out of another life leaves the SYN waiting, but it is an answer: count from the next SYN on.
        if seen.place == Belongs::AnotherLife && seen.before.awaits_answer() {
            let none = Asked { parties: seen.parties(), syns: Vec::new(), last_gap: None, told: false };
            self.asked.arm(seen.tuple(), seen.segment.time, ATTEMPT, none);
        }
    }

    fn asked_again(&mut self, seen: &Seen<'_>) {
        let (tuple, note) = (seen.tuple(), seen.note());
        let known = self.asked.get_mut(tuple);
        // After an answer out of another life it counts however soon it comes: Linux repeats its SYN 10 ms after that.
        let before = match &known {
            Some(known) => known.syns.last().copied(),
            None => Some(seen.before.opening),
        };
        if before.is_some_and(|before| note.time.since(before.time) < SOONEST) {
            return;
        }
        let mut asked = match known {
            Some(known) if known.told || known.syns.len() >= 2 => {
                if known.syns.len() < CITED {
                    known.syns.push(note);
                }
                return;
            }
            Some(_) => match self.asked.disarm(tuple) {
                Some(known) => known,
                None => return,
            },
            None => Asked {
                parties: seen.parties(),
                syns: vec![seen.before.opening],
                last_gap: None,
                told: false,
            },
        };
        asked.syns.push(note);
        asked.last_gap = seen.last_gap;
        let wait = if asked.syns.len() < 2 { ATTEMPT } else { self.rto };
        self.asked.arm(tuple, note.time, wait, asked);
    }

    fn tell(
        &mut self,
        tuple: FourTuple,
        mut asked: Asked,
        now: Timestamp,
        last: &LastSegments,
        findings: &mut Vec<Finding>,
    ) {
        let (Some(first), Some(latest)) = (asked.syns.first().copied(), asked.syns.last().copied()) else {
            return;
        };
        let parties = asked.parties;
        // What it sent last, on whatever connection.
        let heard = last.sent_by(parties.device());
        let meanwhile = heard.filter(|last| last.time >= first.time);
        let lossy = asked.last_gap.is_some_and(|gap| gap >= first.time);
        // A device that was never heard may be one whose frames do not come past here.
        let certainty = if lossy || heard.is_none() { Certainty::Suspected } else { Certainty::Inferred };
        let elsewhere = match meanwhile {
            Some(last) => {
                format!("although it sent on another connection meanwhile (frame {})", last.frame)
            }
            None => "and it was not heard on any other connection meanwhile".to_owned(),
        };
        let text = format!(
            "{server} did not answer {count} SYNs of one attempt from {client} (frames {first} to {last}), {elsewhere}.",
            server = parties.server(),
            count = asked.syns.len(),
            client = parties.client(),
            first = first.frame,
            last = latest.frame,
        );
        let role = |at: usize| if at == 0 { "client asks" } else { "asks again" };
        let rows = asked.syns.iter().enumerate();
        let evidence = rows.map(|(at, syn)| parties.row(syn, parties.client_side, role(at))).collect();
        let frames = asked.syns.iter().map(|syn| syn.frame).collect();
        findings.push(
            parties
                .finding(SPEC.id, certainty, now, frames, text)
                .with_quantity("syns", asked.syns.len() as f64)
                .with_quantity("waited_s", seconds(now.seconds_after(first.time)))
                .with_quantity("heard_elsewhere", f64::from(u8::from(meanwhile.is_some())))
                .with_evidence(evidence),
        );
        asked.told = true;
        self.asked.arm(tuple, now, ATTEMPT, asked);
    }
}
