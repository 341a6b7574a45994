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
    /// How often it has been started, this start included; `None` where that is not kept, and from older firmware.
    #[serde(default)]
    pub boots: Option<u32>,
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

impl Status {
    /// The mode as `mode` takes it: its name, and where it has none the nearest one with the remedies that differ from
    /// it (`fixed msl_ms=3000`). Remedies that the firmware cannot see are left out; where that is most of them, so is the
    /// name (`close=keep-alive`).
    pub fn mode_in_words(&self) -> String {
        if let Some((name, _)) = MODES.iter().find(|(name, _)| *name == self.mode) {
            return (*name).to_owned();
        }
        let own = self.remedies.in_words();
        if own.len() < REMEDIES.len() {
            return own.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        }
        let differing = |mode: &Remedies| -> Vec<String> {
            let of_mode = mode.in_words();
            let other = own.iter().filter(|remedy| !of_mode.contains(remedy));
            other.map(|(name, value)| format!("{name}={value}")).collect()
        };
        let nearest =
            MODES.iter().map(|(name, mode)| (name, differing(mode))).min_by_key(|(_, other)| other.len());
        nearest.map_or_else(String::new, |(name, other)| {
            format!("{name} {}", other.join(" ")).trim_end().to_owned()
        })
    }
}

/// The named sets of remedies (`docs/control-protocol.md`).
pub const MODES: [(&str, Remedies); 4] = [
    ("unfixed", mode(60_000, RstInTimeWait::Ignore, SynInTimeWait::Refuse, CloseMode::ServerFirst, 0)),
    ("fixed", mode(6_000, RstInTimeWait::Honour, SynInTimeWait::Accept, CloseMode::ServerFirst, 12)),
    ("fixed-app", mode(60_000, RstInTimeWait::Ignore, SynInTimeWait::Refuse, CloseMode::KeepAlive, 0)),
    ("fixed-all", mode(6_000, RstInTimeWait::Honour, SynInTimeWait::Accept, CloseMode::KeepAlive, 12)),
];

/// The single remedies, in the order in which they are told.
pub const REMEDIES: [&str; 5] = ["msl_ms", "rst_in_time_wait", "syn_in_time_wait", "close", "pcb_cap"];

const fn mode(
    msl_ms: u32,
    rst: RstInTimeWait,
    syn: SynInTimeWait,
    close: CloseMode,
    pcb_cap: u32,
) -> Remedies {
    Remedies {
        msl_ms: Some(msl_ms),
        rst_in_time_wait: Some(rst),
        syn_in_time_wait: Some(syn),
        close,
        pcb_cap: Some(pcb_cap),
    }
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

impl Remedies {
    /// Those that the firmware tells, by name, each value as the protocol writes it.
    pub fn in_words(&self) -> Vec<(&'static str, String)> {
        let values = [
            self.msl_ms.map(|msl| msl.to_string()),
            self.rst_in_time_wait.map(|rst| word(&rst)),
            self.syn_in_time_wait.map(|syn| word(&syn)),
            Some(word(&self.close)),
            self.pcb_cap.map(|cap| cap.to_string()),
        ];
        REMEDIES.into_iter().zip(values).filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// A value as the protocol writes it.
pub fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn words(mode: &str, remedies: Remedies) -> String {
        let status = serde_json::json!({
            "protocol": 1, "firmware": "0.1.0", "chip": "twin", "stack": "lwIP", "uptime_ms": 1, "mode": mode,
            "remedies": remedies,
        });
        serde_json::from_value::<Status>(status).unwrap().mode_in_words()
    }

    #[test]
    fn a_mode_without_a_name_is_the_nearest_one_and_what_differs() {
        let [(_, unfixed), (_, fixed), (_, app), (_, all)] = MODES;
        for (name, remedies) in MODES {
            assert_eq!(words(name, remedies), name);
        }
        let table = [
            (Remedies { msl_ms: Some(3_000), ..unfixed }, "unfixed msl_ms=3000"),
            (Remedies { pcb_cap: Some(0), ..fixed }, "fixed pcb_cap=0"),
            (Remedies { close: CloseMode::ClientFirst, ..unfixed }, "unfixed close=client-first"),
            (Remedies { close: CloseMode::Other, ..all }, "fixed close=other"),
            (
                Remedies { rst_in_time_wait: Some(RstInTimeWait::Honour), pcb_cap: Some(4), ..app },
                "fixed-app rst_in_time_wait=honour pcb_cap=4",
            ),
            // What later firmware may name otherwise than we do.
            (unfixed, "unfixed"),
            // MicroPython.
            (
                Remedies {
                    msl_ms: None,
                    rst_in_time_wait: None,
                    syn_in_time_wait: None,
                    close: CloseMode::KeepAlive,
                    pcb_cap: None,
                },
                "close=keep-alive",
            ),
        ];
        for (remedies, expected) in table {
            assert_eq!(words("custom", remedies), expected);
        }
    }
}
