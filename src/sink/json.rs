//! JSON Lines: the event stream as it is, one object a line.
//!
//! Knows how an event is laid out on a line and when it must be on its way. Refuses to choose:
//! what is in the stream was decided before, field names are the events' own.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Serializer, ser::Formatter};

use super::Sink;
use crate::{analysis::event::Event, text::first_that_acts_or_hides};

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
        if let Err(error) = write(event, &mut self.lines) {
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

/// Appends `event`. To look at a whole line for what acts or hides is faster than at each string, and hardly any has it.
fn write(event: &Event, lines: &mut Vec<u8>) -> serde_json::Result<()> {
    let start = lines.len();
    event.serialize(&mut Serializer::new(&mut *lines))?;
    let is_plain = |line: &[u8]| line.iter().fold(true, |plain, octet| plain & matches!(octet, b' '..=b'~'));
    if lines.get(start..).is_some_and(is_plain) {
        return Ok(());
    }
    lines.truncate(start);
    event.serialize(&mut Serializer::with_formatter(lines, Visible))
}

/// JSON's shortest form, but what acts on a terminal or hides from the reader is written as `\u202e`:
/// the same string to a program, and none to be fooled by where a person looks at the stream.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = first_that_acts_or_hides(rest) {
            let (clean, hidden) = rest.split_at(at);
            out.write_all(clean.as_bytes())?;
            let mut characters = hidden.chars();
            if let Some(c) = characters.next() {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
            rest = characters.as_str();
        }
        out.write_all(rest.as_bytes())
    }
}
