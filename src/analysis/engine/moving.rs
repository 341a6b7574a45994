//! What the engine tells where a device has another address, and what ends with the old one.
//!
//! Knows the words. What proves a move is the host room's to say.

use core::time::Duration;

use super::Engine;
use crate::analysis::{
    event::{Event, MarkerEvent},
    host::{Change, Moved, Why},
    time::Timestamp,
    wire::Sign,
};

impl Engine {
    /// Looks in `sign` for an address that a device took.
    pub(super) fn follow(&mut self, sign: &Sign) {
        if let Some(change) = self.hosts.follow(sign) {
            self.tell_change(change, sign.time);
        }
    }

    /// Tells what time has shown.
    pub(super) fn tell_moves(&mut self, now: Timestamp) {
        while let Some(change) = self.hosts.next_change(now) {
            self.tell_change(change, now);
        }
    }

    fn tell_change(&mut self, change: Change, now: Timestamp) {
        let now = now.max(self.counts.now);
        match change {
            Change::Moved(moved) => self.moved(&moved, now),
            Change::Both { returned, beside, frame } => {
                let text = format!(
                    "{returned} is in use beside {beside} after all: its host has both addresses (frame {frame})."
                );
                let marker = MarkerEvent::note(now, text);
                self.events.push_back(Event::Marker(MarkerEvent { frame: Some(frame), ..marker }));
            }
        }
    }

    fn moved(&mut self, moved: &Moved, now: Timestamp) {
        // Each alert is of one address: what goes on under the new one is raised anew.
        for alert in self.alerts.end_of(Some(moved.from), now, &self.hosts) {
            self.events.push_back(Event::Alert(alert));
        }
        let marker = MarkerEvent::note(now, words(moved));
        self.events.push_back(Event::Marker(MarkerEvent {
            device: Some(moved.to),
            formerly: Some(moved.from),
            frame: Some(moved.sign.frame),
            ..marker
        }));
        // Who showed itself by it before it was a device is known as one that lives.
        if moved.sign.time < now
            && let Some(index) = self.hosts.of_address(moved.to)
            && self.hosts.device(index).liveness.last_heard().is_none()
        {
            self.hosts.observe_sign(index, &moved.sign);
            self.detectors.on_sign(&moved.sign, self.hosts.device(index), &mut self.found);
            self.tell_findings();
        }
    }
}

fn whole(span: &Duration) -> String {
    format!("{} s", span.as_secs())
}

fn words(moved: &Moved) -> String {
    let Moved { from, to, sign, why } = moved;
    let shows = match why {
        Why::Dhcp => "it took its address by DHCP".to_owned(),
        Why::Unanswered(span) => format!("{from} has left what is sent to it unanswered for {}", whole(span)),
        Why::Unused(span) => format!("nothing has come from {from} for {}", whole(span)),
    };
    format!(
        "{from} has another address, {to}: ARP from its MAC address shows that (frame {}), and {shows}. It is followed \
         there with what is known of its stack; its connections and alerts stay with {from}.",
        sign.frame
    )
}
