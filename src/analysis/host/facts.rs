//! The device facts of the contract: plain values, ready to be written.

use core::fmt;
use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::super::certainty::Certainty;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceFacts {
    pub address: IpAddr,
    /// As `aa:bb:cc:dd:ee:ff`, where the link showed it.
    #[serde(default)]
    pub mac: Option<String>,
    pub stack: Stack,
    pub stack_certainty: Option<Certainty>,
    pub time_wait: TimeWaitFacts,
    pub msl_s: MslBracket,
    /// Absent when nothing is known of it.
    #[serde(default, skip_serializing_if = "PcbCap::is_unknown")]
    pub pcb_cap: PcbCap,
    pub rst_in_time_wait: RstInTimeWait,
    pub syn_in_time_wait: SynInTimeWait,
    pub behaves_as: Behaviour,
    /// Connections that the device answered with SYN-ACK.
    #[serde(default)]
    pub accepted: u64,
    /// What the numbers cannot say by themselves, in plain words.
    #[serde(default)]
    pub note: Option<String>,
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
