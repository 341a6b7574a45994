//! IP and TCP headers to a [`Segment`]. Knows no connection; every octet may be hostile.
//!
//! Layered header slices rather than a whole-packet parse: those refuse packets that the snaplen cut.

use core::net::{IpAddr, SocketAddr};

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice, TcpHeaderSlice};

use super::{
    flags::Flags,
    link::{self, Packet},
    options::SynOptions,
    plain,
    segment::Segment,
    seq::SeqNum,
    skip::Skip,
};
use crate::analysis::input::Frame;

pub(super) const TCP: u8 = 6;
const TCP_MIN_HEADER: usize = 20;
/// IPv6 extension headers followed before giving up.
const MAX_EXTENSIONS: usize = 8;

/// The TCP segment in `frame`, or why there is none.
#[inline(always)]
pub fn decode(frame: &Frame<'_>) -> Result<Segment, Skip> {
    match plain::read(frame) {
        Some(segment) => Ok(segment),
        None => layered(frame),
    }
}

/// The same for any frame, layer by layer.
#[inline(never)]
pub(super) fn layered(frame: &Frame<'_>) -> Result<Segment, Skip> {
    let packet = link::strip(frame.link, frame.data)?;
    let wire_ip_len = (frame.wire_len as usize).saturating_sub(packet.link_len);
    let ip = match packet.ip.first().map(|octet| octet >> 4) {
        Some(4) => ipv4(packet.ip, wire_ip_len)?,
        Some(6) => ipv6(packet.ip, wire_ip_len)?,
        Some(_) => return Err(Skip::BadHeader),
        None => return Err(Skip::ShortHeader),
    };
    tcp(frame, &packet, &ip)
}

/// What the IP layer says of its payload.
struct IpPayload<'a> {
    source: IpAddr,
    destination: IpAddr,
    id: Option<u16>,
    /// Octets by the IP header: trust these, not the frame (padding, snaplen).
    len: usize,
    octets: &'a [u8],
}

#[inline]
fn ipv4(data: &[u8], wire_len: usize) -> Result<IpPayload<'_>, Skip> {
    let header = Ipv4HeaderSlice::from_slice(data).map_err(|_| short_or_bad(data.len(), 20))?;
    if header.is_fragmenting_payload() {
        return Err(Skip::Fragment);
    }
    if header.protocol().0 != TCP {
        return Err(Skip::NotTcp);
    }
    let header_len = header.slice().len();
    // Total length 0: a super-segment that the sender's network card was still to cut (TSO above 64 KiB).
    let total_len = match header.total_len() {
        0 => wire_len,
        len => usize::from(len),
    };
    Ok(IpPayload {
        source: IpAddr::V4(header.source_addr()),
        destination: IpAddr::V4(header.destination_addr()),
        id: Some(header.identification()),
        len: total_len.checked_sub(header_len).ok_or(Skip::BadHeader)?,
        octets: &data[header_len..],
    })
}

fn ipv6(data: &[u8], wire_len: usize) -> Result<IpPayload<'_>, Skip> {
    let header = Ipv6HeaderSlice::from_slice(data).map_err(|_| short_or_bad(data.len(), 40))?;
    let fixed_len = header.slice().len();
    let mut len = match header.payload_length() {
        0 => wire_len.saturating_sub(fixed_len), // jumbogram or super-segment
        len => usize::from(len),
    };
    let mut next = header.next_header().0;
    let mut octets = &data[fixed_len..];
    for _ in 0..MAX_EXTENSIONS {
        let extension_len = match next {
            // Hop-by-hop, routing, destination options, mobility, HIP, shim6 (RFC 8200 §4): units of 8 octets.
            0 | 43 | 60 | 135 | 139 | 140 => (usize::from(*octets.get(1).ok_or(Skip::ShortHeader)?) + 1) * 8,
            // Authentication header (RFC 4302 §2.2): units of 4 octets.
            51 => (usize::from(*octets.get(1).ok_or(Skip::ShortHeader)?) + 2) * 4,
            44 => {
                let field = octets.get(2..4).ok_or(Skip::ShortHeader)?;
                // Offset and M flag both zero: an atomic fragment (RFC 6946), whole in itself.
                if u16::from_be_bytes([field[0], field[1]]) & 0xfff9 != 0 {
                    return Err(Skip::Fragment);
                }
                8
            }
            TCP => {
                return Ok(IpPayload {
                    source: IpAddr::V6(header.source_addr()),
                    destination: IpAddr::V6(header.destination_addr()),
                    id: None,
                    len,
                    octets,
                });
            }
            _ => return Err(Skip::NotTcp),
        };
        next = *octets.first().ok_or(Skip::ShortHeader)?;
        octets = octets.get(extension_len..).ok_or(Skip::ShortHeader)?;
        len = len.checked_sub(extension_len).ok_or(Skip::BadHeader)?;
    }
    Err(Skip::BadHeader)
}

#[inline]
fn tcp(frame: &Frame<'_>, packet: &Packet<'_>, ip: &IpPayload<'_>) -> Result<Segment, Skip> {
    let captured = &ip.octets[..ip.octets.len().min(ip.len)];
    if captured.len() < TCP_MIN_HEADER {
        return Err(if ip.len < TCP_MIN_HEADER { Skip::BadHeader } else { Skip::ShortHeader });
    }
    let header_len = usize::from(captured[12] >> 4) * 4;
    if header_len < TCP_MIN_HEADER || header_len > ip.len {
        return Err(Skip::BadHeader);
    }
    let options = &captured[TCP_MIN_HEADER..captured.len().min(header_len)];
    let flags = Flags(captured[13]);
    // The fixed part speaks also where the snaplen cut the options: these are read as they are, and no further.
    let mut fixed = [0u8; TCP_MIN_HEADER];
    fixed.copy_from_slice(&captured[..TCP_MIN_HEADER]);
    fixed[12] = (TCP_MIN_HEADER as u8 / 4) << 4;
    let header = TcpHeaderSlice::from_slice(&fixed).map_err(|_| Skip::BadHeader)?;
    Ok(Segment {
        frame: frame.number,
        time: frame.time,
        source: SocketAddr::new(ip.source, header.source_port()),
        destination: SocketAddr::new(ip.destination, header.destination_port()),
        seq: SeqNum(header.sequence_number()),
        ack: SeqNum(header.acknowledgment_number()),
        flags,
        window: header.window_size(),
        len: (ip.len - header_len) as u32,
        options: SynOptions::of(flags, options, header_len - TCP_MIN_HEADER),
        ip_id: ip.id,
        source_mac: packet.source_mac,
        destination_mac: packet.destination_mac,
    })
}

/// A header that could not be read: was there too little of it, or was it wrong?
fn short_or_bad(available: usize, fixed: usize) -> Skip {
    if available < fixed { Skip::ShortHeader } else { Skip::BadHeader }
}
