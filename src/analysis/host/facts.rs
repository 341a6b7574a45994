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
    pub rst_in_time_wait: RstInTimeWait,
    pub syn_in_time_wait: SynInTimeWait,
    pub behaves_as: Behaviour,
    /// Connections that the device answered with SYN-ACK.
    #[serde(default)]
    pub accepted: u64,
    /// What the numbers cannot say by themselves, in plain words.
    #[serde(default)]
    pub note: Option<String>,
    /// How its own accounts of TIME-WAIT compare; absent where it gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_account: Option<AccountFacts>,
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
