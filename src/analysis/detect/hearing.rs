//! Who hears what: most segments concern few detectors, and the others are not called.
//!
//! A detector is called for a segment on the occasions that it names, which may be others after each call, and for every
//! segment of a tuple that it waits for. Knows which detector waits for which tuple by one bit each, which the flow table
//! keeps with the flow; what a detector waits for is its own affair. A plain segment on a flow that nobody waits for is no
//! occasion that anybody names: most segments are of that kind.

use super::{Detector, Finding, LastSegments, REGISTRY, Seen};
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
pub struct Occasions(u32);

impl Occasions {
    pub const NEVER: Occasions = Occasions(0);
    /// Every segment of a flow with a device.
    pub const ALWAYS: Occasions = Occasions(1);
    /// No segment for its own sake, but its time: [`Detector::on_time`] is called before it.
    pub const TIME: Occasions = Occasions(1 << 1);
    pub const FROM_DEVICE: Occasions = Occasions(1 << 2);
    pub const DEVICE_RESETS: Occasions = Occasions(1 << 3);
    /// A SYN began another life of a tuple that was seen before.
    pub const ANEW: Occasions = Occasions(1 << 4);
    /// The device acknowledged something new, all that was seen of the other side, and sent nothing.
    pub const DEVICE_ACKS_ALL: Occasions = Occasions(1 << 5);
    /// A SYN, a SYN-ACK, payload or a FIN that was on the wire before.
    pub const AGAIN: Occasions = Occasions(1 << 6);
    /// An ACK that says nothing new, or a keep-alive.
    pub const NOTHING_NEW: Occasions = Occasions(1 << 7);
    /// Its numbers are not those of the tuple's present life.
    pub const ANOTHER_LIFE: Occasions = Occasions(1 << 8);
    /// It comes after a FIN of the other side.
    pub const AFTER_FIN: Occasions = Occasions(1 << 9);
    pub const ZERO_WINDOW: Occasions = Occasions(1 << 10);
    /// It does not say that as much is let in as was said before.
    pub const OTHER_EDGE: Occasions = Occasions(1 << 11);
    /// It acknowledges what was not seen of the other side.
    pub const ACKS_UNSEEN: Occasions = Occasions(1 << 12);
    /// The device sent a FIN.
    pub const DEVICE_CLOSES: Occasions = Occasions(1 << 13);
    /// It comes from the device after a FIN of the other side.
    pub const DEVICE_AFTER_FIN: Occasions = Occasions(1 << 14);

    /// Room for so many occasions.
    const PLACES: usize = u32::BITS as usize;

    pub const fn or(self, other: Occasions) -> Occasions {
        Occasions(self.0 | other.0)
    }

    const fn and(self, other: Occasions) -> Occasions {
        Occasions(self.0 & other.0)
    }

    const fn but(self, other: Occasions) -> Occasions {
        Occasions(self.0 & !other.0)
    }

    /// One of `others` or more.
    const fn has(self, others: Occasions) -> bool {
        self.and(others).0 != 0
    }

    #[inline]
    const fn when(self, holds: bool) -> Occasions {
        if holds { self } else { Occasions::NEVER }
    }

    /// The occasions that `seen` is, but for [`Occasions::TIME`].
    #[inline]
    fn of(seen: &Seen<'_>) -> Occasions {
        let (segment, life) = (seen.segment, &seen.flow.life);
        let from_device = seen.from_device();
        let is_anew = seen.place == Belongs::NewLife && life.number > 1;
        let is_after_fin = life.endpoint(seen.from.other()).has_fin();
        // A promise that moved on is this very segment.
        let edge = life.endpoint(seen.from).edge();
        let is_other = edge.is_some_and(|edge| edge != (segment.ack, segment.window));
        Occasions::ALWAYS
            .or(Occasions::of_ack(seen))
            .or(Occasions::FROM_DEVICE.when(from_device))
            .or(Occasions::DEVICE_RESETS.when(from_device && segment.flags.has(Flags::RST)))
            .or(Occasions::DEVICE_CLOSES.when(from_device && segment.flags.has(Flags::FIN)))
            .or(Occasions::DEVICE_AFTER_FIN.when(from_device && is_after_fin))
            .or(Occasions::ANEW.when(is_anew))
            .or(Occasions::ANOTHER_LIFE.when(seen.place == Belongs::AnotherLife))
            .or(Occasions::AFTER_FIN.when(is_after_fin))
            .or(Occasions::ZERO_WINDOW.when(segment.window == 0))
            .or(Occasions::OTHER_EDGE.when(is_other))
    }

    /// What `seen` adds to its stream, and what it acknowledges of the other.
    #[inline]
    fn of_ack(seen: &Seen<'_>) -> Occasions {
        let beyond = match (seen.segment.acknowledges(), seen.receiver_before().snd_nxt()) {
            (Some(ack), Some(sent)) => sent.distance_to(ack),
            (Some(_), None) | (None, _) => 0,
        };
        let is_all = beyond == 0 && seen.from_device();
        let of_kind = match seen.kind {
            Kind::Again | Kind::SynAgain | Kind::SynAckAgain => Occasions::AGAIN,
            Kind::IdleAck | Kind::DuplicateAck | Kind::KeepAlive => Occasions::NOTHING_NEW,
            Kind::AckOfNews => Occasions::DEVICE_ACKS_ALL,
            Kind::Syn
            | Kind::SynAck
            | Kind::Reset
            | Kind::News
            | Kind::BeyondAHole
            | Kind::WindowProbe
            | Kind::WindowUpdate => Occasions::NEVER,
        };
        let is_not = Occasions::DEVICE_ACKS_ALL.when(!is_all);
        of_kind.but(is_not).or(Occasions::ACKS_UNSEEN.when(beyond > 0))
    }
}

/// A set of detectors by their place, one bit each. Those beyond the last bit are in every set.
pub type Listening = u64;

/// Detectors that have a bit.
const BITS: usize = Listening::BITS as usize;

/// The detectors of a run, in the order in which they are heard.
#[derive(Debug)]
pub struct Detectors {
    all: Vec<Box<dyn Detector>>,
    /// What each of them [hears](Detector::hears), as it said last.
    hears: Vec<Occasions>,
    /// Who hears each occasion, by its place.
    on: [Listening; Occasions::PLACES],
    /// The occasions that anybody hears.
    heard: Occasions,
    /// Who is asked again after everything that it is called for: what it hears varies, or it looks at the clock.
    asked_again: Listening,
    /// Until when none of those who hear [`Occasions::TIME`] has anything to do.
    due: Timestamp,
    last: LastSegments,
    /// All are called whether they have anything to do or not.
    #[cfg(test)]
    is_impatient: bool,
}

impl Detectors {
    /// What the detectors that wait for tuples take for one of each at the most, octets: there are 17 such
    /// lists, and an entry, with the segments that it cites, has less than 900 octets.
    pub const OCTETS_A_TUPLE: usize = 17 * 900;

    /// `tuples`: how many each may wait for at once, as long as there is one detector a rule. Where users' overrides
    /// make more of them, they share.
    pub fn new(mut all: Vec<Box<dyn Detector>>, tuples: usize) -> Detectors {
        let tuples = tuples * REGISTRY.len() / all.len().max(REGISTRY.len());
        for detector in &mut all {
            detector.keep_to(tuples);
        }
        let mut detectors = Detectors {
            hears: vec![Occasions::NEVER; all.len()],
            all,
            on: [0; Occasions::PLACES],
            heard: Occasions::NEVER,
            asked_again: 0,
            due: Timestamp::ZERO,
            last: LastSegments::default(),
            #[cfg(test)]
            is_impatient: false,
        };
        for (place, detector) in detectors.all.iter().enumerate().take(BITS) {
            let is_asked = detector.hears_vary() || detector.hears().has(Occasions::TIME);
            detectors.asked_again |= Listening::from(is_asked) << place;
        }
        (0..detectors.all.len()).for_each(|place| detectors.ask(place));
        detectors
    }

    /// All of them, in order, and the last segment of each device; nothing is left.
    pub fn take(&mut self) -> (Vec<Box<dyn Detector>>, LastSegments) {
        self.hears.clear();
        (self.on, self.heard, self.asked_again) = ([0; Occasions::PLACES], Occasions::NEVER, 0);
        (core::mem::take(&mut self.all), core::mem::take(&mut self.last))
    }

    /// They go on from the last segment of each device, as others knew it.
    #[must_use]
    pub fn after(self, last: LastSegments) -> Detectors {
        Detectors { last, ..self }
    }

    /// From here on everybody hears everything, which must change nothing.
    #[cfg(test)]
    pub fn hear_everything(&mut self) {
        self.is_impatient = true;
        (0..self.all.len()).for_each(|place| self.ask(place));
    }

    /// A segment and what it did to the device, `happened`; `waiting`: who waited for its tuple before. Returns who does now.
    #[inline]
    pub fn on_segment(
        &mut self,
        seen: &Seen<'_>,
        happened: &[HostEvent],
        waiting: Listening,
        findings: &mut Vec<Finding>,
    ) -> Listening {
        let occasions = Occasions::of(seen);
        let hearing = waiting | self.hearing(occasions);
        let is_plain = hearing == 0 && seen.segment.time < self.due && self.all.len() <= BITS;
        let waiting = if is_plain && happened.is_empty() {
            waiting
        } else if happened.is_empty() {
            self.call(seen, hearing, waiting, findings)
        } else {
            self.call_all(seen, happened, occasions, waiting, findings)
        };
        self.last.note(seen);
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
            detector.on_time(now, &self.last, findings);
        }
        self.look_ahead();
    }

    pub fn on_gap(&mut self, gap: &Gap) {
        for detector in &mut self.all {
            detector.on_gap(gap, &self.last);
        }
        self.look_ahead();
    }

    /// A segment that did nothing to the device: those who are `hearing` are called, and those who look at the clock.
    fn call(
        &mut self,
        seen: &Seen<'_>,
        hearing: Listening,
        mut waiting: Listening,
        findings: &mut Vec<Finding>,
    ) -> Listening {
        let is_due = seen.segment.time >= self.due;
        let timed = if is_due { self.hearing(Occasions::TIME) } else { 0 };
        let mut called = hearing | timed;
        while called != 0 {
            let place = called.trailing_zeros() as usize;
            let bit = 1 << place;
            called ^= bit;
            let Some(detector) = self.all.get_mut(place) else { break };
            if timed & bit != 0 {
                detector.on_time(seen.segment.time, &self.last, findings);
            }
            if hearing & bit != 0 {
                let waits = detector.hear(seen, findings);
                waiting = waiting & !bit | Listening::from(waits) << place;
                if self.asked_again & bit != 0 {
                    self.ask(place);
                }
            }
        }
        if self.all.len() > BITS {
            for (detector, hears) in self.all.iter_mut().zip(&self.hears).skip(BITS) {
                if hears.has(Occasions::TIME) {
                    detector.on_time(seen.segment.time, &self.last, findings);
                }
                detector.on_segment(seen, findings);
            }
        }
        if timed != 0 {
            self.look_ahead();
        }
        waiting
    }

    /// A segment that did something to the device: all are told of it, and it may give each something to do.
    fn call_all(
        &mut self,
        seen: &Seen<'_>,
        happened: &[HostEvent],
        occasions: Occasions,
        mut waiting: Listening,
        findings: &mut Vec<Finding>,
    ) -> Listening {
        let is_due = seen.segment.time >= self.due;
        for place in 0..self.all.len() {
            for event in happened {
                self.all[place].on_host(event, findings);
            }
            let has_bit = place < BITS;
            if has_bit && self.asked_again >> place & 1 != 0 {
                self.ask(place);
            }
            let (detector, hears) = (&mut self.all[place], self.hears[place]);
            if hears.has(Occasions::TIME) && (is_due || !has_bit) {
                detector.on_time(seen.segment.time, &self.last, findings);
            }
            if !has_bit {
                detector.on_segment(seen, findings);
            } else if waiting >> place & 1 != 0 || hears.has(occasions) {
                let waits = detector.hear(seen, findings);
                waiting = waiting & !(1 << place) | Listening::from(waits) << place;
            }
        }
        self.look_ahead();
        waiting
    }

    /// Who hears one of `occasions` or more.
    #[inline]
    fn hearing(&self, occasions: Occasions) -> Listening {
        let Occasions(mut left) = occasions.and(self.heard);
        let mut hearing = 0;
        while left != 0 {
            hearing |= self.on[left.trailing_zeros() as usize];
            left &= left - 1;
        }
        hearing
    }

    /// Asks anew what they hear, and when they have something to do.
    fn look_ahead(&mut self) {
        self.due = Timestamp::MAX;
        let mut asked = self.asked_again;
        while asked != 0 {
            self.ask(asked.trailing_zeros() as usize);
            asked &= asked - 1;
        }
    }

    /// Asks one of them what it hears from here on, and when it has something to do.
    #[inline]
    fn ask(&mut self, place: usize) {
        let detector = &self.all[place];
        let hears = detector.hears();
        if hears.has(Occasions::TIME) {
            self.due = self.due.min(detector.due());
        }
        #[cfg(test)]
        let hears = if self.is_impatient { Occasions::ALWAYS.or(hears) } else { hears };
        #[cfg(test)]
        if self.is_impatient {
            self.due = Timestamp::ZERO;
        }
        if hears != self.hears[place] {
            self.list(place, hears);
        }
    }

    /// Notes what one of them hears now.
    fn list(&mut self, place: usize, hears: Occasions) {
        self.hears[place] = hears;
        self.heard = self.hears.iter().fold(Occasions::NEVER, |heard, hears| heard.or(*hears));
        if place < BITS {
            for (occasion, on) in self.on.iter_mut().enumerate() {
                let is_heard = Listening::from(hears.0 >> occasion & 1);
                *on = *on & !(1 << place) | is_heard << place;
            }
        }
    }
}
