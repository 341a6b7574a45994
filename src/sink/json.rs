//! JSON Lines: the event stream as it is, one object a line.
//!
//! Knows how an event is laid out on a line and when it must be on its way. Refuses to choose:
//! what is in the stream was decided before, field names are the events' own.

use std::io::{self, Write};

use serde::Serialize;

use self::line::Line;
use super::Sink;
use crate::analysis::event::Event;

mod epoch;
mod line;

/// The buffer is handed on when it holds this much, flushed or not.
const FULL: usize = 64 * 1024;

/// Writes every event as one line of JSON.
///
/// Only whole lines reach the writer, in one `write_all`, so a reader never meets half an object
/// even where the run is killed. A closed pipe comes back as [`io::ErrorKind::BrokenPipe`].
#[derive(Debug)]
pub struct JsonLines<W: Write> {
    out: W,
    lines: Vec<u8>,
}

impl<W: Write> JsonLines<W> {
    pub fn new(out: W) -> Self {
        JsonLines { out, lines: Vec::new() }
    }

    /// The writer, after everything held back has been given to it.
    pub fn into_inner(mut self) -> io::Result<W> {
        self.flush()?;
        Ok(self.out)
    }

    fn hand_on(&mut self) -> io::Result<()> {
        // Emptied before the outcome is known: after an error nothing is written twice.
        let lines = std::mem::take(&mut self.lines);
        self.out.write_all(&lines)?;
        self.lines = lines;
        self.lines.clear();
        Ok(())
    }
}

impl<W: Write> Sink for JsonLines<W> {
    fn on_event(&mut self, event: &Event) -> io::Result<()> {
        let start = self.lines.len();
        if let Err(error) = event.serialize(Line(&mut self.lines)) {
            self.lines.truncate(start);
            return Err(error.into());
        }
        self.lines.push(b'\n');
        if self.lines.len() >= FULL { self.hand_on() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.lines.is_empty() {
            self.hand_on()?;
        }
        self.out.flush()
    }
}
