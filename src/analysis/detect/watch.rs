//! Deadlines on tuples: what a detector waits for, in the order of time, within a bound.

use core::time::Duration;
use std::collections::BTreeMap;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::analysis::{flow::FourTuple, time::Timestamp};

/// Tuples waited for at once by one detector; the one due first gives way.
const CAPACITY: usize = 16_384;

/// One deadline a tuple, each with what is needed to tell what it was about.
#[derive(Debug)]
pub struct Watch<T> {
    waiting: HashMap<FourTuple, (Key, T), RandomState>,
    /// In order of deadline, then of arming: the order in which findings come must not hang on a hash.
    due: BTreeMap<Key, FourTuple>,
    /// Nothing is due before this.
    earliest: Timestamp,
    serial: u64,
}

type Key = (Timestamp, u64);

impl<T> Default for Watch<T> {
    fn default() -> Self {
        Watch { waiting: HashMap::default(), due: BTreeMap::new(), earliest: Timestamp::ZERO, serial: 0 }
    }
}

impl<T> Watch<T> {
    /// Waits for `tuple` until `after` past `from`; replaces what was waited for before.
    pub fn arm(&mut self, tuple: FourTuple, from: Timestamp, after: Duration, what: T) {
        self.disarm(tuple);
        if self.waiting.len() >= CAPACITY
            && let Some((_, first)) = self.due.pop_first()
        {
            self.waiting.remove(&first);
        }
        self.serial += 1;
        let key = (from.saturating_add(after), self.serial);
        self.earliest = self.earliest.min(key.0);
        self.due.insert(key, tuple);
        self.waiting.insert(tuple, (key, what));
    }

    /// What came in time; gives back what was waited for.
    pub fn disarm(&mut self, tuple: FourTuple) -> Option<T> {
        if self.waiting.is_empty() {
            return None;
        }
        let (key, what) = self.waiting.remove(&tuple)?;
        self.due.remove(&key);
        Some(what)
    }

    pub fn holds(&self, tuple: FourTuple) -> bool {
        self.waiting.contains_key(&tuple)
    }

    pub fn get_mut(&mut self, tuple: FourTuple) -> Option<&mut T> {
        self.waiting.get_mut(&tuple).map(|(_, what)| what)
    }

    /// The next thing that did not come by `now`; call it until there is none.
    pub fn expired(&mut self, now: Timestamp) -> Option<(FourTuple, T)> {
        if self.earliest > now {
            return None;
        }
        let Some((&key, &tuple)) = self.due.first_key_value() else {
            self.earliest = Timestamp::MAX;
            return None;
        };
        self.earliest = key.0;
        if key.0 > now {
            return None;
        }
        self.due.remove(&key);
        let (_, what) = self.waiting.remove(&tuple)?;
        Some((tuple, what))
    }
}
