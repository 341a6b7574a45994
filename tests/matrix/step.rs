//! What is done in a lab, as data: the table says it, the actor does it.
//!
//! Knows the words and their numbers. Every step ends by itself: what waits, waits for a condition, up to a limit.

use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Step {
    /// Sets faults, in the control protocol's own words.
    Fault(serde_json::Value),
    /// `count` requests, `side_by_side` at a time, each read to its end and closed. From ports of the system's choice, or
    /// from as many as there are requests, this one and those that follow.
    Ask {
        count: u16,
        side_by_side: u16,
        first_port: Option<u16>,
        patience: Duration,
    },
    /// The same, one after the other, from these source ports.
    AskFrom {
        ports: Vec<u16>,
        patience: Duration,
    },
    /// Opens connections at once and holds them. What was not decided by then is held as it is.
    Open {
        count: usize,
        patience: Duration,
    },
    /// One connection from this source port.
    OpenFrom {
        port: u16,
        patience: Duration,
    },
    /// Sends a request on each connection held.
    Say,
    /// Sends a request on those that were opened last.
    SayOnNewest(usize),
    /// Sends as much as the kernel takes on each connection held.
    Pour,
    /// Reads each connection held until it ends, or the time is over.
    Hear {
        patience: Duration,
    },
    /// Closes this side only: a FIN.
    ShutDown,
    /// Closes every connection held.
    Close,
    /// Ends the connections held by a RST.
    Abort,
    /// Ends the connections held as a crash does: nothing is sent.
    Forget,
    /// Until the watcher has told `count` findings of `rule`; fails when the time is over.
    Until {
        rule: String,
        count: usize,
        within: Duration,
    },
    /// Until the device's account has `count` at `place`, such as `/pcbs/established`; fails when the time is over.
    UntilDevice {
        place: String,
        count: u64,
        within: Duration,
    },
    /// Until nothing was heard for so long. For what shall not come: there is no condition to wait for.
    Quiet(Duration),
    /// The host forgets where the device is, and asks for its address again.
    FlushNeighbour,
    /// Sends the device something that needs no answer, each tenth of a second.
    Knock {
        for_: Duration,
    },
    /// SYNs from everywhere to any port of the device, so many a second, beside the steps that follow. No device has to
    /// answer them: their checksum is wrong.
    Flood {
        rate: u32,
        for_: Duration,
    },
    /// Until the flood is over.
    FloodOver,
    /// The watcher gets no processor, as on a machine that is much too busy; then it goes on.
    Freeze,
    Thaw,
    TurnOff,
    TurnOn,
}

/// How it went, for each connection of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Connected; for requests: answered to the end.
    pub well: usize,
    /// Reset, refused or cut short.
    pub broken: usize,
    /// Still undecided when the time was over.
    pub waiting: usize,
}

/// One line of the actor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Said {
    /// After a step that makes connections or reads from them.
    Tally(Tally),
    /// The device's own account, at the end.
    Account(Box<esp_tcpwatch::firmware::protocol::Status>),
    /// How many frames a flood had.
    Flooded(u64),
    /// The watcher's exit code.
    Watched(i32),
}
