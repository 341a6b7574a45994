//! What `drive` is to do, checked before the first packet.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::LoadError;
use super::client::Ask;
use super::driver::{Ended, News, Work, work};
use super::schedule::{Deal, LEAST_PAUSE, Pace, Round, SourcePorts};

/// Requests in a row from each of some clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrivePlan {
    pub target: SocketAddr,
    /// What the `Host` field says: the device as it was named.
    pub host: String,
    /// Begins with `/`; printable ASCII without spaces.
    pub path: String,
    /// Of all clients together.
    pub requests: u64,
    /// From the start of a client's request to the start of its next, at least.
    pub interval: Duration,
    pub ports: SourcePorts,
    pub clients: usize,
    /// One connection for as many requests as the server allows.
    pub keep_alive: bool,
    pub connect_timeout: Duration,
    pub response_timeout: Duration,
    /// An end after this time, whatever is left to do.
    pub limit: Option<Duration>,
}

/// Works `plan` off on this thread, and tells each request as it ends. Ends by itself: no request takes longer
/// than both deadlines and two seconds for its port. Or soon after `stop` is set.
pub fn drive(plan: &DrivePlan, stop: &AtomicBool, on_news: &mut dyn FnMut(News)) -> Result<Ended, LoadError> {
    plan.check()?;
    let ask = Ask {
        target: plan.target,
        host: plan.host.clone(),
        path: plan.path.clone(),
        keep_alive: plan.keep_alive,
        connect_timeout: plan.connect_timeout,
        response_timeout: plan.response_timeout,
    };
    work(Work { ask, lanes: plan.deal().lanes(), limit: plan.limit, gives_up: true }, stop, on_news)
}

impl DrivePlan {
    fn check(&self) -> Result<(), LoadError> {
        check_target(self.target)?;
        if !is_a_path(&self.path) {
            return Err(LoadError::Path { path: self.path.clone() });
        }
        if !self.host.chars().all(|c| c.is_ascii_graphic()) {
            return Err(LoadError::Host { host: self.host.clone() });
        }
        if self.connect_timeout.is_zero() || self.response_timeout.is_zero() {
            return Err(LoadError::NoTime);
        }
        if self.clients == 0 {
            return Err(LoadError::NobodyToDoIt);
        }
        match self.ports {
            SourcePorts::Rotating { first: 0, .. } => Err(LoadError::PortZero),
            _ => match self.ports.count() {
                Some(ports) if ports < self.clients as u64 => {
                    Err(LoadError::PortsToShare { ports, clients: self.clients })
                }
                _ => Ok(()),
            },
        }
    }

    fn deal(&self) -> Deal {
        let pause = match self.ports {
            SourcePorts::Natural => Duration::ZERO,
            SourcePorts::Rotating { .. } => LEAST_PAUSE,
        };
        Deal {
            rounds: self.requests,
            round: Round::One,
            clients: self.clients,
            ports: self.ports,
            pace: Pace { interval: self.interval, pause },
        }
    }
}

/// A group or "everyone" is no device, and asking one would ask many.
pub(super) fn check_target(target: SocketAddr) -> Result<(), LoadError> {
    let ip = target.ip();
    let everyone = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    let is_one_host = target.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !everyone;
    if is_one_host { Ok(()) } else { Err(LoadError::Target { target }) }
}

/// Nothing that could end the request's first line and begin something else.
fn is_a_path(path: &str) -> bool {
    path.starts_with('/') && path.chars().all(|c| c.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> DrivePlan {
        DrivePlan {
            target: "10.77.0.2:80".parse().unwrap(),
            host: "10.77.0.2".to_owned(),
            path: "/".to_owned(),
            requests: 1000,
            interval: Duration::from_millis(150),
            ports: SourcePorts::Natural,
            clients: 1,
            keep_alive: false,
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(10),
            limit: None,
        }
    }

    #[test]
    fn nonsense_is_refused_before_the_first_packet() {
        assert!(plan().check().is_ok());
        let ports = |first, last| SourcePorts::Rotating { first, last };
        assert!(DrivePlan { ports: ports(40000, 40003), clients: 4, ..plan() }.check().is_ok());
        let few = DrivePlan { ports: ports(40000, 40002), clients: 4, ..plan() }.check();
        assert!(matches!(few, Err(LoadError::PortsToShare { ports: 3, clients: 4 })));
        let backwards = DrivePlan { ports: ports(40003, 40000), ..plan() }.check();
        assert!(matches!(backwards, Err(LoadError::PortsToShare { ports: 0, .. })));
        assert!(matches!(DrivePlan { ports: ports(0, 5), ..plan() }.check(), Err(LoadError::PortZero)));
        assert!(matches!(DrivePlan { clients: 0, ..plan() }.check(), Err(LoadError::NobodyToDoIt)));
        let hurried = DrivePlan { response_timeout: Duration::ZERO, ..plan() };
        assert!(matches!(hurried.check(), Err(LoadError::NoTime)));
        for path in ["", "big", "/a b", "/a\r\nX: y", "/ü"] {
            let plan = DrivePlan { path: path.to_owned(), ..plan() };
            assert!(matches!(plan.check(), Err(LoadError::Path { .. })), "{path:?}");
        }
        let split = DrivePlan { host: "a\r\nX: y".to_owned(), ..plan() };
        assert!(matches!(split.check(), Err(LoadError::Host { .. })));
        for target in
            ["0.0.0.0:80", "10.0.0.1:0", "224.0.0.1:80", "255.255.255.255:80", "[::]:80", "[ff02::1]:80"]
        {
            let plan = DrivePlan { target: target.parse().unwrap(), ..plan() };
            assert!(matches!(plan.check(), Err(LoadError::Target { .. })), "{target}");
        }
    }

    #[test]
    fn only_a_port_of_ours_needs_time_to_be_let_go() {
        assert_eq!(plan().deal().pace.pause, Duration::ZERO);
        let ports = SourcePorts::Rotating { first: 40000, last: 40000 };
        assert_eq!(DrivePlan { ports, ..plan() }.deal().pace.pause, LEAST_PAUSE);
    }
}
