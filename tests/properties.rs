//! Whatever comes in: no panic, the same bytes out, bounded memory.

use std::fs;

use esp_tcpwatch::analysis::{
    engine::{Engine, EngineConfig},
    event::{Event, Start},
    host::DeviceScope,
    input::{Frame, Gap, GapCause, Input, LinkType, Marker},
    rule::RuleSet,
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
                Step::Gap { .. } | Step::Mode { .. } => None,
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
    ]
}

fn run(things: &[Thing], scope: DeviceScope) -> String {
    let samples = sample_frames();
    let mut engine = engine(scope, 8);
    let mut out = String::new();
    let (mut now, mut number) = (1_700_000_000_000_000_000u64, 0);
    for thing in things {
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
            Thing::Mode => engine.handle(Input::Marker(Marker {
                at: Timestamp::from_nanos(now),
                text: "switched".to_owned(),
                mode_changed: true,
            })),
        }
        drain(&mut engine, &mut out);
    }
    engine.handle(Input::End);
    drain(&mut engine, &mut out);
    out
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

    /// Octets of no meaning, on every link type.
    #[test]
    fn random_octets_are_skipped_or_decoded(data in prop::collection::vec(any::<u8>(), 0..120), link in prop::sample::select(LINKS), wire in any::<u32>()) {
        let frame = Frame { number: 1, time: Timestamp::ZERO, link: LinkType(link), wire_len: wire, data: &data };
        if let Ok(segment) = decode(&frame) {
            let _ = segment.seq_end();
        }
    }
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
