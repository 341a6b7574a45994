//! The recorder: what was captured, written as pcapng that Wireshark and this program read.
//!
//! Knows frames, gaps and the format. Knows nothing of events, and decides nothing: every frame it is given is
//! written as it is, with its original length and to the nanosecond.

use std::borrow::Cow;
use std::io::{self, Write};

use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::interface_statistics::{InterfaceStatisticsBlock, InterfaceStatisticsOption};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{PcapNgBlock, PcapNgWriter};
use pcap_file::{DataLink, Endianness, PcapError};

use crate::analysis::event::CaptureQuality;
use crate::analysis::input::{Frame, Gap, LinkType};
use crate::analysis::time::Timestamp;

/// Nanoseconds: 10^-9 seconds.
const TSRESOL: u8 = 9;
/// Options have 16-bit lengths, which pcap-file cuts without a word.
const MAX_TEXT: usize = 4096;
/// What a writer's buffer must take, so that it hands on whole blocks and nothing but: a run that is killed then leaves a file
/// that ends with one. The longest frame, and what is held before it.
pub const BUFFER: usize = 512 * 1024;
/// So much is held back at the most, octets of frames and their options.
const HELD: usize = 32 * 1024;
/// More than a block has beside its frame and its comments.
const BLOCK: usize = 64;

/// What the recording says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecorderInfo {
    /// Program and version.
    pub application: String,
    pub interface: String,
    pub filter: Option<String>,
    /// Octets kept of a frame; 0: all.
    pub snaplen: u32,
    /// What is to be known of the recording as a whole.
    pub comment: Option<String>,
}

/// Writes frames as pcapng. `writer` gets many small writes: give it a buffer of [`BUFFER`] octets.
pub struct Recorder<W: Write> {
    to: To<W>,
    info: RecorderInfo,
    /// Interfaces by their link type, in the order of their blocks.
    links: Vec<LinkType>,
    /// Lost frames not yet told with a frame.
    lost: u64,
    first: Option<Timestamp>,
    last: Timestamp,
    /// Octets that the writer may hold back.
    held: usize,
}

enum To<W: Write> {
    /// The section header goes before the first block, so that making a recorder cannot fail.
    Fresh(W),
    Open(PcapNgWriter<W>),
    Failed,
}

impl<W: Write> Recorder<W> {
    pub fn new(writer: W, info: RecorderInfo) -> Recorder<W> {
        Recorder {
            to: To::Fresh(writer),
            info,
            links: Vec::new(),
            lost: 0,
            first: None,
            last: Timestamp::ZERO,
            held: 0,
        }
    }

    pub fn on_frame(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        self.on_commented(frame, &[])
    }

    /// The frame with comments, which Wireshark shows before it.
    pub fn on_commented(&mut self, frame: &Frame<'_>, comments: &[String]) -> io::Result<()> {
        let interface_id = self.interface(frame.link)?;
        let lost = core::mem::take(&mut self.lost);
        let mut options: Vec<_> =
            comments.iter().map(|comment| EnhancedPacketOption::Comment(short(comment))).collect();
        if lost > 0 {
            options.push(EnhancedPacketOption::DropCount(lost));
        }
        self.first.get_or_insert(frame.time);
        self.last = self.last.max(frame.time);
        let packet = EnhancedPacketBlock {
            interface_id,
            timestamp: core::time::Duration::from_nanos(frame.time.nanos()),
            original_len: frame.wire_len,
            data: Cow::Borrowed(frame.data),
            options,
        };
        self.write(packet)?;
        self.held += BLOCK + frame.data.len() + comments.iter().map(String::len).sum::<usize>();
        if self.held >= HELD { self.flush() } else { Ok(()) }
    }

    /// Frames were lost here: the next frame carries their number, so that a replay meets the gap where it was.
    pub fn on_gap(&mut self, gap: &Gap) {
        self.lost = self.lost.saturating_add(gap.lost);
    }

    /// Everything written so far reaches the file.
    pub fn flush(&mut self) -> io::Result<()> {
        self.held = 0;
        self.writer()?.get_mut().flush()
    }

    /// Writes the statistics and gives the writer back.
    pub fn finish(mut self, quality: CaptureQuality) -> io::Result<W> {
        // The losses are counted once, for all interfaces: they are link types of one capture.
        let mut quality = Some(quality);
        for id in 0..self.links.len() as u32 {
            self.statistics(id, quality.take())?;
        }
        self.flush()?;
        match self.to {
            To::Open(writer) => Ok(writer.into_inner()),
            To::Fresh(writer) => Ok(writer),
            To::Failed => Err(failed()),
        }
    }

    fn statistics(&mut self, interface_id: u32, quality: Option<CaptureQuality>) -> io::Result<()> {
        let mut options = vec![InterfaceStatisticsOption::IsbEndTime(high_first(self.last))];
        if let Some(first) = self.first {
            options.insert(0, InterfaceStatisticsOption::IsbStartTime(high_first(first)));
        }
        if let Some(quality) = quality {
            options.extend([
                InterfaceStatisticsOption::IsbIfRecv(quality.received.saturating_add(quality.dropped)),
                InterfaceStatisticsOption::IsbIfDrop(0),
                InterfaceStatisticsOption::IsbOsDrop(quality.dropped),
                InterfaceStatisticsOption::IsbUsrDeliv(quality.received),
            ]);
        }
        let timestamp = high_first(self.last);
        self.write(InterfaceStatisticsBlock { interface_id, timestamp, options })
    }

    /// The number of the interface with this link type, described now if it is new.
    fn interface(&mut self, link: LinkType) -> io::Result<u32> {
        if let Some(id) = self.links.iter().position(|known| *known == link) {
            return Ok(id as u32);
        }
        // pcap has more bits for it, and pcap-file cuts it without a word: then it would be another link type.
        if u16::try_from(link.0).is_err() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("link type {} has no place in pcapng, where they end at {}", link.0, u16::MAX),
            ));
        }
        let mut options = vec![InterfaceDescriptionOption::IfTsResol(TSRESOL)];
        if !self.info.interface.is_empty() {
            options.insert(0, InterfaceDescriptionOption::IfName(short(&self.info.interface)));
        }
        if let Some(filter) = self.info.filter.as_ref().filter(|filter| !filter.is_empty()) {
            // The first octet says that a filter expression follows, and not a compiled filter.
            let value = [&[0], short(filter).as_bytes()].concat();
            options.push(InterfaceDescriptionOption::IfFilter(Cow::Owned(value)));
        }
        let description = InterfaceDescriptionBlock {
            linktype: DataLink::from(link.0),
            snaplen: self.info.snaplen,
            options,
        };
        self.write(description)?;
        self.links.push(link);
        Ok(self.links.len() as u32 - 1)
    }

    fn write<'a>(&mut self, block: impl PcapNgBlock<'a>) -> io::Result<()> {
        match self.writer()?.write_pcapng_block(block) {
            Ok(_) => Ok(()),
            Err(error) => {
                // Half a block may stand at the end; another after it would make all of it unreadable.
                self.to = To::Failed;
                Err(io_error(error))
            }
        }
    }

    fn writer(&mut self) -> io::Result<&mut PcapNgWriter<W>> {
        if matches!(self.to, To::Fresh(_))
            && let To::Fresh(writer) = core::mem::replace(&mut self.to, To::Failed)
        {
            let mut options = vec![
                SectionHeaderOption::OS(Cow::Borrowed(std::env::consts::OS)),
                SectionHeaderOption::UserApplication(short(&self.info.application)),
            ];
            if let Some(comment) = &self.info.comment {
                options.insert(0, SectionHeaderOption::Comment(short(comment)));
            }
            let section = SectionHeaderBlock {
                // Stated, because `high_first` depends on it.
                endianness: Endianness::Little,
                options,
                ..SectionHeaderBlock::default()
            };
            self.to = To::Open(PcapNgWriter::with_section_header(writer, section).map_err(io_error)?);
        }
        match &mut self.to {
            To::Open(writer) => Ok(writer),
            To::Fresh(_) | To::Failed => Err(failed()),
        }
    }
}

impl Recorder<Vec<u8>> {
    /// The whole blocks that were written, to be taken away before the next frame.
    pub fn octets(&mut self) -> io::Result<&mut Vec<u8>> {
        self.writer().map(PcapNgWriter::get_mut)
    }
}

/// pcap-file writes these times as one little-endian 64-bit number; the format has the upper half first.
fn high_first(time: Timestamp) -> u64 {
    time.nanos().rotate_left(32)
}

/// Owned, because the writer keeps the description of an interface for as long as it lives.
fn short(text: &str) -> Cow<'static, str> {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(text.get(..end).unwrap_or_default().to_owned())
}

fn failed() -> io::Error {
    io::Error::other("an earlier write of the recording failed; it ends before it")
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}
