//! The TIME-WAIT ledger of one device: which tuples it holds, as inferred from the wire.

use core::time::Duration;
use std::collections::VecDeque;

use super::hold::Hold;
use crate::analysis::{
    flow::{ByTuple, FourTuple, Place},
    time::Timestamp,
};

/// A refusal can still be recognised this long after entry; longer TIME-WAITs are nobody's.
const RETENTION: Duration = Duration::from_secs(600);
/// Tuples remembered at once of one device, however much memory there is.
const MOST: usize = 16_384;
/// Holds looked at to compare one with those about it: more blocks than a small device has.
const LOOKED_AT: usize = 256;
/// Tuples remembered that are held no more, or that the device closed second.
const MAX_LEFT: usize = 1_024;

#[derive(Debug)]
pub struct Ledger {
    /// Tuples remembered at once; the oldest gives way.
    capacity: usize,
    holds: ByTuple<Entry>,
    /// Every entry in order of its latest start, with the number of that: one that was replaced meanwhile is skipped.
    order: VecDeque<(Place, u64)>,
    /// Entries believed to be in TIME-WAIT still, in order of arrival.
    current: VecDeque<(Place, u64, Timestamp)>,
    held_now: u64,
    serial: u64,
    arrivals: u64,
    /// The latest that were let go, and when.
    left: VecDeque<(FourTuple, Timestamp)>,
    /// The latest that the device seemed to close second, and when.
    second: VecDeque<(FourTuple, Timestamp)>,
    /// Of holds that began up to here, some gave way to others.
    forgotten_until: Timestamp,
}

#[derive(Debug)]
struct Entry {
    hold: Hold,
    serial: u64,
    /// Its place in the order; another one after each restart of its timer.
    arrival: u64,
    is_current: bool,
}

impl Ledger {
    /// A ledger of at most `tuples` (at least one).
    pub fn of(tuples: usize) -> Ledger {
        Ledger {
            capacity: tuples.clamp(1, MOST),
            // The new one is there before the oldest gives way.
            holds: ByTuple::of(tuples.clamp(1, MOST) + 1),
            order: VecDeque::new(),
            current: VecDeque::new(),
            held_now: 0,
            serial: 0,
            arrivals: 0,
            left: VecDeque::new(),
            second: VecDeque::new(),
            forgotten_until: Timestamp::ZERO,
        }
    }

    /// What one tuple takes at the most, octets: its hold, and its places in two lists that may be half empty.
    pub const OCTETS_A_TUPLE: usize =
        ByTuple::<Entry>::OCTETS_A_TUPLE + Hold::OCTETS_BESIDE + 4 * size_of::<(Place, u64, Timestamp)>();

    pub fn is_empty(&self) -> bool {
        self.holds.is_empty()
    }

    pub fn get_mut(&mut self, tuple: FourTuple) -> Option<&mut Hold> {
        self.holds.get_mut(&tuple).map(|entry| &mut entry.hold)
    }

    /// Where the hold of `tuple` stands.
    pub fn find(&self, tuple: FourTuple) -> Option<Place> {
        self.holds.find(&tuple)
    }

    /// The hold at `place`, where it is still that of `tuple`.
    pub fn at_mut(&mut self, place: Place, tuple: FourTuple) -> Option<&mut Hold> {
        self.holds.at_mut(place).map(|entry| &mut entry.hold).filter(|hold| hold.tuple == tuple)
    }

    pub fn get(&self, tuple: FourTuple) -> Option<&Hold> {
        self.holds.get(&tuple).map(|entry| &entry.hold)
    }

    /// In order of arrival, which is that of the latest start of their timers.
    pub fn iter(&self) -> impl Iterator<Item = &Hold> {
        let entries = self.order.iter().filter_map(|(place, arrival)| self.entry(*place, *arrival));
        entries.map(|entry| &entry.hold)
    }

    /// Returns its place.
    pub fn insert(&mut self, hold: Hold) -> Place {
        let tuple = hold.tuple;
        self.remove(tuple, hold.begun());
        self.serial += 1;
        self.arrivals += 1;
        let entry = Entry { hold, serial: self.serial, arrival: self.arrivals, is_current: false };
        let place = self.holds.put(tuple, entry);
        self.order.push_back((place, self.arrivals));
        while self.holds.len() > self.capacity {
            let oldest = self.iter().next().map(|hold| hold.latest_start);
            self.forgotten_until = self.forgotten_until.max(oldest.unwrap_or_default());
            self.drop_oldest();
        }
        place
    }

    /// The timer of `tuple` was started again: it is the youngest now.
    pub fn restarted(&mut self, tuple: FourTuple) {
        let Some(place) = self.holds.find(&tuple) else { return };
        let Some(entry) = self.holds.at_mut(place) else { return };
        self.arrivals += 1;
        entry.arrival = self.arrivals;
        self.order.push_back((place, self.arrivals));
        if self.order.len() > 2 * self.capacity {
            let holds = &self.holds;
            self.order
                .retain(|(place, arrival)| holds.at(*place).is_some_and(|entry| entry.arrival == *arrival));
        }
    }

    /// Holds that must be there while `tuple` is: younger than it whatever the uncertainty, and left alone since.
    pub fn younger_than(&self, tuple: FourTuple, ignores_rsts: bool) -> u32 {
        let Some(own) = self.holds.get(&tuple) else { return 0 };
        let newest_first =
            self.order.iter().rev().take(LOOKED_AT).take_while(|(_, arrival)| *arrival != own.arrival);
        let younger = newest_first.filter(|(place, arrival)| {
            self.entry(*place, *arrival).is_some_and(|entry| {
                entry.hold.is_undisturbed(ignores_rsts) && own.hold.is_older_than(&entry.hold)
            })
        });
        younger.count() as u32
    }

    /// Other holds that may not give way before `hold` does; `None` where there are too many to be counted.
    pub fn beside(&self, hold: &Hold) -> Option<u32> {
        let mut count = 0;
        for (looked_at, (place, arrival)) in self.order.iter().rev().enumerate() {
            if looked_at >= LOOKED_AT {
                return None;
            }
            let Some(entry) = self.entry(*place, *arrival) else { continue };
            if entry.hold.tuple == hold.tuple {
                continue;
            }
            // In order of arrival, which is that of the latest start: what stands before this one is older still.
            if entry.hold.latest_start <= hold.earliest_start {
                break;
            }
            count += 1;
        }
        Some(count)
    }

    /// The entry into TIME-WAIT is certain: the tuple counts as held from now on.
    pub fn begin(&mut self, tuple: FourTuple) {
        let Some(place) = self.holds.find(&tuple) else { return };
        let Some(entry) = self.holds.at_mut(place) else { return };
        entry.hold.counted = true;
        if !entry.is_current {
            entry.is_current = true;
            self.held_now += 1;
            self.current.push_back((place, entry.serial, entry.hold.latest_start));
        }
    }

    /// The device let go of the tuple, as was seen at `at`.
    pub fn remove(&mut self, tuple: FourTuple, at: Timestamp) -> Option<Hold> {
        let hold = self.take(tuple)?;
        let forgotten = remember(&mut self.left, tuple, at);
        self.forgotten_until = self.forgotten_until.max(forgotten);
        Some(hold)
    }

    /// The device closed the tuple after its peer had, as far as was seen. Where its first FIN was lost on the air before
    /// it could be captured, the two closed at once, and it does hold the tuple: the wire looks the same.
    pub fn closed_second(&mut self, tuple: FourTuple, at: Timestamp) {
        let forgotten = remember(&mut self.second, tuple, at);
        self.forgotten_until = self.forgotten_until.max(forgotten);
    }

    pub fn closed_second_since(&self, tuple: FourTuple, since: Timestamp) -> bool {
        self.second.iter().any(|(second, at)| *second == tuple && *at >= since)
    }

    /// The device let go of the tuple at `since` or later, as far back as that is remembered.
    pub fn left_since(&self, tuple: FourTuple, since: Timestamp) -> bool {
        self.left.iter().any(|(left, at)| *left == tuple && *at >= since)
    }

    /// Of what began before this, not everything is remembered.
    pub fn forgotten_until(&self) -> Timestamp {
        self.forgotten_until
    }

    fn take(&mut self, tuple: FourTuple) -> Option<Hold> {
        let entry = self.holds.remove(&tuple)?;
        self.held_now -= u64::from(entry.is_current);
        Some(entry.hold)
    }

    /// Time went on: tuples older than `time_wait` no longer count as held, far older ones are forgotten.
    pub fn advance(&mut self, now: Timestamp, time_wait: Duration) {
        while let Some(&(place, serial, start)) = self.current.front()
            && now.since(start) > time_wait
        {
            self.current.pop_front();
            if let Some(entry) =
                self.holds.at_mut(place).filter(|entry| entry.serial == serial && entry.is_current)
            {
                // A FIN restarted its timer: it stands in line again.
                if entry.hold.latest_start > start {
                    self.current.push_back((place, serial, entry.hold.latest_start));
                    continue;
                }
                entry.is_current = false;
                self.held_now -= 1;
            }
        }
        while let Some(&(place, arrival)) = self.order.front() {
            match self.entry(place, arrival) {
                Some(entry) if now.since(entry.hold.latest_start) <= RETENTION => break,
                _ => self.drop_oldest(),
            }
        }
    }

    /// Every hold, the one whose timer started last first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Hold> {
        self.order
            .iter()
            .rev()
            .filter_map(|(place, arrival)| self.entry(*place, *arrival))
            .map(|entry| &entry.hold)
    }

    pub fn held_now(&self) -> u64 {
        self.held_now
    }

    /// The device's behaviour was changed on purpose: what is held now was begun under other rules.
    pub fn mark_mode_change(&mut self) {
        self.mark(|hold| hold.mode_changed = true);
    }

    /// The device announced itself as after a start: what it held may be forgotten.
    pub fn mark_possible_restart(&mut self) {
        self.mark(|hold| hold.may_have_restarted = true);
    }

    fn mark(&mut self, with: fn(&mut Hold)) {
        for (place, arrival) in &self.order {
            if let Some(entry) = self.holds.at_mut(*place).filter(|entry| entry.arrival == *arrival) {
                with(&mut entry.hold);
            }
        }
    }

    fn entry(&self, place: Place, arrival: u64) -> Option<&Entry> {
        self.holds.at(place).filter(|entry| entry.arrival == arrival)
    }

    fn drop_oldest(&mut self) {
        if let Some((place, arrival)) = self.order.pop_front()
            && self.entry(place, arrival).is_some()
            && let Some(tuple) = self.holds.tuple_at(place)
        {
            self.take(tuple);
        }
    }
}

/// Returns the time of what had to give way.
fn remember(log: &mut VecDeque<(FourTuple, Timestamp)>, tuple: FourTuple, at: Timestamp) -> Timestamp {
    let oldest = if log.len() >= MAX_LEFT { log.pop_front() } else { None };
    log.push_back((tuple, at));
    oldest.map_or(Timestamp::ZERO, |(_, gone)| gone)
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use super::*;
    use crate::analysis::wire::SeqNum;

    fn hold(port: u16, second: u64) -> Hold {
        let [client, device] = [([10, 77, 0, 1], port), ([10, 77, 0, 2], 80)].map(SocketAddr::from);
        let (tuple, side) = FourTuple::between(device, client);
        Hold::presumed(tuple, side, SeqNum(1), SeqNum(2), Timestamp::from_micros(second * 1_000_000))
    }

    fn ports(ledger: &Ledger) -> Vec<u16> {
        ledger.iter().map(|hold| hold.tuple.socket(hold.device.other()).port()).collect()
    }

    #[test]
    fn every_hold_is_listed_after_a_timer_was_started_again() {
        let mut ledger = Ledger::of(3);
        for port in 1..=2 {
            ledger.insert(hold(port, port.into()));
        }
        ledger.restarted(hold(1, 1).tuple);
        assert_eq!(ports(&ledger), [2, 1]);
        ledger.insert(hold(3, 3));
        assert_eq!(ports(&ledger), [2, 1, 3]);
        // The oldest gives way, and what is said to be forgotten is its time.
        ledger.insert(hold(4, 4));
        assert_eq!(ports(&ledger), [1, 3, 4]);
        assert_eq!(ledger.forgotten_until(), hold(2, 2).latest_start);
    }
}
