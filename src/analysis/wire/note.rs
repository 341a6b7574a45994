//! What is kept of a segment that may be cited later: small, and without its addresses.

use super::{flags::Flags, segment::Segment, seq::SeqNum};
use crate::analysis::{input::FrameNo, time::Timestamp};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Note {
    pub frame: FrameNo,
    pub time: Timestamp,
    pub seq: SeqNum,
    /// Meaningless without the ACK flag.
    pub ack: SeqNum,
    pub len: u32,
    pub window: u16,
    pub flags: Flags,
    /// The octet that is left over; it tells `None` from `Some`, so that an [`Option`] takes no more room.
    rest: Rest,
}

/// An octet of one value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
enum Rest {
    #[default]
    Unused,
}

impl Note {
    /// The position just past the segment: what acknowledges all of it.
    pub const fn seq_end(&self) -> SeqNum {
        let controls = self.flags.has(Flags::SYN) as u32 + self.flags.has(Flags::FIN) as u32;
        self.seq.plus(self.len.wrapping_add(controls))
    }

    /// Past the last octet that the window of this segment lets in, where it is shifted by `shift`.
    pub const fn right_edge(&self, shift: u8) -> SeqNum {
        right_edge(self.ack, self.window, shift)
    }
}

/// Past the last octet that a window lets in which is shifted by `shift` (RFC 7323 §2.3: at most 14). SYN and RST segments
/// bear no such window.
#[inline]
pub const fn right_edge(ack: SeqNum, window: u16, shift: u8) -> SeqNum {
    let shift = if shift > 14 { 14 } else { shift };
    ack.plus((window as u32) << shift)
}

impl From<&Segment> for Note {
    fn from(segment: &Segment) -> Note {
        Note {
            frame: segment.frame,
            time: segment.time,
            seq: segment.seq,
            ack: segment.ack,
            len: segment.len,
            window: segment.window,
            flags: segment.flags,
            rest: Rest::Unused,
        }
    }
}
