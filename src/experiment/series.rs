//! What the blocks of an arm looked like: how long each connect() took, and what was held in TIME-WAIT over time.
//!
//! Plain data for a picture, with a bound for each arm. Knows how blocks of different length are laid over each other.

use serde::Serialize;

use super::block::Block;
use super::schedule::order;
use super::store::Stored;

/// Connects kept of an arm; of more, every second one and so on.
const CONNECTS: usize = 400;
/// Points of an arm's time.
const POINTS: usize = 60;

/// One arm.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    pub arm: String,
    /// In the order of the blocks.
    pub connects: Vec<Connect>,
    /// How many there were, those that are not in `connects` included.
    pub connects_all: usize,
    pub held: Vec<HeldAt>,
}

/// One connect() from a reused port.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Connect {
    /// Its block among those of the arm, from 0.
    pub block: usize,
    /// Until it was let in, or given up.
    pub took_s: f64,
    pub let_in: bool,
}

/// Connections of a block's own ports in TIME-WAIT on the device, on the average of the blocks that lasted so long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HeldAt {
    /// Since the block began.
    pub at_s: f64,
    pub wire: Option<f64>,
    pub device: Option<f64>,
}

/// Of every arm, in their order.
pub fn series(stored: &Stored) -> Vec<Series> {
    let places = order(&stored.spec);
    let of_arm = |arm: usize| {
        let slots = places.iter().enumerate().filter(move |(_, place)| **place == arm);
        slots.filter_map(|(slot, _)| stored.of_slot(slot)).collect::<Vec<_>>()
    };
    let arms = stored.spec.arms.iter().enumerate();
    arms.map(|(nth, arm)| of_blocks(arm.label.clone(), &of_arm(nth))).collect()
}

fn of_blocks(arm: String, blocks: &[&Block]) -> Series {
    let of_block = |(nth, block): (usize, &&Block)| {
        let tried = block.sent().filter(|reuse| !reuse.kept);
        let connects = tried.map(|reuse| Connect {
            block: nth,
            took_s: reuse.connect_s.unwrap_or(reuse.took_s),
            let_in: reuse.connect_s.is_some(),
        });
        connects.collect::<Vec<_>>()
    };
    let all: Vec<Connect> = blocks.iter().enumerate().flat_map(of_block).collect();
    let connects_all = all.len();
    let connects = all.into_iter().step_by(connects_all.div_ceil(CONNECTS).max(1)).collect();
    Series { arm, connects, connects_all, held: held(blocks) }
}

fn held(blocks: &[&Block]) -> Vec<HeldAt> {
    let told: Vec<_> = blocks.iter().filter(|block| !block.held.is_empty()).collect();
    let longest = told.iter().map(|block| block.took_s).fold(0.0, f64::max);
    if longest <= 0.0 {
        return Vec::new();
    }
    let point = |nth: usize| {
        let at_s = longest * nth as f64 / POINTS as f64;
        let there = || told.iter().filter(move |block| at_s <= block.took_s);
        HeldAt {
            at_s: (at_s * 1e3).round() / 1e3,
            wire: mean(there().filter_map(|block| level(&block.held.wire, at_s))),
            device: mean(there().filter_map(|block| level(&block.held.device, at_s))),
        }
    };
    (0..=POINTS).map(point).collect()
}

/// What the last step up to `at_s` says; `None` before the first.
fn level(steps: &[(f64, u64)], at_s: f64) -> Option<f64> {
    let after = steps.partition_point(|(when, _)| *when <= at_s);
    steps.get(after.checked_sub(1)?).map(|(_, held)| *held as f64)
}

fn mean(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = numbers.fold((0.0, 0_u32), |(sum, count), number| (sum + number, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::super::block::Held;
    use super::*;

    const RECORDED: &str = include_str!("../../tests/data/unfixed-against-unfixed.jsonl");

    #[test]
    fn blocks_of_different_length_are_laid_over_each_other() {
        let mut stored = super::super::store::parse(RECORDED).unwrap().unwrap();
        assert!(
            series(&stored).iter().all(|series| series.held.is_empty()),
            "older results tell nothing of it"
        );
        let block = |took_s: f64, held: u64| Block {
            took_s,
            held: Held { wire: vec![(0.5, held), (1.0, 2 * held)], device: vec![(0.0, 0), (2.0, held)] },
            ..stored.blocks[1].clone()
        };
        let (short, long) = (block(3.0, 10), block(6.0, 20));
        let held = of_blocks("a".to_owned(), &[&short, &long]).held;
        assert_eq!(held.len(), POINTS + 1);
        let at = |at_s: f64| *held.iter().find(|point| point.at_s == at_s).unwrap();
        assert_eq!((at(0.0).wire, at(0.0).device), (None, Some(0.0)));
        assert_eq!(at(0.5).wire, Some(15.0));
        assert_eq!((at(3.0).wire, at(3.0).device), (Some(30.0), Some(15.0)));
        assert_eq!((at(3.1).wire, at(6.0).device), (Some(40.0), Some(20.0)), "the short one has ended");
        stored.blocks.clear();
        assert!(series(&stored).iter().all(|series| series.connects.is_empty() && series.held.is_empty()));
    }

    #[test]
    fn of_very_many_connects_some_stand_for_all() {
        let stored = super::super::store::parse(RECORDED).unwrap().unwrap();
        let few = series(&stored);
        assert!(
            few.iter().all(|series| series.connects.len() == series.connects_all && series.connects_all > 0)
        );
        assert!(few[0].connects.iter().any(|connect| !connect.let_in), "{few:?}");
        let block = stored.blocks.iter().find(|block| block.slot.is_some()).unwrap();
        let many = of_blocks("a".to_owned(), &vec![block; 101]);
        assert_eq!(many.connects_all, 101 * block.sent().count());
        assert!((CONNECTS / 2..=CONNECTS).contains(&many.connects.len()));
        assert_eq!(many.connects.last().unwrap().block, 100, "to the end");
    }
}
