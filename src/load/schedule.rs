//! Who asks when and from which source port: pure, no socket and no clock.
//!
//! Requests are dealt out to clients before the first packet, so that who uses which port in which order does not
//! depend on how long anything takes. Only *when* does: a request never begins before its client is done with the one
//! before.

use std::time::Duration;

/// The time Linux may take to let go of a port after the last ACK of a close that the peer began.
pub(super) const LEAST_PAUSE: Duration = Duration::from_millis(20);

/// Between the first requests of two clients: a device's backlog is short, and a burst is not what is being shown.
const STAGGER: Duration = Duration::from_millis(10);

/// From which ports connections are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourcePorts {
    /// The kernel chooses, and takes care not to repeat itself soon.
    Natural,
    /// In turn, from the first to the last and round again.
    Rotating { first: u16, last: u16 },
}

/// What there is to deal out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deal {
    /// Requests, or pairs of them.
    pub rounds: u64,
    pub round: Round,
    pub clients: usize,
    pub ports: SourcePorts,
    pub pace: Pace,
}

/// What is done in one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    One,
    /// Two requests from one port, the second only where the first was answered.
    Pair,
}

/// The least time between two requests of one client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// From start to start.
    pub interval: Duration,
    /// From end to start.
    pub pause: Duration,
}

/// One client's share: its requests, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    pub client: usize,
    /// Requests of this client.
    pub turns: u64,
    clients: usize,
    round: Round,
    ports: Option<Ports>,
    pace: Pace,
}

/// `first`, `first + step`, … : `count` of them, and round again.
#[derive(Clone, Copy, Debug)]
struct Ports {
    first: u16,
    step: u64,
    count: u64,
}

/// When a request began and ended, since the start of it all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub began: Duration,
    pub ended: Duration,
}

impl SourcePorts {
    /// How many there are to choose from; `None` where the kernel chooses.
    pub fn count(self) -> Option<u64> {
        match self {
            SourcePorts::Natural => None,
            SourcePorts::Rotating { first, last } => Some((u64::from(last) + 1).saturating_sub(first.into())),
        }
    }
}

impl Deal {
    /// As many lanes as there are clients with something to do. A port belongs to one of them alone.
    pub(super) fn lanes(self) -> Vec<Lane> {
        let most = usize::try_from(self.rounds).unwrap_or(usize::MAX);
        let clients = self.clients.min(most);
        (0..clients)
            .map(|client| Lane {
                client,
                turns: share(self.rounds, client, clients).saturating_mul(self.round.turns()),
                clients,
                round: self.round,
                ports: self.ports_of(client, clients),
                pace: self.pace,
            })
            .collect()
    }

    fn ports_of(self, client: usize, clients: usize) -> Option<Ports> {
        match self.ports {
            SourcePorts::Natural => None,
            SourcePorts::Rotating { first, .. } => Some(Ports {
                first: first.saturating_add(u16::try_from(client).unwrap_or(u16::MAX)),
                step: clients as u64,
                count: share(self.ports.count().unwrap_or(0), client, clients),
            }),
        }
    }
}

/// How many of `all` fall to `client` when they are dealt out in turn.
fn share(all: u64, client: usize, clients: usize) -> u64 {
    all.saturating_sub(client as u64).div_ceil((clients as u64).max(1))
}

impl Round {
    fn turns(self) -> u64 {
        match self {
            Round::One => 1,
            Round::Pair => 2,
        }
    }
}

impl Lane {
    /// The request's number among all of them, from 0.
    pub(super) fn number(&self, turn: u64) -> u64 {
        let (round, within) = (turn / self.round.turns(), turn % self.round.turns());
        (round * self.clients as u64 + self.client as u64) * self.round.turns() + within
    }

    /// The port of this client's connection `nth`, counted from 0; `None`: whichever the kernel likes.
    pub(super) fn port(&self, nth: u64) -> Option<u16> {
        let Ports { first, step, count } = self.ports?;
        let at = (nth / self.round.turns()) % count.max(1);
        u16::try_from(u64::from(first) + at * step).ok()
    }

    /// When `turn` may begin, given the request before it.
    pub(super) fn start(&self, last: Option<Span>) -> Duration {
        match last {
            None => STAGGER.saturating_mul(u32::try_from(self.client).unwrap_or(u32::MAX)),
            Some(last) => (last.began + self.pace.interval).max(last.ended + self.pace.pause),
        }
    }

    /// The second of a pair means nothing where the first got no answer: no connection was closed in the usual way.
    pub(super) fn is_to_be_tried(&self, turn: u64, last_was_answered: bool) -> bool {
        self.round == Round::One || turn.is_multiple_of(self.round.turns()) || last_was_answered
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn deal() -> Deal {
        Deal {
            rounds: 5,
            round: Round::One,
            clients: 2,
            ports: SourcePorts::Rotating { first: 40000, last: 40004 },
            pace: Pace { interval: Duration::from_millis(150), pause: LEAST_PAUSE },
        }
    }

    fn ports(lane: &Lane) -> Vec<u16> {
        (0..lane.turns).map(|turn| lane.port(turn).unwrap()).collect()
    }

    #[test]
    fn one_client_goes_round_its_ports_in_order() {
        let lanes = Deal { rounds: 7, clients: 1, ..deal() }.lanes();
        assert_eq!(ports(&lanes[0]), [40000, 40001, 40002, 40003, 40004, 40000, 40001]);
    }

    #[test]
    fn one_port_is_used_again_and_again() {
        let one = SourcePorts::Rotating { first: 65535, last: 65535 };
        let lanes = Deal { rounds: 3, clients: 1, ports: one, ..deal() }.lanes();
        assert_eq!(ports(&lanes[0]), [65535; 3]);
    }

    #[test]
    fn pairs_use_each_port_twice_and_clients_deal_them_out() {
        let lanes = Deal { round: Round::Pair, ..deal() }.lanes();
        assert_eq!(ports(&lanes[0]), [40000, 40000, 40002, 40002, 40004, 40004]);
        assert_eq!(ports(&lanes[1]), [40001, 40001, 40003, 40003]);
        assert!(lanes[0].is_to_be_tried(2, false) && !lanes[0].is_to_be_tried(3, false));
        assert!(lanes[0].is_to_be_tried(3, true));
    }

    #[test]
    fn a_slow_request_delays_the_next_and_is_not_made_up_for() {
        let ms = Duration::from_millis;
        let lane = deal().lanes()[1];
        let span = |began, ended| Some(Span { began: ms(began), ended: ms(ended) });
        assert_eq!(lane.start(None), ms(10));
        assert_eq!(lane.start(span(10, 15)), ms(160));
        assert_eq!(lane.start(span(10, 155)), ms(175), "the kernel gets its time to let go of the port");
        assert_eq!(lane.start(span(10, 5000)), ms(5020));
    }

    #[test]
    fn no_more_clients_than_there_is_work() {
        assert_eq!(Deal { clients: 100, ..deal() }.lanes().len(), 5);
        assert!(Deal { rounds: 0, ..deal() }.lanes().is_empty());
        // Nothing is made in advance: a billion requests cost no memory.
        assert_eq!(Deal { rounds: 1_000_000_000, ..deal() }.lanes()[0].turns, 500_000_000);
    }

    /// A request that was carried out: which, by whom, from where, when.
    #[derive(Debug)]
    struct Done {
        number: u64,
        client: usize,
        port: Option<u16>,
        span: Span,
    }

    /// Works a deal off with requests that take as long as chance has it.
    fn simulate(deal: Deal, takes_ms: &[u64]) -> Vec<Done> {
        let mut done = Vec::new();
        for lane in deal.lanes() {
            let mut last = None;
            for turn in 0..lane.turns {
                let began = lane.start(last);
                let number = lane.number(turn);
                let takes = takes_ms[usize::try_from(number).unwrap() % takes_ms.len()];
                let span = Span { began, ended: began + Duration::from_millis(takes) };
                done.push(Done { number, client: lane.client, port: lane.port(turn), span });
                last = Some(span);
            }
        }
        done
    }

    fn deals() -> impl Strategy<Value = Deal> {
        let rotating = (1024u16..65000, 0u16..64)
            .prop_map(|(first, more)| SourcePorts::Rotating { first, last: first + more });
        let ports = prop_oneof![Just(SourcePorts::Natural), rotating];
        let round = prop_oneof![Just(Round::One), Just(Round::Pair)];
        (0u64..200, 1usize..20, ports, round, 0u64..300, 0u64..50).prop_map(
            |(rounds, clients, ports, round, interval, pause)| {
                // More clients than ports is refused before anything is dealt out.
                let clients = ports.count().map_or(clients, |count| clients.min(count as usize));
                let ms = Duration::from_millis;
                Deal {
                    rounds,
                    round,
                    clients,
                    ports,
                    pace: Pace { interval: ms(interval), pause: ms(pause) },
                }
            },
        )
    }

    proptest! {
        #[test]
        fn every_request_is_made_once_by_few_at_a_time_and_from_a_port_of_its_own(
            deal in deals(),
            takes in prop::collection::vec(0u64..5000, 1..50),
        ) {
            let done = simulate(deal, &takes);

            let mut numbers: Vec<u64> = done.iter().map(|done| done.number).collect();
            numbers.sort_unstable();
            prop_assert_eq!(numbers, (0..deal.rounds * deal.round.turns()).collect::<Vec<_>>());

            for one in &done {
                let meanwhile = |other: &&Done| {
                    other.span.began <= one.span.began && one.span.began < other.span.ended
                };
                let others = done.iter().filter(|other| other.number != one.number).filter(meanwhile);
                let ports: Vec<_> = others.map(|other| other.port).collect();
                prop_assert!(ports.len() < deal.clients, "{} beside {:?}", ports.len(), one);
                prop_assert!(one.port.is_none() || !ports.contains(&one.port), "{one:?}");
            }

            let mut by_client = BTreeMap::<usize, Vec<&Done>>::new();
            done.iter().for_each(|one| by_client.entry(one.client).or_default().push(one));
            for theirs in by_client.values() {
                for pair in theirs.windows(2) {
                    prop_assert!(pair[1].span.began >= pair[0].span.began + deal.pace.interval);
                    prop_assert!(pair[1].span.began >= pair[0].span.ended + deal.pace.pause);
                }
            }

            // Every port gets as many turns as every other of the same client, give or take one round.
            if let SourcePorts::Rotating { first, last } = deal.ports {
                let mut uses = BTreeMap::<(usize, u16), u64>::new();
                for one in &done {
                    let port = one.port.unwrap();
                    prop_assert!((first..=last).contains(&port));
                    *uses.entry((one.client, port)).or_default() += 1;
                }
                for client in by_client.keys() {
                    let counts: Vec<u64> =
                        uses.iter().filter(|((who, _), _)| who == client).map(|(_, &count)| count).collect();
                    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
                    prop_assert!(most - least <= deal.round.turns(), "{uses:?}");
                }
                let mut owners = BTreeMap::new();
                for (client, port) in uses.keys() {
                    prop_assert_eq!(owners.insert(port, client), None, "two clients share a port");
                }
            }
        }
    }
}
