//! A device that changes its address is followed by its MAC address; a host with two addresses is not taken for one.
//!
//! B and N are one host (`wire::notation`): N is the address that it has later, or beside B.

use core::net::IpAddr;

use proptest::prelude::*;

use esp_tcpwatch::analysis::{
    engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
    event::{Event, MarkerEvent, Start, Summary},
    host::{Behaviour, DeviceFacts, DeviceScope, Stack},
    input::{Frame, Input, LinkType},
    rule::{Alert, AlertPhase, RuleSet},
    time::Timestamp,
    wire::notation::{self, Step},
};

fn b() -> IpAddr {
    "10.77.0.2".parse().unwrap()
}

fn n() -> IpAddr {
    "10.77.0.9".parse().unwrap()
}

#[derive(Default)]
struct Told {
    markers: Vec<MarkerEvent>,
    alerts: Vec<Alert>,
    findings: Vec<(String, IpAddr)>,
    summary: Summary,
}

impl Told {
    fn moves(&self) -> Vec<(IpAddr, IpAddr, u64)> {
        let moved = |marker: &MarkerEvent| Some((marker.formerly?, marker.device?, marker.frame?));
        self.markers.iter().filter_map(moved).collect()
    }

    fn facts(&self, address: IpAddr) -> Option<&DeviceFacts> {
        self.summary.devices.iter().find(|facts| facts.address == address)
    }

    fn of(&self, rule: &str) -> Vec<IpAddr> {
        self.findings.iter().filter(|(found, _)| found == rule).map(|(_, device)| *device).collect()
    }
}

fn frame(number: u64, at_s: f64, octets: &[u8]) -> Input<'_> {
    Input::Frame(Frame {
        number,
        time: moment(at_s),
        link: LinkType::ETHERNET,
        wire_len: octets.len() as u32,
        data: octets,
    })
}

fn moment(at_s: f64) -> Timestamp {
    Timestamp::from_nanos(1_700_000_000_000_000_000 + (at_s * 1e9) as u64)
}

/// Steps through an engine to the end.
fn play_steps(scope: DeviceScope, steps: &[Step]) -> Told {
    let mut engine = Engine::new(EngineConfig {
        devices: scope,
        rules: RuleSet::built_in().unwrap(),
        flow_events: false,
        segment_events: false,
        start: Start::default(),
        max_flows: DEFAULT_MAX_FLOWS,
    });
    let mut number = 0;
    for step in steps {
        match step {
            Step::Frame { at_s, octets } => {
                number += 1;
                engine.handle(frame(number, *at_s, octets));
            }
            Step::Tick { at_s } => engine.handle(Input::Tick(moment(*at_s))),
            Step::Gap { .. } | Step::Mode { .. } | Step::Account { .. } => panic!("{step:?}"),
        }
    }
    engine.handle(Input::End);
    let mut told = Told::default();
    while let Some(event) = engine.poll_event() {
        match event {
            Event::Marker(marker) => told.markers.push(marker),
            Event::Alert(alert) => told.alerts.push(alert),
            Event::Finding(finding) => told.findings.push((finding.rule.into_owned(), finding.device)),
            Event::Summary(summary) => told.summary = summary,
            _ => {}
        }
    }
    told
}

fn steps(text: &str) -> Vec<Step> {
    notation::parse(text).unwrap().remove(0).steps
}

fn play(scope: DeviceScope, text: &str) -> Told {
    play_steps(scope, &steps(text))
}

fn named() -> DeviceScope {
    DeviceScope::Named(vec![b()])
}

/// A connection on which the device closes first, and a second one on its tuple: refused twice, the RST ignored. Then the tuple is let
/// in, 125 s after. `DEV` is the device.
fn refused(dev: &str, from_s: f64) -> String {
    let lines = [
        (0.0, "A > DEV S   1000:1000(0) win 64240 mss 1460 wscale 7"),
        (0.001, "DEV > A S.  5000:5000(0) ack 1001 win 5744 mss 1440"),
        (0.002, "A > DEV .   1001:1001(0) ack 5001 win 502"),
        (0.003, "A > DEV P.  1001:1031(30) ack 5001 win 502"),
        (0.005, "DEV > A P.  5001:5101(100) ack 1031 win 5714"),
        (0.006, "DEV > A F.  5101:5101(0) ack 1031 win 5714"),
        (0.007, "A > DEV .   1031:1031(0) ack 5102 win 501"),
        (0.008, "A > DEV F.  1031:1031(0) ack 5102 win 501"),
        (0.009, "DEV > A .   5102:5102(0) ack 1032 win 5713"),
        (2.0, "A > DEV S   90000:90000(0) win 64240 mss 1460 wscale 7"),
        (2.001, "DEV > A .   5102:5102(0) ack 1032 win 5713"),
        (2.002, "A > DEV R   1032:1032(0) win 0"),
        (2.012, "A > DEV S   90000:90000(0) win 64240 mss 1460 wscale 7"),
        (2.013, "DEV > A .   5102:5102(0) ack 1032 win 5713"),
    ];
    lines.map(|(at, line)| format!("+{:.3} {}\n", from_s + at, line.replace("DEV", dev))).concat()
}

const SHOWN: &str = "+0 A > B who-has\n+0.001 B > A is-at\n";

#[test]
fn one_that_leaves_its_address_unanswered_is_followed_to_the_new_one() {
    let trace = format!(
        "{SHOWN}{}+10 N > N announce\n+11 A > B who-has\n+12 A > B who-has\ntick +14.5\n{}tick +40\n",
        refused("B", 1.0),
        refused("N", 20.0)
    );
    let told = play(named(), &trace);
    // Two frames of ARP and fourteen segments before it.
    assert_eq!(told.moves(), [(b(), n(), 17)], "{:?}", told.markers);
    let text = &told.markers[0].text;
    assert!(text.starts_with("10.77.0.2 has another address, 10.77.0.9: ARP from its MAC address"), "{text}");
    assert!(
        text.contains("(frame 17), and 10.77.0.2 has left what is sent to it unanswered for 3 s"),
        "{text}"
    );
    // Each address has the refusals of its own four-tuples.
    assert_eq!(told.of("time-wait-collision"), [b(), b(), n(), n()]);
    let facts = told.facts(n()).unwrap();
    assert_eq!((facts.formerly, facts.mac.as_deref()), (Some(b()), Some("24:0a:c4:77:00:02")));
    assert_eq!(facts.accepted, 1, "connections are not counted twice");
    let old = told.facts(b()).unwrap();
    assert_eq!((old.formerly, old.accepted), (None, 1));
    assert!(old.note.as_deref().unwrap().contains("It has another address since: 10.77.0.9."), "{old:?}");
    assert!(told.of("device-silent").is_empty(), "{:?}", told.findings);
}

#[test]
fn what_is_known_of_its_stack_goes_along_before_it_showed_anything_new() {
    let trace = format!(
        "{SHOWN}{}+10 N > N announce\n+11 A > B who-has\ntick +15\n+16 A > N who-has\n+16.1 N > A is-at\ntick +17\n",
        refused("B", 1.0)
    );
    for scope in [named(), DeviceScope::Espressif, DeviceScope::Auto] {
        let told = play(scope.clone(), &trace);
        let (old, new) = (told.facts(b()).unwrap(), told.facts(n()).unwrap());
        assert_eq!((new.stack, new.stack_certainty), (Stack::Lwip, old.stack_certainty), "{scope:?}");
        assert_eq!((new.behaves_as, old.behaves_as), (Behaviour::Unfixed, Behaviour::Unfixed), "{scope:?}");
        assert!(new.msl_s.at_least.is_some_and(|least| Some(least) == old.msl_s.at_least), "{new:?}");
        assert_eq!(new.time_wait.entered + new.time_wait.syns + new.time_wait.rsts, 0, "{new:?}");
        assert!(told.of("not-on-path").is_empty(), "{:?}", told.findings);
    }
}

/// Its alerts are of the old address: they end with it, and what goes on is raised anew.
#[test]
fn alerts_end_with_the_old_address() {
    let trace = format!(
        "{SHOWN}{}+10 N > N announce\n+11 A > B who-has\ntick +14.5\n{}tick +30\n",
        refused("B", 1.0),
        refused("N", 20.0)
    );
    let told = play(named(), &trace);
    let collisions: Vec<_> = told
        .alerts
        .iter()
        .filter(|alert| alert.rule == "time-wait-collision" && alert.phase != AlertPhase::Grown)
        .map(|alert| (alert.id, alert.device, alert.phase, alert.when.0.since(moment(0.0)).as_secs()))
        .collect();
    let (first, second) = (collisions[0].0, collisions[2].0);
    assert_eq!(
        collisions,
        [
            (first, b(), AlertPhase::Raised, 3),
            (first, b(), AlertPhase::Ended, 14),
            (second, n(), AlertPhase::Raised, 22),
            (second, n(), AlertPhase::Ended, 30),
        ]
    );
    assert_ne!(first, second);
}

#[test]
fn dhcp_shows_it_at_once() {
    // It had no address, or a server gave it this one; both are followed by ARP with it.
    for dhcp in ["+10 B > B discover", "+10 A > N lease"] {
        let told = play(named(), &format!("{SHOWN}{}{dhcp}\n+10.5 N > N announce\n", refused("B", 1.0)));
        assert_eq!(told.moves(), [(b(), n(), 18)], "{dhcp}: {:?}", told.markers);
        assert!(told.markers[0].text.contains("it took its address by DHCP"), "{:?}", told.markers);
    }
    // What was offered and not taken is none.
    let told = play(named(), &format!("{SHOWN}+10 A > N lease\ntick +200\n"));
    assert!(told.moves().is_empty() && told.facts(n()).is_none(), "{:?}", told.markers);
    // The old address was used after.
    let told =
        play(named(), &format!("{SHOWN}+10 A > N lease\n+11 B > A is-at\n+12 N > N announce\ntick +15\n"));
    assert!(told.moves().is_empty(), "{:?}", told.markers);
}

#[test]
fn where_nobody_writes_to_the_old_address_a_minute_of_silence_shows_it() {
    let told = play(named(), &format!("{SHOWN}+10 N > N announce\n+30 N > A is-at\ntick +69\ntick +70.5\n"));
    assert_eq!(told.moves(), [(b(), n(), 3)]);
    assert!(told.markers[0].text.contains("nothing has come from 10.77.0.2 for 60 s"), "{:?}", told.markers);
    // An address that was announced and never used again is none that anybody moved to.
    let told = play(named(), &format!("{SHOWN}+10 N > N announce\ntick +300\n"));
    assert!(told.moves().is_empty(), "{:?}", told.markers);
}

#[test]
fn a_host_with_an_alias_is_met_with_silence() {
    let aliases = [
        // Both answer for themselves, for minutes.
        "+10 N > N announce\n+12 A > B who-has\n+12.1 B > A is-at\n+13 A > N who-has\n+13.1 N > A is-at\n\
         +40 A > N who-has\n+40.1 N > A is-at\n+100 A > B who-has\n+102 A > B who-has\n+110 A > B who-has\n\
         +120 N > A is-at\ntick +300\n",
        // The alias was there from the beginning.
        "+0.5 N > A is-at\n+5 B > A is-at\n+20 N > A is-at\n+21 A > B who-has\n+29 N > A is-at\ntick +90\n+91 N > A is-at\ntick +200\n",
        // An answer as late as in power save.
        "+10 N > N announce\n+11 A > B who-has\n+13.5 B > A is-at\n+15 A > B who-has\n+15.5 B > A is-at\ntick +20\n",
    ];
    for alias in aliases {
        for scope in [named(), DeviceScope::Espressif] {
            let told = play(scope.clone(), &format!("{SHOWN}{}{alias}", refused("B", 0.1)));
            assert!(told.markers.is_empty(), "{scope:?}: {:?}", told.markers);
            assert!(
                told.summary.devices.iter().all(|facts| facts.formerly.is_none() && facts.note.is_none())
            );
            if scope == named() {
                assert!(told.facts(n()).is_none(), "the alias was not asked for");
            }
        }
    }
}

#[test]
fn a_move_that_was_none_is_taken_back_in_words() {
    let trace = format!(
        "{SHOWN}+10 N > N announce\n+11 A > B who-has\ntick +15\n+20 B > A is-at\n+21 A > N who-has\n+22 N > A is-at\ntick +23\n"
    );
    let told = play(named(), &trace);
    assert_eq!(told.moves(), [(b(), n(), 3)]);
    let [_, both] = &told.markers[..] else { panic!("{:?}", told.markers) };
    assert_eq!(
        both.text,
        "10.77.0.2 is in use beside 10.77.0.9 after all: its host has both addresses (frame 5)."
    );
    assert!(told.facts(b()).unwrap().note.is_none());
}

#[test]
fn one_that_comes_back_is_followed_back() {
    let trace = format!(
        "{SHOWN}+10 B > B discover\n+11 N > N announce\n{}+60 A > B lease\n+61 B > B announce\ntick +62\n",
        refused("N", 20.0)
    );
    let told = play(named(), &trace);
    let moves: Vec<_> = told.moves().into_iter().map(|(from, to, _)| (from, to)).collect();
    assert_eq!(moves, [(b(), n()), (n(), b())]);
    let facts = told.facts(b()).unwrap();
    assert_eq!((facts.formerly, facts.behaves_as, &facts.note), (Some(n()), Behaviour::Unfixed, &None));
}

/// The frame's MAC address where a router sends it is the router's.
#[test]
fn a_router_with_a_devices_packets_is_not_the_device() {
    const ROUTER: [u8; 6] = [2, 0, 0, 0, 0, 0x77];
    let trace = format!(
        "{}+10 N > N announce\n+11 A > B who-has\n+12 N > A is-at\ntick +15\ntick +90\n",
        refused("B", 1.0)
    );
    let mut steps = steps(&trace);
    for step in &mut steps {
        let Step::Frame { octets, .. } = step else { continue };
        for at in [0, 6, 22] {
            if octets[at..at + 3] == [0x24, 0x0a, 0xc4] {
                octets[at..at + 6].copy_from_slice(&ROUTER);
            }
        }
    }
    let told = play_steps(named(), &steps);
    // It is known by its packets, and ARP never told that this is its own address.
    assert_eq!(told.facts(b()).unwrap().mac.as_deref(), Some("02:00:00:00:00:77"));
    assert!(told.moves().is_empty() && told.facts(n()).is_none(), "{:?}", told.markers);
}

/// IPv6 beside IPv4, and packets without ARP, are no move.
#[test]
fn packets_alone_prove_no_address() {
    let told = play(
        named(),
        &format!("{SHOWN}{}+20 A > B who-has\n+21 N > A pong\ntick +25\ntick +90\n", refused("N", 1.0)),
    );
    assert!(told.moves().is_empty() && told.facts(n()).is_none(), "{:?}", told.markers);
}

/// Frames that anybody could send in its name: they are told of no more often than a host may move.
#[test]
fn a_host_that_seems_to_move_with_every_frame_is_not_told_of_with_every_frame() {
    let mut trace = SHOWN.to_owned();
    for nth in 0..400 {
        let at = 1.0 + f64::from(nth) * 0.05;
        let name = if nth % 2 == 0 { "N" } else { "B" };
        trace += &format!("+{at:.3} {name} > {name} discover\n+{:.3} {name} > {name} announce\n", at + 0.01);
    }
    for scope in [named(), DeviceScope::Espressif] {
        let told = play(scope, &trace);
        assert!((1..=8).contains(&told.markers.len()), "{}", told.markers.len());
        assert_eq!(told.summary.devices.len(), 2);
    }
}

const LINES: [&str; 12] = [
    "B > A is-at",
    "N > A is-at",
    "A > B who-has",
    "A > N who-has",
    "B > B announce",
    "N > N announce",
    "N > N probe",
    "B > B discover",
    "A > N lease",
    "A > B lease",
    "A > B S 1:1(0) win 64240",
    "B > A S. 1:1(0) ack 2 win 5744",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever comes in whatever order: a device is at one place at a time, each move begins where the one before ended, and cites a
    /// frame in which the new address speaks.
    #[test]
    fn moves_make_one_way(lines in prop::collection::vec((0..LINES.len(), 0.0..8.0_f64), 1..60)) {
        let mut at = 0.0;
        let mut trace = String::new();
        for (line, pause) in &lines {
            at += if *pause < 4.0 { pause / 40.0 } else { *pause };
            trace += &format!("+{at:.3} {}\n", LINES[*line]);
        }
        trace += &format!("tick +{:.3}\n", at + 70.0);
        for scope in [named(), DeviceScope::Espressif] {
            let told = play(scope, &trace);
            prop_assert!(told.summary.devices.len() <= 2);
            let mut is_at = None;
            for marker in &told.markers {
                let Some(from) = marker.formerly else {
                    // It has both.
                    is_at = None;
                    continue;
                };
                let to = marker.device.unwrap();
                prop_assert!(from != to && is_at.is_none_or(|at| at == from), "{:?}", told.markers);
                let (line, _) = lines[marker.frame.unwrap() as usize - 1];
                let sender = if LINES[line].starts_with('B') { b() } else { n() };
                prop_assert!(sender == to && [0, 1, 4, 5].contains(&line), "{marker:?}");
                is_at = Some(to);
            }
        }
    }
}
