//! A capture file, pcap or pcapng: read whole, read in small pieces, recorded and read again.

use std::io::{self, Read};

use esp_tcpwatch::analysis::{
    event::CaptureQuality,
    input::{Frame, Gap, Input},
};
use esp_tcpwatch::sink::record::{Recorder, RecorderInfo};
use esp_tcpwatch::source::{Source, file::CaptureFile};

use super::memory;

/// A window, and the largest block that is believed; twice, as a buffer that grows is there twice.
const MOST: i64 = 2 * (16 << 20) + (1 << 20);

pub fn run(data: &[u8]) {
    let mut whole = Came::default();
    memory::within(MOST + 40 * data.len() as i64, || whole = read(Pieces::of(data, usize::MAX)));
    // Sizes that no header and no block has.
    let drops = read(Pieces::of(data, 1 + data.len() % 7));
    assert_eq!(whole, drops, "it does not matter in which pieces a capture comes");
    recorded(&whole);
}

/// What came out of a capture.
#[derive(Debug, Default, PartialEq)]
struct Came {
    frames: Vec<(u64, u64, u32, u32, Vec<u8>)>,
    /// Before which frame, how many, and why.
    gaps: Vec<(usize, Gap)>,
    error: Option<String>,
}

fn read(pieces: Pieces) -> Came {
    let mut out = Came::default();
    let mut capture = match CaptureFile::from_reader(Box::new(pieces), "fuzz") {
        Ok(capture) => capture,
        Err(error) => return Came { error: Some(error.to_string()), ..out },
    };
    loop {
        match capture.next_input() {
            Ok(Some(Input::Frame(frame))) => {
                assert!(frame.data.len() <= frame.wire_len as usize || frame.wire_len == 0);
                let before = out.frames.last().map_or(0, |last| last.0);
                assert!(frame.number > before, "frame {} after {before}", frame.number);
                let Frame { number, time, link, wire_len, data } = frame;
                out.frames.push((number, time.nanos(), link.0, wire_len, data.to_vec()));
            }
            Ok(Some(Input::Gap(gap))) => {
                assert!(gap.lost > 0);
                out.gaps.push((out.frames.len(), gap));
            }
            Ok(Some(Input::End)) => break,
            Ok(Some(Input::Tick(_) | Input::Marker(_) | Input::Progress(_) | Input::Account(_))) => {
                panic!("a file holds no such thing")
            }
            Ok(None) => panic!("the end was not told"),
            Err(error) => {
                out.error = Some(error.to_string());
                break;
            }
        }
    }
    assert!(matches!(capture.next_input(), Ok(None)), "nothing comes after the end");
    out
}

/// What was read can be recorded, and the recording gives the same frames.
fn recorded(read_before: &Came) {
    let mut recorder = Recorder::new(Vec::new(), RecorderInfo::default());
    for (number, nanos, link, wire_len, data) in &read_before.frames {
        let frame = Frame {
            number: *number,
            time: esp_tcpwatch::analysis::time::Timestamp::from_nanos(*nanos),
            link: esp_tcpwatch::analysis::input::LinkType(*link),
            wire_len: *wire_len,
            data,
        };
        // What the format cannot hold is refused; nothing else is.
        if recorder.on_frame(&frame).is_err() {
            return;
        }
    }
    let Ok(octets) = recorder.finish(CaptureQuality::default()) else { return };
    let again = read(Pieces::of(&octets, usize::MAX));
    if read_before.frames.is_empty() {
        return;
    }
    assert_eq!(again.error, None, "what was recorded can be read");
    let plain = |read: &Came| -> Vec<_> {
        read.frames.iter().map(|(_, nanos, link, _, data)| (*nanos, *link, data.clone())).collect()
    };
    assert_eq!(plain(read_before), plain(&again), "a recording has the frames of what was recorded");
}

/// A reader that gives at most so many octets at a time.
struct Pieces {
    data: Vec<u8>,
    at: usize,
    size: usize,
}

impl Pieces {
    fn of(data: &[u8], size: usize) -> Pieces {
        Pieces { data: data.to_vec(), at: 0, size }
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let length = rest.len().min(into.len()).min(self.size);
        into[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}
