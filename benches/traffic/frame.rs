//! One TCP segment as an Ethernet frame: headers, options and right checksums.

use std::net::{Ipv4Addr, SocketAddrV4};

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;

const ETHERNET: usize = 14;
const IPV4: usize = 20;
const TCP: usize = 20;
/// MSS 1460, which every SYN here offers and nothing else has.
const SYN_OPTIONS: [u8; 4] = [2, 4, 0x05, 0xb4];
/// A frame without payload is filled up to this.
const LEAST: usize = 60;

/// A segment, and when it passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Microseconds since the capture began.
    pub at: u64,
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub window: u16,
    /// Octets of payload: a line of HTTP where the segment has PSH, then zeros.
    pub payload: u16,
}

impl Sent {
    /// Writes the frame over what is in `octets`. `id` is that of the IPv4 header.
    pub fn write(&self, id: u16, octets: &mut Vec<u8>) {
        let options: &[u8] = if self.flags & SYN == 0 { &[] } else { &SYN_OPTIONS };
        let total = IPV4 + TCP + options.len() + usize::from(self.payload);
        octets.clear();
        octets.extend(mac_of(*self.to.ip()));
        octets.extend(mac_of(*self.from.ip()));
        octets.extend([0x08, 0x00]);

        octets.extend([0x45, 0]);
        octets.extend((total as u16).to_be_bytes());
        octets.extend(id.to_be_bytes());
        // Don't fragment; TTL 64; TCP; a place for the checksum.
        octets.extend([0x40, 0, 64, 6, 0, 0]);
        octets.extend(self.from.ip().octets());
        octets.extend(self.to.ip().octets());
        let sum = checksum(0, &octets[ETHERNET..]);
        octets[ETHERNET + 10..][..2].copy_from_slice(&sum.to_be_bytes());

        let tcp = octets.len();
        octets.extend(self.from.port().to_be_bytes());
        octets.extend(self.to.port().to_be_bytes());
        octets.extend(self.seq.to_be_bytes());
        octets.extend(self.ack.to_be_bytes());
        octets.extend([(((TCP + options.len()) / 4) << 4) as u8, self.flags]);
        octets.extend(self.window.to_be_bytes());
        octets.extend([0; 4]);
        octets.extend(options);
        let words = self.words();
        octets.extend(&words[..words.len().min(self.payload.into())]);
        // The zeros that follow add nothing to the sum.
        let pseudo_header = checksum_of_pair(*self.from.ip(), *self.to.ip(), total - IPV4);
        let sum = checksum(pseudo_header, &octets[tcp..]);
        octets[tcp + 16..][..2].copy_from_slice(&sum.to_be_bytes());
        octets.resize((ETHERNET + total).max(LEAST), 0);
    }

    fn words(&self) -> &'static [u8] {
        if self.flags & PSH == 0 {
            b""
        } else if self.to.port() == 80 {
            b"GET /api/state HTTP/1.1\r\nHost: device\r\n\r\n"
        } else {
            b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n"
        }
    }
}

/// Locally administered, so that it is nobody's.
fn mac_of(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [2, 0, a, b, c, d]
}

fn checksum_of_pair(from: Ipv4Addr, to: Ipv4Addr, length: usize) -> u32 {
    let halves = |address: Ipv4Addr| (address.to_bits() >> 16) + (address.to_bits() & 0xffff);
    halves(from) + halves(to) + 6 + length as u32
}

/// RFC 1071, begun with `sum`.
fn checksum(mut sum: u32, octets: &[u8]) -> u16 {
    for pair in octets.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
