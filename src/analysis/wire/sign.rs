//! Signs of life outside TCP: who showed itself, and who was asked to. Read from ARP, ICMP, ICMPv6 and DHCP.
//!
//! Nothing else is taken from such frames, and they count as skipped all the same. A sign proves that its sender
//! lived when it was sent, no more.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::link;
use crate::analysis::{
    input::{Frame, FrameNo},
    time::Timestamp,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignKind {
    /// ARP request or neighbour solicitation: the one who is asked must answer (RFC 826, RFC 4861 §7.2.4).
    WhoHas,
    /// ARP reply or neighbour advertisement that answers.
    IsAt,
    /// Told without being asked: gratuitous or probing ARP (RFC 5227), unsolicited neighbour advertisement.
    Announcement,
    EchoRequest,
    EchoReply,
    /// DHCPDISCOVER (RFC 2131): its sender has no address, as after a start.
    DhcpDiscover,
    /// Any other DHCP message of a client.
    Dhcp,
    /// Any other packet that is not TCP.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sign {
    pub frame: FrameNo,
    pub time: Timestamp,
    pub kind: SignKind,
    /// Who sent it; absent while it has no address.
    pub from: Option<IpAddr>,
    pub mac: Option<[u8; 6]>,
    /// Whose answer is asked for, or who is answered.
    pub to: Option<IpAddr>,
}

impl Sign {
    /// Its sender looks for an address, as after a start, and again when its Wi-Fi comes back (ESP-IDF).
    pub fn is_of_a_start(&self) -> bool {
        self.from.is_none() && matches!(self.kind, SignKind::Announcement | SignKind::DhcpDiscover)
    }
}

/// The sign in a frame that holds no TCP segment; `None` where it cannot be read.
pub fn read(frame: &Frame<'_>) -> Option<Sign> {
    let (packet, ether_type) = link::open(frame.link, frame.data).ok()?;
    let sign = |kind, from: Option<IpAddr>, to: Option<IpAddr>| Sign {
        frame: frame.number,
        time: frame.time,
        kind,
        from: from.filter(|ip| !ip.is_unspecified()),
        mac: packet.source_mac,
        to,
    };
    let data = packet.ip;
    if ether_type == Some(link::ETHERTYPE_ARP) {
        let (kind, sender, target) = arp(data)?;
        return Some(sign(kind, Some(sender.into()), Some(target.into())));
    }
    match data.first()? >> 4 {
        4 => {
            let header_len = usize::from(data[0] & 0x0f) * 4;
            let (from, to) = (ipv4_at(data, 12)?, ipv4_at(data, 16)?);
            let kind = match (*data.get(9)?, data.get(header_len..)?) {
                (1, [8, ..]) => SignKind::EchoRequest,
                (1, [0, ..]) => SignKind::EchoReply,
                (17, [0, 68, 0, 67, ..]) => dhcp(data.get(header_len + 8..)?),
                _ => SignKind::Other,
            };
            Some(sign(kind, Some(from.into()), Some(to.into())))
        }
        6 => {
            let (from, to) = (ipv6_at(data, 8)?, ipv6_at(data, 24)?);
            let body = data.get(40..)?;
            let (kind, to) = match (*data.get(6)?, body) {
                (58, [128, ..]) => (SignKind::EchoRequest, to),
                (58, [129, ..]) => (SignKind::EchoReply, to),
                // The target stands in the message; the packet goes to a multicast group.
                (58, [135, ..]) => (SignKind::WhoHas, ipv6_at(body, 8)?),
                // S flag (RFC 4861 §4.4): it answers a solicitation.
                (58, [136, _, _, _, flags, ..]) if flags & 0x40 != 0 => (SignKind::IsAt, to),
                (58, [136, ..]) => (SignKind::Announcement, to),
                _ => (SignKind::Other, to),
            };
            Some(sign(kind, Some(from.into()), Some(to.into())))
        }
        _ => None,
    }
}

/// RFC 826, for IPv4 over Ethernet.
fn arp(data: &[u8]) -> Option<(SignKind, Ipv4Addr, Ipv4Addr)> {
    if data.get(2..6)? != [0x08, 0x00, 6, 4] {
        return None;
    }
    let (sender, target) = (ipv4_at(data, 14)?, ipv4_at(data, 24)?);
    let kind = match data.get(6..8)? {
        _ if sender == target || sender.is_unspecified() => SignKind::Announcement,
        [0, 1] => SignKind::WhoHas,
        [0, 2] => SignKind::IsAt,
        _ => return None,
    };
    Some((kind, sender, target))
}

/// What a DHCP client says: option 53 of RFC 2132, behind the fixed part and the cookie.
fn dhcp(data: &[u8]) -> SignKind {
    let mut options = data.get(240..).unwrap_or_default();
    while let [code, rest @ ..] = options {
        options = match (code, rest) {
            (0, rest) => rest,
            (53, [_, 1, ..]) => return SignKind::DhcpDiscover,
            (255 | 53, _) => break,
            (_, [len, rest @ ..]) => rest.get(usize::from(*len)..).unwrap_or_default(),
            (_, []) => break,
        };
    }
    SignKind::Dhcp
}

fn ipv4_at(data: &[u8], at: usize) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = data.get(at..at + 4)?.try_into().ok()?;
    Some(Ipv4Addr::from(octets))
}

fn ipv6_at(data: &[u8], at: usize) -> Option<Ipv6Addr> {
    let octets: [u8; 16] = data.get(at..at + 16)?.try_into().ok()?;
    Some(Ipv6Addr::from(octets))
}
