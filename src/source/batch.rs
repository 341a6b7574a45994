//! Frames on their way from one thread to another: many at a time, in one piece of memory that is used again.
//!
//! Knows how much fits and in which order things came; knows nothing of threads.

use std::time::Instant;

use super::record::Head;
use crate::analysis::input::{FrameNo, Gap};

/// A batch is full at either of these. Small enough that the engine starts soon, large enough that the lock between
/// the threads costs nothing a packet.
pub(super) const FRAMES: usize = 256;
pub(super) const OCTETS: usize = 64 * 1024;

pub(super) struct Batch {
    items: Vec<Item>,
    octets: Vec<u8>,
    /// When its last item was handed over, by the monotonic clock.
    pub at: Instant,
}

/// One item; a frame's octets are those from `start`. A frame without a number gets the next.
#[derive(Clone, Copy)]
pub(super) enum Item {
    Frame { number: Option<FrameNo>, head: Head, start: usize, length: usize },
    Gap(Gap),
}

impl Batch {
    pub fn new() -> Batch {
        Batch { items: Vec::new(), octets: Vec::new(), at: Instant::now() }
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether it is worth keeping for later.
    pub fn has_memory(&self) -> bool {
        self.octets.capacity() > 0
    }

    /// Whether a frame of `length` octets still fits. A batch takes its first whatever its size.
    pub fn has_room_for(&self, length: usize) -> bool {
        self.items.is_empty() || (self.items.len() < FRAMES && self.octets.len() + length <= OCTETS)
    }

    pub fn push_frame(&mut self, number: Option<FrameNo>, head: Head, data: &[u8]) {
        let start = self.octets.len();
        self.octets.extend_from_slice(data);
        self.items.push(Item::Frame { number, head, start, length: data.len() });
    }

    /// Gaps take no room that matters, and must never be refused.
    pub fn push_gap(&mut self, gap: Gap) {
        self.items.push(Item::Gap(gap));
    }

    pub fn item(&self, index: usize) -> Option<Item> {
        self.items.get(index).copied()
    }

    pub fn octets(&self, start: usize, length: usize) -> &[u8] {
        self.octets.get(start..start + length).unwrap_or_default()
    }

    /// Takes in all of `other` if that fits, and leaves it empty.
    pub fn take_in(&mut self, other: &mut Batch) -> bool {
        if self.items.len() + other.items.len() > FRAMES || self.octets.len() + other.octets.len() > OCTETS {
            return false;
        }
        let moved = self.octets.len();
        self.octets.extend_from_slice(&other.octets);
        self.items.extend(other.items.iter().map(|item| match *item {
            Item::Frame { number, head, start, length } => {
                Item::Frame { number, head, start: start + moved, length }
            }
            Item::Gap(gap) => Item::Gap(gap),
        }));
        other.clear();
        true
    }

    pub fn clear(&mut self) {
        self.items.clear();
        self.octets.clear();
        // One giant frame must not keep its memory for ever.
        self.octets.shrink_to(OCTETS * 2);
    }
}
