//! The device facts of the contract: plain values, ready to be written.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};

use super::super::{certainty::Certainty, input::FrameNo, wire::socket};

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DeviceFacts {
    pub address: IpAddr,
    /// As `aa:bb:cc:dd:ee:ff`, where the link showed it.
    #[serde(default)]
    pub mac: Option<String>,
    /// The address that it had before, by its MAC address; absent where it has had this one all the time.
    #[serde(default)]
    pub formerly: Option<IpAddr>,
    pub stack: Stack,
    pub stack_certainty: Option<Certainty>,
    pub time_wait: TimeWaitFacts,
    pub msl_s: MslBracket,
    /// Absent when nothing is known of it.
    #[serde(default)]
    pub pcb_cap: PcbCap,
    pub rst_in_time_wait: RstInTimeWait,
    pub syn_in_time_wait: SynInTimeWait,
    pub behaves_as: Behaviour,
    /// Connections that the device answered with SYN-ACK.
    #[serde(default)]
    pub accepted: u64,
    /// Connections that were asked for and did not come about at once.
    #[serde(default)]
    pub delays: DelayFacts,
    /// What the numbers cannot say by themselves, in plain words.
    #[serde(default)]
    pub note: Option<String>,
    /// The mode of its test firmware, in the firmware's own words, as it was last told; absent where nobody asked it.
    #[serde(default)]
    pub mode: Option<String>,
    /// How its own accounts of TIME-WAIT compare; absent where it gave none.
    #[serde(default)]
    pub own_account: Option<AccountFacts>,
}

impl Serialize for DeviceFacts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("DeviceFacts", 16)?;
        self.write_fields(&mut object)?;
        object.end()
    }
}

impl DeviceFacts {
    /// Adds all of them to the fields of an object.
    pub fn write_fields<O: SerializeStruct>(&self, object: &mut O) -> Result<(), O::Error> {
        object.serialize_field("address", &self.address)?;
        object.serialize_field("mac", &self.mac)?;
        if let Some(formerly) = &self.formerly {
            object.serialize_field("formerly", formerly)?;
        }
        object.serialize_field("stack", &self.stack)?;
        object.serialize_field("stack_certainty", &self.stack_certainty)?;
        object.serialize_field("time_wait", &self.time_wait)?;
        object.serialize_field("msl_s", &self.msl_s)?;
        if !self.pcb_cap.is_unknown() {
            object.serialize_field("pcb_cap", &self.pcb_cap)?;
        }
        object.serialize_field("rst_in_time_wait", &self.rst_in_time_wait)?;
        object.serialize_field("syn_in_time_wait", &self.syn_in_time_wait)?;
        object.serialize_field("behaves_as", &self.behaves_as)?;
        object.serialize_field("accepted", &self.accepted)?;
        object.serialize_field("delays", &self.delays)?;
        object.serialize_field("note", &self.note)?;
        if let Some(mode) = &self.mode {
            object.serialize_field("mode", mode)?;
        }
        match &self.own_account {
            Some(account) => object.serialize_field("own_account", account),
            None => Ok(()),
        }
    }
}

/// The device's own accounts of what it holds in TIME-WAIT, beside the wire's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountFacts {
    /// Tuples in the last account that was compared.
    pub time_wait: u64,
    /// Accounts compared; and in all of them, tuples on which both agree, of which one cannot be sure, and on which
    /// they disagree.
    pub accounts: u64,
    pub agreed: u64,
    pub unsure: u64,
    pub disagreements: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TimeWaitFacts {
    /// Times a tuple was seen to enter TIME-WAIT on the device.
    pub entered: u64,
    /// Tuples believed to be in it at the event's time.
    pub held_now: u64,
    /// Longest time after entry at which a SYN was still refused, seconds.
    pub refused_until_s: Option<f64>,
    /// Shortest time after entry at which a SYN was accepted after expiry, seconds.
    pub accepted_from_s: Option<f64>,
    /// SYNs that met a tuple in TIME-WAIT.
    #[serde(default)]
    pub syns: u64,
    /// RSTs that met a tuple in TIME-WAIT.
    #[serde(default)]
    pub rsts: u64,
}

/// What the device's maximum segment lifetime must be, seconds; both absent where the evidence contradicts itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MslBracket {
    pub at_least: Option<f64>,
    pub at_most: Option<f64>,
}

impl MslBracket {
    /// 2·MSL that is taken for true, seconds: the most it can be; while nothing says so, that of lwIP and ESP-IDF as
    /// shipped (60 s of MSL), or the least that it must be, if that is more.
    pub fn assumed_time_wait_s(&self) -> f64 {
        const DEFAULT_TIME_WAIT_S: f64 = 120.0;
        match (self.at_least, self.at_most) {
            (_, Some(most)) => 2.0 * most,
            (Some(least), None) => DEFAULT_TIME_WAIT_S.max(2.0 * least),
            (None, None) => DEFAULT_TIME_WAIT_S,
        }
    }
}

/// How many connection blocks (lwIP: PCBs) the device has, TIME-WAIT included, where the oldest TIME-WAIT gives way to
/// a new connection. Inferred, as far as all of its connections were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PcbCap {
    /// So many were held at once.
    pub at_least: Option<u32>,
    /// With so many, an older one was gone before its time.
    pub at_most: Option<u32>,
}

impl PcbCap {
    pub fn is_unknown(&self) -> bool {
        *self == PcbCap::default()
    }
}

/// What clients waited for: attempts to connect that were refused by a stale ACK, or whose SYN had to be repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DelayFacts {
    /// Attempts that go on at the event's time.
    pub waiting: u64,
    /// Attempts that were let in, late.
    pub delayed: u64,
    /// Attempts that a RST of the device ended.
    pub reset: u64,
    /// Attempts that were not seen to get in.
    pub unfinished: u64,
    /// Seconds waited in all of those that are over.
    pub waited_s: f64,
    /// The longest of those that are over.
    pub longest: Option<Delay>,
}

/// One connect() of a client, from its first SYN on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delay {
    #[serde(serialize_with = "socket::write")]
    pub client: SocketAddr,
    #[serde(serialize_with = "socket::write")]
    pub server: SocketAddr,
    /// The life of the four-tuple that it asked for.
    pub incarnation: u32,
    pub syns: u32,
    /// SYNs answered by a stale ACK.
    pub refused: u32,
    /// Its first SYN.
    pub first_frame: FrameNo,
    /// The answer that ended it, else its last SYN.
    pub last_frame: FrameNo,
    /// From the one to the other.
    pub waited_s: f64,
    pub outcome: Outcome,
    /// The life that stood in its way, where its close was seen.
    pub blocked_by: Option<Blocked>,
}

/// An earlier life of the same four-tuple, held in TIME-WAIT by the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    pub incarnation: u32,
    /// The FIN by which the device closed it.
    pub closed_in: FrameNo,
}

/// Tenths of a millisecond: what a capture's timestamps are worth.
pub(super) fn rounded(seconds: f64) -> f64 {
    (seconds * 1e4).round() / 1e4
}

/// Declares a small vocabulary: the enum and the word each value is written as.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            #[default]
            $(#[serde(rename = $word)] $variant),+
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($name::$variant => $word),+ })
            }
        }
    };
}

words! {
    /// Whose TCP this is.
    Stack { Unknown = "unknown", Lwip = "lwip", Linux = "linux" }
}
words! {
    /// What a RST with the exact sequence does to TIME-WAIT.
    RstInTimeWait { Unknown = "unknown", Ignored = "ignored", Honoured = "honoured" }
}
words! {
    /// What a newer SYN meets in TIME-WAIT.
    SynInTimeWait { Unknown = "unknown", Refused = "refused", Accepted = "accepted" }
}
words! {
    /// The remedy that the device behaves as having.
    Behaviour {
        Unknown = "unknown",
        Unfixed = "unfixed",
        HonoursRst = "honours-rst",
        AcceptsSyn = "accepts-syn",
        Mixed = "mixed",
    }
}
words! {
    /// How an attempt to connect ended.
    Outcome { Unfinished = "unfinished", Accepted = "accepted", Reset = "reset" }
}
