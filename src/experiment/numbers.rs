//! The numbers of one arm, summed over its blocks. Counts ports and seconds; compares nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::block::{Age, Block, Reuse, STALL_S, Wire};
use super::compare::Verdict;
use super::spec::{Arm, Declares};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArmNumbers {
    pub label: String,
    pub declares: Declares,
    pub verdict: Verdict,
    pub blocks: u64,
    /// Attempts that do not count.
    pub spoilt: u64,
    /// Ports used once.
    pub firsts: u64,
    /// Ports used again.
    pub reuses: u64,
    /// Of those, this computer would not use itself: it holds them in TIME-WAIT in the device's place.
    pub held_here: u64,
    /// Of those, the connection was still open.
    pub kept: u64,
    pub failed: u64,
    /// Failures by their names, with the system's.
    pub failures: Vec<(String, u64)>,
    /// Took longer than a second, failures included.
    pub stalled: u64,
    /// Failed or stalled where a refusal was seen.
    pub oldest: Share,
    pub newest: Share,
    pub collisions: u64,
    pub ignored_rsts: u64,
    /// Refused SYNs by the device's own count; absent where a block has no account of it.
    pub stale_acks: Option<u64>,
    /// Reuses that failed or stalled in a block where nobody saw a refusal.
    pub suffered_otherwise: u64,
    /// Connections that entered TIME-WAIT on the device.
    pub entered: u64,
    /// Of connects that came about, seconds.
    pub connect_s: Option<Quantiles>,
    /// What reuses took that failed or stalled, seconds.
    pub lost_s: f64,
    /// First uses that were not answered: no test of the bug.
    pub firsts_failed: u64,
    /// The MSL as the wire shows it, seconds.
    pub msl_at_least_s: Option<f64>,
    pub msl_at_most_s: Option<f64>,
    /// Blocks in which wire and device counted refused SYNs otherwise.
    pub disagreements: u64,
    pub frames_lost: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    pub suffered: u64,
    pub of: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

/// Of the blocks of `arm` that count. Its verdict is the comparison's and open as yet, and so is how many were spoilt.
pub fn numbers(arm: &Arm, blocks: &[&Block]) -> ArmNumbers {
    let reuses: Vec<&Reuse> = blocks.iter().flat_map(|block| &block.reuses).collect();
    let sent = || reuses.iter().filter(|reuse| reuse.was_sent());
    let count = |of: &dyn Fn(&Reuse) -> bool| reuses.iter().filter(|reuse| of(reuse)).count() as u64;
    let sum = |of: &dyn Fn(&Block) -> u64| blocks.iter().map(|block| of(block)).sum::<u64>();
    let wire = |of: fn(&Wire) -> u64| sum(&|block| block.wire.as_ref().map_or(0, of));
    let bound = |of: fn(&Wire) -> Option<f64>, pick: fn(f64, f64) -> f64| {
        blocks.iter().filter_map(|block| of(block.wire.as_ref()?)).reduce(pick)
    };
    let share = |age: Age| {
        let of_age = |block: &&&Block, hit: bool| {
            let mine = block.reuses.iter().filter(|reuse| reuse.age == age);
            mine.filter(|reuse| !hit || (reuse.was_sent() && reuse.suffered())).count() as u64
        };
        Share {
            suffered: blocks.iter().filter(|block| block.shows_a_refusal()).map(|b| of_age(&b, true)).sum(),
            of: blocks.iter().map(|block| of_age(&block, false)).sum(),
        }
    };
    let mut failures = BTreeMap::<String, u64>::new();
    for reuse in reuses.iter().filter(|reuse| reuse.failed()) {
        let errno = reuse.errno.as_ref().map_or(String::new(), |errno| format!(" {errno}"));
        *failures.entry(reuse.outcome.clone() + &errno).or_default() += 1;
    }
    ArmNumbers {
        label: arm.label.clone(),
        declares: arm.declares,
        verdict: Verdict::NotMeasurable,
        blocks: blocks.len() as u64,
        spoilt: 0,
        firsts: sum(&|block| block.firsts.asked),
        reuses: reuses.len() as u64,
        held_here: count(&|reuse| !reuse.was_sent()),
        kept: count(&|reuse| reuse.kept),
        failed: count(&|reuse| reuse.was_sent() && reuse.failed()),
        failures: failures.into_iter().collect(),
        stalled: count(&|reuse| reuse.was_sent() && reuse.took_s > STALL_S),
        oldest: share(Age::Oldest),
        newest: share(Age::Newest),
        collisions: sum(&Block::collisions),
        ignored_rsts: sum(&Block::ignored_rsts),
        stale_acks: blocks.iter().map(|block| Some(u64::from(block.device.as_ref()?.stale_acks))).sum(),
        suffered_otherwise: sum(&|block| {
            let suffered = block.sent().filter(|reuse| reuse.suffered()).count() as u64;
            if block.shows_a_refusal() { 0 } else { suffered }
        }),
        entered: wire(|wire| wire.entered),
        connect_s: quantiles(sent().filter_map(|reuse| reuse.connect_s).collect()),
        lost_s: sent().filter(|reuse| reuse.suffered()).map(|reuse| reuse.took_s).sum(),
        firsts_failed: sum(&|block| block.firsts.asked.saturating_sub(block.firsts.answered)),
        msl_at_least_s: bound(|wire| wire.msl_at_least_s, f64::max),
        msl_at_most_s: bound(|wire| wire.msl_at_most_s, f64::min),
        disagreements: blocks.iter().filter(|block| block.agrees() == Some(false)).count() as u64,
        frames_lost: wire(|wire| wire.dropped),
    }
}

/// By nearest rank.
fn quantiles(mut numbers: Vec<f64>) -> Option<Quantiles> {
    numbers.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let rank = (share * numbers.len() as f64).ceil() as usize;
        numbers.get(rank.saturating_sub(1)).copied()
    };
    Some(Quantiles { p50: at(0.5)?, p99: at(0.99)?, max: at(1.0)? })
}
