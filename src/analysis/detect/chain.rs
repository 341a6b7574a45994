//! Which finding led to which: the links that make one story of single facts.
//!
//! A link says *without that one, not this one*. It is made only where the mechanism is known, never because two things
//! happened one after the other; a cause that was not found on the wire is not made up.

use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use std::collections::VecDeque;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::Finding;
use crate::analysis::{input::FrameNo, time::Timestamp};

/// What a rule's findings may follow from, and how the one is known that did.
#[derive(Debug)]
pub struct Link {
    pub effect: &'static str,
    pub cause: &'static str,
    pub bond: Bond,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bond {
    /// The last one of the same life of the same four-tuple.
    Life,
    /// The one whose last frame stands in the evidence, before the effect's own frames.
    Cited,
    /// The last one about the device as a whole, if it is not older than this.
    Device(Duration),
}

/// All links, by effect.
pub static LINKS: &[Link] = &[
    // The RST answers the stale ACK of a refusal.
    Link { effect: "ignored-rst", cause: "time-wait-collision", bond: Bond::Cited },
    // Each of the pairs that a storm consists of began with an ACK of an older connection.
    Link { effect: "rst-storm", cause: "time-wait-collision", bond: Bond::Life },
    Link { effect: "rst-storm", cause: "stale-ack", bond: Bond::Life },
    // A tuple that is held refuses only those who use it again.
    Link { effect: "syn-reset-in-window", cause: "time-wait-reuse", bond: Bond::Life },
    Link { effect: "time-wait-collision", cause: "time-wait-reuse", bond: Bond::Life },
    // Who answers nobody does not answer here either.
    Link { effect: "data-stall", cause: "device-silent", bond: Bond::Device(SILENCE) },
    Link { effect: "keepalive-failure", cause: "device-silent", bond: Bond::Device(SILENCE) },
    Link { effect: "syn-unanswered", cause: "device-silent", bond: Bond::Device(SILENCE) },
];

/// A device that was silent longer ago may have come back in between.
const SILENCE: Duration = Duration::from_secs(60);
/// Four-tuples and devices whose findings are remembered; the one heard of first gives way.
const PLACES: usize = 4_096;
/// Findings remembered of each.
const AT_ONE_PLACE: usize = 8;

/// The findings that may yet be the cause of others.
#[derive(Debug, Default)]
pub struct Chain {
    known: HashMap<Place, VecDeque<Known>, RandomState>,
    order: VecDeque<Place>,
}

type Place = (SocketAddr, SocketAddr);

#[derive(Clone, Copy, Debug)]
struct Known {
    rule: &'static str,
    id: u64,
    incarnation: u32,
    time: Timestamp,
    last_frame: FrameNo,
}

impl Chain {
    /// Names the causes of `finding`, whose id is set, and remembers it.
    pub fn link(&mut self, finding: &mut Finding) {
        if finding.caused_by.is_empty() {
            let of_effect = LINKS.iter().filter(|link| link.effect == finding.rule);
            finding.caused_by = of_effect.filter_map(|link| self.cause(link, finding)).collect();
            finding.caused_by.sort_unstable();
        }
        if let Some(link) = LINKS.iter().find(|link| link.cause == finding.rule) {
            self.remember(link.cause, finding);
        }
    }

    fn cause(&self, link: &Link, effect: &Finding) -> Option<u64> {
        let place = match link.bond {
            Bond::Life | Bond::Cited => place_of(effect),
            Bond::Device(_) => whole(effect.device),
        };
        let candidates = self.known.get(&place)?.iter().rev().filter(|known| known.rule == link.cause);
        let fits = |known: &&Known| match link.bond {
            Bond::Life => known.incarnation == effect.incarnation,
            Bond::Cited => {
                effect.frames.first().is_some_and(|first| known.last_frame < *first)
                    && effect.evidence.iter().any(|row| row.frame == known.last_frame)
            }
            Bond::Device(within) => effect.when.0.since(known.time) <= within,
        };
        candidates.take(AT_ONE_PLACE).find(fits).map(|known| known.id)
    }

    fn remember(&mut self, rule: &'static str, finding: &Finding) {
        let place = place_of(finding);
        let known = Known {
            rule,
            id: finding.id,
            incarnation: finding.incarnation,
            time: finding.when.0,
            last_frame: finding.frames.last().copied().unwrap_or_default(),
        };
        if let Some(here) = self.known.get_mut(&place) {
            if here.len() >= AT_ONE_PLACE {
                here.pop_front();
            }
            return here.push_back(known);
        }
        if self.known.len() >= PLACES
            && let Some(first) = self.order.pop_front()
        {
            self.known.remove(&first);
        }
        self.order.push_back(place);
        self.known.insert(place, VecDeque::from([known]));
    }
}

fn place_of(finding: &Finding) -> Place {
    if finding.is_of_device() { whole(finding.device) } else { (finding.client, finding.server) }
}

/// Where findings about a whole device are kept.
fn whole(device: IpAddr) -> Place {
    let nowhere = SocketAddr::new(device, 0);
    (nowhere, nowhere)
}

#[cfg(test)]
mod tests {
    use super::{super::REGISTRY, Chain, LINKS, PLACES};
    use crate::analysis::{
        certainty::Certainty,
        detect::{EvidenceSegment, Finding},
        time::{Timestamp, When},
    };

    fn finding(id: u64, rule: &'static str, port: u16, frames: &[u64]) -> Finding {
        let at = Timestamp::from_micros(id * 1_000_000);
        let device = "10.77.0.2".parse().unwrap();
        let mut finding =
            Finding::of_device(rule, Certainty::Proven, at, device, frames.to_vec(), String::new());
        finding.id = id;
        finding.incarnation = 2;
        finding.client = format!("10.77.0.1:{port}").parse().unwrap();
        finding.server = "10.77.0.2:80".parse().unwrap();
        finding
    }

    fn row(frame: u64) -> EvidenceSegment {
        EvidenceSegment {
            frame,
            epoch: Timestamp::ZERO,
            from_client: false,
            flags: ".".into(),
            seq: 0,
            ack: None,
            len: 0,
            window: 0,
            role: "".into(),
        }
    }

    /// Links `findings` in order and gives back what each was caused by.
    fn linked(findings: Vec<Finding>) -> Vec<Vec<u64>> {
        let mut chain = Chain::default();
        let link = |mut finding: Finding| {
            chain.link(&mut finding);
            finding.caused_by
        };
        findings.into_iter().map(link).collect()
    }

    #[test]
    fn every_link_names_rules_that_exist_and_no_rule_follows_from_itself() {
        let exists = |rule: &str| REGISTRY.iter().any(|spec| spec.id == rule);
        for link in LINKS {
            assert!(exists(link.effect) && exists(link.cause), "{link:?}");
            let mut follows = vec![link.cause];
            while let Some(rule) = follows.pop() {
                assert_ne!(rule, link.effect, "a circle through {link:?}");
                follows.extend(LINKS.iter().filter(|link| link.effect == rule).map(|link| link.cause));
            }
        }
    }

    #[test]
    fn a_refusal_follows_from_the_reuse_and_an_ignored_rst_from_the_refusal_that_it_answered() {
        let mut ignored = finding(4, "ignored-rst", 40_000, &[12, 13, 14]);
        ignored.evidence = [9, 11, 12, 13, 14].map(row).to_vec();
        let caused_by = linked(vec![
            finding(1, "time-wait-reuse", 40_000, &[10]),
            finding(2, "time-wait-collision", 40_000, &[10, 11]),
            finding(3, "time-wait-collision", 40_000, &[13, 14]),
            ignored,
        ]);
        assert_eq!(caused_by, [vec![], vec![1], vec![1], vec![2]]);
    }

    #[test]
    fn another_tuple_another_life_and_another_rule_are_no_cause() {
        let mut later = finding(3, "time-wait-collision", 40_000, &[20, 21]);
        later.incarnation = 3;
        let caused_by = linked(vec![
            finding(1, "time-wait-reuse", 40_000, &[10]),
            finding(2, "time-wait-collision", 40_001, &[12, 13]),
            later,
            finding(4, "app-stall", 40_000, &[22, 23]),
        ]);
        assert_eq!(caused_by, vec![Vec::<u64>::new(); 4]);
    }

    #[test]
    fn a_silent_device_explains_what_it_leaves_unanswered_for_a_while() {
        let device = "10.77.0.2".parse().unwrap();
        let mut silent = Finding::of_device(
            "device-silent",
            Certainty::Inferred,
            Timestamp::from_micros(1_000_000),
            device,
            vec![1],
            String::new(),
        );
        silent.id = 1;
        let mut late = finding(3, "syn-unanswered", 40_001, &[9]);
        late.when = When(Timestamp::from_micros(99_000_000));
        let caused_by = linked(vec![silent, finding(2, "syn-unanswered", 40_000, &[5, 6]), late]);
        assert_eq!(caused_by, [vec![], vec![1], vec![]]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut chain = Chain::default();
        for id in 0..3 * PLACES as u64 {
            let mut reuse = finding(id, "time-wait-reuse", id as u16, &[id]);
            reuse.client.set_ip(core::net::IpAddr::from((id as u32).to_be_bytes()));
            chain.link(&mut reuse);
        }
        assert_eq!((chain.known.len(), chain.order.len()), (PLACES, PLACES));
    }
}
