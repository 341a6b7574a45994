//! The clock that stamps the frames was set: time goes on from elsewhere, and every timer would be wrong.
//!
//! Knows what of the engine's memory has a time in it. Refuses to guess which of it could be saved: a clock is seldom set, and one
//! wrong finding costs more than some connections that are met anew in the middle.

use super::Engine;
use crate::analysis::{event::Event, rule::scope, time::Timestamp};

impl Engine {
    /// Goes on from `now`, which may lie before what was. Connections are met anew as at the beginning of a capture; counts, and
    /// what is known of how devices behave, stay.
    pub(super) fn forget_times(&mut self, now: Timestamp) {
        self.tell_last_markers();
        for alert in self.alerts.end_of(None, self.counts.now, &self.hosts) {
            self.events.push_back(Event::Alert(alert));
        }
        self.accounts.clear();
        self.table.forget_all();
        self.hosts.forget_times();
        self.detectors = scope::detectors(self.alerts.rules(), self.tuples);
        self.last_gap = None;
        self.next_detector_round = Timestamp::ZERO;
        self.next_device_round = Timestamp::ZERO;
        self.counts.now = now;
    }
}
