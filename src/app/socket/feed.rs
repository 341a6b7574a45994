//! The way of events from the engine to whoever serves those who attached.
//!
//! Refuses to wait: where there is no room an event is given up and counted, segments long before the rest.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::analysis::event::Event;

/// Events on their way.
const IN_FLIGHT: usize = 8_192;
/// Room that is kept from segments, and from flow changes and findings.
const NOT_FOR_SEGMENTS: usize = IN_FLIGHT / 2;
const FOR_THE_STORY: usize = IN_FLIGHT / 8;

/// The engine's end.
pub struct Feed {
    on_their_way: Sender<Event>,
    shared: Arc<Shared>,
}

/// What both ends know.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Somebody is attached.
    pub watched: AtomicBool,
    /// Events given up here since the other end asked last.
    pub lost: AtomicU64,
}

pub(super) fn feed() -> (Feed, Receiver<Event>, Arc<Shared>) {
    let (on_their_way, events) = channel(IN_FLIGHT);
    let shared = Arc::new(Shared::default());
    (Feed { on_their_way, shared: shared.clone() }, events, shared)
}

impl Feed {
    /// Whether somebody is attached, so that segments are worth telling.
    pub fn is_watched(&self) -> bool {
        self.shared.watched.load(Ordering::Relaxed)
    }

    pub fn show(&self, event: &Event) {
        let kept = match event {
            Event::Segment(_) if !self.is_watched() => return,
            Event::Segment(_) => NOT_FOR_SEGMENTS,
            Event::Flow(_) | Event::Finding(_) | Event::Progress(_) => FOR_THE_STORY,
            Event::Start(_) | Event::Alert(_) | Event::Device(_) | Event::Capture(_) | Event::Marker(_) => 0,
            Event::Summary(_) => 0,
        };
        if self.on_their_way.capacity() <= kept || self.on_their_way.try_send(event.clone()).is_err() {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{
        event::{SegmentEvent, Start, Summary},
        time::When,
    };

    #[test]
    fn where_nobody_takes_anything_the_engine_goes_on_and_the_last_word_has_room() {
        let (feed, mut events, shared) = feed();
        let socket = "10.0.0.1:80".parse().unwrap();
        let segment = Event::Segment(SegmentEvent::some(When::default(), 1, socket, socket));
        feed.show(&Event::Start(Start::default()));
        feed.show(&segment);
        assert_eq!(events.len(), 1, "segments are for those who watch");
        shared.watched.store(true, Ordering::Relaxed);
        for _ in 0..2 * IN_FLIGHT {
            feed.show(&segment);
        }
        feed.show(&Event::Summary(Summary::default()));
        let mut told = Vec::new();
        while let Ok(event) = events.try_recv() {
            told.push(event);
        }
        assert_eq!(told.len(), NOT_FOR_SEGMENTS + 1);
        assert_eq!(shared.lost.load(Ordering::Relaxed), (2 * IN_FLIGHT + 2 - told.len()) as u64);
        assert!(matches!(told.last(), Some(Event::Summary(_))));
    }
}
