//! The same traffic in other clothes: link types, tags, snaplens, IP versions. No count may change.

#[path = "support/dress.rs"]
mod dress;

use std::{fs, path::Path, sync::LazyLock};

use esp_tcpwatch::analysis::{
    engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
    event::{CaptureEvent, Event, Start, Summary},
    host::DeviceScope,
    input::{Frame, Input, LinkType},
    rule::RuleSet,
    time::Timestamp,
    wire::notation::{self, Step},
};
use esp_tcpwatch::source::{Source, file::CaptureFile};

use dress::{ETHERNET_LEN, cooked_v1, cooked_v2, ipv6, loopback, tagged};

static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::built_in().unwrap());

/// A captured frame: seconds, link type, octets, length on the wire.
type Captured = (f64, LinkType, Vec<u8>, usize);

fn original() -> Vec<Captured> {
    let text = fs::read_to_string("tests/scripts/time-wait-collision.seg").unwrap();
    let trace = notation::parse(&text).unwrap().swap_remove(0);
    let frames = trace.steps.into_iter().filter_map(|step| match step {
        Step::Frame { at_s, octets } => Some((at_s, LinkType::ETHERNET, octets.clone(), octets.len())),
        Step::Gap { .. } | Step::Tick { .. } | Step::Mode { .. } | Step::Account { .. } => None,
    });
    frames.collect()
}

fn summary(frames: &[Captured], scope: DeviceScope) -> Summary {
    match events(frames, scope).pop() {
        Some(Event::Summary(summary)) => summary,
        other => panic!("the last event is {other:?}"),
    }
}

fn events(frames: &[Captured], scope: DeviceScope) -> Vec<Event> {
    let mut engine = Engine::new(EngineConfig {
        devices: scope,
        rules: RULES.clone(),
        flow_events: false,
        segment_events: false,
        start: Start::default(),
        max_flows: DEFAULT_MAX_FLOWS,
    });
    for (number, (at_s, link, data, wire_len)) in (1..).zip(frames) {
        let time = Timestamp::from_nanos(1_700_000_000_000_000_000 + (at_s * 1e9) as u64);
        engine.handle(Input::Frame(Frame { number, time, link: *link, wire_len: *wire_len as u32, data }));
    }
    engine.handle(Input::End);
    std::iter::from_fn(|| engine.poll_event()).collect()
}

/// The first trace, and every capture of the real lwIP: their TCP over IPv4.
fn scenes() -> Vec<Vec<Captured>> {
    let mut files: Vec<_> =
        fs::read_dir("tests/captures").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "pcapng"));
    files.sort();
    assert!(files.len() >= 5);
    core::iter::once(original()).chain(files.iter().map(|path| captured(path))).collect()
}

fn captured(path: &Path) -> Vec<Captured> {
    let octets = fs::read(path).unwrap();
    let mut source = CaptureFile::from_reader(Box::new(std::io::Cursor::new(octets)), "a capture").unwrap();
    let (mut frames, mut first) = (Vec::new(), None);
    while let Some(input) = source.next_input().unwrap() {
        let Input::Frame(frame) = input else { continue };
        let first = *first.get_or_insert(frame.time);
        if frame.data[12..14] == [8, 0] && frame.data[23] == 6 {
            assert_eq!(frame.data.len(), frame.wire_len as usize, "a frame that was cut cannot be dressed");
            frames.push((frame.time.seconds_after(first), frame.link, frame.data.to_vec(), frame.data.len()));
        }
    }
    frames
}

/// The scenes after `dress`, which turns Ethernet octets into (link type, octets).
fn dressed(dress: impl Fn(&[u8]) -> (LinkType, Vec<u8>)) -> Vec<Vec<Captured>> {
    let frame = |(at_s, _, octets, _): Captured| {
        let (link, octets) = dress(&octets);
        (at_s, link, octets.clone(), octets.len())
    };
    scenes().into_iter().map(|scene| scene.into_iter().map(frame).collect()).collect()
}

/// Every scene tells what it told before: the same counts, the same facts, each finding on the same frames.
#[track_caller]
fn same(scenes_now: &[Vec<Captured>], scope: DeviceScope) {
    for (frames, plain) in scenes_now.iter().zip(scenes()) {
        same_scene(&plain, frames, scope.clone());
    }
}

#[track_caller]
fn same_scene(plain: &[Captured], frames: &[Captured], scope: DeviceScope) {
    let told = |frames: &[Captured], scope| {
        let events = events(frames, scope);
        let cited: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Finding(finding) => {
                    Some((finding.rule.clone(), finding.frames.clone(), finding.certainty))
                }
                _ => None,
            })
            .collect();
        match events.into_iter().next_back() {
            Some(Event::Summary(summary)) => (cited, summary),
            other => panic!("the last event is {other:?}"),
        }
    };
    let ((plain_cited, plain), (cited, other)) = (told(plain, DeviceScope::Espressif), told(frames, scope));
    assert_eq!(cited, plain_cited);
    assert_eq!(
        (&other.skipped, &other.findings, &other.alerts),
        (&plain.skipped, &plain.findings, &plain.alerts)
    );
    assert_eq!(
        (other.segments, other.flows, other.incarnations),
        (plain.segments, plain.flows, plain.incarnations)
    );
    let facts = |summary: &Summary| {
        let device = summary.devices[0].clone();
        (device.time_wait, device.msl_s, device.behaves_as, device.stack, device.accepted)
    };
    assert_eq!(facts(&other), facts(&plain));
}

#[test]
fn vlan_tags() {
    same(&dressed(|frame| (LinkType::ETHERNET, tagged(frame, &[0x8100]))), DeviceScope::Espressif);
    same(&dressed(|frame| (LinkType::ETHERNET, tagged(frame, &[0x88a8, 0x8100]))), DeviceScope::Espressif);
}

#[test]
fn linux_cooked() {
    same(&dressed(|frame| (LinkType::LINUX_SLL, cooked_v1(frame))), DeviceScope::Espressif);
    same(&dressed(|frame| (LinkType::LINUX_SLL2, cooked_v2(frame))), DeviceScope::Espressif);
}

#[test]
fn raw_ip_and_bsd_loopback() {
    for link in [LinkType::RAW, LinkType::IPV4, LinkType(12), LinkType(14)] {
        same(&dressed(|frame| (link, frame[ETHERNET_LEN..].to_vec())), DeviceScope::Auto);
    }
    // The family is in the byte order of the host that captured (0), or of the network (108).
    for (link, family) in [(0, [2, 0, 0, 0]), (0, [0, 0, 0, 2]), (108, [0, 0, 0, 2]), (108, [2, 0, 0, 0])] {
        same(&dressed(|frame| (LinkType(link), loopback(family, frame))), DeviceScope::Auto);
    }
    // OpenBSD calls its loopback 12, which is raw IP elsewhere; the sources call both RAW.
    for link in [LinkType(12), LinkType::RAW] {
        same(&dressed(|frame| (link, loopback([0, 0, 0, 2], frame))), DeviceScope::Auto);
    }
}

#[test]
fn ip_version_6_over_every_link() {
    let inner = |frame: &[u8]| ipv6(frame, None);
    let scope = || DeviceScope::Espressif;
    same(&dressed(|frame| (LinkType::ETHERNET, tagged(&inner(frame), &[0x8100]))), scope());
    same(&dressed(|frame| (LinkType::ETHERNET, tagged(&inner(frame), &[0x88a8, 0x8100]))), scope());
    same(&dressed(|frame| (LinkType::LINUX_SLL, cooked_v1(&inner(frame)))), scope());
    same(&dressed(|frame| (LinkType::LINUX_SLL2, cooked_v2(&inner(frame)))), scope());
    for link in [LinkType::RAW, LinkType::IPV6, LinkType(12), LinkType(14)] {
        same(&dressed(|frame| (link, inner(frame)[ETHERNET_LEN..].to_vec())), DeviceScope::Auto);
    }
    // AF_INET6 is 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on macOS.
    for family in [24, 28, 30] {
        for (link, octets) in [(0, [family, 0, 0, 0]), (0, [0, 0, 0, family]), (108, [0, 0, 0, family])] {
            same(&dressed(|frame| (LinkType(link), loopback(octets, &inner(frame)))), DeviceScope::Auto);
        }
        same(&dressed(|frame| (LinkType(12), loopback([0, 0, 0, family], &inner(frame)))), DeviceScope::Auto);
    }
}

#[test]
fn wifi_in_monitor_mode_is_answered_with_where_to_stand() {
    for link in [105, 119, 127, 163, 192] {
        let frames: Vec<Captured> =
            (0..3).map(|nth| (f64::from(nth), LinkType(link), vec![0; 60], 60)).collect();
        let mut events = events(&frames, DeviceScope::Espressif);
        let Some(Event::Summary(summary)) = events.pop() else { panic!("no summary") };
        assert_eq!(summary.skipped["monitor-mode"], 3);
        for words in ["3 frames could not be read", "Capture on the client", "ssh router tcpdump"] {
            assert!(summary.verdict.contains(words), "{}", summary.verdict);
        }
        // At once, and once: a stream may go on for days.
        let told: Vec<&CaptureEvent> = events
            .iter()
            .filter_map(|event| match event {
                Event::Capture(capture) => Some(capture),
                _ => None,
            })
            .collect();
        assert_eq!(told.len(), 1);
        assert!(told[0].text.contains("monitor mode") && told[0].quality.dropped == 0);
    }
    assert!(!summary(&original(), DeviceScope::Espressif).verdict.contains("monitor mode"));
}

#[test]
fn a_named_device_and_no_device_named() {
    same(&scenes(), DeviceScope::Named(vec!["10.77.0.2".parse().unwrap()]));
    same(&scenes(), DeviceScope::Auto);
}

#[test]
fn ethernet_padding_is_not_payload() {
    let padded = |frame: &[u8]| {
        let mut octets = frame.to_vec();
        octets.resize(octets.len().max(60), 0xaa);
        octets
    };
    same(&dressed(|frame| (LinkType::ETHERNET, padded(frame))), DeviceScope::Espressif);
}

#[test]
fn packets_cut_by_the_snaplen_still_speak() {
    // 54: nothing beyond the fixed TCP header; 56: options cut in half.
    for snaplen in [54, 56, 64] {
        let cut: Vec<Captured> = original()
            .into_iter()
            .map(|(at_s, link, octets, wire)| {
                (at_s, link, octets[..octets.len().min(snaplen)].to_vec(), wire)
            })
            .collect();
        let (plain, other) =
            (summary(&original(), DeviceScope::Espressif), summary(&cut, DeviceScope::Espressif));
        assert_eq!((other.findings, other.segments), (plain.findings, plain.segments), "snaplen {snaplen}");
    }
}

#[test]
fn ip_version_6_and_its_extension_headers() {
    let scope = || DeviceScope::Espressif;
    same(&dressed(|frame| (LinkType::ETHERNET, ipv6(frame, None))), scope());
    let hop_by_hop = vec![6, 0, 1, 4, 0, 0, 0, 0];
    same(&dressed(|frame| (LinkType::ETHERNET, ipv6(frame, Some((0, hop_by_hop.clone()))))), scope());
    let atomic_fragment = vec![6, 0, 0, 0, 1, 2, 3, 4];
    same(&dressed(|frame| (LinkType::ETHERNET, ipv6(frame, Some((44, atomic_fragment.clone()))))), scope());
}

#[test]
fn what_cannot_be_read_is_counted_by_its_reason() {
    let first = original().swap_remove(0).2;
    let fragment = {
        let mut octets = first.clone();
        octets[20] = 0x20;
        octets
    };
    let udp = {
        let mut octets = first.clone();
        octets[23] = 17;
        octets
    };
    let fragment6 = ipv6(&first, Some((44, vec![6, 0, 0, 1, 1, 2, 3, 4])));
    let arp = [&first[..12], &[0x08, 0x06, 0, 1]].concat();
    let short = first[..40].to_vec();
    let cases = [
        (LinkType::ETHERNET, fragment, "fragment"),
        (LinkType::ETHERNET, fragment6, "fragment"),
        (LinkType::ETHERNET, udp, "not-tcp"),
        (LinkType::ETHERNET, arp, "not-ip"),
        (LinkType::ETHERNET, short, "short-header"),
        (LinkType(127), first.clone(), "monitor-mode"),
        (LinkType(9999), first.clone(), "unknown-link"),
        (LinkType::RAW, vec![0x55; 40], "bad-header"),
        (LinkType::ETHERNET, Vec::new(), "short-header"),
    ];
    for (link, octets, reason) in cases {
        let wire = octets.len().max(first.len());
        let summary = summary(&[(0.0, link, octets, wire)], DeviceScope::Auto);
        assert_eq!(summary.skipped.get(reason), Some(&1), "{reason}: {:?}", summary.skipped);
        assert_eq!((summary.frames, summary.segments), (1, 0));
    }
}

#[test]
fn two_hundred_thousand_random_syns_hide_nothing() {
    let scene = captured(Path::new("tests/captures/refused.pcapng"));
    let alone = summary(&scene, DeviceScope::Espressif);
    // The first SYN, from somebody else each time.
    let syn = scene[0].2.clone();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut flooded: Vec<Captured> = Vec::new();
    for frame in &scene {
        for _ in 0..200_000 / scene.len() {
            let mut octets = syn.clone();
            let address = (random() as u32 | 0x4000_0000).to_be_bytes();
            octets[26..30].copy_from_slice(&address);
            octets[34..36].copy_from_slice(&(random() as u16).to_be_bytes());
            octets[38..42].copy_from_slice(&(random() as u32).to_be_bytes());
            flooded.push((frame.0, frame.1, octets.clone(), octets.len()));
        }
        flooded.push(frame.clone());
    }
    assert!(flooded.len() > 199_000);
    let flooded = summary(&flooded, DeviceScope::Espressif);
    assert_eq!((&flooded.findings, &flooded.alerts), (&alone.findings, &alone.alerts));
    let facts = |summary: &Summary| {
        let device = summary.devices[0].clone();
        let longest =
            device.delays.longest.map(|delay| (delay.client, delay.syns, delay.refused, delay.waited_s));
        (device.time_wait, device.msl_s, device.behaves_as, longest)
    };
    assert_eq!(facts(&flooded), facts(&alone));
}
