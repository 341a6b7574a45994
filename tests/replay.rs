//! Captures of the real lwIP through the whole reader and engine: the same counts however they are stored, and
//! everything before the damage where they are cut.

use std::{collections::BTreeMap, fs, path::Path, sync::LazyLock};

use esp_tcpwatch::{
    analysis::{
        detect::Finding,
        engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
        event::{Event, Start, Summary},
        host::DeviceScope,
        input::{Input, LinkType},
        rule::RuleSet,
        time::Timestamp,
    },
    source::{Source, SourceError, file::CaptureFile},
};

/// Findings of the two rules whose counts the contract fixes, and how the device behaves.
const TRUTH: &[(&str, u64, u64, &str)] = &[
    ("refused", 5, 4, "unfixed"),
    ("msl-3s", 7, 6, "unfixed"),
    ("honours-rst", 2, 0, "honours-rst"),
    ("accepts-syn", 0, 0, "accepts-syn"),
    ("client-first", 0, 0, "unknown"),
];

/// Read once: thousands of engines are made here.
static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::built_in().unwrap());

struct Played {
    findings: Vec<Finding>,
    summary: Summary,
    error: Option<SourceError>,
}

fn play(octets: Vec<u8>, devices: DeviceScope) -> Option<Played> {
    let mut source = CaptureFile::from_reader(Box::new(std::io::Cursor::new(octets)), "a capture").ok()?;
    let mut engine = Engine::new(EngineConfig {
        devices,
        rules: RULES.clone(),
        flow_events: false,
        segment_events: false,
        start: Start::default(),
        max_flows: DEFAULT_MAX_FLOWS,
    });
    let mut error = None;
    loop {
        match source.next_input() {
            Ok(Some(input)) => engine.handle(input),
            Ok(None) => break,
            Err(damage) => {
                error = Some(damage);
                break;
            }
        }
    }
    engine.handle(Input::End);
    let mut findings = Vec::new();
    let mut summary = Summary::default();
    while let Some(event) = engine.poll_event() {
        match event {
            Event::Finding(finding) => findings.push(finding),
            Event::Summary(last) => summary = last,
            _ => {}
        }
    }
    Some(Played { findings, summary, error })
}

fn capture(name: &str) -> Vec<u8> {
    fs::read(Path::new("tests/captures").join(name).with_extension("pcapng")).unwrap()
}

fn count(summary: &Summary, rule: &str) -> u64 {
    summary.findings.get(rule).copied().unwrap_or(0)
}

#[track_caller]
fn holds(played: &Played, (name, collisions, ignored, behaves_as): (&str, u64, u64, &str)) {
    let summary = &played.summary;
    assert_eq!(count(summary, "time-wait-collision"), collisions, "{name}");
    assert_eq!(count(summary, "ignored-rst"), ignored, "{name}");
    assert_eq!(summary.devices[0].behaves_as.to_string(), behaves_as, "{name}");
}

#[test]
fn each_capture_tells_what_happened() {
    for truth in TRUTH {
        let played = play(capture(truth.0), DeviceScope::Espressif).unwrap();
        assert!(played.error.is_none(), "{}: {:?}", truth.0, played.error);
        holds(&played, *truth);
    }
}

#[test]
fn the_bracket_of_the_short_msl_holds_three_seconds() {
    let msl = play(capture("msl-3s"), DeviceScope::Espressif).unwrap().summary.devices[0].msl_s;
    let (least, most) = (msl.at_least.unwrap(), msl.at_most.unwrap());
    assert!(least <= 3.0 && 3.0 <= most && least > 2.5, "{least} to {most}");
}

/// A frame as read: time, octets, length on the wire.
fn frames(octets: Vec<u8>) -> Vec<(Timestamp, Vec<u8>, u32)> {
    let mut source = CaptureFile::from_reader(Box::new(std::io::Cursor::new(octets)), "a capture").unwrap();
    let mut frames = Vec::new();
    while let Some(input) = source.next_input().unwrap() {
        if let Input::Frame(frame) = input {
            assert_eq!(frame.link, LinkType::ETHERNET);
            frames.push((frame.time, frame.data.to_vec(), frame.wire_len));
        }
    }
    frames
}

/// The classic format, in either byte order, with micro- or nanoseconds.
fn as_pcap(frames: &[(Timestamp, Vec<u8>, u32)], big_endian: bool, nanoseconds: bool) -> Vec<u8> {
    let word = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let half = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let mut octets = Vec::new();
    octets.extend(word(if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 }));
    octets.extend([half(2), half(4)].concat());
    octets.extend([word(0), word(0), word(65_535), word(1)].concat());
    for (time, data, wire_len) in frames {
        let fraction = (time.nanos() % 1_000_000_000) as u32;
        octets.extend(word((time.nanos() / 1_000_000_000) as u32));
        octets.extend(word(if nanoseconds { fraction } else { fraction / 1_000 }));
        octets.extend([word(data.len() as u32), word(*wire_len)].concat());
        octets.extend(data);
    }
    octets
}

#[test]
fn the_format_changes_no_count() {
    for truth in TRUTH {
        let frames = frames(capture(truth.0));
        for (big_endian, nanoseconds) in [(false, false), (false, true), (true, false), (true, true)] {
            for scope in [
                DeviceScope::Espressif,
                DeviceScope::Auto,
                DeviceScope::Named(vec!["10.77.0.2".parse().unwrap()]),
            ] {
                holds(&play(as_pcap(&frames, big_endian, nanoseconds), scope).unwrap(), *truth);
            }
        }
    }
}

/// pcapng with two interfaces, whose clocks count in nanoseconds and in microseconds; the frames take turns.
fn as_pcapng(frames: &[(Timestamp, Vec<u8>, u32)]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let length = (12 + body.len()) as u32;
        [&kind.to_le_bytes()[..], &length.to_le_bytes(), body, &length.to_le_bytes()].concat()
    };
    let interface = |resolution: u8| {
        let options = [9, 0, 1, 0, resolution, 0, 0, 0, 0, 0, 0, 0];
        block(1, &[&[1, 0, 0, 0][..], &0u32.to_le_bytes(), &options].concat())
    };
    let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    let mut octets = [block(0x0a0d_0d0a, &section), interface(9), interface(6)].concat();
    for (number, (time, data, wire_len)) in (0u32..).zip(frames) {
        let on = number % 2;
        let clock = if on == 0 { time.nanos() } else { time.nanos() / 1_000 };
        let mut body = Vec::new();
        for word in [on, (clock >> 32) as u32, clock as u32, data.len() as u32, *wire_len] {
            body.extend(word.to_le_bytes());
        }
        body.extend(data);
        body.resize(body.len().next_multiple_of(4), 0);
        octets.extend(block(6, &body));
    }
    octets
}

#[test]
fn two_interfaces_with_clocks_of_their_own_change_no_count() {
    for truth in TRUTH {
        let octets = as_pcapng(&frames(capture(truth.0)));
        holds(&play(octets, DeviceScope::Espressif).unwrap(), *truth);
    }
}

#[test]
fn every_frame_captured_twice_changes_no_count() {
    for truth in TRUTH {
        let twice: Vec<_> =
            frames(capture(truth.0)).into_iter().flat_map(|frame| [frame.clone(), frame]).collect();
        holds(&play(as_pcap(&twice, false, true), DeviceScope::Espressif).unwrap(), *truth);
    }
}

#[test]
fn a_capture_cut_anywhere_gives_what_came_before_and_says_so() {
    let whole = capture("refused");
    let full = play(whole.clone(), DeviceScope::Espressif).unwrap();
    let mut seen = BTreeMap::new();
    for cut in 0..whole.len() {
        let Some(played) = play(whole[..cut].to_vec(), DeviceScope::Espressif) else { continue };
        let known = played.findings.len();
        assert_eq!(played.findings, full.findings[..known], "cut at {cut}");
        *seen.entry(known).or_insert(0u32) += 1;
        assert!(played.summary.frames <= full.summary.frames);
    }
    assert!(seen.len() > 3, "cuts show different numbers of findings: {seen:?}");
}
