//! An experiment in a report: what was compared, what came of it, and what may not be concluded.
//!
//! Plain numbers and sentences, as whoever ran it gives them. Knows nothing of how they came about, and concludes nothing.
//!
//! - [`parts`] says it in tables and sentences, [`plot`] draws what each arm looked like.

pub mod parts;
pub mod plot;

use serde::Serialize;

/// Arms told at most.
pub const ARMS: usize = 64;
/// Recordings told at most.
pub const RECORDINGS: usize = 2_048;

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Experiment {
    pub title: String,
    /// `as-declared`, `fixed-shows-the-bug` or `not-measurable`.
    pub conclusion: String,
    /// The conclusion, then a sentence or more for each arm but the baseline.
    pub verdict: Vec<String>,
    pub control: Option<Control>,
    /// Label of the arm that the others are held against.
    pub baseline: String,
    pub arms: Vec<Arm>,
    pub arms_omitted: usize,
    pub differences: Vec<Difference>,
    pub set_up: SetUp,
    /// What weakens it, and what cannot be concluded.
    pub limits: Vec<String>,
    pub recordings: Vec<Recording>,
    pub recordings_omitted: usize,
}

/// How it was done.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SetUp {
    /// The program that made the report, and its version.
    pub tool: String,
    /// As it was named.
    pub device: String,
    /// Each firmware that was met, in a few words.
    pub firmware: Vec<String>,
    pub seed: u64,
    pub rounds: u32,
    pub blocks_planned: usize,
    /// Of those, the ones that are there.
    pub blocks_done: usize,
    pub blocks_spoilt: usize,
    /// When the first and the last block began, RFC 3339.
    pub began: Option<String>,
    pub last: Option<String>,
    /// Source ports there were to use.
    pub ports: (u16, u16),
    /// How it was done and tested, in sentences.
    pub method: Vec<String>,
    /// What repeats it.
    pub command: String,
}

/// Unfixed, before anything was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Control {
    pub reuses: u64,
    pub suffered: u64,
    /// Refused SYNs by the wire and by the device's own count.
    pub collisions: u64,
    pub stale_acks: Option<u32>,
    pub shows_the_bug: bool,
}

/// One arm, summed over the blocks that count.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Arm {
    pub label: String,
    /// `bug`, `eased` or `fixed`: what it says of itself.
    pub declares: String,
    pub verdict: String,
    pub blocks: u64,
    pub spoilt: u64,
    /// Ports used once, and those of them used again.
    pub firsts: u64,
    pub reuses: u64,
    pub held_here: u64,
    pub kept: u64,
    pub failed: u64,
    pub stalled: u64,
    /// Reused ports that were refused, of how many: the oldest and the newest.
    pub oldest: (u64, u64),
    pub newest: (u64, u64),
    /// Of connects that came about, seconds.
    pub connect_s: Option<Quantiles>,
    /// Refused SYNs and ignored RSTs by the wire.
    pub collisions: u64,
    pub ignored_rsts: u64,
    /// Refused SYNs by the device's own count.
    pub stale_acks: Option<u64>,
    /// Blocks in which the two differ.
    pub disagreements: u64,
    /// What suffered where neither saw a refusal.
    pub suffered_otherwise: u64,
    pub frames_lost: u64,
    pub lost_s: f64,
    pub connects: Vec<Connect>,
    /// How many there were, those that are not in `connects` included.
    pub connects_all: usize,
    pub held: Vec<HeldAt>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Arm {
    /// The most that was held at one time, by the wire and by the device's own list.
    pub fn most_held(&self) -> (Option<f64>, Option<f64>) {
        let most = |levels: &mut dyn Iterator<Item = f64>| levels.max_by(f64::total_cmp);
        (
            most(&mut self.held.iter().filter_map(|point| point.wire)),
            most(&mut self.held.iter().filter_map(|point| point.device)),
        )
    }
}

/// One connect() from a reused port.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Connect {
    /// Its block among those of the arm, from 0.
    pub block: usize,
    /// Seconds until it was let in, or given up.
    pub took_s: f64,
    pub let_in: bool,
}

/// Connections from a block's ports in TIME-WAIT on the device, on the average of the blocks that lasted so long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HeldAt {
    /// Since the block began, seconds.
    pub at_s: f64,
    pub wire: Option<f64>,
    /// By the device's own list.
    pub device: Option<f64>,
}

/// One arm less the baseline. Shares are from -1 to 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    pub arm: String,
    /// Of the share of reused ports that suffered, with its interval at 95 %.
    pub suffered: f64,
    pub interval: (f64, f64),
    /// Of how long reuses took; corrected for the number of arms it decides.
    pub p_took: f64,
    pub p_corrected: f64,
    pub p_suffered: f64,
    /// The smallest reduction that would have been seen.
    pub smallest: Option<f64>,
}

/// The packets of one block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recording {
    pub name: String,
    pub arm: String,
    /// Its place in the order, from 1; absent for the positive control.
    pub block: Option<usize>,
    pub frames: u64,
    /// Why its block does not count.
    pub spoilt: Option<String>,
}
