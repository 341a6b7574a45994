//! The program beside tshark over one capture: segment by segment, stream by stream, octet by octet.
//!
//! Whatever the two do not tell alike must be one of the differences that docs/differences.md explains, by a condition
//! of its own; else it is told as a fault.
#![allow(dead_code, clippy::allow_attributes, reason = "each test file takes what it needs")]

pub mod difference;
mod findings;
mod history;
mod ours;
pub mod tshark;
pub mod witnesses;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::Path;

use esp_tcpwatch::analysis::event::{FlowEvent, SegmentEvent};
use esp_tcpwatch::analysis::flow::Belongs;

use difference::{Difference, Ground, explain, is_late, is_of_another_life, is_seen_twice};
use findings::Marks;
use history::{History, tuple};
use ours::Told;
use tshark::{ACK, FIN, Listed, RST, Row, SYN};

/// One life of one four-tuple, as the program numbers it.
type Life = ((SocketAddr, SocketAddr), u32);

/// What came of one capture.
#[derive(Default)]
pub struct Compared {
    pub segments: usize,
    pub streams: usize,
    pub octets: u64,
    /// How often both said it.
    pub agreed: BTreeMap<Ground, usize>,
    /// By the frames in which each was met.
    pub met: BTreeMap<Difference, Vec<u64>>,
    pub faults: Vec<String>,
}

impl Compared {
    pub fn add(&mut self, other: Compared) {
        self.segments += other.segments;
        self.streams += other.streams;
        self.octets += other.octets;
        other.agreed.into_iter().for_each(|(ground, count)| *self.agreed.entry(ground).or_default() += count);
        other
            .met
            .into_iter()
            .for_each(|(difference, frames)| self.met.entry(difference).or_default().extend(frames));
        self.faults.extend(other.faults);
    }

    fn meet(&mut self, difference: Difference, frame: u64) {
        self.met.entry(difference).or_default().push(frame);
    }

    fn fault(&mut self, what: String) {
        self.faults.push(what);
    }
}

/// Both readings of `capture`, held against each other.
pub fn compare(capture: &Path) -> Compared {
    let mut comparison = Comparison::of(ours::read(capture));
    for listed in tshark::read(capture) {
        match listed {
            Listed::Segment(row) => comparison.segment(&row),
            Listed::Within(frame) => comparison.within(frame),
        }
    }
    comparison.totals(capture);
    let mut compared = comparison.compared;
    for fault in &mut compared.faults {
        *fault = format!("{}: {fault}", capture.display());
    }
    compared
}

struct Comparison {
    told: Told,
    flows: HashMap<u64, FlowEvent>,
    history: History,
    marks: Marks,
    streams: HashMap<Life, u32>,
    lives: HashMap<u32, Life>,
    compared: Compared,
}

impl Comparison {
    fn of(told: Told) -> Comparison {
        let flows = told.flows.iter().map(|flow| (flow.frame, flow.clone())).collect();
        Comparison {
            told,
            flows,
            history: History::default(),
            marks: Marks::default(),
            streams: HashMap::new(),
            lives: HashMap::new(),
            compared: Compared::default(),
        }
    }

    /// The frame's own TCP is none, and the program does not look into what it carries.
    fn within(&mut self, frame: u64) {
        match self.told.segments.remove(&frame) {
            None => self.compared.meet(Difference::Within, frame),
            Some(told) => self.compared.fault(format!("frame {frame} carries others' TCP: {told:?}")),
        }
    }

    fn segment(&mut self, row: &Row) {
        let Some(segment) = self.told.segments.remove(&row.frame) else {
            if is_seen_twice(row, &self.history) {
                self.compared.meet(Difference::SeenTwice, row.frame);
                self.history.take(row, true);
            } else {
                self.compared.fault(format!("frame {} is not told: {row:?}", row.frame));
            }
            return;
        };
        self.compared.segments += 1;
        self.same_octets(row, &segment);
        self.same_stream(row, &segment);
        self.same_grounds(row, &segment);
        let is_of_life = segment.place != Belongs::AnotherLife;
        self.history.take(row, is_of_life);
        if is_of_life {
            self.marks.take(row)
        } else {
            self.marks.place(row)
        }
        self.same_payload(row);
    }

    fn same_octets(&mut self, row: &Row, told: &SegmentEvent) {
        let (source, destination) =
            if told.from_client { (told.client, told.server) } else { (told.server, told.client) };
        let ours = (source, destination, told.seq, told.ack, told.len, told.window, u16::from(told.flags.0));
        let ack = row.has(ACK).then_some(row.ack);
        // The letters stand for six of the flags.
        let flags = row.flags & 0x3f;
        let theirs = (row.source, row.destination, row.seq, ack, row.len, row.window, flags);
        if ours != theirs {
            self.compared.fault(format!("frame {}: {ours:?}, and by tshark {theirs:?}", row.frame));
        }
    }

    /// One life, one stream. tshark puts a segment of another life into the newest stream of its four-tuple.
    fn same_stream(&mut self, row: &Row, told: &SegmentEvent) {
        if told.place == Belongs::AnotherLife {
            return if is_of_another_life(row, &self.history) {
                self.compared.meet(Difference::AnotherLife, row.frame);
            } else {
                self.compared.fault(format!("frame {} is of no earlier stream: {row:?}", row.frame));
            };
        }
        let life = (tuple(row), told.incarnation);
        let (stream, known) =
            (*self.streams.entry(life).or_insert(row.stream), *self.lives.entry(row.stream).or_insert(life));
        if (stream, known) != (row.stream, life) {
            self.compared.fault(format!(
                "frame {}: {life:?}, and by tshark stream {}; until here {known:?} and {stream}",
                row.frame, row.stream
            ));
        }
    }

    fn same_grounds(&mut self, row: &Row, told: &SegmentEvent) {
        if is_late(row, told, &self.history) {
            self.compared.meet(Difference::OutOfOrder, row.frame);
        }
        for ground in Ground::ALL {
            let (ours, theirs) = (ground.ours(told), ground.theirs(row));
            if ours && theirs {
                *self.compared.agreed.entry(ground).or_default() += 1;
            }
            if ours == theirs {
                continue;
            }
            match explain(ground, row, told, &self.history) {
                // Counted once, with its stream.
                Some(Difference::AnotherLife) => {}
                Some(difference) => self.compared.meet(difference, row.frame),
                None => self.compared.fault(format!(
                    "frame {}: {ground:?} {ours}, and by tshark {theirs}: {told:?} {row:?}",
                    row.frame
                )),
            }
        }
        let is_zero = row.window == 0 && row.flags & (SYN | RST | FIN) == 0;
        // What it takes for a probe it does not mark as a zero window besides.
        if is_zero != row.said.zero_window && !row.said.zero_window_probe {
            self.compared.fault(format!("frame {}: a window of zero, and by tshark not: {row:?}", row.frame));
        }
    }

    /// What each side has sent so far, where the program tells it.
    fn same_payload(&mut self, row: &Row) {
        let Some(flow) = self.flows.remove(&row.frame) else { return };
        let Some(&stream) = self.streams.get(&(tuple(row), flow.incarnation)) else { return };
        // A socket that talks to itself is one end to tshark.
        let ends = [(flow.client, flow.client_bytes), (flow.server, flow.server_bytes)];
        for (socket, told) in ends.into_iter().take(if flow.client == flow.server { 1 } else { 2 }) {
            let end = self.history.end(stream, socket);
            if told != end.payload() - end.late() {
                let (sent, late) = (end.payload(), end.late());
                self.compared.fault(format!(
                    "frame {}: {told} octets of {socket}, and by tshark {sent}, {late} of them late",
                    row.frame
                ));
            } else if end.late() > 0 {
                self.compared.meet(Difference::LateOctets, row.frame);
            }
        }
    }

    /// What is left when both have come to the end.
    fn totals(&mut self, capture: &Path) {
        let compared = &mut self.compared;
        self.told.segments.values().for_each(|told| compared.fault(format!("tshark has no {told:?}")));
        let skipped = self.told.summary.skipped.get("duplicate").copied().unwrap_or(0);
        let seen_twice = compared.met.get(&Difference::SeenTwice).map_or(0, Vec::len);
        if skipped != seen_twice as u64 {
            compared.fault(format!("{skipped} duplicates are counted, and {seen_twice} were met"));
        }
        compared.streams = self.lives.len();
        if self.told.summary.incarnations != self.lives.len() as u64 {
            compared.fault(format!("{} lives, {} streams", self.told.summary.incarnations, self.lives.len()));
        }
        for ((stream, socket), octets) in tshark::reassembled(capture, self.lives.keys().copied()) {
            let end = self.history.end(stream, socket);
            let sent = end.payload();
            if let Some(cut) = end.cut.filter(|_| sent > octets) {
                compared.meet(Difference::CutShort, cut);
            } else if sent != octets {
                compared.fault(format!("stream {stream}: {sent} octets of {socket}, reassembled {octets}"));
            }
            compared.octets += octets;
        }
        compared.faults.extend(std::mem::take(&mut self.marks).contradict(&self.told.findings));
    }
}
