//! Markers: when each is told, and what it changes.
//!
//! Knows that a marker can be here before the frames of its time. Refuses to know who put it into the stream, and why.

use super::Engine;
use crate::analysis::{
    event::{Event, MarkerEvent},
    input::Marker,
    time::Timestamp,
};

/// Markers that wait for their frames; past that the oldest is told early.
const MAX_MARKERS: usize = 64;

impl Engine {
    /// A marker of later than the last frame waits: frames from before it may still be on their way here.
    pub(super) fn take_marker(&mut self, marker: Marker) {
        if marker.at <= self.counts.now {
            return self.marker(marker);
        }
        let place = self.markers.partition_point(|waiting| waiting.at <= marker.at);
        self.markers.insert(place, marker);
        if self.markers.len() > MAX_MARKERS
            && let Some(oldest) = self.markers.pop_front()
        {
            self.marker(oldest);
        }
    }

    /// Tells the markers up to `now`, each after what the clock had to say before it.
    #[inline]
    pub(super) fn tell_markers(&mut self, now: Timestamp) {
        if !self.markers.is_empty() {
            self.tell_markers_until(now);
        }
    }

    // Most frames have no marker before them.
    #[inline(never)]
    fn tell_markers_until(&mut self, now: Timestamp) {
        while self.markers.front().is_some_and(|marker| marker.at <= now)
            && let Some(marker) = self.markers.pop_front()
        {
            self.ask_the_time(marker.at);
            self.marker(marker);
        }
    }

    /// The stream ends: those whose time never came are told now.
    pub(super) fn tell_last_markers(&mut self) {
        while let Some(marker) = self.markers.pop_front() {
            self.marker(marker);
        }
    }

    fn marker(&mut self, marker: Marker) {
        self.counts.now = self.counts.now.max(marker.at);
        let Marker { text, mode_changed, device, mode, at: _ } = marker;
        if mode_changed {
            // Each alert is of one mode: what goes on in the new one is raised anew.
            for alert in self.alerts.end_of(device, self.counts.now, &self.hosts) {
                self.events.push_back(Event::Alert(alert));
            }
        }
        for known in self.hosts.iter_mut().filter(|known| device.is_none_or(|meant| meant == known.address)) {
            if mode_changed {
                known.note_mode_change();
            }
            if mode.is_some() {
                known.mode.clone_from(&mode);
            }
        }
        let note = MarkerEvent::note(self.counts.now, text);
        self.events.push_back(Event::Marker(MarkerEvent { mode_changed, device, mode, ..note }));
    }
}
