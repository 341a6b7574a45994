//! What is told of a flow: that it opened, changed state or closed. Plain values, ready to be written.

use core::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::analysis::time::When;

/// A flow opened, changed state, or closed. Written only when asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowEvent {
    #[serde(flatten)]
    pub when: When,
    pub change: FlowChange,
    pub client: SocketAddr,
    pub server: SocketAddr,
    pub device: Option<IpAddr>,
    pub incarnation: u32,
    pub frame: u64,
    /// RFC 9293 state with its certainty, for example `ESTABLISHED (proven)`.
    pub client_state: String,
    pub server_state: String,
    /// Payload octets sent so far in this incarnation.
    pub client_bytes: u64,
    pub server_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlowChange {
    Opened,
    State,
    Closed,
}
