//! What is known of a restart: for how long the device has run, and what its own announcement takes away.

use super::Device;
use crate::analysis::{
    host::{blocks::Blocks, isn_clock::IsnClock, ledger::Ledger, liveness::Liveness, uptime::Uptime},
    time::Timestamp,
};

impl Device {
    /// What it held may be forgotten, and from here on nothing is known of before.
    pub(super) fn may_have_restarted(&mut self) {
        self.ledger.mark_possible_restart();
        self.uptime.may_end();
    }

    /// The clock was set: whatever is remembered with its time means nothing any more. How it behaves, and what was counted and
    /// measured, stays. `tuples`: how many it is remembered to hold from here on.
    pub fn forget_times(&mut self, tuples: usize) {
        self.ledger = Ledger::of(tuples);
        self.attempts.forget();
        self.blocks = Blocks::default();
        self.uptime = Uptime::default();
        self.isn_clock = IsnClock::default();
        self.liveness = Liveness::default();
        self.whereabouts.forget_times();
        self.last_gap = None;
    }

    /// It is known to have run without a restart from `since` until `now`.
    pub fn ran_on(&self, since: Timestamp, now: Timestamp) -> bool {
        self.uptime.covers(since, now)
    }

    /// Since when it is known to have run; nothing is known of before.
    pub fn runs_since(&self) -> Option<Timestamp> {
        self.uptime.since()
    }
}
