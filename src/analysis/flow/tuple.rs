//! The four-tuple, written one way whoever speaks.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::analysis::wire::Segment;

/// Two sockets in a canonical order: side A is the smaller. Both directions of a connection give the same value.
///
/// Kept as plain numbers: it is compared and hashed many times a segment, and two [`SocketAddr`] are half as large again.
#[derive(Clone, Copy, Eq)]
pub struct FourTuple {
    /// The addresses' bits, the upper half first; those of IPv4 stand in the lower half.
    a: [u64; 2],
    b: [u64; 2],
    a_port: u16,
    b_port: u16,
    is_v6: bool,
}

/// One of the two sockets of a [`FourTuple`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
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
    pub fn of(segment: &Segment) -> (FourTuple, Side) {
        FourTuple::between(segment.source, segment.destination)
    }

    /// The tuple of two sockets and the side that `from` is.
    #[inline]
    pub fn between(from: SocketAddr, to: SocketAddr) -> (FourTuple, Side) {
        if let (SocketAddr::V4(from), SocketAddr::V4(to)) = (from, to) {
            return FourTuple::between_v4(*from.ip(), from.port(), *to.ip(), to.port());
        }
        let is_v6 = from.is_ipv6() || to.is_ipv6();
        let (from, to) = ((bits(from.ip()), from.port()), (bits(to.ip()), to.port()));
        let (a, b, side) = if from <= to { (from, to, Side::A) } else { (to, from, Side::B) };
        (FourTuple { a: a.0, b: b.0, a_port: a.1, b_port: b.1, is_v6 }, side)
    }

    #[inline]
    fn between_v4(from: Ipv4Addr, from_port: u16, to: Ipv4Addr, to_port: u16) -> (FourTuple, Side) {
        let (from, to) = (u64::from(from.to_bits()), u64::from(to.to_bits()));
        let is_a = (from << 16 | u64::from(from_port)) <= (to << 16 | u64::from(to_port));
        let (a, a_port, b, b_port, side) = match is_a {
            true => (from, from_port, to, to_port, Side::A),
            false => (to, to_port, from, from_port, Side::B),
        };
        (FourTuple { a: [0, a], b: [0, b], a_port, b_port, is_v6: false }, side)
    }

    pub const fn socket(&self, side: Side) -> SocketAddr {
        let (address, port) = match side {
            Side::A => (self.a, self.a_port),
            Side::B => (self.b, self.b_port),
        };
        let ip = if self.is_v6 {
            IpAddr::V6(Ipv6Addr::from_bits((address[0] as u128) << 64 | address[1] as u128))
        } else {
            IpAddr::V4(Ipv4Addr::from_bits(address[1] as u32))
        };
        SocketAddr::new(ip, port)
    }
}

#[inline]
fn bits(ip: IpAddr) -> [u64; 2] {
    match ip {
        IpAddr::V4(ip) => [0, u64::from(ip.to_bits())],
        IpAddr::V6(ip) => [(ip.to_bits() >> 64) as u64, ip.to_bits() as u64],
    }
}

impl fmt::Debug for FourTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and {}", self.socket(Side::A), self.socket(Side::B))
    }
}

/// Word by word: a call of `memcmp` takes longer.
impl PartialEq for FourTuple {
    #[inline]
    fn eq(&self, other: &FourTuple) -> bool {
        let differ = (self.a[1] ^ other.a[1]) | (self.b[1] ^ other.b[1]);
        let differ_above = (self.a[0] ^ other.a[0]) | (self.b[0] ^ other.b[0]);
        let ports = (self.a_port ^ other.a_port) | (self.b_port ^ other.b_port);
        differ | differ_above | u64::from(ports) | u64::from(self.is_v6 ^ other.is_v6) == 0
    }
}

/// Whole words, which is what the hasher is fast on: one of 128 bits for IPv4, three for IPv6.
impl Hash for FourTuple {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let word = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
        let ports = u64::from(self.a_port) << 16 | u64::from(self.b_port);
        if self.is_v6 {
            state.write_u128(word(self.a[0], self.a[1]));
            state.write_u128(word(self.b[0], self.b[1]));
            state.write_u64(ports);
        } else {
            state.write_u128(word(ports, self.a[1] << 32 | self.b[1]));
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
