//! The four-tuple, written one way whoever speaks.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

use crate::analysis::wire::Segment;

/// Two sockets in a canonical order: side A is the smaller. Both directions of a connection give the same value.
///
/// Kept as plain numbers: it is compared and hashed many times a segment, and two [`SocketAddr`] are half as large again.
/// With IPv4 the first two words are all of it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct FourTuple {
    /// IPv4: the port of B, from bit 16 that of A, and from bit 32 the address of A. IPv6: the lower half of A's address.
    first: u64,
    /// IPv4: the address of B. IPv6: the port of B, from bit 16 that of A, and bit 32, which says that it is IPv6.
    second: u64,
    /// IPv6 only: the upper half of A's address, the lower half of B's and its upper half.
    rest: [u64; 3],
}

/// At this bit of the second word stands whether it is IPv6.
const IS_V6: u64 = 1 << 32;

/// One of the two sockets of a [`FourTuple`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Side {
    #[default]
    A,
    B,
}

impl Side {
    pub const fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

impl FourTuple {
    /// The tuple of a segment and the side that sent it.
    #[inline]
    pub fn of(segment: &Segment) -> (FourTuple, Side) {
        FourTuple::between(segment.source, segment.destination)
    }

    /// The tuple of two sockets and the side that `from` is.
    #[inline]
    pub fn between(from: SocketAddr, to: SocketAddr) -> (FourTuple, Side) {
        match (from, to) {
            (SocketAddr::V4(from), SocketAddr::V4(to)) => FourTuple::between_v4(from, to),
            _ => {
                // As words: what a call writes whole is kept in memory, and with it the IPv4 tuple, which else stands in two
                // registers.
                let ([first, second, a_high, b_low, b_high], side) = FourTuple::words_v6(from, to);
                (FourTuple { first, second, rest: [a_high, b_low, b_high] }, side)
            }
        }
    }

    #[inline]
    fn between_v4(from: SocketAddrV4, to: SocketAddrV4) -> (FourTuple, Side) {
        // Address and port as one number, which is their order.
        let number = |socket: SocketAddrV4| u64::from(socket.ip().to_bits()) << 16 | u64::from(socket.port());
        let (from, to) = (number(from), number(to));
        let side = if from <= to { Side::A } else { Side::B };
        let (a, b) = (from.min(to), from.max(to));
        (FourTuple { first: a << 16 | b & 0xffff, second: b >> 16, rest: [0; 3] }, side)
    }

    #[cold]
    fn words_v6(from: SocketAddr, to: SocketAddr) -> ([u64; 5], Side) {
        let number = |socket: SocketAddr| match socket.ip() {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()), socket.port()),
            IpAddr::V6(ip) => (ip.to_bits(), socket.port()),
        };
        let (from, to) = (number(from), number(to));
        let side = if from <= to { Side::A } else { Side::B };
        let ((a, a_port), (b, b_port)) = (from.min(to), from.max(to));
        let second = IS_V6 | u64::from(a_port) << 16 | u64::from(b_port);
        ([a as u64, second, (a >> 64) as u64, b as u64, (b >> 64) as u64], side)
    }

    pub const fn socket(&self, side: Side) -> SocketAddr {
        let ports = if self.is_v6() { self.second } else { self.first };
        match side {
            Side::A => SocketAddr::new(self.ip(side), (ports >> 16) as u16),
            Side::B => SocketAddr::new(self.ip(side), ports as u16),
        }
    }

    #[inline]
    pub const fn ip(&self, side: Side) -> IpAddr {
        let FourTuple { first, second, rest } = *self;
        let (v4, high, low) = match side {
            Side::A => (first >> 32, rest[0], first),
            Side::B => (second, rest[2], rest[1]),
        };
        if self.is_v6() {
            IpAddr::V6(Ipv6Addr::from_bits((high as u128) << 64 | low as u128))
        } else {
            IpAddr::V4(Ipv4Addr::from_bits(v4 as u32))
        }
    }

    const fn is_v6(&self) -> bool {
        self.second & IS_V6 != 0
    }
}

impl fmt::Debug for FourTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and {}", self.socket(Side::A), self.socket(Side::B))
    }
}

impl Eq for FourTuple {}

/// Word by word: a call of `memcmp` takes longer.
impl PartialEq for FourTuple {
    #[inline]
    fn eq(&self, other: &FourTuple) -> bool {
        let differ = (self.first ^ other.first) | (self.second ^ other.second);
        differ == 0 && (!self.is_v6() || self.rest == other.rest)
    }
}

/// Whole words, which is what the hasher is fast on: one of 128 bits for IPv4, three for IPv6.
impl Hash for FourTuple {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let word = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
        state.write_u128(word(self.second, self.first));
        if self.is_v6() {
            let [a_high, b_low, b_high] = self.rest;
            state.write_u128(word(b_high, b_low));
            state.write_u64(a_high);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn both_directions_give_one_tuple_and_the_sockets_come_out_as_they_went_in() {
        for (smaller, larger) in [
            ("10.77.0.1:40000", "10.77.0.2:80"),
            ("10.77.0.2:80", "10.77.0.2:81"),
            ("9.255.255.255:1", "10.0.0.0:1"),
            ("[fe80::1]:65535", "[fe80::2]:1"),
            ("[::1:0:0:0]:2", "[1::]:1"),
        ] {
            let (smaller, larger) = (socket(smaller), socket(larger));
            let (tuple, side) = FourTuple::between(smaller, larger);
            assert_eq!(FourTuple::between(larger, smaller), (tuple, side.other()));
            assert_eq!((side, tuple.socket(Side::A), tuple.socket(Side::B)), (Side::A, smaller, larger));
        }
    }

    #[test]
    fn an_ipv4_address_is_not_the_ipv6_address_with_the_same_bits() {
        let four = FourTuple::between(socket("0.0.0.1:1"), socket("0.0.0.2:2")).0;
        let six = FourTuple::between(socket("[::1]:1"), socket("[::2]:2")).0;
        assert_ne!(four, six);
    }
}
