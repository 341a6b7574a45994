//! The octets that were read and not yet used: one buffer that slides over a reader.
//!
//! Knows offsets and short reads; knows nothing of formats. pcap-parser's own buffered readers are not used: they
//! take one short read of a pipe for a broken header, forget what error a read met, and take a length that lies
//! inside a complete block for a reason to read on.

use core::ops::Range;
use std::io::{self, ErrorKind, Read};

/// Stays in the second cache, and twice as much is no faster. Mapping the file would save a third of what long frames cost to read,
/// but takes unsafe code, counts as resident memory and can end in SIGBUS.
const CAPACITY: usize = 256 * 1024;

pub(super) struct Window {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Where in the file the buffer begins.
    origin: u64,
    at_end: bool,
}

impl Window {
    pub fn new(reader: Box<dyn Read + Send>) -> Window {
        Window { reader, buffer: vec![0; CAPACITY], start: 0, end: 0, origin: 0, at_end: false }
    }

    #[inline]
    pub fn data(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Where in the file they begin.
    pub fn offset(&self) -> u64 {
        self.origin + self.start as u64
    }

    /// Whether the reader has no more.
    pub fn at_end(&self) -> bool {
        self.at_end
    }

    #[inline]
    pub fn consume(&mut self, size: usize) {
        self.start += size.min(self.end - self.start);
    }

    /// The same, and lends those octets of them that are at `part`. They stay until the next read.
    #[inline]
    pub fn take(&mut self, size: usize, part: Range<usize>) -> &[u8] {
        let from = self.start;
        self.consume(size);
        self.buffer.get(from + part.start..from + part.end).unwrap_or_default()
    }

    /// One read, whatever it brings, into a window that has room for `need` octets in all.
    ///
    /// Only one: a packet that has arrived must not wait for a buffer to fill.
    pub fn read(&mut self, need: usize) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.origin += self.start as u64;
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < need {
            self.buffer.resize(need, 0);
        }
        let Some(room) = self.buffer.get_mut(self.end..) else { return Ok(()) };
        loop {
            match self.reader.read(room) {
                // A reader that claims more than it was given would be a programming error; it shall not be ours.
                Ok(size) => {
                    self.at_end = size == 0 && !room.is_empty();
                    self.end += size.min(room.len());
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
