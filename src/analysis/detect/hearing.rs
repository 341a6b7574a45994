//! Who hears what: most segments concern few detectors, and the others are not called.
//!
//! A detector is called for a segment on the occasions that it names, and for every segment of a tuple that it waits for.
//! Knows which detector waits for which tuple by one bit each, which the flow table keeps with the flow; what a
//! detector waits for is its own affair.

use super::{Detector, Finding, REGISTRY, Seen};
use crate::analysis::{
    flow::Belongs,
    host::{Comparison, Device, HostEvent},
    input::Gap,
    tcp::Kind,
    time::Timestamp,
    wire::{Flags, Sign},
};

/// What is special about a segment: a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occasions(u16);

impl Occasions {
    pub const NEVER: Occasions = Occasions(0);
    /// Every segment of a flow with a device.
    pub const ALWAYS: Occasions = Occasions(1);
    /// No segment for its own sake, but its time: [`Detector::on_time`] is called before it.
    pub const TIME: Occasions = Occasions(1 << 1);
    pub const FROM_DEVICE: Occasions = Occasions(1 << 2);
    /// The device sent a FIN or a RST.
    pub const DEVICE_ENDS: Occasions = Occasions(1 << 3);
    /// The other side sent a SYN or a RST.
    pub const PEER_SYN_OR_RST: Occasions = Occasions(1 << 4);
    /// The device acknowledged something new and sent nothing.
    pub const DEVICE_ACKS: Occasions = Occasions(1 << 5);
    /// A SYN, a SYN-ACK, payload or a FIN that was on the wire before.
    pub const AGAIN: Occasions = Occasions(1 << 6);
    /// An ACK that says nothing new, or a keep-alive.
    pub const NOTHING_NEW: Occasions = Occasions(1 << 7);
    /// Its numbers are not those of the tuple's present life.
    pub const ANOTHER_LIFE: Occasions = Occasions(1 << 8);
    /// One side or both have sent a FIN.
    pub const CLOSING: Occasions = Occasions(1 << 9);
    pub const ZERO_WINDOW: Occasions = Occasions(1 << 10);
    /// It does not say that as much is let in as was said before.
    pub const OTHER_EDGE: Occasions = Occasions(1 << 11);

    /// Half of them: a set of occasions is two numbers of so many bits.
    const HALF: u32 = 6;

    pub const fn or(self, other: Occasions) -> Occasions {
        Occasions(self.0 | other.0)
    }

    #[inline]
    const fn when(self, holds: bool) -> Occasions {
        if holds { self } else { Occasions::NEVER }
    }

    /// The first six, or the others.
    #[inline]
    const fn half(self, which: usize) -> usize {
        (self.0 >> (which as u32 * Self::HALF)) as usize & ((1 << Self::HALF) - 1)
    }

    /// The occasions that `seen` is.
    fn of(seen: &Seen<'_>) -> Occasions {
        let (segment, kind, life) = (seen.segment, seen.kind, &seen.flow.life);
        let (syn, rst) = (segment.flags.has(Flags::SYN), segment.flags.has(Flags::RST));
        let ends = rst || segment.flags.has(Flags::FIN);
        let from_device = seen.from_device();
        let is_again = matches!(kind, Kind::Again | Kind::SynAgain | Kind::SynAckAgain);
        let is_idle = matches!(kind, Kind::IdleAck | Kind::DuplicateAck | Kind::KeepAlive);
        // A promise that moved on is this very segment.
        let edge = life.endpoint(seen.from).edge();
        let is_other = edge.is_some_and(|edge| edge != (segment.ack, segment.window));
        Occasions::ALWAYS
            .or(Occasions::FROM_DEVICE.when(from_device))
            .or(Occasions::DEVICE_ENDS.when(from_device && ends))
            .or(Occasions::PEER_SYN_OR_RST.when(!from_device && (syn || rst)))
            .or(Occasions::DEVICE_ACKS.when(from_device && kind == Kind::AckOfNews))
            .or(Occasions::AGAIN.when(is_again))
            .or(Occasions::NOTHING_NEW.when(is_idle))
            .or(Occasions::ANOTHER_LIFE.when(seen.place == Belongs::AnotherLife))
            .or(Occasions::CLOSING.when(life.a.has_fin() || life.b.has_fin()))
            .or(Occasions::ZERO_WINDOW.when(segment.window == 0))
            .or(Occasions::OTHER_EDGE.when(is_other))
    }
}

/// A set of detectors by their place, one bit each. Those beyond the last bit are in every set.
pub type Listening = u64;

/// The detectors of a run, in the order in which they are heard.
#[derive(Debug)]
pub struct Detectors {
    all: Vec<Box<dyn Detector>>,
    /// Who named one occasion or more, for every set of the first six occasions and every set of the others.
    on: [[Listening; 1 << Occasions::HALF]; 2],
    /// Who has nothing to do on the occasions that it named.
    idle: Listening,
    /// Who named [`Occasions::TIME`], and until when none of them has anything to do.
    timed: Listening,
    due: Timestamp,
    /// All are called whether they have anything to do or not.
    #[cfg(test)]
    is_impatient: bool,
}

impl Detectors {
    /// What the detectors that wait for tuples take for one of each at the most, octets: there are 17 such lists, and an
    /// entry has some 250 octets in a table and a heap that may be half empty.
    pub const OCTETS_A_TUPLE: usize = 17 * 900;

    /// `tuples`: how many each may wait for at once, as long as there is one detector a rule. Where users' overrides
    /// make more of them, they share.
    pub fn new(mut all: Vec<Box<dyn Detector>>, tuples: usize) -> Detectors {
        let tuples = tuples * REGISTRY.len() / all.len().max(REGISTRY.len());
        for detector in &mut all {
            detector.keep_to(tuples);
        }
        let mut on = [[0; 1 << Occasions::HALF]; 2];
        let mut timed = 0;
        for (place, detector) in all.iter().enumerate().take(Listening::BITS as usize) {
            let hears = detector.hears();
            for (half, on) in on.iter_mut().enumerate() {
                for (set, listening) in on.iter_mut().enumerate() {
                    let named = hears.half(half) & set != 0;
                    *listening |= Listening::from(named) << place;
                }
            }
            timed |= Listening::from(hears.0 & Occasions::TIME.0 != 0) << place;
        }
        Detectors {
            all,
            on,
            idle: 0,
            timed,
            due: Timestamp::ZERO,
            #[cfg(test)]
            is_impatient: false,
        }
    }

    /// All of them, in order; none is left.
    pub fn take(&mut self) -> Vec<Box<dyn Detector>> {
        self.on = [[0; 1 << Occasions::HALF]; 2];
        self.timed = 0;
        core::mem::take(&mut self.all)
    }

    /// From here on everybody hears everything, which must change nothing.
    #[cfg(test)]
    pub fn hear_everything(&mut self) {
        self.on = [[Listening::MAX; 1 << Occasions::HALF]; 2];
        self.is_impatient = true;
        self.look_ahead();
    }

    /// A segment and what it did to the device, `happened`; `waiting`: who waited for its tuple before. Returns who does now.
    pub fn on_segment(
        &mut self,
        seen: &Seen<'_>,
        happened: &[HostEvent],
        waiting: Listening,
        findings: &mut Vec<Finding>,
    ) -> Listening {
        // What happened to the device may give one something to do.
        let idle = if happened.is_empty() { self.idle } else { 0 };
        let hearing = waiting | self.named(Occasions::of(seen)) & !idle;
        let timed = if seen.segment.time >= self.due { self.timed } else { 0 };
        let mut called = if happened.is_empty() { hearing | timed } else { Listening::MAX };
        let mut waiting = waiting;
        while called != 0 {
            let place = called.trailing_zeros() as usize;
            let bit = 1 << place;
            called ^= bit;
            let Some(detector) = self.all.get_mut(place) else { break };
            for event in happened {
                detector.on_host(event, findings);
            }
            if timed & bit != 0 {
                detector.on_time(seen.segment.time, findings);
            }
            if hearing & bit != 0 {
                let waits = detector.hear(seen, findings);
                waiting = waiting & !bit | Listening::from(waits) << place;
                if self.timed & bit != 0 {
                    self.due = self.due.min(detector.due());
                }
            }
        }
        if timed != 0 || !happened.is_empty() {
            self.look_ahead();
        }
        for detector in self.all.iter_mut().skip(Listening::BITS as usize) {
            for event in happened {
                detector.on_host(event, findings);
            }
            if detector.hears().0 & Occasions::TIME.0 != 0 {
                detector.on_time(seen.segment.time, findings);
            }
            detector.on_segment(seen, findings);
        }
        waiting
    }

    pub fn on_sign(&mut self, sign: &Sign, device: &Device, findings: &mut Vec<Finding>) {
        for detector in &mut self.all {
            detector.on_sign(sign, device, findings);
        }
        self.look_ahead();
    }

    pub fn on_account(&mut self, comparison: &Comparison, findings: &mut Vec<Finding>) {
        for detector in &mut self.all {
            detector.on_account(comparison, findings);
        }
        self.look_ahead();
    }

    pub fn on_time(&mut self, now: Timestamp, findings: &mut Vec<Finding>) {
        for detector in &mut self.all {
            detector.on_time(now, findings);
        }
        self.look_ahead();
    }

    pub fn on_gap(&mut self, gap: &Gap) {
        for detector in &mut self.all {
            detector.on_gap(gap);
        }
        self.look_ahead();
    }

    #[inline]
    fn named(&self, occasions: Occasions) -> Listening {
        let [first, others] = &self.on;
        first[occasions.half(0)] | others[occasions.half(1)]
    }

    /// Asks all of them anew whether they have something to do, or when.
    fn look_ahead(&mut self) {
        (self.idle, self.due) = (0, Timestamp::MAX);
        for (place, detector) in self.all.iter().enumerate().take(Listening::BITS as usize) {
            self.idle |= Listening::from(detector.is_idle()) << place;
            if self.timed >> place & 1 != 0 {
                self.due = self.due.min(detector.due());
            }
        }
        #[cfg(test)]
        if self.is_impatient {
            (self.idle, self.due) = (0, Timestamp::ZERO);
        }
    }
}
