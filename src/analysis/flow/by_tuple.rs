//! Values by four-tuple, each in a place of its own that it keeps until it is removed.
//!
//! What stands in a line beside this (deadlines, an order of arrival) names the place, which spares it the hash. All room
//! is taken with the first value, up to what was asked for: to move a table while frames come would lose some, and
//! memory that is not used yet costs nothing.

use core::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::tuple::FourTuple;

/// Where a value stands; another may stand there once it is removed.
pub type Place = u32;

#[derive(Debug)]
pub struct ByTuple<T> {
    index: HashTable<Place>,
    // Seeded at random: a fixed seed would let a sender choose collisions. Nothing is ever listed in hash order.
    hasher: RandomState,
    places: Vec<Kept<T>>,
    /// The places at which nothing stands.
    free: Vec<Place>,
    /// Room is taken for so many; beyond that it grows.
    most: usize,
}

#[derive(Debug)]
struct Kept<T> {
    tuple: FourTuple,
    value: Option<T>,
}

impl<T> ByTuple<T> {
    /// What one of them takes, octets, where room was taken for all: its place, and its share of the two lists of places
    /// and of an index that may be half empty.
    pub const OCTETS_A_TUPLE: usize =
        size_of::<Kept<T>>() + 3 * size_of::<Place>() + 2 * (size_of::<Place>() + 1);

    pub fn of(most: usize) -> ByTuple<T> {
        ByTuple {
            index: HashTable::new(),
            hasher: RandomState::default(),
            places: Vec::new(),
            free: Vec::new(),
            most,
        }
    }

    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Where the value of `tuple` stands.
    #[inline]
    pub fn find(&self, tuple: &FourTuple) -> Option<Place> {
        if self.index.is_empty() {
            return None;
        }
        let hash = self.hasher.hash_one(tuple);
        self.index.find(hash, |&place| self.places[place as usize].tuple == *tuple).copied()
    }

    #[inline]
    pub fn get(&self, tuple: &FourTuple) -> Option<&T> {
        self.at(self.find(tuple)?)
    }

    #[inline]
    pub fn get_mut(&mut self, tuple: &FourTuple) -> Option<&mut T> {
        let place = self.find(tuple)?;
        self.at_mut(place)
    }

    /// The value at `place`, where there is one.
    #[inline]
    pub fn at(&self, place: Place) -> Option<&T> {
        self.places.get(place as usize)?.value.as_ref()
    }

    #[inline]
    pub fn at_mut(&mut self, place: Place) -> Option<&mut T> {
        self.places.get_mut(place as usize)?.value.as_mut()
    }

    /// Whose value stands at `place`, or stood there last.
    pub fn tuple_at(&self, place: Place) -> Option<FourTuple> {
        self.places.get(place as usize).map(|kept| kept.tuple)
    }

    /// Puts `value` down for `tuple`, in the place of the one before where there is one.
    pub fn put(&mut self, tuple: FourTuple, value: T) -> Place {
        let place = self.place_of(tuple);
        self.places[place as usize].value = Some(value);
        place
    }

    /// The value of `tuple`, which is `new` where there was none.
    pub fn get_or_put(&mut self, tuple: FourTuple, new: impl FnOnce() -> T) -> &mut T {
        let place = self.place_of(tuple);
        self.places[place as usize].value.get_or_insert_with(new)
    }

    pub fn remove(&mut self, tuple: &FourTuple) -> Option<T> {
        if self.index.is_empty() {
            return None;
        }
        let (places, hash) = (&mut self.places, self.hasher.hash_one(tuple));
        let entry = self.index.find_entry(hash, |&place| places[place as usize].tuple == *tuple).ok()?;
        let (place, _) = entry.remove();
        self.free.push(place);
        places[place as usize].value.take()
    }

    pub fn clear(&mut self) {
        self.index.clear();
        self.places.clear();
        self.free.clear();
    }

    /// The place of `tuple`: a new one, at which nothing stands yet, where it has none.
    fn place_of(&mut self, tuple: FourTuple) -> Place {
        if self.places.capacity() == 0 {
            self.take_room();
        }
        let hash = self.hasher.hash_one(tuple);
        if let Some(&known) = self.index.find(hash, |&place| self.places[place as usize].tuple == tuple) {
            return known;
        }
        let place = match self.free.pop() {
            Some(place) => {
                self.places[place as usize].tuple = tuple;
                place
            }
            None => {
                self.places.push(Kept { tuple, value: None });
                (self.places.len() - 1) as Place
            }
        };
        let (places, hasher) = (&self.places, &self.hasher);
        self.index.insert_unique(hash, place, |&place| hasher.hash_one(places[place as usize].tuple));
        place
    }

    fn take_room(&mut self) {
        self.index.reserve(self.most, |_| 0);
        self.places.reserve_exact(self.most);
        self.free.reserve_exact(self.most);
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    fn tuple(port: u16) -> FourTuple {
        FourTuple::between(SocketAddr::from(([10, 0, 0, 1], port)), SocketAddr::from(([10, 0, 0, 2], 80))).0
    }

    proptest! {
        /// The naive oracle: a sorted map.
        #[test]
        fn what_was_put_stands_at_its_place_until_it_is_removed(
            steps in prop::collection::vec((0u16..12, 0u8..5), 1..400),
        ) {
            let mut values = ByTuple::of(4);
            let mut oracle: BTreeMap<u16, (usize, Place)> = BTreeMap::new();
            for (step, (port, what)) in steps.into_iter().enumerate() {
                let known = oracle.get(&port).copied();
                match what {
                    0..3 => {
                        let place = values.put(tuple(port), step);
                        prop_assert!(known.is_none_or(|(_, before)| before == place));
                        oracle.insert(port, (step, place));
                    }
                    3 => {
                        prop_assert_eq!(values.remove(&tuple(port)), oracle.remove(&port).map(|(value, _)| value));
                    }
                    _ => {
                        prop_assert_eq!(values.find(&tuple(port)), known.map(|(_, place)| place));
                        prop_assert_eq!(values.get(&tuple(port)).copied(), known.map(|(value, _)| value));
                    }
                }
                for (port, (value, place)) in &oracle {
                    prop_assert_eq!(values.at(*place), Some(value));
                    prop_assert_eq!(values.tuple_at(*place), Some(tuple(*port)));
                }
                prop_assert_eq!(values.len(), oracle.len());
                prop_assert_eq!(values.places.len(), values.len() + values.free.len());
            }
            values.clear();
            prop_assert!(values.is_empty() && values.find(&tuple(1)).is_none());
        }
    }

    #[test]
    fn all_room_is_taken_at_once_and_none_before() {
        let mut values = ByTuple::of(1_000);
        assert_eq!(values.places.capacity(), 0);
        values.put(tuple(0), [0_u8; 64]);
        // An index with gravestones in it holds fewer than it has room for.
        let room = |values: &ByTuple<[u8; 64]>| {
            (values.places.capacity(), values.index.num_buckets(), values.free.capacity())
        };
        let taken = room(&values);
        for port in 1..1_000 {
            values.put(tuple(port), [0; 64]);
        }
        assert!((0..1_000).all(|port| values.remove(&tuple(port)).is_some()));
        assert_eq!(room(&values), taken);
    }
}
