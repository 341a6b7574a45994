//! The last frames of a run, until somebody asks for them: one ring for whoever does.
//!
//! Knows frames, how many octets they may take and how old they may get. Refuses to know why a frame is wanted.

use core::time::Duration;
use std::collections::VecDeque;

use crate::analysis::{
    flow::FourTuple,
    input::{Frame, FrameNo, LinkType},
    time::Timestamp,
    wire::decode,
};

/// Octets of frames that wait for a report's findings, where nobody asks for more.
pub const OCTETS: usize = 8 << 20;
/// What a frame costs beside its octets.
const OVERHEAD: usize = 128;

/// A frame that outlives its source's buffer.
#[derive(Clone, Debug)]
pub struct Kept {
    pub number: FrameNo,
    pub time: Timestamp,
    pub link: LinkType,
    pub wire_len: u32,
    pub data: Vec<u8>,
    /// Frames that the capture lost before this one.
    pub lost: u64,
    pub(super) tuple: Option<FourTuple>,
}

/// The newest frames, in the capture's order.
#[derive(Debug)]
pub struct Ring {
    frames: VecDeque<Kept>,
    octets: usize,
    most: usize,
    oldest: Option<Duration>,
    /// Frames lost since the last one that came.
    lost: u64,
}

/// The four-tuple of `frame`, where it is a readable TCP segment.
pub fn tuple_of(frame: &Frame<'_>) -> Option<FourTuple> {
    decode(frame).ok().map(|segment| FourTuple::of(&segment).0)
}

impl Ring {
    /// Keeps `most` octets. `oldest`: and nothing older than that, by the frames' own time.
    pub fn new(most: usize, oldest: Option<Duration>) -> Ring {
        Ring { frames: VecDeque::new(), octets: 0, most, oldest, lost: 0 }
    }

    /// The next frame, in the capture's order; the buffer of one that is forgotten serves it. `tuple` as
    /// [`tuple_of`] has it, where an [`Excerpt`](super::excerpt::Excerpt) will ask.
    pub fn push(&mut self, frame: &Frame<'_>, tuple: Option<FourTuple>) {
        let mut spare = self.forget_aged(frame.time);
        let cost = frame.data.len() + OVERHEAD;
        while self.octets + cost > self.most {
            let Some(oldest) = self.frames.pop_front() else { return };
            self.octets -= oldest.cost();
            spare = oldest.data;
        }
        let mut kept = Kept::of(frame, tuple, spare);
        kept.lost = core::mem::take(&mut self.lost);
        self.octets += cost;
        self.frames.push_back(kept);
    }

    /// So many frames were lost before the next one.
    pub fn on_gap(&mut self, lost: u64) {
        self.lost = self.lost.saturating_add(lost);
    }

    /// Forgets what is too old at `now`, and gives the buffer of the last one.
    pub fn forget_aged(&mut self, now: Timestamp) -> Vec<u8> {
        let mut spare = Vec::new();
        while let (Some(most), Some(front)) = (self.oldest, self.frames.front())
            && now.since(front.time) > most
            && let Some(aged) = self.frames.pop_front()
        {
            self.octets -= aged.cost();
            spare = aged.data;
        }
        spare
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Kept> {
        self.frames.iter()
    }

    /// Those from frame `number` on.
    pub fn since(&self, number: FrameNo) -> impl Iterator<Item = &Kept> {
        self.frames.range(self.frames.partition_point(|kept| kept.number < number)..)
    }

    /// The number of the oldest frame that is here.
    pub fn first(&self) -> Option<FrameNo> {
        self.frames.front().map(|kept| kept.number)
    }
}

impl Kept {
    pub(super) fn of(frame: &Frame<'_>, tuple: Option<FourTuple>, mut buffer: Vec<u8>) -> Kept {
        buffer.clear();
        buffer.extend_from_slice(frame.data);
        let Frame { number, time, link, wire_len, data: _ } = *frame;
        Kept { number, time, link, wire_len, data: buffer, lost: 0, tuple }
    }

    pub fn frame(&self) -> Frame<'_> {
        let Kept { number, time, link, wire_len, ref data, lost: _, tuple: _ } = *self;
        Frame { number, time, link, wire_len, data }
    }

    pub(super) fn cost(&self) -> usize {
        self.data.len() + OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(ring: &mut Ring, number: FrameNo, second: u64) {
        let time = Timestamp::from_nanos(second * 1_000_000_000);
        ring.push(&Frame { number, time, link: LinkType::RAW, wire_len: 40, data: &[0; 40] }, None);
    }

    fn numbers(ring: &Ring) -> Vec<FrameNo> {
        ring.iter().map(|kept| kept.number).collect()
    }

    #[test]
    fn what_is_too_much_and_what_is_too_old_is_forgotten() {
        let mut ring = Ring::new(3 * (40 + OVERHEAD), Some(Duration::from_secs(10)));
        for number in 1..=5 {
            push(&mut ring, number, number);
        }
        assert_eq!((numbers(&ring), ring.first()), (vec![3, 4, 5], Some(3)));
        push(&mut ring, 6, 14);
        assert_eq!(numbers(&ring), [4, 5, 6]);
        // A clock that is set back makes nothing old.
        push(&mut ring, 7, 1);
        assert_eq!(numbers(&ring), [5, 6, 7]);
        ring.forget_aged(Timestamp::from_nanos(16_000_000_000));
        assert_eq!(numbers(&ring), [6, 7]);
        ring.forget_aged(Timestamp::MAX);
        assert_eq!((numbers(&ring), ring.octets), (vec![], 0));
    }

    #[test]
    fn a_loss_stands_with_the_frame_after_it() {
        let mut ring = Ring::new(OCTETS, None);
        push(&mut ring, 1, 0);
        ring.on_gap(3);
        ring.on_gap(4);
        push(&mut ring, 2, 0);
        push(&mut ring, 3, 0);
        assert_eq!(ring.iter().map(|kept| kept.lost).collect::<Vec<_>>(), [0, 7, 0]);
        assert_eq!(ring.since(2).map(|kept| kept.number).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(ring.since(9).count(), 0);
    }

    #[test]
    fn a_frame_that_is_larger_than_the_ring_is_not_kept() {
        let mut ring = Ring::new(100, None);
        push(&mut ring, 1, 0);
        assert_eq!(ring.first(), None);
    }
}
