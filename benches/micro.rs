//! What a packet costs in each room on its way: `cargo bench`, or `make bench-micro`.
//!
//! Knows no bound and fails for none; `make bench` measures the whole.

#[path = "traffic/mod.rs"]
mod traffic;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

use esp_tcpwatch::analysis::engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig};
use esp_tcpwatch::analysis::event::{Event, Start};
use esp_tcpwatch::analysis::flow::{Flow, FlowTable, FourTuple, LoneSyn};
use esp_tcpwatch::analysis::host::DeviceScope;
use esp_tcpwatch::analysis::input::{Frame, Input, LinkType};
use esp_tcpwatch::analysis::rule::RuleSet;
use esp_tcpwatch::analysis::time::Timestamp;
use esp_tcpwatch::analysis::wire::{Segment, decode};
use esp_tcpwatch::report::model::Report;
use esp_tcpwatch::report::template::Template;
use esp_tcpwatch::report::{Format, render};
use traffic::Kind;

fn main() {
    divan::main();
}

const KINDS: [Kind; 4] = [Kind::Many, Kind::Bulk, Kind::Synflood, Kind::Esp32];
const SEED: u64 = 1;

/// Which makes some ten thousand packets.
fn scale(kind: Kind) -> f64 {
    match kind {
        Kind::Many | Kind::Synflood => 0.002,
        Kind::Bulk | Kind::Esp32 | Kind::Flooded => 0.005,
    }
}

/// A capture in memory.
struct Packets {
    octets: Vec<u8>,
    /// Microseconds, length on the wire, and where the octets are.
    packets: Vec<(u64, u32, core::ops::Range<usize>)>,
}

impl Packets {
    fn of(kind: Kind) -> Packets {
        let (mut octets, mut packets, mut frame) = (Vec::new(), Vec::new(), Vec::new());
        traffic::make(kind, scale(kind), SEED, &mut |sent| {
            sent.write(packets.len() as u16, &mut frame);
            let kept = frame.len().min(kind.snaplen() as usize);
            let micros = traffic::pcap::ORIGIN * 1_000_000 + sent.at;
            packets.push((micros, frame.len() as u32, octets.len()..octets.len() + kept));
            octets.extend(&frame[..kept]);
            Ok(())
        })
        .unwrap();
        Packets { octets, packets }
    }

    fn count(&self) -> ItemsCount {
        ItemsCount::new(self.packets.len())
    }

    fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        (1..).zip(&self.packets).map(|(number, (micros, wire_len, place))| Frame {
            number,
            time: Timestamp::from_micros(*micros),
            link: LinkType::ETHERNET,
            wire_len: *wire_len,
            data: &self.octets[place.clone()],
        })
    }

    fn segments(&self) -> Vec<Segment> {
        self.frames().map(|frame| decode(&frame).unwrap()).collect()
    }

    fn play(&self, engine: &mut Engine, mut hear: impl FnMut(Event)) {
        for frame in self.frames() {
            engine.handle(Input::Frame(frame));
            while let Some(event) = engine.poll_event() {
                hear(event);
            }
        }
        engine.handle(Input::End);
        while let Some(event) = engine.poll_event() {
            hear(event);
        }
    }
}

fn engine(kind: Kind) -> Engine {
    Engine::new(EngineConfig {
        devices: DeviceScope::Named(kind.devices().into_iter().map(Into::into).collect()),
        rules: RuleSet::built_in().unwrap(),
        flow_events: false,
        segment_events: false,
        start: Start::default(),
        max_flows: DEFAULT_MAX_FLOWS,
    })
}

/// Octets to a segment.
#[divan::bench(args = KINDS)]
fn decoding(bencher: Bencher<'_, '_>, kind: Kind) {
    let packets = Packets::of(kind);
    bencher.counter(packets.count()).bench_local(|| {
        for frame in packets.frames() {
            let _ = black_box(decode(&frame));
        }
    });
}

/// A segment to its flow, opened where it is new.
#[divan::bench(args = KINDS)]
fn finding_the_flow(bencher: Bencher<'_, '_>, kind: Kind) {
    let packets = Packets::of(kind);
    let segments = packets.segments();
    let bencher = bencher.counter(packets.count());
    bencher.with_inputs(|| FlowTable::with_capacity(DEFAULT_MAX_FLOWS)).bench_local_refs(|table| {
        for segment in &segments {
            let (tuple, from) = FourTuple::of(segment);
            match table.find(&tuple) {
                Ok(id) => table.touch(id),
                Err(unknown) => {
                    let flow = Flow::open(tuple, segment, from);
                    let syn = flow.is_embryonic().then(|| LoneSyn::of(tuple, segment, from));
                    table.open(unknown, &flow, syn, ());
                }
            }
        }
    });
}

/// The whole of the analysis, with all detectors and rules.
#[divan::bench(args = KINDS)]
fn the_engine(bencher: Bencher<'_, '_>, kind: Kind) {
    let packets = Packets::of(kind);
    let bencher = bencher.counter(packets.count());
    bencher.with_inputs(|| engine(kind)).bench_local_refs(|engine| {
        packets.play(engine, |event| drop(black_box(event)));
    });
}

/// The events of a run folded into a report.
#[divan::bench]
fn folding_a_report(bencher: Bencher<'_, '_>) {
    let events = events_of_devices();
    bencher.counter(ItemsCount::new(events.len())).bench_local(|| report_of(&events));
}

/// The report as a person gets it.
#[divan::bench(args = [Format::Markdown, Format::Html, Format::Json])]
fn rendering_a_report(bencher: Bencher<'_, '_>, format: Format) {
    let report = report_of(&events_of_devices());
    bencher.bench_local(|| render(black_box(&report), format, Template::Generic));
}

fn events_of_devices() -> Vec<Event> {
    let mut events = Vec::new();
    Packets::of(Kind::Esp32).play(&mut engine(Kind::Esp32), |event| events.push(event));
    events
}

fn report_of(events: &[Event]) -> Report {
    let mut report = Report::default();
    events.iter().for_each(|event| report.fold(event));
    report
}
