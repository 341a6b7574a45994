//! A device about itself: version, remedies, faults and counters.
//!
//! Knows the members of `status` (`docs/control-protocol.md`). Refuses to know: requests and datagrams.

use serde::{Deserialize, Serialize};

use super::protocol::{Faults, plain_text};

/// A device about itself. Fields that a later firmware adds are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The newest protocol version the device speaks.
    pub protocol: u32,
    #[serde(deserialize_with = "plain_text")]
    pub firmware: String,
    /// `esp32c3`, `twin` …
    #[serde(deserialize_with = "plain_text")]
    pub chip: String,
    /// `lwIP 2.2.1`.
    #[serde(deserialize_with = "plain_text")]
    pub stack: String,
    /// Since the device started: less than last time means that it restarted.
    pub uptime_ms: u64,
    /// Another number at each start; `None` from older firmware.
    #[serde(default)]
    pub boot: Option<u32>,
    /// `None` where there is none to speak of, and from older firmware.
    #[serde(default)]
    pub heap: Option<Heap>,
    /// `unfixed`, `fixed`, or `custom` when the remedies match no named mode.
    #[serde(deserialize_with = "plain_text")]
    pub mode: String,
    pub remedies: Remedies,
    #[serde(default)]
    pub faults: Faults,
    #[serde(default)]
    pub http: HttpCounters,
    #[serde(default)]
    pub time_wait: TimeWaitCounters,
    #[serde(default)]
    pub pcbs: PcbCounts,
}

/// Octets of heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heap {
    pub free: u32,
    /// The least there was since start.
    pub lowest: u32,
}

/// The five remedies, as in force. `None`: the firmware can neither switch nor see it, as on
/// MicroPython's stock lwIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedies {
    /// Milliseconds of MSL; TIME-WAIT lasts twice that.
    pub msl_ms: Option<u32>,
    pub rst_in_time_wait: Option<RstInTimeWait>,
    pub syn_in_time_wait: Option<SynInTimeWait>,
    pub close: CloseMode,
    /// PCBs at which the oldest TIME-WAIT gives way; 0: no cap.
    pub pcb_cap: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RstInTimeWait {
    /// RFC 1337, stock lwIP.
    Ignore,
    /// Ends TIME-WAIT when its sequence is exactly the expected one (RFC 5961).
    Honour,
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SynInTimeWait {
    /// Stock lwIP: the stale ACK.
    Refuse,
    /// Opens a new connection when its sequence is newer (RFC 1122 4.2.2.13).
    Accept,
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloseMode {
    ServerFirst,
    ClientFirst,
    KeepAlive,
    Reset,
    #[serde(other)]
    Other,
}

/// Connections and answers since start; all counters wrap at 2^32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpCounters {
    pub accepted: u32,
    /// Answers handed to the stack whole.
    pub served: u32,
    /// Connections that ended inside a request or an answer.
    pub errors: u32,
}

/// What met a TIME-WAIT since start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TimeWaitCounters {
    /// SYNs without ACK, whatever became of them.
    pub syns: u32,
    /// Of `syns`, those in the old window: lwIP answers them by RST, not by the stale ACK.
    pub syns_in_window: u32,
    /// RSTs of any sequence.
    pub rsts: u32,
    pub rsts_honoured: u32,
    pub syns_accepted: u32,
    /// TIME-WAITs ended early by the PCB cap.
    pub evicted: u32,
    /// SYNs dropped at the cap because nothing could give way.
    pub dropped_at_cap: u32,
}

impl TimeWaitCounters {
    /// SYNs that were answered by the stale ACK of the bug.
    pub fn stale_acks(&self) -> u32 {
        self.syns.wrapping_sub(self.syns_in_window).wrapping_sub(self.syns_accepted)
    }
}

/// PCBs held at the moment of asking, by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PcbCounts {
    /// Bound, neither listening nor connecting: no state of the RFC's.
    pub bound: u32,
    pub listen: u32,
    pub syn_sent: u32,
    pub syn_received: u32,
    pub established: u32,
    pub fin_wait_1: u32,
    pub fin_wait_2: u32,
    pub close_wait: u32,
    pub closing: u32,
    pub last_ack: u32,
    pub time_wait: u32,
}
