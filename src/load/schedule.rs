//! Which source port is used by whom and when: pure, no socket and no clock.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::LoadError;

/// The time Linux may take to let go of a port after the last ACK of a close that the peer began.
pub(super) const LEAST_PAUSE: Duration = Duration::from_millis(20);

/// Between the first requests of two lanes: a device's backlog is short, and a burst is not what is being shown.
const STAGGER: Duration = Duration::from_millis(10);

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

/// One port's turn: not before `not_before` since the start, nor before its lane is done with the turn before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub port: u16,
    pub not_before: Duration,
}

impl ReusePlan {
    pub(super) fn check(&self) -> Result<(), LoadError> {
        if !is_one_host(self.target) {
            return Err(LoadError::Target { target: self.target });
        }
        match self.ports.checked_sub(1) {
            None => return Err(LoadError::NoPorts),
            Some(_) if self.first_port == 0 => return Err(LoadError::PortZero),
            Some(further) if self.first_port.checked_add(further).is_none() => {
                return Err(LoadError::PastTheLastPort { first: self.first_port, ports: self.ports });
            }
            Some(_) => {}
        }
        if self.connect_timeout.is_zero() {
            return Err(LoadError::NoTime);
        }
        if self.parallel == 0 {
            return Err(LoadError::NobodyToDoIt);
        }
        Ok(())
    }

    /// The pause that is really made.
    pub(super) fn pause(&self) -> Duration {
        self.pause.max(LEAST_PAUSE)
    }

    /// As many lanes as work at a time, the ports dealt out in turn: who uses which port in which order is settled
    /// before the first packet and does not depend on how long anything takes.
    pub(super) fn lanes(&self) -> Vec<Vec<Turn>> {
        let lanes = self.parallel.min(usize::from(self.ports));
        let lane = |number: usize| {
            let not_before = STAGGER.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
            (0..self.ports)
                .skip(number)
                .step_by(lanes.max(1))
                .map(|offset| Turn { port: self.first_port.saturating_add(offset), not_before })
                .collect()
        };
        (0..lanes).map(lane).collect()
    }
}

/// A group or "everyone" is no device, and asking one would ask many.
fn is_one_host(target: SocketAddr) -> bool {
    let ip = target.ip();
    let everyone = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    target.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !everyone
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn ports_are_dealt_out_in_turn_and_lanes_begin_apart() {
        let turn = |port, ms| Turn { port, not_before: Duration::from_millis(ms) };
        assert_eq!(
            plan().lanes(),
            [vec![turn(40000, 0), turn(40002, 0), turn(40004, 0)], vec![turn(40001, 10), turn(40003, 10)]]
        );
    }

    #[test]
    fn every_port_has_exactly_one_turn_and_no_lane_is_idle() {
        for ports in 1..40 {
            for parallel in [1, 2, 3, 7, 39, 40, 100_000] {
                let lanes = ReusePlan { ports, parallel, ..plan() }.lanes();
                assert_eq!(lanes.len(), parallel.min(usize::from(ports)));
                assert!(lanes.iter().all(|lane| !lane.is_empty()));
                let mut used: Vec<u16> = lanes.iter().flatten().map(|turn| turn.port).collect();
                used.sort_unstable();
                assert_eq!(used, (40000..40000 + ports).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn one_at_a_time_is_in_order() {
        let lanes = ReusePlan { parallel: 1, ..plan() }.lanes();
        let ports: Vec<u16> = lanes.concat().iter().map(|turn| turn.port).collect();
        assert_eq!(ports, [40000, 40001, 40002, 40003, 40004]);
    }

    #[test]
    fn the_kernel_gets_its_time() {
        assert_eq!(plan().pause(), LEAST_PAUSE);
        let long = Duration::from_secs(3);
        assert_eq!(ReusePlan { pause: long, ..plan() }.pause(), long);
    }

    #[test]
    fn nonsense_is_refused_before_the_first_packet() {
        assert!(plan().check().is_ok());
        assert!(ReusePlan { first_port: 65535, ports: 1, ..plan() }.check().is_ok());
        let past = ReusePlan { first_port: 65535, ports: 2, ..plan() }.check();
        assert!(matches!(past, Err(LoadError::PastTheLastPort { first: 65535, ports: 2 })));
        assert!(matches!(ReusePlan { ports: 0, ..plan() }.check(), Err(LoadError::NoPorts)));
        assert!(matches!(ReusePlan { first_port: 0, ..plan() }.check(), Err(LoadError::PortZero)));
        assert!(matches!(ReusePlan { parallel: 0, ..plan() }.check(), Err(LoadError::NobodyToDoIt)));
        let hurried = ReusePlan { connect_timeout: Duration::ZERO, ..plan() };
        assert!(matches!(hurried.check(), Err(LoadError::NoTime)));
        for target in
            ["0.0.0.0:80", "10.0.0.1:0", "224.0.0.1:80", "255.255.255.255:80", "[::]:80", "[ff02::1]:80"]
        {
            let plan = ReusePlan { target: target.parse().unwrap(), ..plan() };
            assert!(matches!(plan.check(), Err(LoadError::Target { .. })), "{target}");
        }
    }
}
