//! Which arm when, and from which source ports: pure, and the same for the same seed.
//!
//! A round is a drawn order of the arms and then the same backwards (two arms: ABBA or BAAB), so that what drifts evenly
//! while it lasts, as the air does, weighs on each arm alike.

use super::spec::{Spec, Traffic};

/// The arms of the blocks, in turn.
pub fn order(spec: &Spec) -> Vec<usize> {
    let mut draws = Draws::new(spec.seed);
    let mut order = Vec::with_capacity(spec.blocks());
    for _ in 0..spec.rounds {
        let mut round: Vec<usize> = (0..spec.arms.len()).collect();
        draws.shuffle(&mut round);
        order.extend(round.iter().copied());
        order.extend(round.iter().rev().copied());
    }
    order
}

/// The source ports of one turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    pub first: u16,
    /// These were used before, and the device may still hold them: it must have let go of all first.
    pub must_settle: bool,
}

/// Of turn `turn`, from 0. Every attempt at a block is a turn of its own, whatever comes of it.
pub fn ports(traffic: &Traffic, turn: u64) -> Ports {
    let each = u64::from(traffic.ports().max(1));
    let there = (u64::from(traffic.last_port) + 1).saturating_sub(traffic.first_port.into());
    let turns = (there / each).max(1);
    let offset = (turn % turns) * each;
    let first = u64::from(traffic.first_port) + offset;
    Ports {
        first: u16::try_from(first).unwrap_or(traffic.first_port),
        must_settle: turn >= turns && turn.is_multiple_of(turns),
    }
}

/// SplitMix64: numbers that look drawn and can be drawn again.
#[derive(Clone, Debug)]
pub struct Draws(u64);

impl Draws {
    pub fn new(seed: u64) -> Self {
        Draws(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            // A remainder favours the low numbers by one part in 2^64 / last: by nothing.
            let other = (self.draw() % (last as u64 + 1)) as usize;
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::spec::tests::spec;

    #[test]
    fn every_round_reads_the_same_backwards_and_the_seed_draws_it() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let spec = Spec { seed, rounds: 3, ..spec(&["unfixed", "fixed", "msl_ms=6000"]) };
            let order = order(&spec);
            assert_eq!(order.len(), spec.blocks());
            for round in order.chunks(6) {
                let back: Vec<_> = round.iter().rev().copied().collect();
                assert_eq!(round, back);
                let mut first: Vec<_> = round[..3].to_vec();
                seen.insert(first.clone());
                first.sort_unstable();
                assert_eq!(first, [0, 1, 2]);
            }
            assert_eq!(order, super::order(&spec), "the same seed, the same order");
        }
        assert_eq!(seen.len(), 6, "every order is drawn at some time");
    }

    #[test]
    fn ports_are_fresh_until_there_are_no_more() {
        let traffic = spec(&["unfixed", "fixed"]).traffic;
        let firsts: Vec<_> = (0..7).map(|turn| ports(&traffic, turn)).collect();
        assert_eq!(
            firsts.iter().map(|ports| ports.first).collect::<Vec<_>>(),
            [20_000, 20_020, 20_040, 20_060, 20_080, 20_000, 20_020]
        );
        assert_eq!(firsts.iter().filter(|ports| ports.must_settle).count(), 1);
        assert!(firsts[5].must_settle, "once round, the device must have let go of all");
        let all = Traffic { first_port: 65_516, last_port: 65_535, ..traffic };
        assert_eq!(ports(&all, 3), Ports { first: 65_516, must_settle: true });
        assert!(!ports(&all, 0).must_settle);
    }
}
