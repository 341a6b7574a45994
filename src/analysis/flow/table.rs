//! All flows at once: found by tuple, bounded in number, the idlest giving way first.
//!
//! A flood of SYNs cannot push out connections that live: unanswered first SYNs stand in a queue of their own,
//! and that queue pays first.

use core::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::{flow_state::Flow, lone_syn::LoneSyn, tuple::FourTuple};

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
    /// Where each slot stands in its queue. Apart, so that to move one touches nothing of its neighbours' flows.
    places: Vec<Place>,
    queues: [Queue; 2],
    capacity: usize,
    evicted: u64,
    /// Who waited for a flow that gave way, and may wait for its tuple still.
    waiting_for_evicted: u64,
}

/// A tuple that is not in the table, and the hash of it.
#[derive(Clone, Copy, Debug)]
pub struct Unknown(Hash);

/// Half of the hasher's number is as good as all of it; and kept with each flow, it takes half the room.
#[derive(Clone, Copy, Debug)]
struct Hash(u32);

impl Hash {
    /// The index takes the lowest bits for a place and the highest to compare.
    const fn wide(self) -> u64 {
        (self.0 as u64) << 32 | self.0 as u64
    }
}

/// In this order: what is kept beside a flow is looked at with its tuple.
#[derive(Debug)]
#[repr(C)]
struct Slot<T> {
    kept: T,
    waiting: u64,
    held: Held,
}

/// What a slot holds. A SYN that nobody has answered yet is written into the first octets of the slot alone.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a flow in a box of its own would be allocated while frames come"
)]
enum Held {
    Syn(LoneSyn),
    Flow(Flow),
}

impl Held {
    #[inline]
    fn tuple(&self) -> &FourTuple {
        match self {
            Held::Syn(syn) => &syn.tuple,
            Held::Flow(flow) => &flow.tuple,
        }
    }

    #[inline]
    fn flow(&mut self) -> &mut Flow {
        loop {
            match *self {
                Held::Flow(ref mut flow) => return flow,
                Held::Syn(ref syn) => *self = Held::Flow(syn.flow()),
            }
        }
    }

    #[inline]
    fn rank(&self) -> Rank {
        match self {
            Held::Syn(_) => Rank::Embryonic,
            Held::Flow(flow) => Rank::of(flow),
        }
    }
}

/// A flow of the table with what is kept beside it.
#[derive(Debug)]
pub struct Entry<'a, T> {
    pub flow: &'a mut Flow,
    /// Its owner's.
    pub kept: &'a mut T,
    /// A bit for each that waits for something on this tuple; what they mean is their owner's affair.
    pub waiting: &'a mut u64,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    queue: Rank,
    older: u32,
    newer: u32,
    /// Of the tuple: whoever gives way is found in the index, and its slot, which was not looked at for long, need not be there yet.
    hash: Hash,
}

/// Which queue a flow stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rank {
    Embryonic = 0,
    Grown = 1,
}

impl Rank {
    #[inline]
    fn of(flow: &Flow) -> Rank {
        if flow.is_embryonic() { Rank::Embryonic } else { Rank::Grown }
    }
}

/// A doubly linked list through the slots, oldest to newest.
#[derive(Debug)]
struct Queue {
    oldest: u32,
    newest: u32,
    len: usize,
}

impl Queue {
    const EMPTY: Queue = Queue { oldest: NONE, newest: NONE, len: 0 };
}

impl<T> FlowTable<T> {
    /// What one flow takes, octets; its share of the index is twelve at the most.
    pub const OCTETS_A_FLOW: usize = size_of::<Slot<T>>() + size_of::<Place>() + 12;

    /// A table for at most `capacity` flows (at least one).
    pub fn with_capacity(capacity: usize) -> FlowTable<T> {
        let capacity = capacity.clamp(1, NONE as usize - 1);
        FlowTable {
            // All at once: to move the table while frames come would lose some. Memory that is not used yet costs nothing.
            index: HashTable::with_capacity(capacity),
            hasher: RandomState::default(),
            slots: Vec::with_capacity(capacity),
            places: Vec::with_capacity(capacity),
            queues: [Queue::EMPTY, Queue::EMPTY],
            capacity,
            evicted: 0,
            waiting_for_evicted: 0,
        }
    }

    /// The flow of `tuple`, or what [`FlowTable::open`] needs where there is none.
    #[inline]
    pub fn find(&self, tuple: &FourTuple) -> Result<FlowId, Unknown> {
        let hash = Hash(self.hasher.hash_one(tuple) as u32);
        let found = self.index.find(hash.wide(), |&id| self.slots[id as usize].held.tuple() == tuple);
        found.copied().ok_or(Unknown(hash))
    }

    /// Keeps `flow`, whose tuple [`FlowTable::find`] did not find; `syn` is the one that opened it, if that is all there is of it.
    pub fn open(&mut self, Unknown(hash): Unknown, flow: &Flow, syn: Option<LoneSyn>, kept: T) -> FlowId {
        let rank = Rank::of(flow);
        let waiting = self.waiting_for_evicted;
        // Each written as what it is: as a whole a slot is several times a SYN.
        let id = match (self.make_room(), syn) {
            (Some(id), Some(syn)) => {
                let slot = &mut self.slots[id as usize];
                (slot.kept, slot.waiting, slot.held) = (kept, waiting, Held::Syn(syn));
                id
            }
            (Some(id), None) => {
                self.slots[id as usize] = Slot { kept, waiting, held: Held::Flow(*flow) };
                id
            }
            (None, Some(syn)) => self.push(Slot { kept, waiting, held: Held::Syn(syn) }, rank, hash),
            (None, None) => self.push(Slot { kept, waiting, held: Held::Flow(*flow) }, rank, hash),
        };
        let places = &self.places;
        self.index.insert_unique(hash.wide(), id, |&id| places[id as usize].hash.wide());
        self.append(id, rank, hash);
        id
    }

    /// The flow at `id`; where there is only a SYN, the flow is made of it.
    #[inline]
    pub fn entry(&mut self, id: FlowId) -> Entry<'_, T> {
        let Slot { kept, waiting, held } = &mut self.slots[id as usize];
        Entry { flow: held.flow(), kept, waiting }
    }

    /// [`Entry::kept`] and [`Entry::waiting`] alone: a SYN stays one.
    pub fn beside(&mut self, id: FlowId) -> (&mut T, &mut u64) {
        let Slot { kept, waiting, .. } = &mut self.slots[id as usize];
        (kept, waiting)
    }

    /// Those who wait have other bits from here on: `moved` tells which.
    pub fn move_waiting(&mut self, moved: impl Fn(u64) -> u64) {
        for slot in &mut self.slots {
            slot.waiting = moved(slot.waiting);
        }
        self.waiting_for_evicted = moved(self.waiting_for_evicted);
    }

    /// Marks the flow as the most recently heard of.
    #[inline]
    pub fn touch(&mut self, id: FlowId) {
        let place = self.places[id as usize];
        let queue = match place.queue {
            // Who has grown stays so.
            Rank::Grown => Rank::Grown,
            Rank::Embryonic => self.slots[id as usize].held.rank(),
        };
        if place.newer == NONE && place.queue == queue {
            return;
        }
        self.unlink(place);
        self.append(id, queue, place.hash);
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
            match &mut slot.held {
                Held::Syn(syn) => syn.weaken(),
                Held::Flow(flow) => flow.weaken(),
            }
        }
    }

    /// No flow is known any more.
    pub fn forget_all(&mut self) {
        self.index.clear();
        self.slots.clear();
        self.places.clear();
        self.queues = [Queue::EMPTY, Queue::EMPTY];
        self.waiting_for_evicted = 0;
    }

    /// The slot of the flow that gives way; `None` while there is room for more.
    fn make_room(&mut self) -> Option<FlowId> {
        if self.slots.len() < self.capacity {
            return None;
        }
        let [embryonic, grown] = &self.queues;
        let id =
            if grown.len == 0 || embryonic.len > self.capacity / 4 { embryonic.oldest } else { grown.oldest };
        let place = self.places[id as usize];
        self.unlink(place);
        if let Ok(entry) = self.index.find_entry(place.hash.wide(), |&other| other == id) {
            entry.remove();
        }
        self.evicted += 1;
        self.waiting_for_evicted |= self.slots[id as usize].waiting;
        Some(id)
    }

    #[inline(always)]
    fn push(&mut self, slot: Slot<T>, queue: Rank, hash: Hash) -> FlowId {
        self.slots.push(slot);
        self.places.push(Place { queue, older: NONE, newer: NONE, hash });
        (self.slots.len() - 1) as FlowId
    }

    /// Puts `id`, which stands nowhere, at the new end of `queue`.
    fn append(&mut self, id: FlowId, queue: Rank, hash: Hash) {
        let Queue { oldest, newest, len } = &mut self.queues[queue as usize];
        let older = core::mem::replace(newest, id);
        *len += 1;
        match older {
            NONE => *oldest = id,
            older => self.places[older as usize].newer = id,
        }
        self.places[id as usize] = Place { queue, older, newer: NONE, hash };
    }

    /// Takes what stands at `place` out of its queue.
    fn unlink(&mut self, Place { queue, older, newer, .. }: Place) {
        let Queue { oldest, newest, len } = &mut self.queues[queue as usize];
        *len -= 1;
        match older {
            NONE => *oldest = newer,
            older => self.places[older as usize].newer = newer,
        }
        match newer {
            NONE => *newest = older,
            newer => self.places[newer as usize].older = older,
        }
    }
}

#[cfg(test)]
mod tests {
    use core::mem::offset_of;

    use super::*;
    use crate::analysis::tcp::Endpoint;

    /// As many octets as the engine keeps.
    type Kept = [u32; 6];

    #[test]
    fn a_slot_has_no_more_room_than_its_flow_needs_and_what_every_segment_looks_at_comes_first() {
        assert_eq!(size_of::<Slot<Kept>>(), size_of::<Kept>() + size_of::<u64>() + size_of::<Flow>());
        assert_eq!(offset_of!(Slot<Kept>, held), 32);
        // Which variant it is stands in the opener's octet; before that there is room for a SYN.
        assert!(size_of::<LoneSyn>() <= offset_of!(Flow, life.opener));
        let [a, b] = [offset_of!(Flow, life.a), offset_of!(Flow, life.b)];
        assert!(offset_of!(Flow, life.number) < a && a < b && b < offset_of!(Flow, life.opening));
        assert_eq!(offset_of!(Endpoint, last_data), size_of::<Endpoint>() / 2);
    }
}
