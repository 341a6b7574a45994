//! The pcap format: a file header, then records.
//!
//! Knows both byte orders, micro- and nanoseconds, and Kuznetzov's variant with longer record headers.

use core::ops::Range;

use pcap_parser::{PcapHeader, pcap::parse_pcap_header};

use super::record::{Head, Step, link_type};
use crate::analysis::input::LinkType;
use crate::analysis::time::Timestamp;

/// Octets of the file header.
pub(super) const FILE_HEADER: usize = 24;
/// Octets of a record's header, but for Kuznetzov's variant; both begin with the same.
const SHORT_HEADER: usize = 16;
/// The most that any capture tool keeps of a frame (libpcap's MAXIMUM_SNAPLEN): a longer one is a lie.
const MAX_FRAME: u32 = 262_144;
/// Where a file declares a larger snaplen, that far it is believed.
const MAX_DECLARED: u32 = 16 * 1024 * 1024;

pub(super) struct Pcap {
    big_endian: bool,
    /// Octets of a record's header.
    header: usize,
    nanos_per_unit: u64,
    link: LinkType,
    max_frame: u32,
}

/// Whether these octets, up to four, begin a pcap file.
pub(super) fn is_magic(data: &[u8]) -> bool {
    const MAGICS: [[u8; 4]; 5] = [
        [0xd4, 0xc3, 0xb2, 0xa1],
        [0xa1, 0xb2, 0xc3, 0xd4],
        [0x4d, 0x3c, 0xb2, 0xa1],
        [0xa1, 0xb2, 0x3c, 0x4d],
        [0x34, 0xcd, 0xb2, 0xa1],
    ];
    let data = data.get(..4).unwrap_or(data);
    MAGICS.iter().any(|magic| magic.starts_with(data))
}

impl Pcap {
    /// From at least [`FILE_HEADER`] octets that begin with a magic number.
    pub fn new(data: &[u8]) -> Result<Pcap, String> {
        let (_, header) = parse_pcap_header(data).map_err(|_| "its file header is unreadable".to_owned())?;
        if header.version_major != 2 {
            return Err(format!("pcap version {}.{} is unknown", header.version_major, header.version_minor));
        }
        let is_modified = header.is_modified_format();
        Ok(Pcap {
            // Kuznetzov's variant is known in this byte order alone.
            big_endian: header.is_bigendian() && !is_modified,
            header: if is_modified { 24 } else { SHORT_HEADER },
            nanos_per_unit: if header.is_nanosecond_precision() { 1 } else { 1_000 },
            link: link_of(&header),
            max_frame: MAX_FRAME.max(header.snaplen.min(MAX_DECLARED)),
        })
    }

    /// The record that `data` begins with, where it is there whole.
    #[inline]
    pub fn step(&self, data: &[u8]) -> Step {
        match self.whole(data) {
            Some((head, data)) => Step::Frame { head, size: data.end, data, lost: 0 },
            None => self.lacking(data),
        }
    }

    /// Its head, and where its frame is; the record ends where the frame does.
    ///
    /// Reads the header by hand: it is four numbers, and every frame has one.
    #[inline]
    pub fn whole(&self, data: &[u8]) -> Option<(Head, Range<usize>)> {
        let [seconds, fraction, captured, on_the_wire] = self.numbers(data.first_chunk()?);
        if captured > self.max_frame {
            return None;
        }
        let size = self.header + captured as usize;
        if data.len() < size {
            return None;
        }
        // A fraction of more than a second is nonsense, but it cannot overflow.
        let nanos = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * self.nanos_per_unit;
        let time = Timestamp::from_nanos(nanos);
        let head = Head { time, link: self.link, wire_len: on_the_wire.max(captured) };
        Some((head, self.header..size))
    }

    /// What a record that is not there whole needs, or why nothing will make it so.
    #[cold]
    fn lacking(&self, data: &[u8]) -> Step {
        match data.first_chunk().map(|header| self.numbers(header)) {
            Some([.., captured, _]) if data.len() >= self.header => match captured > self.max_frame {
                true => {
                    Step::Damaged(format!("a frame claims {captured} octets, more than any capture keeps"))
                }
                false => Step::Need(self.header + captured as usize),
            },
            Some(_) | None => Step::Need(self.header),
        }
    }

    /// Seconds, the fraction of one, octets kept, octets on the wire.
    #[inline]
    fn numbers(&self, header: &[u8; SHORT_HEADER]) -> [u32; 4] {
        let field = |at: usize| [header[at], header[at + 1], header[at + 2], header[at + 3]];
        let octets = [field(0), field(4), field(8), field(12)];
        match self.big_endian {
            true => octets.map(u32::from_be_bytes),
            false => octets.map(u32::from_le_bytes),
        }
    }
}

/// The upper bits of the field tell of the frame check sequence, not of the link.
fn link_of(header: &PcapHeader) -> LinkType {
    link_type(header.network.0 as u32 & 0x03ff_ffff)
}
