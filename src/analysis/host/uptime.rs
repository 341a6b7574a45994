//! For how long a device is known to have run without a restart.
//!
//! It goes on with a connection, or refuses one for the sake of an older one: then it remembers since that began. In
//! between, a device that was never silent for as long as a start takes has not started anew. Where neither holds,
//! nothing is known: a restart is not assumed, and not ruled out.

use core::time::Duration;

use crate::analysis::time::Timestamp;

/// No ESP32 boots and joins its network sooner.
const START: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uptime {
    now: Option<Run>,
    /// The one before, in case that something older is remembered after all.
    before: Option<Run>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    since: Timestamp,
    until: Timestamp,
}

impl Uptime {
    /// The device sent something at `time` that shows that it remembers since `remembers`; `time` itself where it
    /// shows nothing.
    pub fn sent(&mut self, time: Timestamp, remembers: Timestamp) {
        let Some(run) = &mut self.now else {
            self.now = Some(Run { since: remembers, until: time });
            return;
        };
        if time.since(run.until) > START && remembers > run.until {
            self.before = self.now.replace(Run { since: remembers, until: time });
            return;
        }
        run.until = run.until.max(time);
        run.since = run.since.min(remembers);
        if let Some(before) = self.before
            && run.since <= before.until.saturating_add(START)
        {
            run.since = run.since.min(before.since);
            self.before = None;
        }
    }

    /// It announced itself as after a start.
    pub fn may_end(&mut self) {
        *self = Uptime::default();
    }

    /// The earliest time from which on it is known to run.
    pub fn since(&self) -> Option<Timestamp> {
        self.now.map(|run| run.since)
    }

    pub fn covers(&self, from: Timestamp, to: Timestamp) -> bool {
        self.now.is_some_and(|run| run.since <= from && to <= run.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_micros(ms * 1_000)
    }

    #[test]
    fn a_silence_as_long_as_a_start_ends_what_is_known_unless_something_is_remembered() {
        let mut uptime = Uptime::default();
        assert!(!uptime.covers(at(0), at(0)));
        for ms in [1_000, 1_400, 1_900] {
            uptime.sent(at(ms), at(ms));
        }
        assert!(uptime.covers(at(1_000), at(1_900)));
        assert!(!uptime.covers(at(999), at(1_900)) && !uptime.covers(at(1_000), at(1_901)));
        uptime.sent(at(2_401), at(2_401));
        assert!(!uptime.covers(at(1_000), at(2_401)), "501 ms of silence");
        assert!(uptime.covers(at(2_401), at(2_401)));
        uptime.sent(at(2_500), at(1_500));
        assert!(uptime.covers(at(1_000), at(2_500)), "it remembers something of before the silence");
    }

    #[test]
    fn an_old_connection_that_goes_on_covers_any_silence() {
        let mut uptime = Uptime::default();
        uptime.sent(at(1_000), at(1_000));
        uptime.sent(at(90_000), at(900));
        assert!(uptime.covers(at(900), at(90_000)));
        uptime.may_end();
        assert!(!uptime.covers(at(1_000), at(1_001)));
    }
}
