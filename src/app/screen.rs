//! The way of events from the engine to the terminal.
//!
//! Knows how much may wait for a terminal that does not read (a suspended ssh, Ctrl-S) and what is given up first.
//! Refuses to block the engine: a screen that stands still must not cost frames.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use crate::analysis::event::Event;

/// Events on their way to a screen that reads.
const IN_FLIGHT: usize = 2_048;
/// Events kept for a screen that does not: past it the oldest segments go, then the oldest findings; the screen shows
/// the newest anyway.
const WAITING: usize = 16_384;
/// So many go at once, if there are so many: all that wait are looked at for it.
const AT_ONCE: usize = WAITING / 4;
/// While some wait, the screen is asked again after so many more.
const ASK_AGAIN: usize = 64;

/// The engine's end.
#[derive(Debug)]
pub struct ScreenFeed {
    /// `None`: the screen was closed.
    to_screen: Option<SyncSender<Event>>,
    waiting: VecDeque<Event>,
    /// How many of them are segments.
    segments: usize,
}

pub fn channel() -> (ScreenFeed, Receiver<Event>) {
    let (to_screen, events) = sync_channel(IN_FLIGHT);
    (ScreenFeed { to_screen: Some(to_screen), waiting: VecDeque::new(), segments: 0 }, events)
}

impl ScreenFeed {
    pub fn show(&mut self, event: Event) {
        if self.is_full() && !self.make_room(&event) {
            return;
        }
        self.segments += usize::from(is_segment(&event));
        self.waiting.push_back(event);
        if self.waiting.len() == 1 || self.waiting.len().is_multiple_of(ASK_AGAIN) {
            self.forward();
        }
    }

    /// Hands on what the screen takes now, in order. Returns whether nothing is left waiting.
    pub fn forward(&mut self) -> bool {
        while let Some(event) = self.waiting.pop_front() {
            let Some(to_screen) = &self.to_screen else {
                self.waiting.clear();
                self.segments = 0;
                break;
            };
            let was_segment = is_segment(&event);
            match to_screen.try_send(event) {
                Ok(()) => self.segments -= usize::from(was_segment),
                Err(TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    return false;
                }
                Err(TrySendError::Disconnected(_)) => self.to_screen = None,
            }
        }
        true
    }

    /// Whether the next event would cost an older one. A source that can wait (a file) should then.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING
    }

    /// Segments are the most and the most fleeting, then flow changes and findings; alerts, devices, losses and the
    /// summary are the story.
    ///
    /// Returns whether there is room for `newest` now: a segment takes it from nothing but a segment.
    fn make_room(&mut self, newest: &Event) -> bool {
        if self.segments > 0 {
            self.segments -= self.give_up(is_segment);
        } else if is_segment(newest) {
            return false;
        } else if self.give_up(is_fleeting) == 0 {
            self.waiting.pop_front();
        }
        true
    }

    /// Drops the oldest that are `of_a_kind`; how many.
    fn give_up(&mut self, of_a_kind: fn(&Event) -> bool) -> usize {
        let mut dropped = 0;
        self.waiting.retain(|event| {
            let goes = dropped < AT_ONCE && of_a_kind(event);
            dropped += usize::from(goes);
            !goes
        });
        dropped
    }
}

fn is_segment(event: &Event) -> bool {
    matches!(event, Event::Segment(_))
}

/// An experiment's progress is told whole each time.
fn is_fleeting(event: &Event) -> bool {
    matches!(event, Event::Flow(_) | Event::Finding(_) | Event::Progress(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::event::{FlowChange, FlowEvent, SegmentEvent, Start, Summary};
    use crate::analysis::time::When;

    fn flow() -> Event {
        let socket = "10.0.0.1:80".parse().unwrap();
        Event::Flow(FlowEvent {
            when: When::default(),
            change: FlowChange::Opened,
            client: socket,
            server: socket,
            device: None,
            incarnation: 1,
            frame: 1,
            client_state: String::new(),
            server_state: String::new(),
            client_bytes: 0,
            server_bytes: 0,
        })
    }

    fn segment() -> Event {
        let socket = "10.0.0.1:80".parse().unwrap();
        Event::Segment(SegmentEvent::some(When::default(), 1, socket, socket))
    }

    #[test]
    fn a_stopped_screen_costs_flow_events_and_keeps_the_story() {
        let (mut feed, events) = channel();
        feed.show(Event::Start(Start::default()));
        for _ in 0..IN_FLIGHT + WAITING + 500 {
            feed.show(flow());
        }
        feed.show(Event::Summary(Summary::default()));
        let mut seen = Vec::new();
        loop {
            let done = feed.forward();
            seen.extend(events.try_iter());
            if done {
                break;
            }
        }
        assert_eq!(seen.len(), IN_FLIGHT + WAITING + 502 - AT_ONCE);
        assert!(matches!(seen.first(), Some(Event::Start(_))));
        assert!(matches!(seen.last(), Some(Event::Summary(_))));
    }

    #[test]
    fn segments_give_way_before_anything_else_and_push_nothing_out() {
        let (mut feed, events) = channel();
        for _ in 0..IN_FLIGHT + WAITING / 2 {
            feed.show(flow());
        }
        for _ in 0..WAITING {
            feed.show(segment());
        }
        for _ in 0..WAITING / 2 {
            feed.show(flow());
        }
        // Nothing is left but flow changes; one more segment takes no room from them.
        feed.show(segment());
        let (mut flows, mut segments) = (0, 0);
        loop {
            let done = feed.forward();
            for event in events.try_iter() {
                match event {
                    Event::Flow(_) => flows += 1,
                    Event::Segment(_) => segments += 1,
                    other => panic!("{other:?}"),
                }
            }
            if done {
                break;
            }
        }
        assert_eq!((flows, segments), (IN_FLIGHT + WAITING, 0));
    }

    #[test]
    fn a_closed_screen_keeps_nothing() {
        let (mut feed, events) = channel();
        drop(events);
        feed.show(flow());
        assert!(feed.forward());
        assert!(feed.waiting.is_empty());
    }
}
