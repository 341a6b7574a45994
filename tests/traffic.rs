//! The captures of the bench: the same words make the same octets, and what was put into them is what is found in them.

#[path = "../benches/traffic/mod.rs"]
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use esp_tcpwatch::analysis::detect::Finding;
use esp_tcpwatch::analysis::engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig, flows_within};
use esp_tcpwatch::analysis::event::{Event, Start, Summary};
use esp_tcpwatch::analysis::host::DeviceScope;
use esp_tcpwatch::analysis::rule::{RuleSet, Severity};
use esp_tcpwatch::source::Source;
use esp_tcpwatch::source::file::CaptureFile;
use traffic::pcap::Pcap;
use traffic::{Kind, Truth};

fn made(kind: Kind, scale: f64, seed: u64) -> (Vec<u8>, Truth) {
    let mut pcap = Pcap::begin(Vec::new(), kind.snaplen()).unwrap();
    let truth = traffic::make(kind, scale, seed, &mut |sent| pcap.add(sent)).unwrap();
    (pcap.finish().unwrap(), truth)
}

/// Some thousand packets of each.
fn little(kind: Kind) -> f64 {
    match kind {
        Kind::Many | Kind::Bulk | Kind::Synflood | Kind::Flooded => 0.001,
        Kind::Esp32 => 0.01,
    }
}

struct Played {
    findings: Vec<Finding>,
    worst: Option<Severity>,
    summary: Summary,
}

impl Played {
    fn count(&self, rule: &str) -> u64 {
        self.findings.iter().filter(|finding| finding.rule == rule).count() as u64
    }

    /// Which connections it was found of, how often.
    fn of(&self, rule: &str) -> BTreeMap<String, u64> {
        let mut found = BTreeMap::new();
        for finding in self.findings.iter().filter(|finding| finding.rule == rule) {
            *found.entry(format!("{:?} {:?}", finding.client, finding.server)).or_default() += 1;
        }
        found
    }
}

fn played(kind: Kind, octets: Vec<u8>, max_flows: usize) -> Played {
    let mut file = CaptureFile::from_reader(Box::new(Cursor::new(octets)), "test").unwrap();
    let mut engine = Engine::new(EngineConfig {
        devices: DeviceScope::Named(kind.devices().into_iter().map(Into::into).collect()),
        rules: RuleSet::built_in().unwrap(),
        flow_events: false,
        segment_events: false,
        start: Start::default(),
        max_flows,
    });
    let (mut findings, mut summary) = (Vec::new(), None);
    while let Some(input) = file.next_input().unwrap() {
        engine.handle(input);
        while let Some(event) = engine.poll_event() {
            match event {
                Event::Finding(finding) => findings.push(finding),
                Event::Summary(told) => summary = Some(told),
                Event::Start(_)
                | Event::Device(_)
                | Event::Segment(_)
                | Event::Flow(_)
                | Event::Alert(_)
                | Event::Capture(_)
                | Event::Marker(_)
                | Event::Progress(_) => {}
            }
        }
    }
    Played { findings, worst: engine.worst(), summary: summary.unwrap() }
}

#[test]
fn the_same_words_make_the_same_octets() {
    let mut seen = BTreeSet::new();
    for kind in Kind::ALL {
        let (octets, truth) = made(kind, little(kind), 1);
        assert_eq!((&octets, truth), (&made(kind, little(kind), 1).0, truth));
        assert_ne!(octets, made(kind, little(kind), 2).0, "{kind:?} has no chance in it");
        assert!(truth.packets > 1_000, "{kind:?}: {truth:?}");
        assert!(seen.insert(octets));
    }
}

#[test]
fn every_packet_is_a_segment_of_its_devices_in_the_order_of_time() {
    for kind in Kind::ALL {
        let (octets, truth) = made(kind, little(kind), 1);
        let run = played(kind, octets, DEFAULT_MAX_FLOWS);
        assert_eq!((run.summary.frames, run.summary.segments), (truth.packets, truth.packets), "{kind:?}");
        // A flow is opened for a segment of a device alone; a time that went back would be told as a gap's.
        assert!(run.summary.flows > 0 && run.summary.capture.gaps == 0, "{kind:?}");
        let mut last = 0;
        traffic::make(kind, little(kind), 1, &mut |sent| {
            assert!(sent.at >= last, "{kind:?}: {sent:?} after {last}");
            last = sent.at;
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn what_was_put_into_the_traffic_of_devices_is_found_in_it() {
    for seed in 1..=3 {
        let (octets, truth) = made(Kind::Esp32, 0.02, seed);
        let run = played(Kind::Esp32, octets, DEFAULT_MAX_FLOWS);
        assert!(truth.collisions > 300 && truth.ignored_rsts > 200, "{truth:?}");
        let found = (run.count("time-wait-collision"), run.count("ignored-rst"));
        assert_eq!(found, (truth.collisions, truth.ignored_rsts), "seed {seed}");
    }
}

#[test]
fn a_flood_around_them_hides_none_of_them() {
    let scale = 0.02;
    let (alone, truth) = made(Kind::Esp32, scale, 1);
    let (flooded, told) = made(Kind::Flooded, scale, 1);
    assert_eq!((truth.collisions, truth.ignored_rsts), (told.collisions, told.ignored_rsts));
    let alone = played(Kind::Esp32, alone, DEFAULT_MAX_FLOWS);
    // So little memory that the flood does not fit: most of its flows have to go again.
    let flows = flows_within(20 << 20);
    let flooded = played(Kind::Flooded, flooded, flows);
    assert!(told.packets - truth.packets > 2 * flows as u64, "{flows}");
    for rule in ["time-wait-collision", "ignored-rst"] {
        assert_eq!(alone.of(rule), flooded.of(rule), "{rule}");
    }
}

#[test]
fn what_goes_well_is_no_alert() {
    for kind in [Kind::Many, Kind::Bulk] {
        let run = played(kind, made(kind, little(kind), 1).0, DEFAULT_MAX_FLOWS);
        assert!(run.worst.is_none_or(|worst| worst < Severity::Warning), "{kind:?}: {}", run.summary.verdict);
    }
}
