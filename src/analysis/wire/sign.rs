//! Signs of life outside TCP: who showed itself, and who was asked to. Read from ARP, ICMP, ICMPv6, DHCP and mDNS.
//!
//! Nothing else is taken from such frames, and they count as skipped all the same. A sign proves that its sender
//! lived when it was sent, no more. An answer that somebody gives in another's name proves nothing of that other.

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
    /// Told without being asked: gratuitous or probing ARP (RFC 5227), unsolicited neighbour advertisement, duplicate
    /// address detection (RFC 4862 §5.4).
    Announcement,
    EchoRequest,
    EchoReply,
    /// DHCPDISCOVER (RFC 2131): its sender has no address, as after a start.
    DhcpDiscover,
    /// Any other DHCP message of a client, or one whose options were not captured.
    Dhcp,
    /// A DHCP server offers or grants the address `to` to the client with this hardware address (`yiaddr` and `chaddr` of
    /// RFC 2131 §2). Which of the two, the options tell, and those are seldom captured.
    Lease {
        client: [u8; 6],
    },
    /// Multicast DNS (RFC 6762): it does not leave the link.
    Mdns,
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
        self.from.is_none()
            && matches!(self.kind, SignKind::Announcement | SignKind::DhcpDiscover | SignKind::Dhcp)
    }

    /// It was sent by its sender itself, on this link: the MAC address is that of `from`.
    pub fn is_local(&self) -> bool {
        match self.kind {
            SignKind::WhoHas | SignKind::IsAt | SignKind::Announcement | SignKind::Mdns => true,
            SignKind::DhcpDiscover | SignKind::Dhcp => true,
            SignKind::EchoRequest | SignKind::EchoReply | SignKind::Lease { .. } | SignKind::Other => false,
        }
    }
}

/// What a packet says: kind, sender, and whose answer is asked for or who is answered.
type Said = (SignKind, IpAddr, IpAddr);

/// The sign in a frame that holds no TCP segment; `None` where it cannot be read.
pub fn read(frame: &Frame<'_>) -> Option<Sign> {
    let (packet, ether_type) = link::open(frame.link, frame.data).ok()?;
    let (kind, from, to) = match ether_type {
        Some(link::ETHERTYPE_ARP) => arp(packet.ip, packet.source_mac)?,
        _ => match packet.ip.first()? >> 4 {
            4 => ipv4(packet.ip, packet.source_mac)?,
            6 => ipv6(packet.ip)?,
            _ => return None,
        },
    };
    Some(Sign {
        frame: frame.number,
        time: frame.time,
        kind,
        from: Some(from).filter(|ip| !ip.is_unspecified()),
        mac: packet.source_mac,
        to: Some(to),
    })
}

/// RFC 826, for IPv4 over Ethernet. `mac`: who sent the frame.
fn arp(data: &[u8], mac: Option<[u8; 6]>) -> Option<Said> {
    if data.get(2..6)? != [0x08, 0x00, 6, 4] {
        return None;
    }
    // An access point may answer for a station (proxy ARP): no sign of that station.
    if mac.is_some_and(|mac| data.get(8..14) != Some(&mac)) {
        return None;
    }
    let (sender, target) = (ipv4_at(data, 14)?, ipv4_at(data, 24)?);
    let kind = match data.get(6..8)? {
        [0, 1 | 2] if sender == target || sender.is_unspecified() => SignKind::Announcement,
        [0, 1] => SignKind::WhoHas,
        [0, 2] => SignKind::IsAt,
        _ => return None,
    };
    Some((kind, sender.into(), target.into()))
}

fn ipv4(data: &[u8], mac: Option<[u8; 6]>) -> Option<Said> {
    let header_len = usize::from(data.first()? & 0x0f) * 4;
    let total_len = usize::from(u16::from_be_bytes([*data.get(2)?, *data.get(3)?]));
    if header_len < 20 || total_len < header_len {
        return None;
    }
    let (from, to) = (ipv4_at(data, 12)?, ipv4_at(data, 16)?);
    // What follows the packet is padding.
    let body = data.get(header_len..data.len().min(total_len))?;
    let is_later_fragment = u16::from_be_bytes([*data.get(6)?, *data.get(7)?]) & 0x1fff != 0;
    let kind = match (*data.get(9)?, body) {
        _ if is_later_fragment => SignKind::Other,
        (1, [8, ..]) => SignKind::EchoRequest,
        (1, [0, ..]) => SignKind::EchoReply,
        (17, [0, 68, 0, 67, message @ ..]) => dhcp(message.get(4..).unwrap_or_default(), mac),
        (17, [0, 67, 0, 68, message @ ..]) => match lease(message.get(4..).unwrap_or_default()) {
            Some((client, given)) => return Some((SignKind::Lease { client }, from.into(), given.into())),
            None => SignKind::Other,
        },
        (17, udp) if is_mdns(udp) && to == MDNS4 => SignKind::Mdns,
        _ => SignKind::Other,
    };
    Some((kind, from.into(), to.into()))
}

fn ipv6(data: &[u8]) -> Option<Said> {
    let (from, to) = (ipv6_at(data, 8)?, ipv6_at(data, 24)?);
    let len = usize::from(u16::from_be_bytes([*data.get(4)?, *data.get(5)?]));
    let body = data.get(40..data.len().min(40 + len))?;
    // RFC 4861 §7.1: neighbour discovery that a router has passed on is none.
    let is_of_this_link = *data.get(7)? == 255;
    let said = match (*data.get(6)?, body) {
        (58, [128, ..]) => (SignKind::EchoRequest, from, to),
        (58, [129, ..]) => (SignKind::EchoReply, from, to),
        // The target stands in the message; the packet goes to a multicast group.
        (58, [135, ..]) if is_of_this_link && from.is_unspecified() => {
            (SignKind::Announcement, from, ipv6_at(body, 8)?)
        }
        (58, [135, ..]) if is_of_this_link => (SignKind::WhoHas, from, ipv6_at(body, 8)?),
        // The target is the sender's own address, whichever of its addresses it sends from.
        // S flag (RFC 4861 §4.4): it answers a solicitation.
        (58, [136, _, _, _, flags, ..]) if is_of_this_link => {
            let kind = if flags & 0x40 != 0 { SignKind::IsAt } else { SignKind::Announcement };
            (kind, ipv6_at(body, 8)?, to)
        }
        (17, udp) if is_mdns(udp) && to == MDNS6 => (SignKind::Mdns, from, to),
        _ => (SignKind::Other, from, to),
    };
    Some((said.0, said.1.into(), said.2.into()))
}

const MDNS4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const MDNS6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
const MDNS_PORT: [u8; 2] = 5353_u16.to_be_bytes();

fn is_mdns(udp: &[u8]) -> bool {
    udp.get(2..4) == Some(&MDNS_PORT)
}

/// What a DHCP client says: option 53 of RFC 2132, behind the fixed part and the cookie. `mac`: who sent the frame.
fn dhcp(data: &[u8], mac: Option<[u8; 6]>) -> SignKind {
    // A Wi-Fi extender that passes a station's frames on under its own MAC address is not the client.
    if hardware_address(data).is_some_and(|client| mac.is_some_and(|mac| mac != client)) {
        return SignKind::Other;
    }
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

/// To whom a DHCP server gives which address. `None`: it gives none (a NAK, the answer to an INFORM).
fn lease(data: &[u8]) -> Option<([u8; 6], Ipv4Addr)> {
    const REPLY: u8 = 2;
    let given = ipv4_at(data, 16)?;
    (*data.first()? == REPLY && !given.is_unspecified()).then_some((hardware_address(data)?, given))
}

/// `chaddr`, where it is that of an Ethernet.
fn hardware_address(data: &[u8]) -> Option<[u8; 6]> {
    let is_ethernet = data.get(1..3)? == [1, 6];
    data.get(28..34)?.try_into().ok().filter(|_| is_ethernet)
}

fn ipv4_at(data: &[u8], at: usize) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = data.get(at..at + 4)?.try_into().ok()?;
    Some(Ipv4Addr::from(octets))
}

fn ipv6_at(data: &[u8], at: usize) -> Option<Ipv6Addr> {
    let octets: [u8; 16] = data.get(at..at + 16)?.try_into().ok()?;
    Some(Ipv6Addr::from(octets))
}
