//! What came of it: per port and in sum. Plain data.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

/// Both connections of one source port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub port: u16,
    pub first: Attempt,
    /// [`Failure::NotTried`] where the first did not get its answer: nothing was used that could be used again.
    pub second: Attempt,
}

/// One connection and one request on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// How long connect() took, or why there is no connection.
    pub connect: Result<Duration, Failure>,
    /// Octets of the answer.
    pub bytes: usize,
    /// Whether the answer came to its end; with no connection, the same failure once more.
    pub answer: Result<(), Failure>,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// Our own deadline passed: for a refused port the usual end.
    Deadline,
    /// By the name the system calls it, such as `ECONNREFUSED`.
    Errno(String),
    /// The connection ended before a whole answer.
    CutShort,
    /// We were told to stop.
    Stopped,
    NotTried,
}

/// The numbers so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Ports whose turn has come, whatever came of it.
    pub ports: u64,
    /// First requests that were answered.
    pub first_answered: u64,
    /// Ports that could be connected from a second time.
    pub reuse_connected: u64,
    /// Second requests that were answered.
    pub reuse_answered: u64,
    /// Ports whose second connect failed, by how. A stop is no failure.
    pub reuse_failed: BTreeMap<Failure, u64>,
    /// It ended because it was told to, not because it was done.
    pub stopped: bool,
}

impl Totals {
    pub(super) fn count(&mut self, outcome: &Outcome) {
        self.ports += 1;
        self.first_answered += u64::from(outcome.first.answer.is_ok());
        self.reuse_connected += u64::from(outcome.second.connect.is_ok());
        self.reuse_answered += u64::from(outcome.second.answer.is_ok());
        match &outcome.second.connect {
            Ok(_) | Err(Failure::Stopped | Failure::NotTried) => {}
            Err(failure) => *self.reuse_failed.entry(failure.clone()).or_default() += 1,
        }
    }

    /// Ports whose second connect failed.
    pub fn reuse_refused(&self) -> u64 {
        self.reuse_failed.values().sum()
    }
}

impl Attempt {
    pub(super) fn without_connection(failure: Failure) -> Self {
        Attempt { connect: Err(failure.clone()), bytes: 0, answer: Err(failure) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::Deadline => "no answer before the deadline",
            Failure::Errno(name) => name,
            Failure::CutShort => "cut short",
            Failure::Stopped => "stopped",
            Failure::NotTried => "not tried",
        })
    }
}

impl From<&io::Error> for Failure {
    fn from(error: &io::Error) -> Self {
        #[cfg(unix)]
        if let Some(number) = error.raw_os_error() {
            return Failure::Errno(format!("{:?}", nix::errno::Errno::from_raw(number)));
        }
        Failure::Errno(error.kind().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered() -> Attempt {
        Attempt { connect: Ok(Duration::from_millis(1)), bytes: 24, answer: Ok(()) }
    }

    #[test]
    fn errors_keep_the_names_people_search_for() {
        assert_eq!(Failure::from(&io::Error::from_raw_os_error(111)).to_string(), "ECONNREFUSED");
        assert_eq!(Failure::from(&io::Error::from(io::ErrorKind::TimedOut)).to_string(), "timed out");
    }

    #[test]
    fn a_stop_is_no_refusal() {
        let mut totals = Totals::default();
        let reset = Failure::Errno("ECONNRESET".to_owned());
        let seconds = [
            answered(),
            Attempt::without_connection(Failure::Deadline),
            Attempt::without_connection(Failure::Deadline),
            Attempt::without_connection(reset.clone()),
            Attempt::without_connection(Failure::Stopped),
            Attempt { answer: Err(Failure::CutShort), ..answered() },
        ];
        for second in seconds {
            totals.count(&Outcome { port: 40000, first: answered(), second });
        }
        let first = Attempt::without_connection(reset.clone());
        totals.count(&Outcome { port: 1, first, second: Attempt::without_connection(Failure::NotTried) });
        assert_eq!((totals.ports, totals.first_answered), (7, 6));
        assert_eq!((totals.reuse_connected, totals.reuse_answered, totals.reuse_refused()), (2, 1, 3));
        assert_eq!(totals.reuse_failed, BTreeMap::from([(Failure::Deadline, 2), (reset, 1)]));
    }
}
