//! The tests and intervals that a comparison needs: exact for counts, by rank for times, and about blocks.
//!
//! Reuses of one block share their air and their device, so they are no independent observations. A block is one; whoever
//! calls gives one number a block. Distributions are statrs'; `tests/data/statistics.json` holds what scipy says of the same
//! cases.

use statrs::distribution::{Binomial, ContinuousCDF, Discrete, Hypergeometric, Normal};

use super::schedule::Draws;

/// The level of every test, and what the intervals leave out.
pub const ALPHA: f64 = 0.05;
/// How surely an effect of the smallest size is to be seen.
pub const POWER: f64 = 0.8;

/// Up to so many ways to deal the blocks out anew, all are looked at.
const ALL_WAYS: u64 = 100_000;
/// Ways that are drawn where there are more: a p-value of 0.05 is then known to 0.003.
const DRAWN: u64 = 20_000;
/// Two sums that differ by rounding alone are the same.
const ROUNDING: f64 = 1e-9;

/// Two-sided p-value of a difference of means: the share of all ways to deal the same numbers out to two groups of these
/// sizes whose means differ at least as much. Exact up to `ALL_WAYS` ways, drawn by `seed` beyond. 1 for an empty group.
pub fn permutation(a: &[f64], b: &[f64], seed: u64) -> f64 {
    let all: Vec<f64> = a.iter().chain(b).copied().collect();
    let (total, n, k) = (all.iter().sum::<f64>(), all.len(), a.len());
    if k == 0 || k == n {
        return 1.0;
    }
    let apart = |sum: f64| (sum / k as f64 - (total - sum) / (n - k) as f64).abs();
    let scale = all.iter().fold(1.0, |most: f64, value| most.max(value.abs()));
    let least = apart(a.iter().sum()) - ROUNDING * scale;
    match ways(n as u64, k as u64) {
        Some(ways) => {
            let mut as_far = 0_u64;
            each_choice(n, k, &mut |chosen| {
                as_far += u64::from(apart(chosen.iter().filter_map(|at| all.get(*at)).sum()) >= least);
            });
            as_far as f64 / ways as f64
        }
        None => {
            let (mut draws, mut dealt, mut as_far) = (Draws::new(seed), all, 0_u64);
            for _ in 0..DRAWN {
                draws.shuffle(&mut dealt);
                as_far += u64::from(apart(dealt.iter().take(k).sum()) >= least);
            }
            // The deal that was seen is one of them: never zero (Phipson and Smyth 2010).
            (as_far + 1) as f64 / (DRAWN + 1) as f64
        }
    }
}

/// Mann and Whitney's test, two-sided: [`permutation`] of ranks, equal numbers sharing theirs.
pub fn mann_whitney(a: &[f64], b: &[f64], seed: u64) -> f64 {
    let all: Vec<f64> = a.iter().chain(b).copied().collect();
    let rank = |value: &f64| {
        let less = all.iter().filter(|other| *other < value).count();
        let same = all.iter().filter(|other| *other == value).count();
        less as f64 + (same as f64 + 1.0) / 2.0
    };
    let ranks = |values: &[f64]| values.iter().map(rank).collect::<Vec<_>>();
    permutation(&ranks(a), &ranks(b), seed)
}

/// Fisher's exact test, two-sided: `x` of `n` against `y` of `m`. 1 where there is nothing to compare.
pub fn fisher(x: u64, n: u64, y: u64, m: u64) -> f64 {
    let Ok(by_chance) = Hypergeometric::new(n + m, x + y, n) else { return 1.0 };
    let seen = by_chance.pmf(x) * (1.0 + 1e-7);
    let least = (x + y).saturating_sub(m);
    let p: f64 = (least..=n.min(x + y)).map(|x| by_chance.pmf(x)).filter(|p| *p <= seen).sum();
    p.min(1.0)
}

/// Wilson's interval at 95 % of the share `x` of `n`; everything where `n` is 0.
pub fn wilson(x: f64, n: f64) -> (f64, f64) {
    if n <= 0.0 {
        return (0.0, 1.0);
    }
    let z = z();
    let (share, z2) = (x / n, z * z);
    let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// Newcombe's interval at 95 % of the difference of two shares (his method 10): `x` of `n` less `y` of `m`.
pub fn newcombe(x: f64, n: f64, y: f64, m: f64) -> (f64, f64) {
    if n <= 0.0 || m <= 0.0 {
        return (-1.0, 1.0);
    }
    let (p, q) = (x / n, y / m);
    let ((p_low, p_high), (q_low, q_high)) = (wilson(x, n), wilson(y, m));
    let below = ((p - p_low).powi(2) + (q_high - q).powi(2)).sqrt();
    let above = ((p_high - p).powi(2) + (q - q_low).powi(2)).sqrt();
    (p - q - below, p - q + above)
}

/// Holm's correction for so many tests at once: p-values that may each be held against the level, in the order of `p`, and
/// one false difference among them all is then no likelier than the level.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let count = p.len();
    let mut by_size: Vec<(usize, f64)> = p.iter().copied().enumerate().collect();
    by_size.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    let mut least = 0.0_f64;
    for (rank, (_, p)) in by_size.iter_mut().enumerate() {
        least = least.max(*p * (count - rank) as f64).min(1.0);
        *p = least;
    }
    by_size.sort_by_key(|(place, _)| *place);
    by_size.into_iter().map(|(_, p)| p).collect()
}

/// The smallest reduction of the share `from` that Fisher's test at `level` over `n` and `m` blocks would have called a
/// difference in four runs of five. `None` where not even a reduction to nothing would be seen.
pub fn smallest_effect(from: f64, n: u64, m: u64, level: f64) -> Option<f64> {
    let from = from.clamp(0.0, 1.0);
    // Shares of whole blocks and no finer than a hundredth: who reads it acts on no more.
    let steps = (from * 100.0).floor() as u32;
    let different: Vec<Vec<bool>> =
        (0..=n).map(|x| (0..=m).map(|y| fisher(x, n, y, m) <= level).collect()).collect();
    (1..=steps).map(|step| f64::from(step) / 100.0).find(|effect| {
        let (Ok(before), Ok(after)) = (Binomial::new(from, n), Binomial::new((from - effect).max(0.0), m))
        else {
            return false;
        };
        let seen = (0..=n).zip(&different).flat_map(|(x, row)| {
            let before = before.pmf(x);
            (0..=m).zip(row).filter(|(_, seen)| **seen).map(move |(y, _)| (before, y))
        });
        seen.map(|(before, y)| before * after.pmf(y)).sum::<f64>() >= POWER
    })
}

fn z() -> f64 {
    Normal::standard().inverse_cdf(1.0 - ALPHA / 2.0)
}

/// `n` over `k`, where it is at most [`ALL_WAYS`].
fn ways(n: u64, k: u64) -> Option<u64> {
    let k = k.min(n - k);
    let mut ways = 1_u64;
    for taken in 0..k {
        // Whole at every step: a product of so many numbers in a row can be divided by so many.
        ways = ways.checked_mul(n - taken)? / (taken + 1);
        if ways > ALL_WAYS {
            return None;
        }
    }
    Some(ways)
}

/// Every choice of `k` among `0..n`, once.
fn each_choice(n: usize, k: usize, tell: &mut dyn FnMut(&[usize])) {
    fn choose(from: usize, n: usize, k: usize, chosen: &mut Vec<usize>, tell: &mut dyn FnMut(&[usize])) {
        let missing = k - chosen.len();
        if missing == 0 {
            return tell(chosen);
        }
        for next in from..=n - missing {
            chosen.push(next);
            choose(next + 1, n, k, chosen, tell);
            chosen.pop();
        }
    }
    choose(0, n, k, &mut Vec::with_capacity(k), tell);
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn close(ours: f64, theirs: &Value, case: &Value) {
        let theirs = theirs.as_f64().unwrap();
        assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1e-3), "{ours} against {theirs}: {case}");
    }

    fn numbers(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    }

    #[test]
    fn scipy_says_the_same() {
        let cases: Value = serde_json::from_str(include_str!("../../tests/data/statistics.json")).unwrap();
        let of = |kind: &str| {
            let cases = cases[kind].as_array().unwrap().clone();
            assert!(cases.len() >= 5, "{kind}");
            cases
        };
        for case in of("fisher") {
            let n = |name: &str| case[name].as_u64().unwrap();
            close(fisher(n("x"), n("n"), n("y"), n("m")), &case["p"], &case);
        }
        for case in of("permutation") {
            close(permutation(&numbers(&case["a"]), &numbers(&case["b"]), 1), &case["p"], &case);
        }
        for case in of("mann_whitney") {
            close(mann_whitney(&numbers(&case["a"]), &numbers(&case["b"]), 1), &case["p"], &case);
        }
        for case in of("wilson") {
            let (low, high) = wilson(case["x"].as_f64().unwrap(), case["n"].as_f64().unwrap());
            close(low, &case["low"], &case);
            close(high, &case["high"], &case);
        }
        for case in of("newcombe") {
            let n = |name: &str| case[name].as_f64().unwrap();
            let (low, high) = newcombe(n("x"), n("n"), n("y"), n("m"));
            close(low, &case["low"], &case);
            close(high, &case["high"], &case);
        }
        for case in of("holm") {
            let ours = holm(&numbers(&case["p"]));
            let theirs = case["corrected"].as_array().unwrap();
            assert_eq!(ours.len(), theirs.len());
            for (ours, theirs) in ours.into_iter().zip(theirs) {
                close(ours, theirs, &case);
            }
        }
        for case in of("power") {
            let n = |name: &str| case[name].as_u64().unwrap();
            let level = case["level"].as_f64().unwrap();
            let ours = smallest_effect(case["from"].as_f64().unwrap(), n("n"), n("m"), level);
            match (ours, case["smallest"].as_f64()) {
                (None, None) => {}
                (Some(ours), Some(theirs)) => assert!((ours - theirs).abs() < 1e-9, "{ours}: {case}"),
                (ours, _) => panic!("{ours:?}: {case}"),
            }
        }
    }

    #[test]
    fn what_is_drawn_agrees_with_what_is_counted() {
        // 12 over 6 is 924 ways, 22 over 11 is 705,432: the same two populations by either road.
        let few = |shift: f64| (0..6).map(|n| f64::from(n) + shift).collect::<Vec<_>>();
        let many = |shift: f64| (0..11).map(|n| f64::from(n) + shift).collect::<Vec<_>>();
        assert!(ways(12, 6).is_some() && ways(22, 11).is_none());
        assert_eq!(permutation(&few(0.0), &few(0.0), 1), 1.0);
        assert_eq!(permutation(&many(0.0), &many(0.0), 1), 1.0);
        assert!(permutation(&many(0.0), &many(20.0), 1) < 1e-4);
        let p = permutation(&many(0.0), &many(2.9), 1);
        // scipy.stats.permutation_test over all of them.
        assert!((p - 0.055_22).abs() < 0.005, "{p}");
        assert_eq!(p, permutation(&many(0.0), &many(2.9), 1), "the same seed, the same answer");
    }

    #[test]
    fn one_in_twenty_is_the_most_that_chance_is_believed() {
        // Blocks of one population, split in two: a difference is seen in at most 5 % of the splits, exactly.
        let mut draws = Draws::new(7);
        let mut seen = 0;
        for _ in 0..2_000 {
            let mut block = || (0..10).filter(|_| draws.draw().is_multiple_of(3)).count() as f64 / 10.0;
            let a: Vec<_> = (0..4).map(|_| block()).collect();
            let b: Vec<_> = (0..4).map(|_| block()).collect();
            seen += u32::from(permutation(&a, &b, 1) <= ALPHA);
        }
        assert!((20..=120).contains(&seen), "{seen} of 2000");
    }

    #[test]
    fn nothing_is_compared_with_nothing() {
        assert_eq!((permutation(&[], &[1.0], 1), fisher(0, 0, 1, 2)), (1.0, 1.0));
        assert_eq!((wilson(0.0, 0.0), newcombe(0.0, 0.0, 1.0, 1.0)), ((0.0, 1.0), (-1.0, 1.0)));
        assert_eq!(smallest_effect(1.0, 1, 1, ALPHA), None);
        assert!(holm(&[]).is_empty());
    }
}
