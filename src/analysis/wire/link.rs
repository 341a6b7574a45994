//! Link layers: where the IP packet begins, and whose MAC addresses stand before it.

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::skip::Skip;
use crate::analysis::input::LinkType;

pub const ETHERTYPE_IPV4: u16 = 0x0800;
pub const ETHERTYPE_ARP: u16 = 0x0806;
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad and the tag that came before it.
const VLAN_TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// More tags than this are nobody's network.
const MAX_VLAN_TAGS: usize = 4;

/// A frame with its link header taken off.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Starts at the IP header; may end in Ethernet padding or be cut by the snaplen.
    pub ip: &'a [u8],
    /// Octets of link header before `ip`.
    pub link_len: usize,
    pub source_mac: Option<[u8; 6]>,
    pub destination_mac: Option<[u8; 6]>,
}

/// Takes the link header off `data`, which must hold IP.
#[inline]
pub fn strip(link: LinkType, data: &[u8]) -> Result<Packet<'_>, Skip> {
    match open(link, data)? {
        (packet, None | Some(ETHERTYPE_IPV4 | ETHERTYPE_IPV6)) => Ok(packet),
        (_, Some(_)) => Err(Skip::NotIp),
    }
}

/// The same whatever the frame holds: with its EtherType, where the link tells one.
#[inline]
pub fn open(link: LinkType, data: &[u8]) -> Result<(Packet<'_>, Option<u16>), Skip> {
    match link.0 {
        1 => ethernet(data),
        // LINKTYPE_RAW, and what some systems call it in memory.
        101 | 12 | 14 => Ok((raw(data), None)),
        // LINKTYPE_IPV4, LINKTYPE_IPV6.
        228 | 229 => Ok((bare(data, 0), None)),
        113 => cooked(data, 16, 14, 4..6, 6),
        276 => cooked(data, 20, 0, 11..12, 12),
        // BSD loopback: four octets of address family, in either byte order; the IP version tells the rest.
        0 | 108 => data.get(4..).map(|ip| (bare(ip, 4), None)).ok_or(Skip::ShortHeader),
        _ if is_monitor_mode(link) => Err(Skip::MonitorMode),
        _ => Err(Skip::UnknownLink),
    }
}

/// 802.11 as a third host hears it: bare, or behind a header of Prism, radiotap, AVS or PPI.
pub fn is_monitor_mode(link: LinkType) -> bool {
    matches!(link.0, 105 | 119 | 127 | 163 | 192)
}

/// 12 is raw IP on most systems and loopback on OpenBSD, and both reach us under one name. No IP packet begins with a
/// zero, and an address family in network byte order does.
fn raw(data: &[u8]) -> Packet<'_> {
    match data {
        [0, 0, 0, _, ip @ ..] if ip.first().is_some_and(|octet| matches!(octet >> 4, 4 | 6)) => bare(ip, 4),
        _ => bare(data, 0),
    }
}

fn bare(ip: &[u8], link_len: usize) -> Packet<'_> {
    Packet { ip, link_len, source_mac: None, destination_mac: None }
}

#[inline]
fn ethernet(data: &[u8]) -> Result<(Packet<'_>, Option<u16>), Skip> {
    let header = Ethernet2HeaderSlice::from_slice(data).map_err(|_| Skip::ShortHeader)?;
    let mut ether_type = header.ether_type().0;
    let mut at = header.slice().len();
    for _ in 0..MAX_VLAN_TAGS {
        if !VLAN_TAGS.contains(&ether_type) {
            break;
        }
        let tag = SingleVlanHeaderSlice::from_slice(&data[at..]).map_err(|_| Skip::ShortHeader)?;
        ether_type = tag.ether_type().0;
        at += tag.slice().len();
    }
    let packet = Packet {
        ip: &data[at..],
        link_len: at,
        source_mac: Some(header.source()),
        destination_mac: Some(header.destination()),
    };
    Ok((packet, Some(ether_type)))
}

/// Linux cooked capture, v1 (LINKTYPE_LINUX_SLL) and v2 (LINKTYPE_LINUX_SLL2): they differ in where things stand.
/// Only the sender's address is there.
fn cooked(
    data: &[u8],
    header_len: usize,
    protocol_at: usize,
    address_len_at: core::ops::Range<usize>,
    address_at: usize,
) -> Result<(Packet<'_>, Option<u16>), Skip> {
    let header = data.get(..header_len).ok_or(Skip::ShortHeader)?;
    let mut protocol = u16::from_be_bytes([header[protocol_at], header[protocol_at + 1]]);
    let mut at = header_len;
    for _ in 0..MAX_VLAN_TAGS {
        if !VLAN_TAGS.contains(&protocol) {
            break;
        }
        let tag = SingleVlanHeaderSlice::from_slice(&data[at..]).map_err(|_| Skip::ShortHeader)?;
        protocol = tag.ether_type().0;
        at += tag.slice().len();
    }
    let address_len = header[address_len_at].iter().fold(0usize, |len, octet| len << 8 | usize::from(*octet));
    let source_mac = match (address_len, header.get(address_at..address_at + 6)) {
        (6, Some(&[a, b, c, d, e, f])) => Some([a, b, c, d, e, f]),
        _ => None,
    };
    Ok((Packet { ip: &data[at..], link_len: at, source_mac, destination_mac: None }, Some(protocol)))
}
