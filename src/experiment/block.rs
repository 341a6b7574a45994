//! What is kept of one block: the accounts of the client, the wire and the device, each as it was given. Plain data.
//!
//! Knows what a reuse may come to. Judges no arm.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A reused port that took longer, seconds, has stalled.
pub const STALL_S: f64 = 1.0;

/// One attempt at a block, good or spoilt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Counts every attempt, from 0.
    pub turn: u64,
    /// Its place in the order; absent for the positive control.
    pub slot: Option<usize>,
    /// Its arm's label.
    pub arm: String,
    /// When it began: RFC 3339, UTC.
    pub began: String,
    pub took_s: f64,
    /// Why it does not count; absent where it does.
    pub spoilt: Option<String>,
    pub firsts: Firsts,
    pub reuses: Vec<Reuse>,
    pub wire: Option<Wire>,
    pub device: Option<Device>,
    /// What was held in TIME-WAIT meanwhile; results of older programs have none.
    #[serde(default, skip_serializing_if = "Held::is_empty")]
    pub held: Held,
    /// The file with its frames, by name, where they were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
}

/// The first use of each port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firsts {
    pub asked: u64,
    pub answered: u64,
}

/// The second use of a port, as the client saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reuse {
    pub port: Option<u16>,
    pub age: Age,
    /// `answered`, or the name of the failure.
    pub outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
    /// How long connect() took; absent where there was none.
    pub connect_s: Option<f64>,
    /// To the last octet of the answer, or to the failure.
    pub took_s: f64,
    /// The connection was still open: no second one was needed.
    pub kept: bool,
}

/// Among the ports of its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Age {
    /// Used before all others.
    Oldest,
    /// Used after all others.
    Newest,
}

/// What the engine found on the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wire {
    pub frames: u64,
    pub dropped: u64,
    /// By rule.
    pub findings: BTreeMap<String, u64>,
    /// Connections that entered TIME-WAIT on the device.
    pub entered: u64,
    pub msl_at_least_s: Option<f64>,
    pub msl_at_most_s: Option<f64>,
    pub behaves_as: String,
}

/// Connections from the block's own ports that the device held in TIME-WAIT: seconds since the block began, and how many
/// from then on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// As the wire shows it.
    pub wire: Vec<(f64, u64)>,
    /// By the device's own list, whenever it was asked; empty where it has none to tell.
    pub device: Vec<(f64, u64)>,
}

impl Held {
    pub fn is_empty(&self) -> bool {
        self.wire.is_empty() && self.device.is_empty()
    }
}

/// What the device counted between the switch and the end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Device {
    pub mode: String,
    /// Its firmware, chip and TCP, in a few words; empty in results of older programs.
    #[serde(default)]
    pub firmware: String,
    pub boot: Option<u32>,
    /// SYNs answered by the stale ACK.
    pub stale_acks: u32,
    pub rsts: u32,
    pub rsts_honoured: u32,
    pub syns_accepted: u32,
    pub evicted: u32,
    pub served: u32,
    pub errors: u32,
    /// Held in TIME-WAIT at the end, older blocks' included.
    pub time_wait: u32,
}

impl Block {
    /// One of which nothing is known yet.
    pub fn begun(turn: u64, slot: Option<usize>, arm: String, began: String) -> Block {
        Block {
            turn,
            slot,
            arm,
            began,
            took_s: 0.0,
            spoilt: None,
            firsts: Firsts::default(),
            reuses: Vec::new(),
            wire: None,
            device: None,
            held: Held::default(),
            recording: None,
        }
    }

    pub fn counts(&self) -> bool {
        self.spoilt.is_none()
    }

    pub fn collisions(&self) -> u64 {
        self.found("time-wait-collision")
    }

    pub fn ignored_rsts(&self) -> u64 {
        self.found("ignored-rst")
    }

    /// Wire or device saw a SYN refused: one of them is enough, as a capture may lose frames.
    pub fn shows_a_refusal(&self) -> bool {
        self.collisions() > 0 || self.device.as_ref().is_some_and(|device| device.stale_acks > 0)
    }

    fn found(&self, rule: &str) -> u64 {
        self.wire.as_ref().and_then(|wire| wire.findings.get(rule)).copied().unwrap_or_default()
    }

    /// Reuses that reached the wire.
    pub fn sent(&self) -> impl Iterator<Item = &Reuse> {
        self.reuses.iter().filter(|reuse| reuse.was_sent())
    }

    /// Wire and device counted the same refused SYNs; `None` where one of them is missing.
    pub fn agrees(&self) -> Option<bool> {
        let device = self.device.as_ref()?;
        self.wire.as_ref().map(|_| u64::from(device.stale_acks) == self.collisions())
    }
}

impl Reuse {
    /// It left this computer, as far as that knows.
    pub fn was_sent(&self) -> bool {
        !matches!(self.outcome.as_str(), "port-held" | "unreachable" | "unsent" | "stopped" | "not-tried")
    }

    pub fn failed(&self) -> bool {
        self.outcome != "answered"
    }

    /// It failed, or it took longer than [`STALL_S`].
    pub fn suffered(&self) -> bool {
        self.failed() || self.took_s > STALL_S
    }
}
