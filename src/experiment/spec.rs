//! What an experiment is to do: its arms, how many blocks, and with which traffic. Plain data that stands in the results.
//!
//! Knows the words of the control protocol only as far as they say what an arm declares of itself. Whether a device
//! takes them is the device's to say.

use serde::{Deserialize, Serialize};

use super::statistics::ALPHA;

/// The most rounds that anybody is thought to wait for.
pub const MOST_ROUNDS: u32 = 500;
/// Blocks of each arm in a round.
pub const BLOCKS_IN_A_ROUND: u32 = 2;

/// One experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The device as it was named; with the key file it is all that a resumed run needs.
    pub device: String,
    pub arms: Vec<Arm>,
    /// Each has two blocks of each arm.
    pub rounds: u32,
    /// Of the order, and of tests that must draw.
    pub seed: u64,
    pub traffic: Traffic,
}

/// What is sent in one block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// Ports of each age that are used a second time: so many of the oldest, so many of the newest.
    pub reused: u16,
    /// Ports used once, between the oldest and the newest.
    pub between: u16,
    /// How long a second connection may take, seconds. One that takes longer has failed.
    pub patience_s: f64,
    /// The source ports there are: no block uses those of an earlier one while there are others.
    pub first_port: u16,
    pub last_port: u16,
}

/// One way to run the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arm {
    /// As it was typed.
    pub label: String,
    /// As the device is told: a mode first, then single remedies over it.
    pub words: Vec<String>,
    pub declares: Declares,
}

/// What an arm says of itself, before anything is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Declares {
    /// The bug is there.
    Bug,
    /// The bug is there, and something makes it rarer or shorter.
    Eased,
    /// The bug is gone.
    Fixed,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SpecError {
    #[error("an experiment compares two arms or more: --arms unfixed,fixed")]
    OneArm,
    #[error("`{0}` is no arm: give a mode, a REMEDY=VALUE, or several of them joined by +")]
    Arm(String),
    #[error(
        "{given} rounds can show no difference between {arms} arms, however large: give at least {least}"
    )]
    Rounds { given: u32, arms: usize, least: u32 },
    #[error("{0} rounds are more than anybody will wait for: give at most {MOST_ROUNDS}")]
    ManyRounds(u32),
    #[error("no reused ports, so nothing is provoked: give at least 1")]
    NoReuse,
    #[error(
        "a patience of {0} s: give at least 2, as a client tries again only after a second, and at most 600"
    )]
    Patience(f64),
    #[error("a block needs {needed} source ports, and there are {given}")]
    Ports { needed: u32, given: u32 },
}

impl Spec {
    /// # Errors
    /// The first thing about it that makes no experiment.
    pub fn check(&self) -> Result<(), SpecError> {
        if self.arms.len() < 2 {
            return Err(SpecError::OneArm);
        }
        for arm in &self.arms {
            if Arm::parse(&arm.label)? != *arm {
                return Err(SpecError::Arm(arm.label.chars().filter(|c| c.is_ascii_graphic()).collect()));
            }
        }
        let Traffic { reused, patience_s, first_port, last_port, .. } = self.traffic;
        let (given, arms) = (self.rounds, self.arms.len());
        let least = least_rounds(arms);
        if given < least {
            return Err(SpecError::Rounds { given, arms, least });
        }
        if self.rounds > MOST_ROUNDS {
            return Err(SpecError::ManyRounds(self.rounds));
        }
        if reused == 0 {
            return Err(SpecError::NoReuse);
        }
        if !(2.0..=600.0).contains(&patience_s) {
            return Err(SpecError::Patience(patience_s));
        }
        let given = (u32::from(last_port) + 1).saturating_sub(first_port.into());
        let needed = self.traffic.ports();
        if first_port == 0 || needed > given {
            return Err(SpecError::Ports { needed, given });
        }
        Ok(())
    }

    /// Blocks that are compared; the positive control goes before them.
    pub fn blocks(&self) -> usize {
        self.arms.len() * (self.rounds * BLOCKS_IN_A_ROUND) as usize
    }

    /// The arm that the others are held against: the first that declares the bug, or simply the first.
    pub fn baseline(&self) -> usize {
        self.arms.iter().position(|arm| arm.declares == Declares::Bug).unwrap_or_default()
    }
}

/// The fewest rounds whose blocks can differ at all at the level of 5 % when so many arms are compared: of two arms' blocks,
/// two of all deals are the farthest apart, and [`holm`](super::statistics::holm) weighs the best p-value by the number of
/// comparisons.
pub fn least_rounds(arms: usize) -> u32 {
    let comparisons = arms.saturating_sub(1) as f64;
    let farthest = |rounds: u32| {
        let blocks = rounds * BLOCKS_IN_A_ROUND;
        // Two over the number of ways to choose half of all blocks.
        (1..=blocks).fold(2.0, |share, taken| share * f64::from(taken) / f64::from(blocks + taken))
    };
    (1..MOST_ROUNDS).find(|rounds| farthest(*rounds) * comparisons <= ALPHA).unwrap_or(MOST_ROUNDS)
}

impl Traffic {
    /// Source ports of one block.
    pub fn ports(&self) -> u32 {
        2 * u32::from(self.reused) + u32::from(self.between)
    }
}

impl Arm {
    /// From `fixed`, `msl_ms=6000`, `unfixed+pcb_cap=12`. Without a mode it goes over `unfixed`, so that no arm inherits
    /// anything from the arm before it.
    pub fn parse(label: &str) -> Result<Arm, SpecError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=".contains(c);
        let mut words: Vec<String> = label.split('+').map(str::to_owned).collect();
        if label.len() > 80 || words.iter().any(|word| word.is_empty() || !word.chars().all(plain)) {
            return Err(SpecError::Arm(label.chars().filter(|c| c.is_ascii_graphic()).take(80).collect()));
        }
        words.sort_by_key(|word| word.contains('='));
        if words.first().is_some_and(|word| word.contains('=')) {
            words.insert(0, "unfixed".to_owned());
        }
        let declares = words.iter().map(|word| declared(word)).max_by_key(|declares| *declares as u8);
        Ok(Arm { label: label.to_owned(), words, declares: declares.unwrap_or(Declares::Bug) })
    }
}

/// What one word declares (`docs/control-protocol.md`).
fn declared(word: &str) -> Declares {
    match word {
        "fixed" | "fixed-app" | "fixed-all" | "rst_in_time_wait=honour" | "syn_in_time_wait=accept" => {
            Declares::Fixed
        }
        "close=client-first" | "close=keep-alive" | "close=reset" => Declares::Fixed,
        "pcb_cap=0" => Declares::Bug,
        _ if word.starts_with("msl_ms=") || word.starts_with("pcb_cap=") => Declares::Eased,
        _ => Declares::Bug,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn spec(arms: &[&str]) -> Spec {
        Spec {
            device: "10.77.0.2".to_owned(),
            arms: arms.iter().map(|arm| Arm::parse(arm).unwrap()).collect(),
            rounds: least_rounds(arms.len()),
            seed: 1,
            traffic: Traffic {
                reused: 5,
                between: 10,
                patience_s: 20.0,
                first_port: 20_000,
                last_port: 20_099,
            },
        }
    }

    #[test]
    fn an_arm_inherits_nothing_and_says_what_it_is() {
        for (label, words, declares) in [
            ("unfixed", &["unfixed"][..], Declares::Bug),
            ("fixed", &["fixed"], Declares::Fixed),
            ("msl_ms=6000", &["unfixed", "msl_ms=6000"], Declares::Eased),
            ("msl_ms=6000+unfixed", &["unfixed", "msl_ms=6000"], Declares::Eased),
            ("close=keep-alive", &["unfixed", "close=keep-alive"], Declares::Fixed),
            ("close=server-first", &["unfixed", "close=server-first"], Declares::Bug),
            (
                "msl_ms=6000+rst_in_time_wait=honour",
                &["unfixed", "msl_ms=6000", "rst_in_time_wait=honour"],
                Declares::Fixed,
            ),
            ("pcb_cap=12", &["unfixed", "pcb_cap=12"], Declares::Eased),
        ] {
            let arm = Arm::parse(label).unwrap();
            assert_eq!(
                (arm.words, arm.declares),
                (words.iter().map(|word| word.to_string()).collect(), declares)
            );
        }
        for nonsense in ["", "fixed+", "a b", "fixed\u{1b}[2J"] {
            assert!(matches!(Arm::parse(nonsense), Err(SpecError::Arm(_))), "{nonsense:?}");
        }
    }

    #[test]
    fn what_makes_no_experiment_is_refused() {
        assert_eq!(spec(&["unfixed", "fixed"]).check(), Ok(()));
        assert_eq!(spec(&["fixed"]).check(), Err(SpecError::OneArm));
        let with = |change: fn(&mut Spec)| {
            let mut spec = spec(&["unfixed", "fixed"]);
            change(&mut spec);
            spec.check()
        };
        assert_eq!(with(|spec| spec.rounds = 1), Err(SpecError::Rounds { given: 1, arms: 2, least: 2 }));
        assert_eq!(with(|spec| spec.rounds = 501), Err(SpecError::ManyRounds(501)));
        assert_eq!(with(|spec| spec.traffic.reused = 0), Err(SpecError::NoReuse));
        assert_eq!(with(|spec| spec.traffic.patience_s = 1.0), Err(SpecError::Patience(1.0)));
        assert!(matches!(with(|spec| spec.traffic.patience_s = f64::NAN), Err(SpecError::Patience(_))));
        assert_eq!(
            with(|spec| spec.traffic.last_port = 20_018),
            Err(SpecError::Ports { needed: 20, given: 19 })
        );
        // A file that was tampered with: the label says one thing and the device is told another.
        assert!(matches!(with(|spec| spec.arms[1].words = vec!["unfixed".into()]), Err(SpecError::Arm(_))));
    }

    /// Two of 70 deals, of 924, of 12,870: times the comparisons they must not be more than one in twenty.
    #[test]
    fn many_arms_need_more_rounds() {
        for (arms, rounds) in [(2, 2), (3, 3), (10, 3), (24, 3), (25, 4), (322, 4), (323, 5)] {
            assert_eq!(least_rounds(arms), rounds, "{arms} arms");
            let blocks = vec![0.0; 2 * rounds as usize];
            let others = vec![1.0; 2 * rounds as usize];
            let p = super::super::statistics::permutation(&blocks, &others, 1);
            assert!(rounds > 4 || p * (arms as f64 - 1.0) <= ALPHA, "{arms} arms: {p}");
        }
        let three = Spec { rounds: 2, ..spec(&["unfixed", "fixed", "fixed-app"]) };
        assert_eq!(three.check(), Err(SpecError::Rounds { given: 2, arms: 3, least: 3 }));
    }

    #[test]
    fn the_others_are_held_against_the_first_that_declares_the_bug() {
        assert_eq!(spec(&["fixed", "unfixed", "unfixed"]).baseline(), 1);
        assert_eq!(spec(&["fixed", "fixed-app"]).baseline(), 0);
    }
}
