//! Where events go when they leave the program.
//!
//! A sink knows the events and a writer. It refuses to know where the events came from and who else reads them.

use std::io;

use crate::analysis::event::Event;

pub mod json;
pub mod lines;
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod record;

/// Which events somebody asked for beside those that everybody has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub flows: bool,
    pub segments: bool,
}

impl Wanted {
    pub fn takes(self, event: &Event) -> bool {
        match event {
            Event::Flow(_) => self.flows,
            Event::Segment(_) => self.segments,
            Event::Start(_) | Event::Finding(_) | Event::Alert(_) | Event::Device(_) => true,
            Event::Capture(_) | Event::Marker(_) | Event::Progress(_) | Event::Summary(_) => true,
        }
    }
}

/// One reader of the event stream.
pub trait Sink {
    /// Takes the next event. An error is the writer's own: a closed pipe is for the caller to judge.
    fn on_event(&mut self, event: &Event) -> io::Result<()>;

    /// Called after each batch of events, so that a reader behind a pipe waits for nothing that is already known.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
