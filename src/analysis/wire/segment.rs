//! One TCP segment, as far as its headers tell. It knows addresses but not which of them is a device.

use core::net::{IpAddr, SocketAddr};

use super::{flags::Flags, options::SynOptions, seq::SeqNum};
use crate::analysis::{input::FrameNo, time::Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub frame: FrameNo,
    pub time: Timestamp,
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub seq: SeqNum,
    /// Meaningless without the ACK flag.
    pub ack: SeqNum,
    pub flags: Flags,
    /// As sent, unscaled.
    pub window: u16,
    /// Payload octets by the IP header, whether captured or not.
    pub len: u32,
    /// Read from SYN segments only.
    pub options: SynOptions,
    /// IPv4 identification.
    pub ip_id: Option<u16>,
    pub source_mac: Option<[u8; 6]>,
    pub destination_mac: Option<[u8; 6]>,
}

impl Segment {
    /// Sequence space that the segment occupies: payload, SYN and FIN (RFC 9293 §3.4 SEG.LEN).
    pub const fn seq_len(&self) -> u32 {
        self.len
            .saturating_add(self.flags.has(Flags::SYN) as u32)
            .saturating_add(self.flags.has(Flags::FIN) as u32)
    }

    /// The position just past the segment.
    pub const fn seq_end(&self) -> SeqNum {
        self.seq.plus(self.seq_len())
    }

    /// The acknowledgment, if there is one.
    pub const fn acknowledges(&self) -> Option<SeqNum> {
        if self.flags.has(Flags::ACK) { Some(self.ack) } else { None }
    }

    /// A segment that says nothing but an acknowledgment.
    pub const fn is_pure_ack(&self) -> bool {
        self.flags.is_plain_ack() && self.len == 0
    }

    pub const fn source_ip(&self) -> IpAddr {
        self.source.ip()
    }

    pub const fn destination_ip(&self) -> IpAddr {
        self.destination.ip()
    }
}
