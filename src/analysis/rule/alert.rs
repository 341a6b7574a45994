//! An alert: the decision that findings deserve a person's attention.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::super::{
    certainty::Certainty,
    input::FrameNo,
    time::{Timestamp, When},
    wire::socket,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// A risk.
    Notice,
    /// Something failed or waited.
    Warning,
    /// A connection was refused or a device stopped serving.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Info => "info",
            Severity::Notice => "notice",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        })
    }
}

/// Why an alert is written now: an alert keeps its `id` for life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertPhase {
    Raised,
    /// The count doubled since the last writing.
    Grown,
    /// Nothing new for the rule's cooldown, or the run ended.
    Ended,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    pub id: u64,
    pub rule: String,
    pub severity: Severity,
    pub phase: AlertPhase,
    /// The highest certainty among its findings.
    pub certainty: Certainty,
    /// Findings so far.
    pub count: u64,
    #[serde(flatten)]
    pub when: When,
    /// Time of the first finding.
    pub first: Timestamp,
    /// Time of the last finding.
    pub last: Timestamp,
    pub device: IpAddr,
    /// The mode of its test firmware, as it was last told when the alert was raised; absent where nobody asked it. An
    /// alert ends with its mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Set where all findings are of one four-tuple.
    #[serde(serialize_with = "socket::write_if_any")]
    pub client: Option<SocketAddr>,
    #[serde(serialize_with = "socket::write")]
    pub server: SocketAddr,
    /// Ids of findings: the first ones, at most 64.
    pub findings: Vec<u64>,
    /// Frames of those findings, in order, without repeats, at most 64.
    pub frames: Vec<FrameNo>,
    pub frames_omitted: u64,
    pub title: String,
    /// What happened and why, for a person who has never read RFC 9293.
    pub why: String,
    /// Best first.
    pub remedies: Vec<String>,
    pub references: Vec<String>,
}

impl Alert {
    /// Whether it is about the device as a whole and no connection of it: its findings name neither client nor port
    /// ([`Finding::of_device`](crate::analysis::detect::Finding::of_device)).
    pub fn is_of_device(&self) -> bool {
        self.server.port() == 0 && self.client == Some(self.server)
    }
}
