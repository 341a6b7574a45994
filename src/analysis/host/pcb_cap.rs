//! How many connection blocks the device has, where it makes room for a new one by dropping its oldest TIME-WAIT.
//!
//! A tuple that is still refused shows that every younger one is held as well: the cap lies above their number. A tuple
//! that was let in, though the device refuses others at a greater age, had given way: the cap is no more than the
//! blocks that were there by then. A restart in between looks the same, so it must be ruled out. Connections that did
//! not pass here would raise the number, so the bracket is inferred and never proven.
//!
//! Without a single refusal, letting in looks the same from a device that accepts newer SYNs: then nothing is claimed.

use super::{facts::PcbCap, uptime::Uptime};
use crate::analysis::time::Timestamp;

/// No stack is known to make do with fewer: lwIP's own `MEMP_NUM_TCP_PCB` is 5, MicroPython's cap is 12, ESP-IDF's 16.
const LEAST_CAP: u32 = 5;
/// Acceptances remembered: those that bound the cap best.
const REMEMBERED: usize = 64;

#[derive(Clone, Debug, Default)]
pub struct Evictions {
    at_least: Option<u32>,
    let_in: Vec<LetIn>,
    /// Of those let in at an age at which a tuple is held: where an eviction would need an implausibly small cap, and
    /// where it would not.
    few: u64,
    many: u64,
    /// The smallest cap that would explain one of the many.
    many_room: Option<u32>,
    /// Let in after refusals, when either may have been the reason.
    unclear: u64,
}

/// A SYN was let in on a tuple that had not been refused, after other blocks had been made.
#[derive(Clone, Copy, Debug, PartialEq)]
struct LetIn {
    entered: Timestamp,
    let_in: Timestamp,
    /// The cap that would explain it.
    room: u32,
    /// The device did not restart in between.
    ran_on: bool,
}

impl Evictions {
    /// A tuple was refused, and `younger` ones that entered after it must be held too.
    pub fn refused(&mut self, younger: u32) {
        self.at_least = self.at_least.max(Some(younger.saturating_add(1)));
    }

    /// Whether a cap of at most `room` is possible after the refusals seen so far.
    pub fn allows(&self, room: u32) -> bool {
        room >= self.at_least.unwrap_or(1)
    }

    /// The tuple that `entered` then was gone by the time of `let_in`, and had never been refused; a cap of at most
    /// `room` explains it. `held`: by what was refused so far, TIME-WAIT was not over.
    pub fn let_in(&mut self, entered: Timestamp, let_in: Timestamp, room: u32, held: bool, uptime: &Uptime) {
        if room == u32::MAX {
            return; // Not counted: nothing follows.
        }
        if held && room < LEAST_CAP {
            self.few += 1;
        } else if held {
            self.many += 1;
            self.many_room = Some(self.many_room.map_or(room, |known| known.min(room)));
        }
        self.let_in.push(LetIn { entered, let_in, room, ran_on: uptime.covers(entered, let_in) });
        if self.let_in.len() > REMEMBERED {
            let loosest = (0..self.let_in.len()).max_by_key(|at| self.let_in[*at].room).unwrap_or(0);
            self.let_in.swap_remove(loosest);
        }
    }

    /// More is known of how long the device has run.
    pub fn ran_on(&mut self, uptime: &Uptime) {
        for one in &mut self.let_in {
            one.ran_on |= uptime.covers(one.entered, one.let_in);
        }
    }

    /// A SYN was let in after refusals: TIME-WAIT was over, or the tuple had given way.
    pub fn let_in_unclear(&mut self) {
        self.unclear += 1;
    }

    pub fn unclear(&self) -> u64 {
        self.unclear
    }

    /// SYNs that were accepted in TIME-WAIT, if none was ever refused. `accepts`: the device is known to.
    pub fn accepted(&self, has_refused: bool, accepts: bool) -> u64 {
        match (has_refused, accepts || self.few > 0) {
            (true, _) | (false, false) => 0,
            // A device that accepts some has no reason to be taken for one that evicts the others.
            (false, true) => self.few + self.many,
        }
    }

    /// SYNs that were either accepted in TIME-WAIT or let in by an eviction, and the cap that the latter needs.
    pub fn undecided(&self, has_refused: bool, accepts: bool) -> Option<(u64, u32)> {
        let is_decided = has_refused || accepts || self.few > 0;
        self.many_room.filter(|_| !is_decided).map(|room| (self.many, room))
    }

    /// The bracket, given how long after entry a tuple was still refused, seconds.
    pub fn cap(&self, refused_until_s: Option<f64>) -> PcbCap {
        let cap = self.bounds(refused_until_s);
        if cap.at_least.zip(cap.at_most).is_some_and(|(least, most)| least > most) {
            return PcbCap::default();
        }
        cap
    }

    /// The two bounds exclude each other: not all connections were seen, or the device changed.
    pub fn contradicts_itself(&self, refused_until_s: Option<f64>) -> bool {
        let cap = self.bounds(refused_until_s);
        cap.at_least.zip(cap.at_most).is_some_and(|(least, most)| least > most)
    }

    fn bounds(&self, refused_until_s: Option<f64>) -> PcbCap {
        let gave_way = |one: &&LetIn| {
            one.ran_on && refused_until_s.is_some_and(|until| until > one.let_in.seconds_after(one.entered))
        };
        PcbCap {
            // That there is room for one goes without saying.
            at_least: self.at_least.filter(|least| *least > 1),
            at_most: self.let_in.iter().filter(gave_way).map(|one| one.room).min(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cap(at_least: Option<u32>, at_most: Option<u32>) -> PcbCap {
        PcbCap { at_least, at_most }
    }

    /// A tuple let in some milliseconds after its entry, at an age at which tuples are held, while the device ran on.
    fn let_in(evictions: &mut Evictions, age_ms: u64, room: u32) {
        let at = |ms: u64| Timestamp::from_micros(ms * 1_000);
        let mut uptime = Uptime::default();
        uptime.sent(at(age_ms), at(0));
        evictions.let_in(at(0), at(age_ms), room, true, &uptime);
    }

    #[test]
    fn a_bracket_closes_from_both_sides() {
        let mut evictions = Evictions::default();
        assert_eq!(evictions.cap(None), cap(None, None));
        let_in(&mut evictions, 500, 9);
        assert_eq!(evictions.cap(None), cap(None, None), "no refusal: it may accept SYNs");
        evictions.refused(0);
        assert_eq!(
            evictions.cap(Some(0.3)),
            cap(None, None),
            "refused at a smaller age: it may have expired"
        );
        assert_eq!(evictions.cap(Some(0.6)), cap(None, Some(9)));
        evictions.refused(3);
        let_in(&mut evictions, 400, 6);
        assert_eq!(evictions.cap(Some(0.6)), cap(Some(4), Some(6)));
        evictions.refused(6);
        assert_eq!(evictions.cap(Some(0.6)), cap(None, None));
        assert!(evictions.contradicts_itself(Some(0.6)));
    }

    #[test]
    fn a_restart_must_be_ruled_out_and_may_be_later() {
        let at = |ms: u64| Timestamp::from_micros(ms * 1_000);
        let mut evictions = Evictions::default();
        let mut uptime = Uptime::default();
        uptime.sent(at(0), at(0));
        uptime.sent(at(3_000), at(3_000));
        evictions.let_in(at(0), at(3_000), 6, true, &uptime);
        assert_eq!(evictions.cap(Some(5.0)), cap(None, None));
        uptime.sent(at(4_000), at(100));
        evictions.ran_on(&uptime);
        assert_eq!(evictions.cap(Some(5.0)), cap(None, Some(6)));
    }

    #[test]
    fn without_a_refusal_nothing_but_a_tiny_cap_is_ruled_out() {
        let mut evictions = Evictions::default();
        let_in(&mut evictions, 100, LEAST_CAP);
        let_in(&mut evictions, 100, LEAST_CAP + 2);
        let said = |evictions: &Evictions, refused, accepts| {
            (evictions.accepted(refused, accepts), evictions.undecided(refused, accepts))
        };
        assert_eq!(said(&evictions, false, false), (0, Some((2, LEAST_CAP))));
        assert_eq!(said(&evictions, true, false), (0, None));
        assert_eq!(said(&evictions, false, true), (2, None), "it was seen to accept others");
        let_in(&mut evictions, 100, LEAST_CAP - 1);
        assert_eq!(said(&evictions, false, false), (3, None));
        assert_eq!(said(&evictions, true, false), (0, None));
    }

    #[test]
    fn memory_is_bounded_and_keeps_the_tightest() {
        let mut evictions = Evictions::default();
        for room in (10..1_000).rev() {
            let_in(&mut evictions, 100, room);
        }
        let_in(&mut evictions, 100, 5_000);
        assert_eq!(evictions.let_in.len(), REMEMBERED);
        assert_eq!(evictions.cap(Some(1.0)), cap(None, Some(10)));
    }
}
