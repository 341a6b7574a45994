//! One step of a capture format's decoder, the same for every format.
//!
//! Decoders are pure: they look at octets that are already there, and say what they saw or how much more they need.

use core::ops::Range;

use crate::analysis::input::LinkType;
use crate::analysis::time::Timestamp;

/// What is known of a frame beside its octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub time: Timestamp,
    pub link: LinkType,
    pub wire_len: u32,
}

/// What the first octets of the window are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Frame {
        head: Head,
        data: Range<usize>,
        /// Octets of the whole record.
        size: usize,
        /// Frames that were lost between the frame before and this one, as the capture itself says.
        lost: u64,
    },
    /// A record that carries no frame but has a frame's number in Wireshark.
    Numbered(usize),
    /// A record without a frame.
    Other(usize),
    /// The capture's own statistics: frames lost that have not been told with any frame.
    Lost {
        size: usize,
        kernel: u64,
        interface: u64,
    },
    /// The record has at least so many octets.
    Need(usize),
    Damaged(String),
}

/// A link type as files name it. 12 and 14 are what some systems call raw IP in memory; old writers let it slip out.
pub(super) fn link_type(value: u32) -> LinkType {
    match value {
        12 | 14 => LinkType::RAW,
        other => LinkType(other),
    }
}

/// Four octets at `at`, or zero where there are none: callers have checked the length.
#[inline]
pub(super) fn u32_at(data: &[u8], at: usize, big_endian: bool) -> u32 {
    let octets = data.get(at..at + 4).and_then(|octets| octets.try_into().ok()).unwrap_or([0; 4]);
    if big_endian { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) }
}

/// Two octets at `at`, or zero where there are none.
#[inline]
pub(super) fn u16_at(data: &[u8], at: usize, big_endian: bool) -> u16 {
    let octets = data.get(at..at + 2).and_then(|octets| octets.try_into().ok()).unwrap_or([0; 2]);
    if big_endian { u16::from_be_bytes(octets) } else { u16::from_le_bytes(octets) }
}
