//! A capture that is read octet by octet: pcap or pcapng, from a file or any other reader.
//!
//! Knows how far it is and what the next frame's number is; the formats are their decoders' affair.
//! Nothing is allocated a packet: a frame borrows the window it was read into.

use core::ops::Range;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::{
    Source, SourceError,
    pcap::{self, Pcap},
    pcapng::{self, Pcapng},
    record::{Head, Step},
    window::Window,
};
use crate::analysis::host::espressif::is_espressif;
use crate::analysis::input::{Frame, FrameNo, Gap, GapCause, Input, LinkType};
use crate::analysis::time::Timestamp;

pub struct CaptureFile {
    name: String,
    window: Window,
    format: Format,
    number: FrameNo,
    last: Timestamp,
    /// A frame whose gap was told first.
    waiting: Option<Held>,
    state: State,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Finished,
}

/// A frame in the window: the octets at `data` of a record of `size`.
struct Held {
    head: Head,
    data: Range<usize>,
    size: usize,
}

/// What could be had without reading.
pub(super) enum Found<'a> {
    Input(Input<'a>),
    /// One more read is needed, for a record of so many octets.
    Read(usize),
    Nothing,
}

/// The same, before anything is borrowed.
enum Next {
    Frame(Held),
    Gap(Gap),
    End,
    Read(usize),
    Nothing,
}

impl CaptureFile {
    /// Opens a capture file and reads its first octets: what is no capture is refused here.
    pub fn open(path: &Path) -> Result<CaptureFile, SourceError> {
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => CaptureFile::from_reader(Box::new(file), &name),
            Err(error) => Err(SourceError::Open { name, error: Arc::new(error) }),
        }
    }

    /// Waits for the first octets of `reader`; `name` is what errors call it.
    pub fn from_reader(reader: Box<dyn Read + Send>, name: &str) -> Result<CaptureFile, SourceError> {
        let name = name.to_owned();
        let mut window = Window::new(reader);
        let format = loop {
            let data = window.data();
            let size = data.len();
            let not_a_capture =
                |what: &str| SourceError::NotACapture { name: name.clone(), what: what.to_owned() };
            let is_none = !pcap::is_magic(data) && !pcapng::is_magic(data);
            // Four octets tell what it is instead, also where a pipe gives one at a time.
            if is_none && (size >= 4 || window.at_end()) {
                return Err(not_a_capture(instead(data)));
            }
            if size >= 4 && pcapng::is_magic(data) {
                break Format::Pcapng(Pcapng::new());
            }
            if size >= pcap::FILE_HEADER {
                let pcap = Pcap::new(data).map_err(|what| not_a_capture(&what))?;
                window.consume(pcap::FILE_HEADER);
                break Format::Pcap(pcap);
            }
            if window.at_end() {
                return Err(match size {
                    0 => SourceError::Empty { name },
                    _ => damaged(&name, 0, format!("it ends after {size} octets of its file header")),
                });
            }
            if let Err(error) = window.read(0) {
                return Err(SourceError::Read { name, offset: window.offset(), error: Arc::new(error) });
            }
        };
        Ok(CaptureFile {
            name,
            window,
            format,
            number: 0,
            last: Timestamp::ZERO,
            waiting: None,
            state: State::Reading,
        })
    }

    /// The next input, if the octets for it are already there.
    pub(super) fn find(&mut self) -> Result<Found<'_>, SourceError> {
        Ok(match self.advance()? {
            Next::Frame(held) => Found::Input(Input::Frame(self.lend(held))),
            Next::Gap(gap) => Found::Input(Input::Gap(gap)),
            Next::End => Found::Input(Input::End),
            Next::Read(need) => Found::Read(need),
            Next::Nothing => Found::Nothing,
        })
    }

    /// One read, which may wait for a writer.
    pub(super) fn read(&mut self, need: usize) -> Result<(), SourceError> {
        self.window.read(need).map_err(|error| {
            self.state = State::Finished;
            SourceError::Read {
                name: self.name.clone(),
                offset: self.window.offset(),
                error: Arc::new(error),
            }
        })
    }

    #[inline]
    fn lend(&mut self, held: Held) -> Frame<'_> {
        let Held { head, data, size } = held;
        self.number += 1;
        self.last = head.time;
        Frame {
            number: self.number,
            time: head.time,
            link: head.link,
            wire_len: head.wire_len,
            data: self.window.take(size, data),
        }
    }

    fn advance(&mut self) -> Result<Next, SourceError> {
        if self.state == State::Finished {
            return Ok(Next::Nothing);
        }
        if let Some(held) = self.waiting.take() {
            return Ok(Next::Frame(held));
        }
        loop {
            let step = match &mut self.format {
                Format::Pcap(pcap) => pcap.step(self.window.data()),
                Format::Pcapng(pcapng) => pcapng.step(self.window.data()),
            };
            match step {
                Step::Frame { head, data, size, lost } => {
                    let held = Held { head, data, size };
                    if lost == 0 {
                        return Ok(Next::Frame(held));
                    }
                    let at = held.head.time;
                    self.waiting = Some(held);
                    return Ok(Next::Gap(Gap { at, lost, cause: GapCause::Kernel }));
                }
                Step::Numbered(size) => {
                    self.number += 1;
                    self.window.consume(size);
                }
                Step::Other(size) => self.window.consume(size),
                Step::Lost { size, kernel, interface } => {
                    self.window.consume(size);
                    let cause = if kernel > 0 { GapCause::Kernel } else { GapCause::Interface };
                    return Ok(Next::Gap(Gap { at: self.last, lost: kernel + interface, cause }));
                }
                Step::Need(need) if !self.window.at_end() => return Ok(Next::Read(need)),
                Step::Need(need) => {
                    self.state = State::Finished;
                    return match self.window.data().len() {
                        0 => Ok(Next::End),
                        rest => Err(self.damaged(format!(
                            "it ends after {rest} octets of a record that has {need} or more (cut short?)"
                        ))),
                    };
                }
                Step::Damaged(what) => {
                    self.state = State::Finished;
                    return Err(self.damaged(what));
                }
            }
        }
    }

    fn damaged(&self, what: String) -> SourceError {
        damaged(&self.name, self.window.offset(), what)
    }
}

impl Source for CaptureFile {
    fn next_input(&mut self) -> Result<Option<Input<'_>>, SourceError> {
        loop {
            match self.advance()? {
                Next::Frame(held) => return Ok(Some(Input::Frame(self.lend(held)))),
                Next::Gap(gap) => return Ok(Some(Input::Gap(gap))),
                Next::End => return Ok(Some(Input::End)),
                Next::Read(need) => self.read(need)?,
                Next::Nothing => return Ok(None),
            }
        }
    }

    /// Where only a record's header need be read to know.
    #[inline]
    fn ready_frame(&mut self) -> Option<Frame<'_>> {
        let Format::Pcap(pcap) = &self.format else { return None };
        let (head, data) = pcap.whole(self.window.data())?;
        Some(self.lend(Held { head, size: data.end, data }))
    }
}

/// Whether any frame of the capture bears one of Espressif's link-layer addresses.
///
/// Damage further on is not this question's affair: the answer is what could be read.
pub fn has_espressif(path: &Path) -> Result<bool, SourceError> {
    CaptureFile::open(path).map(shows_espressif)
}

/// The same of a capture that is open already; reads it to its end, or to the first such frame.
pub fn shows_espressif(mut capture: CaptureFile) -> bool {
    loop {
        while let Some(frame) = capture.ready_frame() {
            if bears_espressif(&frame) {
                return true;
            }
        }
        match capture.next_input() {
            Ok(Some(Input::Frame(frame))) if bears_espressif(&frame) => return true,
            Ok(Some(
                Input::Frame(_)
                | Input::Tick(_)
                | Input::Gap(_)
                | Input::Marker(_)
                | Input::Account(_)
                | Input::Progress(_),
            )) => {}
            Ok(Some(Input::End) | None) | Err(_) => return false,
        }
    }
}

fn bears_espressif(frame: &Frame<'_>) -> bool {
    let places: &[usize] = match frame.link {
        LinkType::ETHERNET => &[0, 6],
        LinkType::LINUX_SLL => &[6],
        LinkType::LINUX_SLL2 => &[12],
        _ => &[],
    };
    let address = |at: &usize| frame.data.get(*at..at + 6)?.try_into().ok();
    places.iter().filter_map(address).any(is_espressif)
}

fn damaged(name: &str, offset: u64, what: String) -> SourceError {
    SourceError::Damaged { name: name.to_owned(), offset, what }
}

/// What it may be instead of a capture.
fn instead(data: &[u8]) -> &'static str {
    match data {
        [0x1f, 0x8b, ..] => "it is compressed by gzip; gunzip it first",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "it is compressed by zstd; unzstd it first",
        [0x42, 0x5a, 0x68, ..] => "it is compressed by bzip2; bunzip2 it first",
        [0xfd, 0x37, 0x7a, ..] => "it is compressed by xz; unxz it first",
        [b'{', ..] => "it looks like JSON",
        _ => "its first octets are those of no capture format",
    }
}
