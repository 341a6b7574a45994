//! A finding: one fact, its frames, its quantities and how sure it is.

use core::net::{IpAddr, SocketAddr};
use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{
    Deserialize, Serialize, Serializer,
    ser::{SerializeMap, SerializeStruct},
};

use super::super::{
    certainty::Certainty,
    input::FrameNo,
    time::{Timestamp, When},
    wire::Socket,
};

/// Words that are the program's own, and need no copy, or came from elsewhere: a user's rule, a saved run.
pub type Words = Cow<'static, str>;

/// One fact.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Finding {
    /// Counts from 1 within a run.
    pub id: u64,
    pub rule: Words,
    pub certainty: Certainty,
    #[serde(flatten)]
    pub when: When,
    pub device: IpAddr,
    /// Who opened the connection.
    pub client: SocketAddr,
    pub server: SocketAddr,
    /// Which life of the four-tuple, from 1.
    pub incarnation: u32,
    /// The frames that are the fact, in the order the contract gives for this rule.
    pub frames: Vec<FrameNo>,
    /// Numbers of this fact; names end in their unit (`_s`), sequence numbers are raw.
    pub quantities: BTreeMap<Words, f64>,
    pub text: String,
    /// Ids of the findings without which this one would not be, oldest first. Set by the engine.
    #[serde(default)]
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

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Finding", 14)?;
        self.write_fields(&mut object)?;
        object.end()
    }
}

impl Finding {
    /// Adds all of it to the fields of an object.
    pub fn write_fields<O: SerializeStruct>(&self, object: &mut O) -> Result<(), O::Error> {
        object.serialize_field("id", &self.id)?;
        object.serialize_field("rule", &Plain(&self.rule))?;
        object.serialize_field("certainty", &self.certainty)?;
        self.when.write_fields(object)?;
        object.serialize_field("device", &self.device)?;
        object.serialize_field("client", &Socket(self.client))?;
        object.serialize_field("server", &Socket(self.server))?;
        object.serialize_field("incarnation", &self.incarnation)?;
        object.serialize_field("frames", &self.frames)?;
        object.serialize_field("quantities", &Quantities(&self.quantities))?;
        object.serialize_field("text", &self.text)?;
        if !self.caused_by.is_empty() {
            object.serialize_field("caused_by", &self.caused_by)?;
        }
        object.serialize_field("evidence", &self.evidence)
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
    #[serde(serialize_with = "write_words")]
    pub flags: Words,
    pub seq: u32,
    /// Absent without the ACK flag.
    pub ack: Option<u32>,
    /// Payload octets.
    pub len: u32,
    pub window: u16,
    /// What this segment is in the story, in a few words: `device closes first`, `stale ACK`, …
    #[serde(serialize_with = "write_words")]
    pub role: Words,
}

/// Counts and sequence numbers as integers, spans of time as decimals.
struct Quantities<'a>(&'a BTreeMap<Words, f64>);

impl Serialize for Quantities<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            let whole = *value as i64;
            if !name.ends_with("_s") && whole as f64 == *value {
                map.serialize_entry(&Plain(name), &whole)?;
            } else {
                map.serialize_entry(&Plain(name), value)?;
            }
        }
        map.end()
    }
}

/// What is the program's own is written as the word that an enum's variant is: without a look at what might be in it.
struct Plain<'a>(&'a Words);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Words::Borrowed(word) => serializer.serialize_unit_variant("Words", 0, word),
            Words::Owned(words) => serializer.serialize_str(words),
        }
    }
}

fn write_words<S: Serializer>(words: &Words, serializer: S) -> Result<S::Ok, S::Error> {
    Plain(words).serialize(serializer)
}
