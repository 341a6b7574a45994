//! IPv4, IPv6 and TCP headers with stand-ins, cut where the payload begins; also as ICMP quotes them.
//!
//! Options are kept where what they say is known and harmless, and overwritten where it is not.

use super::{icmp, stand_ins::Redactor};

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
/// IPv6 extension headers followed before giving up.
const MAX_EXTENSIONS: usize = 8;
/// Does nothing and has no length, in IPv4's options and in TCP's.
const NOP: u8 = 1;

/// What a checksum above IP also covers: both addresses, before and after.
#[derive(Default)]
pub(super) struct Pseudo {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Pseudo {
    /// `checksum` once the octets `before` are `after`; the same number of them, at the same place.
    pub fn adjusted(&self, checksum: [u8; 2], before: &[u8], after: &[u8]) -> [u8; 2] {
        let checksum = adjusted(checksum, &self.before, &self.after);
        adjusted(checksum, before, after)
    }
}

/// RFC 1624, equation 3.
fn adjusted(checksum: [u8; 2], before: &[u8], after: &[u8]) -> [u8; 2] {
    if before == after {
        return checksum;
    }
    let words = |octets: &[u8], turn: u16| -> u64 {
        let word = |pair: &[u8]| u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]) ^ turn;
        octets.chunks(2).map(|pair| u64::from(word(pair))).sum()
    };
    let mut sum = u64::from(!u16::from_be_bytes(checksum)) + words(before, 0xffff) + words(after, 0);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

/// A packet as it came from the link.
pub(super) fn packet(redactor: &mut Redactor, data: &[u8]) -> Option<Vec<u8>> {
    match data.first()? >> 4 {
        4 => {
            let (mut out, pseudo, protocol, body) = v4(redactor, data)?;
            // A fragment is no whole segment, and what stands in a later one is payload.
            if u16::from_be_bytes([data[6], data[7]]) & 0x3fff != 0 {
                return None;
            }
            out.extend(match protocol {
                TCP => tcp(body, &pseudo)?,
                ICMP => icmp::v4(redactor, body)?,
                _ => return None,
            });
            Some(out)
        }
        6 => {
            let (mut out, pseudo, protocol, body) = v6(redactor, data)?;
            out.extend(match protocol {
                TCP => tcp(body, &pseudo)?,
                ICMPV6 => icmp::v6(redactor, body, &pseudo)?,
                _ => return None,
            });
            Some(out)
        }
        _ => None,
    }
}

/// A packet as an error message quotes it: its beginning, as far as it goes.
pub(super) fn quoted(redactor: &mut Redactor, data: &[u8]) -> Option<Vec<u8>> {
    let (mut out, pseudo, protocol, body) = match data.first()? >> 4 {
        4 => v4(redactor, data)?,
        6 => v6(redactor, data)?,
        _ => return None,
    };
    let is_later_fragment = data[0] >> 4 == 4 && u16::from_be_bytes([data[6], data[7]]) & 0x1fff != 0;
    if is_later_fragment {
        return Some(out);
    }
    match protocol {
        TCP => match tcp(body, &pseudo) {
            Some(header) => out.extend(header),
            // Ports and sequence number: RFC 792 quotes no more.
            None => out.extend(&body[..body.len().min(8)]),
        },
        UDP => {
            let mut header = body[..body.len().min(8)].to_vec();
            if let Some(&[high, low]) = header.get(6..8)
                && [high, low] != [0, 0]
            {
                header[6..8].copy_from_slice(&pseudo.adjusted([high, low], &[], &[]));
            }
            out.extend(header);
        }
        // Type and code, and an echo's identifier and number.
        ICMP | ICMPV6 => {
            let is_echo = matches!((protocol, body.first()), (ICMP, Some(0 | 8)) | (ICMPV6, Some(128 | 129)));
            out.extend(&body[..body.len().min(if is_echo { 8 } else { 2 })]);
        }
        _ => {}
    }
    Some(out)
}

/// Header, what it adds to checksums, protocol and the octets after the header that are its own.
type Opened<'a> = (Vec<u8>, Pseudo, u8, &'a [u8]);

fn v4<'a>(redactor: &mut Redactor, data: &'a [u8]) -> Option<Opened<'a>> {
    let header_len = usize::from(data.first()? & 0x0f) * 4;
    let before = data.get(..header_len).filter(|header| header.len() >= 20)?;
    let total_len = match u16::from_be_bytes([before[2], before[3]]) {
        0 => data.len(),
        len => usize::from(len),
    };
    let mut out = before.to_vec();
    redactor.v4_at(&mut out, 12)?;
    redactor.v4_at(&mut out, 16)?;
    // Record route, timestamps, source routes: addresses all of them.
    out[20..].fill(NOP);
    let checksum = adjusted([out[10], out[11]], before, &out);
    out[10..12].copy_from_slice(&checksum);
    let pseudo = Pseudo { before: before[12..20].to_vec(), after: out[12..20].to_vec() };
    Some((out, pseudo, before[9], data.get(header_len..data.len().min(total_len))?))
}

fn v6<'a>(redactor: &mut Redactor, data: &'a [u8]) -> Option<Opened<'a>> {
    const FIXED: usize = 40;
    let before = data.get(..FIXED)?;
    let end = match u16::from_be_bytes([before[4], before[5]]) {
        0 => data.len(),
        len => data.len().min(FIXED + usize::from(len)),
    };
    let mut out = before.to_vec();
    redactor.v6_at(&mut out, 8)?;
    redactor.v6_at(&mut out, 24)?;
    let pseudo = Pseudo { before: before[8..].to_vec(), after: out[8..].to_vec() };
    let mut next = before[6];
    let mut body = data.get(FIXED..end)?;
    for _ in 0..MAX_EXTENSIONS {
        let length = match next {
            // Hop-by-hop and destination options.
            0 | 60 => (usize::from(*body.get(1)?) + 1) * 8,
            // The fragment header of a packet that is whole (RFC 6946).
            44 if u16::from_be_bytes([*body.get(2)?, *body.get(3)?]) & 0xfff9 == 0 => 8,
            // Routing headers and mobility name addresses; of the others too little is known.
            43 | 44 | 51 | 135 | 139 | 140 => return None,
            _ => return Some((out, pseudo, next, body)),
        };
        let mut extension = body.get(..length)?.to_vec();
        if next != 44 {
            harmless_options(extension.get_mut(2..)?)?;
        }
        out.extend(&extension);
        next = extension[0];
        body = &body[length..];
    }
    None
}

/// Padding, router alert and jumbo payload; of any other option too little is known.
fn harmless_options(options: &mut [u8]) -> Option<()> {
    let mut at = 0;
    while at < options.len() {
        let kind = options[at];
        if kind == 0 {
            at += 1;
            continue;
        }
        let value = at + 2..at + 2 + usize::from(*options.get(at + 1)?);
        match (kind, value.len()) {
            (1, _) => options.get_mut(value.clone())?.fill(0),
            (5, 2) | (0xc2, 4) => {}
            _ => return None,
        }
        at = value.end;
    }
    Some(())
}

/// The header, without payload. Options that the snaplen cut are kept as far as they go.
fn tcp(body: &[u8], pseudo: &Pseudo) -> Option<Vec<u8>> {
    let header_len = usize::from(body.get(12)? >> 4) * 4;
    let before = body.get(..header_len.min(body.len())).filter(|header| header.len() >= 20)?;
    let mut out = before.to_vec();
    known_options(&mut out[20..]);
    let checksum = pseudo.adjusted([out[16], out[17]], before, &out);
    out[16..18].copy_from_slice(&checksum);
    Some(out)
}

/// Keeps what the analysis reads and every stack sends: MSS, window scale, SACK, timestamps. Cookies, signatures and
/// MPTCP's addresses become NOPs; so does what stands where no option can be.
fn known_options(options: &mut [u8]) {
    let mut at = 0;
    while let Some(&kind) = options.get(at) {
        if kind == 0 {
            options[at..].fill(0);
            return;
        }
        if kind == NOP {
            at += 1;
            continue;
        }
        let length = options.get(at + 1).map_or(0, |length| usize::from(*length));
        if length < 2 || at + length > options.len() {
            options[at..].fill(NOP);
            return;
        }
        if !matches!((kind, length), (2, 4) | (3, 3) | (4, 2) | (5, 10 | 18 | 26 | 34) | (8, 10)) {
            options[at..at + length].fill(NOP);
        }
        at += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(octets: &[u8]) -> u16 {
        let mut sum: u32 = octets
            .chunks(2)
            .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
            .sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    /// A segment with `options` and `payload`, all checksums right.
    fn packet_v4(options: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut tcp = vec![0x9c, 0x40, 0, 80, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0x18, 0x16, 0xd0, 0, 0, 0, 0];
        tcp.extend(options);
        tcp[12] = (tcp.len() as u8 / 4) << 4;
        tcp.extend(payload);
        let addresses = [10, 77, 0, 1, 10, 77, 0, 2];
        let pseudo = [&addresses[..], &[0, 6], &(tcp.len() as u16).to_be_bytes(), &tcp].concat();
        let checksum = sum(&pseudo).to_be_bytes();
        tcp[16..18].copy_from_slice(&checksum);
        let mut ip = vec![0x45, 0, 0, 0, 0x12, 0x34, 0, 0, 64, 6, 0, 0];
        ip.extend(addresses);
        ip[2..4].copy_from_slice(&((20 + tcp.len()) as u16).to_be_bytes());
        let checksum = sum(&ip).to_be_bytes();
        ip[10..12].copy_from_slice(&checksum);
        ip.extend(tcp);
        ip
    }

    #[test]
    fn right_checksums_stay_right_for_the_whole_of_the_segment() {
        let options = [2, 4, 5, 0xb4, 1, 3, 3, 7];
        for payload in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", b"odd"] {
            let original = packet_v4(&options, payload);
            let out = packet(&mut Redactor::default(), &original).unwrap();
            assert_eq!(out.len(), 20 + 28);
            assert_eq!(out[12..20], [192, 0, 2, 1, 192, 0, 2, 2]);
            assert_eq!(sum(&out[..20]), 0);
            let tcp_len = (28 + payload.len()) as u16;
            let whole = [&out[12..20], &[0, 6], &tcp_len.to_be_bytes(), &out[20..], payload].concat();
            assert_eq!(sum(&whole), 0, "{payload:?}");
            assert_eq!(out[2..4], original[2..4], "the length is that of the wire");
        }
    }

    #[test]
    fn a_wrong_checksum_stays_wrong() {
        let mut original = packet_v4(&[], b"");
        original[36] ^= 0x40;
        let out = packet(&mut Redactor::default(), &original).unwrap();
        let whole = [&out[12..20], &[0, 6, 0, 20], &out[20..]].concat();
        assert_ne!(sum(&whole), 0);
    }

    #[test]
    fn options_that_may_tell_become_nops_and_the_checksum_follows() {
        // TCP fast open with a cookie; MPTCP ADD_ADDR with an address.
        let options = [34, 6, 0xde, 0xad, 0xbe, 0xef, 30, 8, 0x30, 1, 10, 77, 0, 9, 2, 4, 5, 0xb4, 1, 1];
        let out = packet(&mut Redactor::default(), &packet_v4(&options, b"")).unwrap();
        assert_eq!(out[40..54], [1; 14]);
        assert_eq!(out[54..58], [2, 4, 5, 0xb4]);
        let whole = [&out[12..20], &[0, 6, 0, 40], &out[20..]].concat();
        assert_eq!(sum(&whole), 0);
    }

    #[test]
    fn nothing_hides_behind_the_end_of_the_options() {
        let mut options = [0, 0xca, 0xfe, 0xba];
        known_options(&mut options);
        assert_eq!(options, [0; 4]);
        let mut options = [8, 200, 1, 2];
        known_options(&mut options);
        assert_eq!(options, [NOP; 4]);
    }

    #[test]
    fn a_route_in_the_ip_header_is_overwritten() {
        let mut original = packet_v4(&[], b"");
        let route = [7, 7, 4, 10, 77, 0, 3, 0];
        original.splice(20..20, route);
        original[0] = 0x47;
        original[2..4].copy_from_slice(&48_u16.to_be_bytes());
        let out = packet(&mut Redactor::default(), &original).unwrap();
        assert_eq!(out[20..28], [NOP; 8]);
    }

    #[test]
    fn ipv6_keeps_padding_and_refuses_addresses_in_extension_headers() {
        let tcp = &packet_v4(&[], b"")[20..];
        let with = |next: u8, extension: &[u8]| {
            let mut octets = vec![0x60, 0, 0, 0, 0, (extension.len() + tcp.len()) as u8, next, 64];
            octets.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
            octets.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
            octets.extend(extension);
            octets.extend(tcp);
            packet(&mut Redactor::default(), &octets)
        };
        let out = with(0, &[6, 0, 1, 4, 9, 9, 9, 9]).unwrap();
        assert_eq!(out[40..48], [6, 0, 1, 4, 0, 0, 0, 0]);
        // A home address; a route.
        let home = [&[6_u8, 2, 201, 16][..], &[7; 16], &[1, 2, 0, 0]].concat();
        assert_eq!(with(60, &home), None);
        assert_eq!(with(43, &[6, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
