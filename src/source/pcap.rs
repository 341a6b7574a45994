//! The pcap format: a file header, then records.
//!
//! Knows both byte orders, micro- and nanoseconds, and Kuznetzov's variant with longer record headers.

use pcap_parser::{
    LegacyPcapBlock, PcapError, PcapHeader,
    nom::IResult,
    pcap::{parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified, parse_pcap_header},
};

use super::record::{Head, Step, link_type, u32_at};
use crate::analysis::input::LinkType;
use crate::analysis::time::Timestamp;

/// Octets of the file header.
pub(super) const FILE_HEADER: usize = 24;
/// The most that any capture tool keeps of a frame (libpcap's MAXIMUM_SNAPLEN): a longer one is a lie.
const MAX_FRAME: u32 = 262_144;
/// Where a file declares a larger snaplen, that far it is believed.
const MAX_DECLARED: u32 = 16 * 1024 * 1024;

type Parse = fn(&[u8]) -> IResult<&[u8], LegacyPcapBlock<'_>, PcapError<&[u8]>>;

pub(super) struct Pcap {
    parse: Parse,
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
        let (parse, header_size): (Parse, usize) = if header.is_modified_format() {
            (parse_pcap_frame_modified, 24)
        } else if header.is_bigendian() {
            (parse_pcap_frame_be, 16)
        } else {
            (parse_pcap_frame, 16)
        };
        Ok(Pcap {
            parse,
            big_endian: header.is_bigendian(),
            header: header_size,
            nanos_per_unit: if header.is_nanosecond_precision() { 1 } else { 1_000 },
            link: link_of(&header),
            max_frame: MAX_FRAME.max(header.snaplen.min(MAX_DECLARED)),
        })
    }

    pub fn step(&self, data: &[u8]) -> Step {
        match (self.parse)(data) {
            Ok((rest, record)) if record.caplen <= self.max_frame => {
                let size = data.len() - rest.len();
                let seconds = u64::from(record.ts_sec).saturating_mul(1_000_000_000);
                // A fraction of more than a second is nonsense, but it cannot overflow.
                let fraction = u64::from(record.ts_usec) * self.nanos_per_unit;
                let head = Head {
                    time: Timestamp::from_nanos(seconds + fraction),
                    link: self.link,
                    wire_len: record.origlen.max(record.caplen),
                };
                Step::Frame { head, data: size - record.data.len()..size, size, lost: 0 }
            }
            // Not yet whole, or not to be believed. The parser's own count of missing octets is of no use here:
            // it comes from the length that must be judged first.
            _ if data.len() < self.header => Step::Need(self.header),
            _ => match u32_at(data, 8, self.big_endian) {
                length if length > self.max_frame => {
                    Step::Damaged(format!("a frame claims {length} octets, more than any capture keeps"))
                }
                length => Step::Need(self.header + length as usize),
            },
        }
    }
}

/// The upper bits of the field tell of the frame check sequence, not of the link.
fn link_of(header: &PcapHeader) -> LinkType {
    link_type(header.network.0 as u32 & 0x03ff_ffff)
}
