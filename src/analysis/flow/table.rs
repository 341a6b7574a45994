//! All flows at once: found by tuple, bounded in number, the idlest giving way first.
//!
//! A flood of SYNs cannot push out connections that live: unanswered first SYNs stand in a queue of their own,
//! and that queue pays first.

use core::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::{
    flow_state::Flow,
    tuple::{FourTuple, Side},
};
use crate::analysis::wire::Segment;

/// A flow's place in the table; valid until the next insertion.
pub type FlowId = u32;

const NONE: u32 = u32::MAX;

/// `T` is what its owner wants kept with each flow.
#[derive(Debug)]
pub struct FlowTable<T> {
    index: HashTable<u32>,
    // Seeded at random: a fixed seed would let a sender choose collisions. Nothing is ever listed in hash order.
    hasher: RandomState,
    slots: Vec<Slot<T>>,
    queues: [Queue; 2],
    capacity: usize,
    evicted: u64,
    /// Who waited for a flow that gave way, and may wait for its tuple still.
    waiting_for_evicted: u64,
}

/// A tuple that is not in the table, and its hash.
#[derive(Clone, Copy, Debug)]
pub struct Unknown(u64);

#[derive(Debug)]
struct Slot<T> {
    flow: Flow,
    kept: T,
    /// A bit for each that waits for something on this tuple; what they mean is their owner's affair.
    waiting: u64,
    queue: Rank,
    older: u32,
    newer: u32,
}

/// Which queue a flow stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rank {
    Embryonic = 0,
    Grown = 1,
}

/// A doubly linked list through the slots, oldest to newest.
#[derive(Debug)]
struct Queue {
    oldest: u32,
    newest: u32,
    len: usize,
}

impl<T> FlowTable<T> {
    /// What one flow takes, octets; its share of the index is twelve at the most.
    pub const OCTETS_A_FLOW: usize = size_of::<Slot<T>>() + 12;

    /// A table for at most `capacity` flows (at least one).
    pub fn with_capacity(capacity: usize) -> FlowTable<T> {
        let capacity = capacity.clamp(1, NONE as usize - 1);
        let empty = || Queue { oldest: NONE, newest: NONE, len: 0 };
        FlowTable {
            // All at once: to move the table while frames come would lose some. Memory that is not used yet costs nothing.
            index: HashTable::with_capacity(capacity),
            hasher: RandomState::default(),
            slots: Vec::with_capacity(capacity),
            queues: [empty(), empty()],
            capacity,
            evicted: 0,
            waiting_for_evicted: 0,
        }
    }

    /// The flow of `tuple`, or what [`FlowTable::open`] needs where there is none.
    #[inline]
    pub fn find(&self, tuple: &FourTuple) -> Result<FlowId, Unknown> {
        let hash = self.hasher.hash_one(tuple);
        let found = self.index.find(hash, |&id| self.slots[id as usize].flow.tuple == *tuple);
        found.copied().ok_or(Unknown(hash))
    }

    /// A flow of `tuple`, which [`FlowTable::find`] did not find, opened by `segment`.
    pub fn open(
        &mut self,
        Unknown(hash): Unknown,
        tuple: FourTuple,
        segment: &Segment,
        from: Side,
        kept: T,
    ) -> FlowId {
        let flow = Flow::open(tuple, segment, from);
        let queue = if flow.is_embryonic() { Rank::Embryonic } else { Rank::Grown };
        let waiting = self.waiting_for_evicted;
        let id = self.place(Slot { flow, kept, waiting, queue, older: NONE, newer: NONE });
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index.insert_unique(hash, id, |&id| hasher.hash_one(slots[id as usize].flow.tuple));
        self.append(id);
        id
    }

    pub fn flow(&self, id: FlowId) -> &Flow {
        &self.slots[id as usize].flow
    }

    pub fn flow_mut(&mut self, id: FlowId) -> &mut Flow {
        &mut self.slots[id as usize].flow
    }

    /// What its owner keeps with the flow.
    pub fn kept(&self, id: FlowId) -> &T {
        &self.slots[id as usize].kept
    }

    pub fn kept_mut(&mut self, id: FlowId) -> &mut T {
        &mut self.slots[id as usize].kept
    }

    /// Who may wait for something on the flow's tuple, one bit each.
    pub fn waiting(&self, id: FlowId) -> u64 {
        self.slots[id as usize].waiting
    }

    pub fn set_waiting(&mut self, id: FlowId, waiting: u64) {
        self.slots[id as usize].waiting = waiting;
    }

    /// Marks the flow as the most recently heard of.
    pub fn touch(&mut self, id: FlowId) {
        let slot = &mut self.slots[id as usize];
        let queue = if slot.flow.is_embryonic() { Rank::Embryonic } else { Rank::Grown };
        if slot.newer == NONE && slot.queue == queue {
            return;
        }
        self.unlink(id);
        self.slots[id as usize].queue = queue;
        self.append(id);
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Flows that had to give way.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Nothing about any flow's present is proven any more: frames were lost.
    pub fn weaken_all(&mut self) {
        for slot in &mut self.slots {
            slot.flow.life.a.weaken();
            slot.flow.life.b.weaken();
        }
    }

    /// Puts a slot down: in a new place while there is room, else in that of the flow that gives way.
    fn place(&mut self, slot: Slot<T>) -> FlowId {
        if self.slots.len() < self.capacity {
            self.slots.push(slot);
            return (self.slots.len() - 1) as u32;
        }
        let id = self.evict();
        self.slots[id as usize] = slot;
        id
    }

    fn evict(&mut self) -> FlowId {
        let [embryonic, grown] = &self.queues;
        let id =
            if grown.len == 0 || embryonic.len > self.capacity / 4 { embryonic.oldest } else { grown.oldest };
        self.unlink(id);
        let hash = self.hasher.hash_one(self.slots[id as usize].flow.tuple);
        if let Ok(entry) = self.index.find_entry(hash, |&other| other == id) {
            entry.remove();
        }
        self.evicted += 1;
        self.waiting_for_evicted |= self.slots[id as usize].waiting;
        id
    }

    fn append(&mut self, id: FlowId) {
        let queue = &mut self.queues[self.slots[id as usize].queue as usize];
        let newest = queue.newest;
        queue.newest = id;
        queue.len += 1;
        if newest == NONE {
            queue.oldest = id;
        } else {
            self.slots[newest as usize].newer = id;
        }
        let slot = &mut self.slots[id as usize];
        (slot.older, slot.newer) = (newest, NONE);
    }

    fn unlink(&mut self, id: FlowId) {
        let Slot { queue, older, newer, .. } = self.slots[id as usize];
        let queue = &mut self.queues[queue as usize];
        queue.len -= 1;
        match older {
            NONE => queue.oldest = newer,
            older => self.slots[older as usize].newer = newer,
        }
        match newer {
            NONE => queue.newest = older,
            newer => self.slots[newer as usize].older = older,
        }
    }
}
