//! One request and what came of it. Plain data.

use std::time::Duration;

use super::failure::Failure;

/// A request among others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// From 0; each number comes once.
    pub number: u64,
    /// Which of the clients made it, from 0.
    pub client: usize,
    /// Since the start of it all.
    pub began: Duration,
    pub exchange: Exchange,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The source port, where it is known.
    pub port: Option<u16>,
    /// How long connect() took, where a connection was opened for this request.
    pub connect: Option<Duration>,
    /// Octets of the answer.
    pub bytes: u64,
    /// From the SYN, or from the request on a connection that was kept, to the end of it, good or bad. Without the time
    /// that was waited for a port of this machine.
    pub took: Duration,
    /// Who ended the connection; `None` where it was kept, or there was none.
    pub closed_by: Option<Closer>,
    pub result: Result<Answered, Failure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// From the request to the last octet of the answer.
    pub response: Duration,
    /// Octets of its body.
    pub body: u64,
}

/// Who closed first, and so who is left with TIME-WAIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closer {
    Device,
    /// With a RST: nobody is.
    DeviceReset,
    Us,
}

impl Exchange {
    pub(super) fn failed(failure: Failure) -> Self {
        Exchange {
            port: None,
            connect: None,
            bytes: 0,
            took: Duration::ZERO,
            closed_by: None,
            result: Err(failure),
        }
    }
}
