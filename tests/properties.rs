//! Whatever comes in: no panic, the same bytes out, bounded memory.

use std::{fs, time::Duration};

use esp_tcpwatch::analysis::{
    engine::{Engine, EngineConfig},
    event::{Event, Start},
    host::DeviceScope,
    input::{Account, Frame, Gap, GapCause, Input, LinkType, Marker, Told},
    rule::{RuleSet, Severity},
    time::Timestamp,
    wire::{
        decode,
        notation::{self, Step},
    },
};
use proptest::prelude::*;

const LINKS: &[u32] = &[0, 1, 12, 101, 105, 108, 113, 127, 228, 229, 276, 9999];

fn engine(scope: DeviceScope, max_flows: usize) -> Engine {
    Engine::new(EngineConfig {
        devices: scope,
        rules: RuleSet::built_in().unwrap(),
        flow_events: true,
        segment_events: true,
        start: Start::default(),
        max_flows,
    })
}

fn drain(engine: &mut Engine, out: &mut String) {
    while let Some(event) = engine.poll_event() {
        out.push_str(&serde_json::to_string(&event).unwrap());
        out.push('\n');
    }
}

/// The frames of all scripts: real shapes to mutate.
fn sample_frames() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for file in ["tests/scripts/time-wait-collision.seg", "tests/scripts/ignored-rst.seg"] {
        for trace in notation::parse(&fs::read_to_string(file).unwrap()).unwrap() {
            frames.extend(trace.steps.into_iter().filter_map(|step| match step {
                Step::Frame { octets, .. } => Some(octets),
                Step::Gap { .. } | Step::Tick { .. } | Step::Mode { .. } | Step::Account { .. } => None,
            }));
        }
    }
    frames
}

#[derive(Clone, Debug)]
enum Thing {
    /// Which sample, the octets to overwrite, where to cut it, on what link, how long after the last.
    Frame {
        sample: usize,
        mutations: Vec<(usize, u8)>,
        cut: usize,
        link: u32,
        after_us: u64,
    },
    Tick {
        after_us: u64,
    },
    Gap {
        lost: u64,
    },
    Mode,
    /// Which ports of the client it holds and for how long, when from now (milliseconds), and what else it says.
    Account {
        held: Vec<(u16, Option<u64>)>,
        at_ms: i64,
        msl_ms: Option<u64>,
        evicted: Option<u64>,
        complete: bool,
    },
}

fn thing() -> impl Strategy<Value = Thing> {
    let frame = (
        any::<usize>(),
        prop::collection::vec((0usize..80, any::<u8>()), 0..3),
        prop_oneof![4 => Just(usize::MAX), 1 => 0usize..80],
        prop_oneof![8 => Just(1u32), 1 => prop::sample::select(LINKS)],
        0u64..2_000_000,
    )
        .prop_map(|(sample, mutations, cut, link, after_us)| Thing::Frame {
            sample,
            mutations,
            cut,
            link,
            after_us,
        });
    prop_oneof![
        20 => frame,
        1 => (0u64..200_000_000).prop_map(|after_us| Thing::Tick { after_us }),
        1 => (0u64..9).prop_map(|lost| Thing::Gap { lost }),
        1 => Just(Thing::Mode),
        2 => (
            prop::collection::vec((39_999u16..40_004, prop::option::of(0u64..200_000)), 0..6),
            prop_oneof![4 => -3_000i64..3_000, 1 => any::<i64>()],
            prop::option::of(prop_oneof![4 => 0u64..60_000, 1 => any::<u64>()]),
            prop::option::of(0u64..3),
            any::<bool>(),
        )
            .prop_map(|(held, at_ms, msl_ms, evicted, complete)| Thing::Account {
                held,
                at_ms,
                msl_ms,
                evicted,
                complete,
            }),
    ]
}

fn run(things: &[Thing], scope: DeviceScope) -> String {
    run_as(things, scope, &Listening::default())
}

/// How a stream is listened to; what is heard must not hang on it.
#[derive(Clone, Debug, Default)]
struct Listening {
    /// Take the events at the end only, not after every input.
    at_the_end: bool,
    /// After which inputs a tick says once more what time it is; beyond its end, after none.
    ticks: Vec<bool>,
}

impl Listening {
    fn after(&self, engine: &mut Engine, out: &mut String, index: usize, now: u64) {
        if self.ticks.get(index) == Some(&true) {
            engine.handle(Input::Tick(Timestamp::from_nanos(now)));
        }
        if !self.at_the_end {
            drain(engine, out);
        }
    }
}

fn run_as(things: &[Thing], scope: DeviceScope, listening: &Listening) -> String {
    let samples = sample_frames();
    let mut engine = engine(scope, 8);
    let mut out = String::new();
    let (mut now, mut number, mut reached) = (1_700_000_000_000_000_000u64, 0, false);
    for (index, thing) in things.iter().enumerate() {
        match thing {
            Thing::Frame { sample, mutations, cut, link, after_us } => {
                let mut octets = samples[sample % samples.len()].clone();
                for (at, value) in mutations {
                    if let Some(octet) = octets.get_mut(*at) {
                        *octet = *value;
                    }
                }
                now += after_us * 1_000;
                number += 1;
                let data = &octets[..octets.len().min(*cut)];
                engine.handle(Input::Frame(Frame {
                    number,
                    time: Timestamp::from_nanos(now),
                    link: LinkType(*link),
                    wire_len: octets.len() as u32,
                    data,
                }));
            }
            Thing::Tick { after_us } => {
                now += after_us * 1_000;
                engine.handle(Input::Tick(Timestamp::from_nanos(now)));
            }
            Thing::Gap { lost } => {
                engine.handle(Input::Gap(Gap {
                    at: Timestamp::from_nanos(now),
                    lost: *lost,
                    cause: GapCause::Queue,
                }));
            }
            Thing::Account { held, at_ms, msl_ms, evicted, complete } => {
                let told = |(port, age_ms): &(u16, Option<u64>)| Told {
                    device: ([10, 77, 0, 2], 80).into(),
                    peer: ([10, 77, 0, 1], *port).into(),
                    remaining: None,
                    age: age_ms.map(Duration::from_millis),
                };
                let at = Timestamp::from_nanos(now.saturating_add_signed(at_ms.saturating_mul(1_000_000)));
                engine.handle(Input::from(Account {
                    device: [10, 77, 0, 2].into(),
                    asked: at,
                    answered: at.saturating_add(Duration::from_millis(3)),
                    held: held.iter().map(told).collect(),
                    complete: *complete,
                    msl: msl_ms.map(Duration::from_millis),
                    uptime: msl_ms.map(Duration::from_millis),
                    evicted: *evicted,
                }));
            }
            Thing::Mode => engine.handle(Input::from(Marker {
                at: Timestamp::from_nanos(now),
                text: "switched".to_owned(),
                mode_changed: true,
                device: None,
                mode: None,
            })),
        }
        // Before the first frame or tick, no time has been reached.
        reached |= matches!(thing, Thing::Frame { .. } | Thing::Tick { .. });
        if reached {
            listening.after(&mut engine, &mut out, index, now);
        }
    }
    engine.handle(Input::End);
    drain(&mut engine, &mut out);
    out
}

/// One trace of a script, from its first step to the end.
fn play_as(steps: &[Step], rules: &RuleSet, listening: &Listening) -> String {
    let mut engine = Engine::new(EngineConfig {
        devices: DeviceScope::Espressif,
        rules: rules.clone(),
        flow_events: true,
        segment_events: true,
        start: Start::default(),
        max_flows: 64,
    });
    let mut out = String::new();
    let origin = 1_700_000_000_000_000_000u64;
    let moment = |at_s: f64| origin + (at_s * 1e9) as u64;
    let (mut number, mut now, mut reached) = (0, origin, false);
    for (index, step) in steps.iter().enumerate() {
        let at = Timestamp::from_nanos(now);
        match step {
            Step::Frame { at_s, octets } => {
                number += 1;
                now = now.max(moment(*at_s));
                engine.handle(Input::Frame(Frame {
                    number,
                    time: Timestamp::from_nanos(moment(*at_s)),
                    link: LinkType::ETHERNET,
                    wire_len: octets.len() as u32,
                    data: octets,
                }));
            }
            Step::Tick { at_s } => {
                now = now.max(moment(*at_s));
                engine.handle(Input::Tick(Timestamp::from_nanos(moment(*at_s))));
            }
            Step::Gap { lost } => {
                engine.handle(Input::Gap(Gap { at, lost: *lost, cause: GapCause::Kernel }));
            }
            Step::Mode { text } => {
                engine.handle(Input::from(Marker {
                    at,
                    text: text.clone(),
                    mode_changed: true,
                    device: None,
                    mode: None,
                }));
            }
            Step::Account { at_s, account } => {
                let at = Timestamp::from_nanos(moment(*at_s));
                engine.handle(Input::from(Account { asked: at, answered: at, ..account.clone() }));
            }
        }
        // Before the first frame or tick, no time has been reached.
        reached |= matches!(step, Step::Frame { .. } | Step::Tick { .. });
        if reached {
            listening.after(&mut engine, &mut out, index, now);
        }
    }
    engine.handle(Input::End);
    drain(&mut engine, &mut out);
    out
}

/// Splitting the stream at any point changes nothing: every trace of every script, heard after each input, heard at its
/// end only, and with a tick of the time already reached after each single input, and after all of them.
#[test]
fn no_trace_hangs_on_how_it_is_listened_to() {
    let rules = RuleSet::built_in().unwrap();
    let mut files: Vec<_> =
        fs::read_dir("tests/scripts").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut traces = 0;
    for file in files {
        for trace in notation::parse(&fs::read_to_string(&file).unwrap()).unwrap() {
            let whole = play_as(&trace.steps, &rules, &Listening::default());
            let name = format!("{}: {}", file.display(), trace.name);
            let end = Listening { at_the_end: true, ..Listening::default() };
            assert_eq!(whole, play_as(&trace.steps, &rules, &end), "{name}: heard at the end");
            let len = trace.steps.len();
            let always = Listening { at_the_end: false, ticks: vec![true; len] };
            assert_eq!(whole, play_as(&trace.steps, &rules, &always), "{name}: a tick after every input");
            for at in 0..len {
                let mut ticks = vec![false; at];
                ticks.push(true);
                let once = Listening { at_the_end: true, ticks };
                assert_eq!(
                    whole,
                    play_as(&trace.steps, &rules, &once),
                    "{name}: a tick after step {}",
                    at + 1
                );
            }
            traces += 1;
        }
    }
    assert!(traces > 100, "only {traces} traces");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    /// Mutated segments, ticks, gaps and mode changes in any order: no panic, the same bytes twice, readable back,
    /// and a summary at the end.
    #[test]
    fn any_sequence_of_inputs_gives_one_stream(things in prop::collection::vec(thing(), 0..120)) {
        let once = run(&things, DeviceScope::Auto);
        prop_assert_eq!(&once, &run(&things, DeviceScope::Auto));
        let events: Vec<Event> = once.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        prop_assert!(matches!(events.first(), Some(Event::Start(_))));
        prop_assert!(matches!(events.last(), Some(Event::Summary(_))));
        run(&things, DeviceScope::Espressif);
    }

    /// Whatever comes, it does not matter when the events are taken, nor whether a tick says again what time it is.
    #[test]
    fn splitting_the_stream_changes_nothing(
        things in prop::collection::vec(thing(), 0..80),
        at_the_end in any::<bool>(), ticks in prop::collection::vec(any::<bool>(), 0..80),
    ) {
        let whole = run(&things, DeviceScope::Espressif);
        prop_assert_eq!(whole, run_as(&things, DeviceScope::Espressif, &Listening { at_the_end, ticks }));
    }

    /// Octets of no meaning, on every link type.
    #[test]
    fn random_octets_are_skipped_or_decoded(data in prop::collection::vec(any::<u8>(), 0..120), link in prop::sample::select(LINKS), wire in any::<u32>()) {
        let frame = Frame { number: 1, time: Timestamp::ZERO, link: LinkType(link), wire_len: wire, data: &data };
        if let Ok(segment) = decode(&frame) {
            let _ = segment.seq_end();
        }
    }
}

/// Beginnings of the frames that are read for signs of life: ARP, IPv4 and IPv6 with ICMP and with DHCP's ports.
fn beginnings() -> Vec<Vec<u8>> {
    let ethernet = |kind: [u8; 2]| [&[0xff; 6][..], &[0x24, 0x0a, 0xc4, 0x77, 0, 2], &kind].concat();
    let ipv4 = |protocol: u8| {
        let header = [0x45, 0, 0, 200, 0, 0, 0x40, 0, 64, protocol, 0, 0, 10, 77, 0, 2, 10, 77, 0, 1];
        [ethernet([0x08, 0x00]), header.to_vec()].concat()
    };
    let ipv6 = |next: u8| {
        let header = [&[0x60, 0, 0, 0, 0, 100, next, 255][..], &[0xfe; 16], &[0xff; 16]].concat();
        [ethernet([0x86, 0xdd]), header].concat()
    };
    let arp = [0, 1, 8, 0, 6, 4, 0];
    vec![
        [ethernet([0x08, 0x06]), arp.to_vec()].concat(),
        ethernet([0x08, 0x06]),
        ipv4(1),
        [ipv4(17), vec![0, 68, 0, 67, 0, 180, 0, 0, 1, 1, 6, 0]].concat(),
        [ipv4(17), vec![0, 67, 0, 68, 0, 180, 0, 0, 2, 1, 6, 0]].concat(),
        ipv6(58),
        [ipv6(58), vec![135, 0, 0, 0, 0, 0, 0, 0]].concat(),
        [ipv6(17), vec![2, 34, 2, 35, 0, 90, 0, 0]].concat(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Signs of life may be as hostile as anything: whole frames of that kind with random ends, cut anywhere.
    #[test]
    fn hostile_signs_of_life_are_data(frames in prop::collection::vec(
        (prop::sample::select(beginnings()), prop::collection::vec(any::<u8>(), 0..320), 0usize..400), 1..40,
    )) {
        let mut engine = engine(DeviceScope::Named(vec!["10.77.0.2".parse().unwrap()]), 8);
        let mut out = String::new();
        for (number, (begin, end, cut)) in (1..).zip(&frames) {
            let octets = [begin.as_slice(), end].concat();
            let data = &octets[..octets.len().min(*cut)];
            let time = Timestamp::from_nanos(1_700_000_000_000_000_000 + number * 700_000_000);
            let wire_len = octets.len() as u32;
            engine.handle(Input::Frame(Frame { number, time, link: LinkType::ETHERNET, wire_len, data }));
            drain(&mut engine, &mut out);
        }
        engine.handle(Input::End);
        drain(&mut engine, &mut out);
        let last: Event = serde_json::from_str(out.lines().last().unwrap()).unwrap();
        prop_assert!(matches!(last, Event::Summary(summary) if summary.segments == 0));
    }
}

/// One clean connection that the device closes first: the opening of the first script, with its client port and
/// both sequence spaces moved.
fn clean_connection(template: &[(f64, Vec<u8>)], port: u16, isn_a: u32, isn_b: u32) -> Vec<(f64, Vec<u8>)> {
    let moved = template.iter().map(|(at_s, frame)| {
        let mut frame = frame.clone();
        let from_client = frame[26..30] == [10, 77, 0, 1];
        let (port_at, seq_by, ack_by) = if from_client { (34, isn_a, isn_b) } else { (36, isn_b, isn_a) };
        frame[port_at..port_at + 2].copy_from_slice(&port.to_be_bytes());
        for (at, by) in [(38, seq_by), (42, ack_by)] {
            let old = u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
            if old != 0 {
                frame[at..at + 4].copy_from_slice(&old.wrapping_add(by).to_be_bytes());
            }
        }
        (*at_s, frame)
    });
    moved.collect()
}

/// One clean request: the beginning of the first script, up to the device's TIME-WAIT.
fn clean() -> String {
    let text = fs::read_to_string("tests/scripts/time-wait-collision.seg").unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with('+')).take(9).collect();
    lines.join("\n")
}

const LATE_ACKS: &str = "
    +0      A > B  S   1000:1000(0)             win 64240  mss 1460
    +0.001  B > A  S.  5000:5000(0)   ack 1001  win 5744   mss 1440
    +0.002  A > B  .   1001:1001(0)   ack 5001  win 64240
    +0.003  A > B  P.  1001:1031(30)  ack 5001  win 64240
    +0.204  A > B  P.  1001:1031(30)  ack 5001  win 64240
    +0.253  B > A  .   5001:5001(0)   ack 1031  win 5714
    +0.260  B > A  P.  5001:5025(24)  ack 1031  win 5714
    +0.261  A > B  .   1031:1031(0)   ack 5025  win 64216
    +0.300  B > A  .   5025:5025(0)   ack 1031  win 5744
    +0.310  B > A  F.  5025:5025(0)   ack 1031  win 5744
    +0.311  A > B  F.  1031:1031(0)   ack 5026  win 64215
    +0.312  B > A  .   5026:5026(0)   ack 1032  win 5743";

/// A thousand clean requests, and how badly a sniffer captured them.
#[derive(Clone, Copy, Debug)]
struct Sniffer {
    seed: u64,
    /// Per cent of the frames.
    loss: u32,
    doubling: u32,
    swapping: u32,
    /// Ports that the client has; then they come round again.
    ports: u16,
}

impl Sniffer {
    /// The frames as they were captured, of `connection` a thousand times.
    fn captures(self, connection: &str) -> Vec<(f64, Vec<u8>)> {
        let trace = notation::parse(connection).unwrap().swap_remove(0);
        let template: Vec<(f64, Vec<u8>)> = trace
            .steps
            .into_iter()
            .filter_map(|step| match step {
                Step::Frame { at_s, octets } => Some((at_s, octets)),
                Step::Gap { .. } | Step::Tick { .. } | Step::Mode { .. } | Step::Account { .. } => None,
            })
            .collect();
        let mut state = self.seed | 1;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 16) as u32
        };
        let mut frames: Vec<(f64, Vec<u8>)> = Vec::new();
        for request in 0..1_000u32 {
            let port = 20_000 + (request % u32::from(self.ports)) as u16;
            // The ISN of a client grows between two lives of a tuple (RFC 6528), as every host's does.
            let (isn_a, isn_b) = (request.wrapping_mul(5_000_000), random());
            for (at_s, octets) in clean_connection(&template, port, isn_a, isn_b) {
                if random() % 100 < self.loss {
                    continue;
                }
                let at_s = f64::from(request) * 0.5 + at_s;
                if random() % 100 < self.doubling {
                    frames.push((at_s, octets.clone()));
                }
                frames.push((at_s, octets));
                let last = frames.len() - 1;
                if last > 0 && random() % 100 < self.swapping {
                    let (a, b) = (frames[last - 1].0, frames[last].0);
                    frames.swap(last - 1, last);
                    (frames[last - 1].0, frames[last].0) = (a, b);
                }
            }
        }
        frames
    }

    /// What somebody is blamed for in all that: findings and alerts of severity warning or above.
    fn blame(self, connection: &str) -> Vec<Event> {
        let rules = RuleSet::built_in().unwrap();
        let mut engine = engine(DeviceScope::Espressif, 4_096);
        let mut blame = Vec::new();
        for (number, (at_s, data)) in (1..).zip(&self.captures(connection)) {
            engine.handle(Input::Frame(Frame {
                number,
                time: Timestamp::from_nanos(1_700_000_000_000_000_000 + (at_s * 1e9) as u64),
                link: LinkType::ETHERNET,
                wire_len: data.len() as u32,
                data,
            }));
            while let Some(event) = engine.poll_event() {
                // A notice is honest here: a thousand closes do fill a device's TIME-WAIT.
                let blamed = match &event {
                    Event::Finding(finding) => Some(finding.rule.as_ref()),
                    Event::Alert(alert) => Some(alert.rule.as_str()),
                    _ => None,
                };
                let severity = blamed.and_then(|rule| rules.get(rule)).map(|rule| rule.severity);
                // A window that shrinks is a notice, and there is none here.
                if severity >= Some(Severity::Warning) || blamed.is_some_and(|rule| rule == "window-shrink") {
                    blame.push(event);
                }
            }
        }
        blame
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..clean_traffic_cases() })]

    /// A thousand clean requests, seen by a sniffer that loses, doubles and swaps frames; ports come round again
    /// after TIME-WAIT, and sometimes within it on a device that accepts newer SYNs. Nothing may be claimed but that
    /// the capture has holes, which is true.
    #[test]
    fn clean_traffic_is_met_with_silence_however_badly_it_is_captured(
        seed in any::<u64>(), loss in 0u32..30, doubling in 0u32..10, swapping in 0u32..10, ports in 20u16..400,
    ) {
        let blame = Sniffer { seed, loss, doubling, swapping, ports }.blame(&clean());
        prop_assert!(blame.is_empty(), "{blame:?}");
    }

    /// The same of requests that are acknowledged late, so that each is sent twice, and of a window that comes back late:
    /// what lwIP and Linux do to each other every day. Half the evidence of a stall is truly on the wire here. (A bare ACK
    /// after which a sniffer loses all the rest is what `app-stall` waits for; that one is left out.)
    #[test]
    fn late_acks_in_clean_traffic_are_met_with_silence_too(
        seed in any::<u64>(), loss in 0u32..30, doubling in 0u32..10, swapping in 0u32..10, ports in 20u16..400,
    ) {
        let mut blame = Sniffer { seed, loss, doubling, swapping, ports }.blame(LATE_ACKS);
        blame.retain(|event| !matches!(event, Event::Finding(finding) if finding.rule == "app-stall"));
        blame.retain(|event| !matches!(event, Event::Alert(alert) if alert.rule == "app-stall"));
        prop_assert!(blame.is_empty(), "{blame:?}");
    }
}

/// 64, unless `PROPTEST_CASES` asks for another number.
fn clean_traffic_cases() -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = ProptestConfig::default();
    if asked { cases } else { ProptestConfig { cases: 64, ..cases } }
}

/// A first `data-stall` took one frame that a sniffer showed again half a second later, and an ACK that it lost, for data that does
/// not get through.
#[test]
fn a_frame_shown_twice_and_a_lost_ack_are_no_stall() {
    let sniffer =
        Sniffer { seed: 12_595_299_389_813_049_878, loss: 27, doubling: 5, swapping: 7, ports: 316 };
    let blame = sniffer.blame(&clean());
    assert!(blame.is_empty(), "{blame:?}");
}

/// One SYN that a sniffer shows twice, 11 ms apart, and all the rest of its connection lost: nobody asked again.
#[test]
fn a_syn_shown_twice_is_not_asked_twice() {
    let sniffer = Sniffer { seed: 14_061_207_355_911_991_158, loss: 29, doubling: 9, swapping: 4, ports: 20 };
    let blame = sniffer.blame(&clean());
    assert!(blame.is_empty(), "{blame:?}");
}

/// The table is bounded: more tuples than it holds push out the idlest, and the account of a tuple that is held
/// in TIME-WAIT outlives its flow.
#[test]
fn a_flood_of_syns_does_not_hide_a_refusal() {
    let text = fs::read_to_string("tests/scripts/time-wait-collision.seg").unwrap();
    let trace = &notation::parse(&text).unwrap()[0];
    let mut engine = engine(DeviceScope::Espressif, 64);
    let mut number = 0;
    let mut feed = |engine: &mut Engine, at_s: f64, data: &[u8]| {
        number += 1;
        engine.handle(Input::Frame(Frame {
            number,
            time: Timestamp::from_nanos(1_700_000_000_000_000_000 + (at_s * 1e9) as u64),
            link: LinkType::ETHERNET,
            wire_len: data.len() as u32,
            data,
        }));
    };
    let mut refused = 0;
    for (index, step) in trace.steps.iter().enumerate() {
        let Step::Frame { at_s, octets } = step else { continue };
        feed(&mut engine, *at_s, octets);
        if index == 8 {
            let Step::Frame { octets: syn, .. } = &trace.steps[0] else { panic!("the first step is a SYN") };
            for flood in 0..10_000u32 {
                let mut syn = syn.clone();
                syn[26..30].copy_from_slice(&(0x0a00_0000 + flood * 7).to_be_bytes());
                syn[34..36].copy_from_slice(&(flood as u16).to_be_bytes());
                feed(&mut engine, *at_s, &syn);
            }
        }
        while let Some(event) = engine.poll_event() {
            refused +=
                u32::from(matches!(event, Event::Finding(finding) if finding.rule == "time-wait-collision"));
        }
    }
    assert_eq!(refused, 2);
}
