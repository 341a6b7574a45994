//! The commonest frame, read in one go: Ethernet without tags, IPv4 without options, TCP whose options may be cut off.
//!
//! It says of such a frame what the layered slices of [`decode`](super::decode()) say, and leaves every other to them; a
//! test holds it to that over any octets.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use super::{flags::Flags, link::ETHERTYPE_IPV4, options::SynOptions, segment::Segment, seq::SeqNum};
use crate::analysis::input::{Frame, LinkType};

/// Octets of the three headers at their shortest, and where the last two begin.
const SHORTEST: usize = 54;
const IP: usize = 14;
const TCP: usize = 34;
/// IPv4, and a header of five words.
const VERSION_AND_LENGTH: u8 = 0x45;
/// The bit that more fragments follow, and the offset of this one.
const FRAGMENT: u16 = 0x3fff;

/// The segment, where the frame is as common as that.
#[inline(always)]
pub(super) fn read(frame: &Frame<'_>) -> Option<Segment> {
    let octets: &[u8; SHORTEST] = frame.data.first_chunk()?;
    let is_common = frame.link == LinkType::ETHERNET
        && u16_at(octets, 12) == ETHERTYPE_IPV4
        && octets[IP] == VERSION_AND_LENGTH
        && u16_at(octets, IP + 6) & FRAGMENT == 0
        && octets[IP + 9] == super::decode::TCP;
    if !is_common {
        return None;
    }
    let header_len = usize::from(octets[TCP + 12] >> 4) * 4;
    let len = usize::from(u16_at(octets, IP + 2)).checked_sub(TCP - IP + header_len)?;
    let options = octets_of_options(frame.data, header_len)?;
    let flags = Flags(octets[TCP + 13]);
    Some(Segment {
        frame: frame.number,
        time: frame.time,
        source: socket(octets, IP + 12, TCP),
        destination: socket(octets, IP + 16, TCP + 2),
        seq: SeqNum(u32_at(octets, TCP + 4)),
        ack: SeqNum(u32_at(octets, TCP + 8)),
        flags,
        window: u16_at(octets, TCP + 14),
        len: len as u32,
        options: SynOptions::of(flags, options, header_len - (SHORTEST - TCP)),
        ip_id: Some(u16_at(octets, IP + 4)),
        source_mac: octets[6..].first_chunk().copied(),
        destination_mac: octets.first_chunk().copied(),
    })
}

/// As many octets of TCP options as were captured; `None` for a header that is too short to be one.
#[inline]
fn octets_of_options(data: &[u8], header_len: usize) -> Option<&[u8]> {
    data.get(SHORTEST..(TCP + header_len).min(data.len()))
}

#[inline(always)]
fn socket(octets: &[u8; SHORTEST], address: usize, port: usize) -> SocketAddr {
    let address = Ipv4Addr::from_bits(u32_at(octets, address));
    SocketAddr::V4(SocketAddrV4::new(address, u16_at(octets, port)))
}

#[inline(always)]
fn u16_at(octets: &[u8; SHORTEST], at: usize) -> u16 {
    u16::from_be_bytes([octets[at], octets[at + 1]])
}

#[inline(always)]
fn u32_at(octets: &[u8; SHORTEST], at: usize) -> u32 {
    u32::from_be_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{time::Timestamp, wire::decode::layered};
    use proptest::prelude::*;

    /// A SYN of 62 octets with eight of options, and two of padding.
    const SYN: [u8; 64] = [
        2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 48, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0, 10, 77,
        0, 1, 10, 77, 0, 2, 0x9c, 0x40, 0, 80, 0, 0, 0, 7, 0, 0, 0, 0, 0x70, 2, 0xfa, 0xf0, 0, 0, 0, 0, 2, 4,
        5, 180, 1, 3, 3, 7, 0, 0,
    ];

    fn frame(data: &[u8], wire_len: u32) -> Frame<'_> {
        Frame { number: 7, time: Timestamp::from_micros(9), link: LinkType::ETHERNET, wire_len, data }
    }

    #[test]
    fn a_syn_is_read_here_and_as_the_slices_read_it() {
        let frame = frame(&SYN, 64);
        let read = read(&frame).unwrap();
        assert_eq!(Ok(read), layered(&frame));
        assert_eq!((read.len, read.options.window_scale, read.ip_id), (0, Some(7), Some(0x1234)));
    }

    proptest! {
        /// The slices are the oracle: whatever is read here is what they read.
        #[test]
        fn what_is_read_is_what_the_slices_read(
            changes in prop::collection::vec((0..SYN.len(), any::<u8>()), 0..6),
            kept in prop_oneof![3 => Just(SYN.len()), 1 => 0..=SYN.len()],
            link in prop_oneof![5 => Just(1u32), 1 => Just(101u32)],
            wire_len in any::<u32>(),
        ) {
            let mut octets = SYN;
            for (at, octet) in changes {
                octets[at] = octet;
            }
            let frame = Frame { link: LinkType(link), ..frame(&octets[..kept], wire_len) };
            if let Some(segment) = read(&frame) {
                prop_assert_eq!(Ok(segment), layered(&frame));
            }
        }
    }
}
