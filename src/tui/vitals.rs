//! The pulse of one device: how many connections it was asked for each second, and how long they took to come about.
//!
//! Knows the last minute of packet time and no more. Refuses to know flows: it is told two kinds of moments.

use core::time::Duration;

use crate::analysis::time::Timestamp;

/// Seconds remembered.
pub const SECONDS: usize = 60;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Second {
    opened: u32,
    connected: u32,
    /// The slowest connect() that ended in it, seconds.
    slowest: Option<f32>,
}

#[derive(Clone, Debug)]
pub struct Vitals {
    /// The second at `newest` is the last one told of; each stands at its number modulo the length.
    seconds: [Second; SECONDS],
    newest: u64,
    /// The latest connect() that came about, seconds.
    last_connect: Option<f64>,
}

impl Default for Vitals {
    fn default() -> Vitals {
        Vitals { seconds: [Second::default(); SECONDS], newest: 0, last_connect: None }
    }
}

impl Vitals {
    /// A connection was asked for.
    pub fn opened(&mut self, at: Timestamp) {
        if let Some(second) = self.second(at) {
            second.opened = second.opened.saturating_add(1);
        }
    }

    /// A connection came about, `after` its first SYN.
    pub fn connected(&mut self, at: Timestamp, after: Duration) {
        self.last_connect = Some(after.as_secs_f64());
        if let Some(second) = self.second(at) {
            let after = after.as_secs_f32();
            second.connected = second.connected.saturating_add(1);
            second.slowest = Some(second.slowest.map_or(after, |slowest| slowest.max(after)));
        }
    }

    /// Connections asked for in each of the last `count` seconds up to `now`, oldest first.
    pub fn opened_each(&self, now: Timestamp, count: usize) -> Vec<u32> {
        self.last(now, count).map(|second| second.opened).collect()
    }

    /// The slowest connect() of each of the last `count` seconds up to `now`, oldest first, in seconds.
    pub fn slowest_each(&self, now: Timestamp, count: usize) -> Vec<Option<f32>> {
        self.last(now, count).map(|second| second.slowest).collect()
    }

    pub fn last_connect_s(&self) -> Option<f64> {
        self.last_connect
    }

    fn last(&self, now: Timestamp, count: usize) -> impl Iterator<Item = Second> {
        let now = number(now);
        let first = (now + 1).saturating_sub(count.min(SECONDS) as u64);
        (first..=now).map(|number| self.at(number))
    }

    fn at(&self, number: u64) -> Second {
        // What is newer than told, or older than kept, had nothing.
        if number > self.newest || number + SECONDS as u64 <= self.newest {
            return Second::default();
        }
        self.seconds.get(place(number)).copied().unwrap_or_default()
    }

    /// The second of `at`; `None` where it is older than what is kept.
    fn second(&mut self, at: Timestamp) -> Option<&mut Second> {
        let number = number(at);
        if number > self.newest {
            let first = (self.newest + 1).max((number + 1).saturating_sub(SECONDS as u64));
            for passed in first..=number {
                self.seconds[place(passed)] = Second::default();
            }
            self.newest = number;
        } else if number + SECONDS as u64 <= self.newest {
            return None;
        }
        self.seconds.get_mut(place(number))
    }
}

fn number(at: Timestamp) -> u64 {
    at.nanos() / 1_000_000_000
}

fn place(number: u64) -> usize {
    (number % SECONDS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000 + 7)
    }

    #[test]
    fn each_second_counts_its_own() {
        let mut vitals = Vitals::default();
        for second in [1_000, 1_000, 1_002] {
            vitals.opened(at(second));
        }
        vitals.connected(at(1_002), Duration::from_millis(20));
        vitals.connected(at(1_002), Duration::from_millis(5));
        assert_eq!(vitals.opened_each(at(1_003), 5), [0, 2, 0, 1, 0]);
        assert_eq!(vitals.slowest_each(at(1_002), 2), [None, Some(0.02)]);
        assert_eq!(vitals.last_connect_s(), Some(0.005));
    }

    #[test]
    fn what_is_older_than_a_minute_is_gone_and_a_late_event_finds_its_second() {
        let mut vitals = Vitals::default();
        vitals.opened(at(1_000));
        vitals.opened(at(1_059));
        vitals.opened(at(1_010));
        assert_eq!(vitals.opened_each(at(1_059), SECONDS).iter().sum::<u32>(), 3);
        vitals.opened(at(1_060));
        // Its place is another second's now.
        vitals.opened(at(1_000));
        assert_eq!(vitals.opened_each(at(1_060), SECONDS).iter().sum::<u32>(), 3);
        vitals.opened(at(90_000));
        assert_eq!(vitals.opened_each(at(90_000), SECONDS).iter().sum::<u32>(), 1);
        assert_eq!(vitals.opened_each(at(99_000), SECONDS), vec![0; SECONDS]);
    }

    #[test]
    fn no_time_breaks_it() {
        let mut vitals = Vitals::default();
        for nanos in [0, u64::MAX, 1, u64::MAX - 1] {
            vitals.opened(Timestamp::from_nanos(nanos));
            vitals.opened_each(Timestamp::from_nanos(nanos), 1_000);
        }
    }
}
