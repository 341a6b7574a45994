//! Deadlines on tuples: what a detector waits for, in the order of time, within a bound.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::BinaryHeap;

use crate::analysis::{
    flow::{ByTuple, FourTuple, Place},
    time::Timestamp,
};

/// Tuples waited for at once by one detector, however much memory there is.
const MOST: usize = 16_384;
/// Deadlines that were called off and are still in line: no more than those that stand, and this many.
const CALLED_OFF: usize = 64;

/// One deadline a tuple, each with what is needed to tell what it was about.
#[derive(Debug)]
pub struct Watch<T> {
    waiting: ByTuple<Wait<T>>,
    /// In order of deadline, then of arming: the order in which findings come must not hang on a hash. What was armed
    /// again or called off since is skipped; most deadlines are called off soon, and this way that costs nothing.
    due: BinaryHeap<Reverse<Due>>,
    serial: u64,
    /// Tuples waited for at once; the one due first gives way.
    capacity: usize,
}

#[derive(Debug)]
struct Wait<T> {
    /// Of its arming: no other has it.
    serial: u64,
    what: T,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Timestamp,
    serial: u64,
    place: Place,
}

impl<T> Default for Watch<T> {
    fn default() -> Self {
        Watch { waiting: ByTuple::of(MOST), due: BinaryHeap::new(), serial: 0, capacity: MOST }
    }
}

impl<T> Watch<T> {
    /// From here on, no more than `tuples` at once.
    pub fn keep_to(&mut self, tuples: usize) {
        self.capacity = tuples.clamp(1, MOST);
        if self.waiting.is_empty() {
            // The new one is there before the one due first gives way.
            self.waiting = ByTuple::of(self.capacity + 1);
        }
    }

    /// Waits for `tuple` until `after` past `from`; replaces what was waited for before.
    pub fn arm(&mut self, tuple: FourTuple, from: Timestamp, after: Duration, what: T) {
        self.serial += 1;
        let place = self.waiting.put(tuple, Wait { serial: self.serial, what });
        if self.waiting.len() > self.capacity {
            self.take_first(Timestamp::MAX);
        }
        if self.due.len() >= 2 * self.waiting.len() + CALLED_OFF {
            let waiting = &self.waiting;
            self.due.retain(|Reverse(due)| due.stands(waiting));
        }
        self.due.push(Reverse(Due { at: from.saturating_add(after), serial: self.serial, place }));
    }

    /// What came in time; gives back what was waited for.
    pub fn disarm(&mut self, tuple: FourTuple) -> Option<T> {
        self.waiting.remove(&tuple).map(|wait| wait.what)
    }

    pub fn holds(&self, tuple: FourTuple) -> bool {
        self.waiting.find(&tuple).is_some()
    }

    pub fn get_mut(&mut self, tuple: FourTuple) -> Option<&mut T> {
        self.waiting.get_mut(&tuple).map(|wait| &mut wait.what)
    }

    /// Until then nothing is [`Watch::expired`].
    pub fn due(&self) -> Timestamp {
        self.due.peek().map_or(Timestamp::MAX, |Reverse(due)| due.at)
    }

    /// The next thing that did not come by `now`; call it until there is none.
    pub fn expired(&mut self, now: Timestamp) -> Option<(FourTuple, T)> {
        self.take_first(now)
    }

    /// The first deadline, if it is not after `until`.
    fn take_first(&mut self, until: Timestamp) -> Option<(FourTuple, T)> {
        while let Some(&Reverse(due)) = self.due.peek()
            && due.at <= until
        {
            self.due.pop();
            if due.stands(&self.waiting)
                && let Some(tuple) = self.waiting.tuple_at(due.place)
                && let Some(what) = self.disarm(tuple)
            {
                return Some((tuple, what));
            }
        }
        None
    }
}

impl Due {
    fn stands<T>(&self, waiting: &ByTuple<Wait<T>>) -> bool {
        waiting.at(self.place).is_some_and(|wait| wait.serial == self.serial)
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    fn tuple(port: u16) -> FourTuple {
        FourTuple::between(SocketAddr::from(([10, 0, 0, 1], port)), SocketAddr::from(([10, 0, 0, 2], 80))).0
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_micros(ms * 1_000)
    }

    proptest! {
        /// The naive oracle: a sorted map of everything that stands.
        #[test]
        fn deadlines_come_in_order_and_none_that_was_called_off(
            steps in prop::collection::vec((0u16..6, 0u64..50, 0u8..4), 1..600),
        ) {
            let mut watch = Watch::default();
            let mut oracle: BTreeMap<(u64, usize), u16> = BTreeMap::new();
            for (step, (port, ms, what)) in steps.into_iter().enumerate() {
                let standing = oracle.iter().find(|(_, known)| **known == port).map(|(key, _)| *key);
                match what {
                    0 | 1 => {
                        standing.and_then(|key| oracle.remove(&key));
                        oracle.insert((ms, step), port);
                        watch.arm(tuple(port), at(0), Duration::from_millis(ms), step);
                    }
                    2 => {
                        let expected = standing.and_then(|key| oracle.remove(&key).map(|_| key.1));
                        prop_assert_eq!(watch.disarm(tuple(port)), expected);
                    }
                    _ => {
                        let first = oracle.first_key_value().map(|(key, port)| (*key, *port));
                        let expected = first.filter(|(key, _)| key.0 <= ms).map(|(key, port)| {
                            oracle.remove(&key);
                            (tuple(port), key.1)
                        });
                        prop_assert_eq!(watch.expired(at(ms)), expected);
                    }
                }
                prop_assert_eq!(watch.holds(tuple(port)), oracle.values().any(|known| *known == port));
                prop_assert!(watch.due.len() <= 2 * watch.waiting.len() + CALLED_OFF + 2 * 6);
            }
        }
    }

    #[test]
    fn the_one_due_first_gives_way_and_never_the_new_one() {
        let mut watch = Watch::default();
        watch.keep_to(100);
        for port in 0..=100 {
            watch.arm(tuple(port), at(1_000), Duration::from_millis(u64::from(port)), port);
        }
        assert!(!watch.holds(tuple(0)) && watch.holds(tuple(1)));
        watch.arm(tuple(0), at(0), Duration::ZERO, 0);
        assert!(watch.holds(tuple(0)) && !watch.holds(tuple(1)));
        assert_eq!(watch.expired(at(5_000)), Some((tuple(0), 0)));
    }
}
