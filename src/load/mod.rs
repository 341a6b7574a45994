//! The traffic that provokes the bug: requests from source ports that are used again too soon.
//!
//! Knows how to ask a web server from a port of one's choosing, when to do it again, and what came of it. Refuses to
//! know who watches. It sends to the named target and to nothing else, takes no privilege, and stops by itself.
//!
//! Every connection is closed the way a well-behaved client closes one. `SO_LINGER` with zero is never used: its RST
//! would remove the device's block and with it the bug that is to be shown.
//!
//! One driver works off two plans: [`drive`] makes many requests and counts them in a [`Tally`]; [`run`] uses each of
//! some ports twice and tells who got in again.

mod answer;
mod chunks;
mod client;
mod driver;
mod exchange;
mod failure;
mod plan;
mod reuse;
mod schedule;
mod tally;

pub use driver::{Ended, News};
pub use exchange::{Answered, Closer, Exchange, Request};
pub use failure::{Errno, Failure, Phase};
pub use plan::{DrivePlan, drive};
pub use reuse::{Attempt, Outcome, ReusePlan, Totals, run};
pub use schedule::SourcePorts;
pub use tally::{Numbers, Quantiles, Row, STALL, Tally};

use std::io;
use std::net::SocketAddr;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    #[error("{target} cannot be asked: name the address and the port of one device, such as 192.168.4.1:80")]
    Target { target: SocketAddr },
    #[error("no source ports to use: give at least one")]
    NoPorts,
    #[error("{ports} source ports from {first} on run past 65535: begin lower, or take fewer")]
    PastTheLastPort { first: u16, ports: u16 },
    #[error(
        "source port 0 means any port, and this is about using the same one again: begin at 1024 or higher"
    )]
    PortZero,
    #[error("{ports} source ports cannot be shared by {clients} clients: give at least as many ports")]
    PortsToShare { ports: u64, clients: usize },
    #[error("the path {path:?} cannot be asked for: begin with / and write anything odd as %XX")]
    Path { path: String },
    #[error("{host:?} cannot stand in a request as the name of the device")]
    Host { host: String },
    #[error("a deadline of zero leaves no time to connect or to answer")]
    NoTime,
    #[error("nothing can be done by 0 clients at a time: give at least one")]
    NobodyToDoIt,
    #[error("cannot begin to send requests: {0}")]
    Runtime(io::Error),
    #[error("no memory for the latencies: {0}")]
    Histogram(#[from] hdrhistogram::CreationError),
}
