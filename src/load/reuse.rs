//! Each of some source ports, twice: what provokes the bug in the shortest time, and who got in again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::LoadError;
use super::client::Ask;
use super::driver::{Ended, News, Work, work};
use super::exchange::{Exchange, Request};
use super::failure::Failure;
use super::plan::check_target;
use super::schedule::{Deal, LEAST_PAUSE, Lane, Pace, Round, SourcePorts};

/// A server that says nothing for so long, or never ends, is not waited for.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Each of `ports` source ports, twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReusePlan {
    pub target: SocketAddr,
    pub first_port: u16,
    pub ports: u16,
    /// Between the close of a port's first connection and its second connect; at least 20 ms.
    pub pause: Duration,
    /// For each connect. A refused one has no other end: Linux itself gives up only after some 134 s.
    pub connect_timeout: Duration,
    /// How many ports are in use at a time.
    pub parallel: usize,
}

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
    pub bytes: u64,
    /// Whether the answer came to its end; with no connection, the same failure once more.
    pub answer: Result<(), Failure>,
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

/// Works `plan` off on this thread. Ends by itself, or soon after `stop` is set: then ports on their way are given up
/// and reported as far as they came.
pub fn run(
    plan: ReusePlan,
    stop: &AtomicBool,
    on_outcome: &mut dyn FnMut(Outcome),
) -> Result<Totals, LoadError> {
    let mut pairs = Pairs { totals: Totals::default(), firsts: BTreeMap::new() };
    let lanes = plan.lanes()?;
    let all = Work { ask: plan.ask(), lanes, limit: None, gives_up: false };
    let ended = work(all, stop, &mut |news| {
        if let News::Ended(request) = news
            && let Some(outcome) = pairs.add(request)
        {
            on_outcome(outcome);
        }
    })?;
    pairs.left_over().into_iter().for_each(on_outcome);
    pairs.totals.stopped = ended == Ended::Stopped;
    Ok(pairs.totals)
}

impl ReusePlan {
    fn ask(&self) -> Ask {
        Ask {
            target: self.target,
            host: self.target.to_string(),
            path: "/".to_owned(),
            keep_alive: false,
            connect_timeout: self.connect_timeout,
            response_timeout: RESPONSE_TIMEOUT,
        }
    }

    fn lanes(&self) -> Result<Vec<Lane>, LoadError> {
        check_target(self.target)?;
        let last = match self.ports.checked_sub(1) {
            None => return Err(LoadError::NoPorts),
            Some(_) if self.first_port == 0 => return Err(LoadError::PortZero),
            Some(further) => self
                .first_port
                .checked_add(further)
                .ok_or(LoadError::PastTheLastPort { first: self.first_port, ports: self.ports })?,
        };
        if self.connect_timeout.is_zero() {
            return Err(LoadError::NoTime);
        }
        if self.parallel == 0 {
            return Err(LoadError::NobodyToDoIt);
        }
        let deal = Deal {
            rounds: self.ports.into(),
            round: Round::Pair,
            clients: self.parallel,
            ports: SourcePorts::Rotating { first: self.first_port, last },
            pace: Pace { interval: Duration::ZERO, pause: self.pause.max(LEAST_PAUSE) },
        };
        Ok(deal.lanes())
    }
}

/// Firsts that wait for their seconds.
struct Pairs {
    totals: Totals,
    firsts: BTreeMap<u16, Attempt>,
}

impl Pairs {
    fn add(&mut self, request: Request) -> Option<Outcome> {
        let port = request.exchange.port?;
        let attempt = Attempt::of(request.exchange);
        if request.number.is_multiple_of(2) {
            // Where even the first was cut off, nothing is known of the port.
            if attempt.answer != Err(Failure::Stopped) {
                self.firsts.insert(port, attempt);
            }
            return None;
        }
        let first = self.firsts.remove(&port)?;
        Some(self.told(Outcome { port, first, second: attempt }))
    }

    /// Ports that were used once when the stop came.
    fn left_over(&mut self) -> Vec<Outcome> {
        let stopped = || Attempt::of(Exchange::failed(Failure::Stopped));
        let firsts = core::mem::take(&mut self.firsts);
        firsts
            .into_iter()
            .map(|(port, first)| self.told(Outcome { port, first, second: stopped() }))
            .collect()
    }

    fn told(&mut self, outcome: Outcome) -> Outcome {
        self.totals.count(&outcome);
        outcome
    }
}

impl Totals {
    fn count(&mut self, outcome: &Outcome) {
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
    fn of(exchange: Exchange) -> Self {
        let answer = exchange.result.map(|_| ());
        let connect = match (exchange.connect, &answer) {
            (Some(connect), _) => Ok(connect),
            (None, Err(failure)) => Err(failure.clone()),
            (None, Ok(())) => Ok(Duration::ZERO),
        };
        Attempt { connect, bytes: exchange.bytes, answer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::exchange::Answered;
    use crate::load::failure::Errno;

    fn plan() -> ReusePlan {
        ReusePlan {
            target: "10.77.0.2:80".parse().unwrap(),
            first_port: 40000,
            ports: 5,
            pause: Duration::ZERO,
            connect_timeout: Duration::from_secs(1),
            parallel: 2,
        }
    }

    fn answered() -> Exchange {
        Exchange {
            connect: Some(Duration::from_millis(1)),
            bytes: 24,
            result: Ok(Answered { response: Duration::ZERO, body: 5 }),
            ..Exchange::failed(Failure::NotTried)
        }
    }

    #[test]
    fn a_stop_is_no_refusal() {
        let mut pairs = Pairs { totals: Totals::default(), firsts: BTreeMap::new() };
        let reset = || Failure::Connect(Errno::of(&std::io::Error::from_raw_os_error(104)));
        let pairs_of_exchanges = [
            (answered(), answered()),
            (answered(), Exchange::failed(Failure::ConnectDeadline)),
            (answered(), Exchange::failed(Failure::ConnectDeadline)),
            (answered(), Exchange::failed(reset())),
            (answered(), Exchange::failed(Failure::Stopped)),
            (answered(), Exchange { result: Err(Failure::Short), ..answered() }),
            (Exchange::failed(reset()), Exchange::failed(Failure::NotTried)),
        ];
        let mut outcomes = Vec::new();
        for (at, (first, second)) in (0u16..).zip(pairs_of_exchanges) {
            for (within, exchange) in [(0, first), (1, second)] {
                let exchange = Exchange { port: Some(40000 + at), ..exchange };
                let number = u64::from(at) * 2 + within;
                outcomes.extend(pairs.add(Request { number, client: 0, began: Duration::ZERO, exchange }));
            }
        }
        assert_eq!(
            outcomes.iter().map(|outcome| outcome.port).collect::<Vec<_>>(),
            Vec::from_iter(40000..40007)
        );
        let totals = &pairs.totals;
        assert_eq!((totals.ports, totals.first_answered), (7, 6));
        assert_eq!((totals.reuse_connected, totals.reuse_answered, totals.reuse_refused()), (2, 1, 3));
        assert_eq!(totals.reuse_failed, BTreeMap::from([(Failure::ConnectDeadline, 2), (reset(), 1)]));
    }

    #[test]
    fn a_port_that_was_used_once_when_the_stop_came_is_told() {
        let mut pairs = Pairs { totals: Totals::default(), firsts: BTreeMap::new() };
        let request = |number, port, exchange| Request {
            number,
            client: 0,
            began: Duration::ZERO,
            exchange: Exchange { port: Some(port), ..exchange },
        };
        assert_eq!(pairs.add(request(0, 40000, answered())), None);
        assert_eq!(pairs.add(request(2, 40001, Exchange::failed(Failure::Stopped))), None);
        let left = pairs.left_over();
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].port, &left[0].second.connect), (40000, &Err(Failure::Stopped)));
        assert_eq!((pairs.totals.ports, pairs.totals.reuse_refused()), (1, 0));
    }

    #[test]
    fn nonsense_is_refused_before_the_first_packet() {
        assert!(plan().lanes().is_ok());
        assert!(ReusePlan { first_port: 65535, ports: 1, ..plan() }.lanes().is_ok());
        let past = ReusePlan { first_port: 65535, ports: 2, ..plan() }.lanes();
        assert!(matches!(past, Err(LoadError::PastTheLastPort { first: 65535, ports: 2 })));
        assert!(matches!(ReusePlan { ports: 0, ..plan() }.lanes(), Err(LoadError::NoPorts)));
        assert!(matches!(ReusePlan { first_port: 0, ..plan() }.lanes(), Err(LoadError::PortZero)));
        assert!(matches!(ReusePlan { parallel: 0, ..plan() }.lanes(), Err(LoadError::NobodyToDoIt)));
        let hurried = ReusePlan { connect_timeout: Duration::ZERO, ..plan() };
        assert!(matches!(hurried.lanes(), Err(LoadError::NoTime)));
        let everyone = ReusePlan { target: "255.255.255.255:80".parse().unwrap(), ..plan() };
        assert!(matches!(everyone.lanes(), Err(LoadError::Target { .. })));
    }
}
