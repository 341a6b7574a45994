//! Attempts to connect that did not get in at once: how often the client asked, how long it waited, what stood in its way.
//!
//! An attempt is one life of a four-tuple from its first SYN on, which is one connect() of a client. It is followed only
//! from its first trouble on (a refusal, or a SYN that had to be repeated), so that a flood of SYNs costs nothing here.

use core::{net::SocketAddr, time::Duration};
use std::collections::VecDeque;

use super::{
    event::HostEvent,
    facts::{Blocked, Delay, DelayFacts, Outcome, rounded},
    listed::Listed,
};
use crate::analysis::{
    flow::{Before, Belongs, ByTuple, Flow, FourTuple},
    input::FrameNo,
    time::Timestamp,
    wire::{Flags, Note, Segment},
};

/// Attempts followed at once, of one device; the oldest gives way.
const CAPACITY: usize = 4_096;
/// Without a further SYN for so long, the client has given up (Linux: 134 s in all).
const GIVEN_UP: Duration = Duration::from_secs(140);

#[derive(Debug)]
pub struct Attempts {
    open: ByTuple<(u64, Attempt)>,
    /// By the time of their first SYN; one that is over is skipped.
    order: VecDeque<(FourTuple, u64)>,
    serial: u64,
    told: DelayFacts,
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    client: SocketAddr,
    server: SocketAddr,
    incarnation: u32,
    first: Note,
    last_syn: Note,
    syns: u32,
    refused: u32,
    blocked_by: Option<Blocked>,
}

impl Default for Attempts {
    fn default() -> Attempts {
        let (open, order) = (ByTuple::of(CAPACITY), VecDeque::new());
        Attempts { open, order, serial: 0, told: DelayFacts::default() }
    }
}

impl Attempts {
    /// Whether a segment of a tuple may begin an attempt, be one of its SYNs, or end it; `happened`: what it did to the device.
    #[inline]
    pub fn are_concerned(listed: &Listed, place: Belongs, happened: &[HostEvent]) -> bool {
        listed.is_attempt || place == Belongs::SameSyn || !happened.is_empty()
    }

    /// Such a segment, after the flow and the ledger have taken it; `before`: the flow's life before it.
    pub fn observe(
        &mut self,
        segment: &Segment,
        from_device: bool,
        (flow, before): (&Flow, &Before),
        (place, happened): (Belongs, &[HostEvent]),
        listed: &mut Listed,
    ) {
        for event in happened {
            if let HostEvent::Refused { story, syn, .. } = event {
                let blocked_by = story.close.map(|close| Blocked {
                    incarnation: close.incarnation,
                    closed_in: close.device_fin.frame,
                });
                self.refused(flow, *syn, story.incarnation, blocked_by);
                listed.is_attempt = true;
            }
        }
        let flags = segment.flags;
        if flags.is_opening() && !from_device {
            match place {
                Belongs::SameSyn if before.awaits_answer() => {
                    self.asked_again(flow, before.opening, segment);
                    listed.is_attempt = true;
                }
                // Another connect(): the one before was not seen to get in.
                Belongs::NewLife if listed.is_attempt => {
                    self.give_up(flow.tuple);
                    listed.is_attempt = false;
                }
                Belongs::SameSyn | Belongs::NewLife | Belongs::ThisLife | Belongs::AnotherLife => {}
            }
        } else if place != Belongs::AnotherLife && listed.is_attempt {
            // The device's RST against the SYN ends it, the client's own (against a stale ACK) does not.
            match (flags.has(Flags::RST), from_device) {
                (true, true) => self.answered(flow, Outcome::Reset, segment),
                (true, false) => return,
                (false, _) => self.answered(flow, Outcome::Accepted, segment),
            }
            listed.is_attempt = false;
        }
    }

    /// Time went on: who has not asked for long has given up.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some(&(tuple, serial)) = self.order.front() {
            match self.open.get(&tuple).filter(|(known, _)| *known == serial) {
                Some((_, attempt)) if now.since(attempt.last_syn.time) <= GIVEN_UP => break,
                Some(_) => self.give_up(tuple),
                None => {}
            }
            self.order.pop_front();
        }
    }

    /// Nobody knows any more how long who has waited.
    pub fn forget(&mut self) {
        self.open.clear();
        self.order.clear();
    }

    /// Nothing more will come.
    pub fn finish(&mut self) {
        while let Some((tuple, serial)) = self.order.pop_front() {
            if self.open.get(&tuple).is_some_and(|(known, _)| *known == serial) {
                self.give_up(tuple);
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub fn facts(&self) -> DelayFacts {
        DelayFacts { waiting: self.open.len() as u64, ..self.told }
    }

    fn refused(&mut self, flow: &Flow, syn: Note, incarnation: u32, blocked_by: Option<Blocked>) {
        let attempt = self.follow(flow, incarnation, syn);
        attempt.refused += 1;
        attempt.blocked_by = attempt.blocked_by.or(blocked_by);
    }

    fn asked_again(&mut self, flow: &Flow, first: Note, segment: &Segment) {
        let attempt = self.follow(flow, flow.life.number, first);
        attempt.syns = attempt.syns.saturating_add(1);
        attempt.last_syn = Note::from(segment);
    }

    /// The attempt of `incarnation`, begun by the SYN `first` where it is not followed yet.
    fn follow(&mut self, flow: &Flow, incarnation: u32, first: Note) -> &mut Attempt {
        let tuple = flow.tuple;
        if self.open.get(&tuple).is_some_and(|(_, known)| known.incarnation != incarnation) {
            self.give_up(tuple);
        }
        while self.open.len() >= CAPACITY
            && let Some((oldest, serial)) = self.order.pop_front()
        {
            if self.open.get(&oldest).is_some_and(|(known, _)| *known == serial) {
                self.give_up(oldest);
            }
        }
        let (serial, order) = (&mut self.serial, &mut self.order);
        let (_, attempt) = self.open.get_or_put(tuple, || {
            *serial += 1;
            order.push_back((tuple, *serial));
            let attempt = Attempt {
                client: flow.client(),
                server: flow.server(),
                incarnation,
                first,
                last_syn: first,
                syns: 1,
                refused: 0,
                blocked_by: None,
            };
            (*serial, attempt)
        });
        attempt
    }

    /// The device answered it.
    fn answered(&mut self, flow: &Flow, outcome: Outcome, segment: &Segment) {
        if let Some((_, attempt)) = self.open.remove(&flow.tuple) {
            self.tell(&attempt, outcome, segment.time, segment.frame);
        }
    }

    /// It ends with the last SYN that was seen.
    fn give_up(&mut self, tuple: FourTuple) {
        let Some((_, attempt)) = self.open.remove(&tuple) else { return };
        self.tell(&attempt, Outcome::Unfinished, attempt.last_syn.time, attempt.last_syn.frame);
    }

    fn tell(&mut self, attempt: &Attempt, outcome: Outcome, ended: Timestamp, last_frame: FrameNo) {
        let waited_s = rounded(ended.since(attempt.first.time).as_secs_f64());
        let delay = Delay {
            client: attempt.client,
            server: attempt.server,
            incarnation: attempt.incarnation,
            syns: attempt.syns,
            refused: attempt.refused,
            first_frame: attempt.first.frame,
            last_frame,
            waited_s,
            outcome,
            blocked_by: attempt.blocked_by,
        };
        let told = &mut self.told;
        *match outcome {
            Outcome::Accepted => &mut told.delayed,
            Outcome::Reset => &mut told.reset,
            Outcome::Unfinished => &mut told.unfinished,
        } += 1;
        told.waited_s = rounded(told.waited_s + waited_s);
        if told.longest.is_none_or(|longest| longest.waited_s < waited_s) {
            told.longest = Some(delay);
        }
    }
}
