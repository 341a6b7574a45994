//! One connection attempt that met trouble: its findings counted, its frames merged into one ladder.
//!
//! Knows how to keep the beginning and the end of a long chain and to count what lies between.
//! Refuses to know what the findings mean: that is the story's business.

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::{safe::clip, words::is_opening};
use crate::analysis::{
    certainty::Certainty,
    detect::{EvidenceSegment, Finding},
    input::FrameNo,
    time::Timestamp,
};

/// Rows kept from the beginning and from the end of a chain: eleven refused SYNs fit whole.
const HEAD: usize = 24;
const TAIL: usize = 16;
/// Rules, quantities and frames that one episode keeps.
const RULES: usize = 16;
const QUANTITIES: usize = 32;
const FRAMES: usize = 16;

/// The findings of one life of one four-tuple, or of one device as a whole.
#[derive(Clone, Debug, Serialize)]
pub struct Episode {
    pub device: IpAddr,
    pub client: SocketAddr,
    pub server: SocketAddr,
    pub incarnation: u32,
    /// The highest among its findings.
    pub certainty: Certainty,
    pub rules: BTreeMap<String, Tally>,
    pub rows: Rows,
    /// When the connection was seen established after all; known only where the stream carries flow events.
    pub established: Option<Timestamp>,
}

/// Findings of one rule, counted.
#[derive(Clone, Debug, Serialize)]
pub struct Tally {
    pub count: u64,
    pub certainty: Certainty,
    pub first: Timestamp,
    pub last: Timestamp,
    pub first_frames: Vec<FrameNo>,
    pub last_frames: Vec<FrameNo>,
    /// The detector's words for the first one.
    pub text: String,
    /// Quantities of the last one.
    pub quantities: BTreeMap<String, f64>,
}

impl Episode {
    pub fn of(finding: &Finding) -> Episode {
        let mut episode = Episode {
            device: finding.device,
            client: finding.client,
            server: finding.server,
            incarnation: finding.incarnation,
            certainty: finding.certainty,
            rules: BTreeMap::new(),
            rows: Rows::default(),
            established: None,
        };
        episode.add(finding);
        episode
    }

    /// About the device as a whole, and no connection of it.
    pub fn is_of_device(&self) -> bool {
        self.incarnation == 0
    }

    pub fn is_of(&self, client: SocketAddr, server: SocketAddr, incarnation: u32) -> bool {
        self.incarnation == incarnation && self.client == client && self.server == server
    }

    pub fn add(&mut self, finding: &Finding) {
        self.certainty = self.certainty.max(finding.certainty);
        count(&mut self.rules, finding, RULES);
        for row in finding.evidence.iter().take(HEAD + TAIL) {
            self.rows.add(row);
        }
    }

    /// Findings of `rule`.
    pub fn count(&self, rule: &str) -> u64 {
        self.rules.get(rule).map_or(0, |tally| tally.count)
    }

    /// The first row that plays `role`.
    pub fn row(&self, role: &str) -> Option<&EvidenceSegment> {
        self.rows.iter().find(|row| row.role == role)
    }

    /// How long the client is known to have waited: from its first SYN until it got through, else until the last finding.
    pub fn waited_s(&self) -> f64 {
        let opened = self.rows.iter().find(|row| is_opening(row)).map(|row| row.epoch);
        match (opened, self.established) {
            (Some(opened), Some(established)) => established.since(opened).as_secs_f64(),
            (Some(_) | None, _) => self.span_s(),
        }
    }

    /// From the first finding to the last.
    pub fn span_s(&self) -> f64 {
        let first = self.rules.values().map(|tally| tally.first).min().unwrap_or_default();
        let last = self.rules.values().map(|tally| tally.last).max().unwrap_or_default();
        last.since(first).as_secs_f64()
    }
}

/// Counts `finding` under its rule; at most `limit` rules are told apart.
pub fn count(tallies: &mut BTreeMap<String, Tally>, finding: &Finding, limit: usize) {
    let rule = clip(&finding.rule, 64);
    if let Some(tally) = tallies.get_mut(rule.as_ref()) {
        tally.count += 1;
        tally.certainty = tally.certainty.max(finding.certainty);
        tally.last = tally.last.max(finding.when.0);
        tally.last_frames = cited(finding);
        tally.quantities = quantities(finding);
    } else if tallies.len() < limit {
        tallies.insert(
            rule.into_owned(),
            Tally {
                count: 1,
                certainty: finding.certainty,
                first: finding.when.0,
                last: finding.when.0,
                first_frames: cited(finding),
                last_frames: cited(finding),
                text: clip(&finding.text, 600).into_owned(),
                quantities: quantities(finding),
            },
        );
    }
}

fn cited(finding: &Finding) -> Vec<FrameNo> {
    finding.frames.iter().take(FRAMES).copied().collect()
}

fn quantities(finding: &Finding) -> BTreeMap<String, f64> {
    let kept = finding.quantities.iter().take(QUANTITIES);
    kept.map(|(name, value)| (clip(name, 64).into_owned(), *value)).collect()
}

/// The frames of an episode in the capture's order, each once: the first ones, the last ones, and a count between.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rows {
    head: Vec<EvidenceSegment>,
    tail: VecDeque<EvidenceSegment>,
    /// Distinct frames that stood between head and tail.
    pub omitted: u64,
}

impl Rows {
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &EvidenceSegment> {
        self.head.iter().chain(&self.tail)
    }

    /// How many of the rows stand before the gap, if there is one.
    pub fn before_gap(&self) -> Option<usize> {
        (self.omitted > 0).then_some(self.head.len())
    }

    /// The same frames, each row as `change` makes it; the frame's number must stay.
    pub fn mapped(&self, mut change: impl FnMut(&EvidenceSegment) -> EvidenceSegment) -> Rows {
        let Rows { head, tail, omitted } = self;
        Rows {
            head: head.iter().map(&mut change).collect(),
            tail: tail.iter().map(&mut change).collect(),
            omitted: *omitted,
        }
    }

    /// Findings cite frames again that earlier ones have cited; the role given first stays.
    fn add(&mut self, row: &EvidenceSegment) {
        if self.iter().any(|known| known.frame == row.frame) {
            return;
        }
        let row = EvidenceSegment {
            role: clip(&row.role, 120).into_owned().into(),
            flags: clip(&row.flags, 16).into_owned().into(),
            ..row.clone()
        };
        let newest = self.iter().next_back().map_or(0, |last| last.frame);
        if row.frame > newest {
            return self.append(row);
        }
        let end_of_head = self.head.last().map_or(0, |last| last.frame);
        if row.frame < end_of_head || self.tail.is_empty() {
            let at = self.head.partition_point(|known| known.frame < row.frame);
            self.head.insert(at, row);
            if self.head.len() > HEAD
                && let Some(last) = self.head.pop()
            {
                self.tail.push_front(last);
            }
        } else {
            let at = self.tail.partition_point(|known| known.frame < row.frame);
            if at == 0 && self.omitted > 0 {
                // It belongs into the gap, where it may have been counted already.
                return;
            }
            self.tail.insert(at, row);
        }
        self.trim();
    }

    fn append(&mut self, row: EvidenceSegment) {
        if self.head.len() < HEAD && self.tail.is_empty() {
            self.head.push(row);
        } else {
            self.tail.push_back(row);
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.tail.len() > TAIL {
            self.tail.pop_front();
            self.omitted += 1;
        }
    }
}
