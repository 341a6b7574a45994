//! The four-tuple, written one way whoever speaks.

use core::hash::{Hash, Hasher};
use core::net::{IpAddr, SocketAddr};

use crate::analysis::wire::Segment;

/// Two sockets in a canonical order: `a` is the smaller. Both directions of a connection give the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FourTuple {
    a: SocketAddr,
    b: SocketAddr,
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
    pub fn between(from: SocketAddr, to: SocketAddr) -> (FourTuple, Side) {
        if (from.ip(), from.port()) <= (to.ip(), to.port()) {
            (FourTuple { a: from, b: to }, Side::A)
        } else {
            (FourTuple { a: to, b: from }, Side::B)
        }
    }

    pub const fn socket(&self, side: Side) -> SocketAddr {
        match side {
            Side::A => self.a,
            Side::B => self.b,
        }
    }

    /// The side whose address is `ip`; side A where both are.
    pub fn side_of(&self, ip: IpAddr) -> Option<Side> {
        if self.a.ip() == ip {
            Some(Side::A)
        } else if self.b.ip() == ip {
            Some(Side::B)
        } else {
            None
        }
    }
}

/// A few whole words, which is what the hasher is fast on: two for IPv4, five for IPv6.
impl Hash for FourTuple {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let ports = u64::from(self.a.port()) << 16 | u64::from(self.b.port());
        match (self.a.ip(), self.b.ip()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                state.write_u64(u64::from(a.to_bits()) << 32 | u64::from(b.to_bits()));
                state.write_u64(ports);
            }
            (a, b) => {
                for ip in [a, b] {
                    let bits = match ip {
                        IpAddr::V4(ip) => u128::from(ip.to_bits()),
                        IpAddr::V6(ip) => ip.to_bits(),
                    };
                    state.write_u64((bits >> 64) as u64);
                    state.write_u64(bits as u64);
                }
                state.write_u64(ports);
            }
        }
    }
}
