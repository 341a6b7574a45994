//! A finding: one fact, its frames, its quantities and how sure it is.

use core::net::{IpAddr, SocketAddr};
use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use super::super::{
    certainty::Certainty,
    input::FrameNo,
    time::{Timestamp, When},
    wire::socket,
};

/// Words that are the program's own, and need no copy, or came from elsewhere: a user's rule, a saved run.
pub type Words = Cow<'static, str>;

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Counts from 1 within a run.
    pub id: u64,
    pub rule: Words,
    pub certainty: Certainty,
    #[serde(flatten)]
    pub when: When,
    pub device: IpAddr,
    /// Who opened the connection.
    #[serde(serialize_with = "socket::write")]
    pub client: SocketAddr,
    #[serde(serialize_with = "socket::write")]
    pub server: SocketAddr,
    /// Which life of the four-tuple, from 1.
    pub incarnation: u32,
    /// The frames that are the fact, in the order the contract gives for this rule.
    pub frames: Vec<FrameNo>,
    /// Numbers of this fact; names end in their unit (`_s`), sequence numbers are raw.
    #[serde(serialize_with = "write_quantities")]
    pub quantities: BTreeMap<Words, f64>,
    pub text: String,
    /// Ids of the findings without which this one would not be, oldest first. Set by the engine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caused_by: Vec<u64>,
    /// `frames` and the frames that explain them, decoded, in time order: enough to draw a ladder.
    #[serde(default)]
    pub evidence: Vec<EvidenceSegment>,
}

impl Finding {
    /// A fact about a device as a whole, and about no connection of it: both sockets are its address with port 0, and
    /// the incarnation is 0.
    pub fn of_device(
        rule: impl Into<Words>,
        certainty: Certainty,
        at: Timestamp,
        device: IpAddr,
        frames: Vec<FrameNo>,
        text: String,
    ) -> Finding {
        let nowhere = SocketAddr::new(device, 0);
        Finding {
            id: 0,
            rule: rule.into(),
            certainty,
            when: When(at),
            device,
            client: nowhere,
            server: nowhere,
            incarnation: 0,
            frames,
            quantities: BTreeMap::new(),
            text,
            caused_by: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// Whether it is about the device as a whole (see [`Finding::of_device`]).
    pub fn is_of_device(&self) -> bool {
        self.incarnation == 0
    }

    /// Adds a number; names end in their unit (`_s`).
    #[must_use]
    pub fn with_quantity(mut self, name: &'static str, value: f64) -> Finding {
        self.quantities.insert(name.into(), value);
        self
    }

    #[must_use]
    pub fn with_evidence(mut self, mut evidence: Vec<EvidenceSegment>) -> Finding {
        evidence.sort_by_key(|row| row.frame);
        self.evidence = evidence;
        self
    }
}

/// One segment as a person reads it in a ladder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceSegment {
    pub frame: FrameNo,
    pub epoch: Timestamp,
    /// Sent by the side that opened the connection.
    pub from_client: bool,
    /// tcpdump's letters: `S`, `S.`, `.`, `P.`, `F.`, `R`, `R.`.
    pub flags: Words,
    pub seq: u32,
    /// Absent without the ACK flag.
    pub ack: Option<u32>,
    /// Payload octets.
    pub len: u32,
    pub window: u16,
    /// What this segment is in the story, in a few words: `device closes first`, `stale ACK`, …
    pub role: Words,
}

/// Counts and sequence numbers as integers, spans of time as decimals.
fn write_quantities<S: Serializer>(
    quantities: &BTreeMap<Words, f64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(quantities.len()))?;
    for (name, value) in quantities {
        let whole = *value as i64;
        if !name.ends_with("_s") && whole as f64 == *value {
            map.serialize_entry(name, &whole)?;
        } else {
            map.serialize_entry(name, value)?;
        }
    }
    map.end()
}
