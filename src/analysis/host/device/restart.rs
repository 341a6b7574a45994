//! What is known of a restart: for how long the device has run, and what its own announcement takes away.

use super::Device;
use crate::analysis::time::Timestamp;

impl Device {
    /// What it held may be forgotten, and from here on nothing is known of before.
    pub(super) fn may_have_restarted(&mut self) {
        self.ledger.mark_possible_restart();
        self.uptime.may_end();
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
