//! Signs of life outside TCP: which frame is one, of whom, and what a device that shows itself by them alone is told of.

use core::net::IpAddr;

use esp_tcpwatch::analysis::{
    detect::Finding,
    engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
    event::{Event, Start, Summary},
    host::DeviceScope,
    input::{Frame, Input, LinkType},
    rule::RuleSet,
    time::Timestamp,
    wire::{Sign, SignKind, sign},
};

const ESP: [u8; 6] = [0x24, 0x0a, 0xc4, 0x77, 0, 2];
const PHONE: [u8; 6] = [2, 0, 0, 0, 0, 1];
const ALL: [u8; 6] = [0xff; 6];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn octets(address: &str) -> Vec<u8> {
    match ip(address) {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn ethernet(to: [u8; 6], from: [u8; 6], ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &from[..], &ether_type.to_be_bytes(), payload].concat()
}

fn arp(from: [u8; 6], operation: u8, sender: &str, target: &str) -> Vec<u8> {
    let head = [0, 1, 8, 0, 6, 4, 0, operation];
    let body = [&head[..], &from, &octets(sender), &[0; 6], &octets(target)].concat();
    ethernet(ALL, from, 0x0806, &body)
}

fn ipv4(from: [u8; 6], source: &str, destination: &str, protocol: u8, body: &[u8]) -> Vec<u8> {
    let total = (20 + body.len()) as u16;
    let mut packet = vec![0x45, 0];
    packet.extend(total.to_be_bytes());
    packet.extend([0, 1, 0, 0, 64, protocol, 0, 0]);
    packet.extend([octets(source), octets(destination), body.to_vec()].concat());
    ethernet(ALL, from, 0x0800, &packet)
}

fn ipv6(from: [u8; 6], source: &str, destination: &str, next: u8, hop_limit: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((body.len() as u16).to_be_bytes());
    packet.extend([next, hop_limit]);
    packet.extend([octets(source), octets(destination), body.to_vec()].concat());
    ethernet(ALL, from, 0x86dd, &packet)
}

/// Neighbour discovery: type, flags, target.
fn neighbour(source: &str, destination: &str, kind: u8, flags: u8, target: &str) -> Vec<u8> {
    let body = [&[kind, 0, 0, 0, flags, 0, 0, 0][..], &octets(target)].concat();
    ipv6(ESP, source, destination, 58, 255, &body)
}

fn udp(source: u16, destination: u16, body: &[u8]) -> Vec<u8> {
    let head = [source, destination, (8 + body.len()) as u16, 0];
    [head.iter().flat_map(|word| word.to_be_bytes()).collect(), body.to_vec()].concat()
}

/// A client's DHCP message with `options`.
fn dhcp(source: &str, options: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 236];
    body[0] = 1;
    body.extend([0x63, 0x82, 0x53, 0x63]);
    body.extend(options);
    ipv4(ESP, source, "255.255.255.255", 17, &udp(68, 67, &body))
}

fn read(data: &[u8]) -> Option<Sign> {
    sign::read(&Frame {
        number: 7,
        time: Timestamp::from_micros(9),
        link: LinkType::ETHERNET,
        wire_len: data.len() as u32,
        data,
    })
}

#[track_caller]
fn is(data: &[u8], kind: SignKind, from: Option<&str>, to: &str) {
    let sign = read(data).unwrap();
    assert_eq!((sign.kind, sign.from, sign.to), (kind, from.map(ip), Some(ip(to))));
    assert_eq!((sign.frame, sign.time), (7, Timestamp::from_micros(9)));
}

const E4: &str = "10.77.0.2";
const P4: &str = "10.77.0.1";
const E6: &str = "fd77::2";
const P6: &str = "fd77::1";

#[test]
fn arp_asks_answers_and_announces() {
    is(&arp(PHONE, 1, P4, E4), SignKind::WhoHas, Some(P4), E4);
    is(&arp(ESP, 2, E4, P4), SignKind::IsAt, Some(E4), P4);
    // Gratuitous, as a request and as a reply.
    is(&arp(ESP, 1, E4, E4), SignKind::Announcement, Some(E4), E4);
    is(&arp(ESP, 2, E4, E4), SignKind::Announcement, Some(E4), E4);
    // A probe asks for an address without using it.
    is(&arp(ESP, 1, "0.0.0.0", E4), SignKind::Announcement, None, E4);
    assert_eq!(read(&arp(ESP, 2, E4, P4)).unwrap().mac, Some(ESP));
}

#[test]
fn arp_in_anothers_name_or_of_another_kind_is_no_sign() {
    let mut proxied = arp(ESP, 2, E4, P4);
    proxied[6..12].copy_from_slice(&PHONE);
    assert_eq!(read(&proxied), None);
    assert_eq!(read(&arp(ESP, 3, E4, P4)), None, "reverse ARP");
    assert_eq!(read(&arp(ESP, 3, E4, E4)), None);
    let mut of_ipv6 = arp(ESP, 1, E4, P4);
    of_ipv6[19] = 16;
    assert_eq!(read(&of_ipv6), None, "the length of an address is wrong");
}

#[test]
fn ping_both_ways() {
    is(&ipv4(PHONE, P4, E4, 1, &[8, 0, 0, 0]), SignKind::EchoRequest, Some(P4), E4);
    is(&ipv4(ESP, E4, P4, 1, &[0, 0, 0, 0]), SignKind::EchoReply, Some(E4), P4);
    is(&ipv6(PHONE, P6, E6, 58, 64, &[128, 0, 0, 0]), SignKind::EchoRequest, Some(P6), E6);
    is(&ipv6(ESP, E6, P6, 58, 64, &[129, 0, 0, 0]), SignKind::EchoReply, Some(E6), P6);
    is(&ipv4(ESP, E4, P4, 1, &[3, 1, 0, 0]), SignKind::Other, Some(E4), P4);
}

#[test]
fn neighbours_solicit_and_advertise() {
    is(&neighbour(P6, "ff02::1:ff00:2", 135, 0, E6), SignKind::WhoHas, Some(P6), E6);
    // Duplicate address detection: nobody is asked who should be there.
    is(&neighbour("::", "ff02::1:ff00:2", 135, 0, E6), SignKind::Announcement, None, E6);
    is(&neighbour(E6, P6, 136, 0x60, E6), SignKind::IsAt, Some(E6), P6);
    // Sent from another of its addresses: it is the target that is there.
    is(&neighbour("fe80::2", P6, 136, 0x40, E6), SignKind::IsAt, Some(E6), P6);
    is(&neighbour(E6, "ff02::1", 136, 0x20, E6), SignKind::Announcement, Some(E6), "ff02::1");
    let mut routed = neighbour(P6, E6, 135, 0, E6);
    routed[14 + 7] = 64;
    is(&routed, SignKind::Other, Some(P6), E6);
}

#[test]
fn dhcp_and_multicast_dns() {
    let all = "255.255.255.255";
    is(&dhcp("0.0.0.0", &[12, 3, b'e', b's', b'p', 53, 1, 1, 255]), SignKind::DhcpDiscover, None, all);
    is(&dhcp("0.0.0.0", &[0, 53, 1, 3, 255]), SignKind::Dhcp, None, all);
    is(&dhcp(E4, &[53, 1, 3, 255]), SignKind::Dhcp, Some(E4), all);
    // The options are cut by the snaplen, or lie.
    is(&dhcp("0.0.0.0", &[53, 1, 1, 255])[..192], SignKind::Dhcp, None, all);
    is(&dhcp("0.0.0.0", &[12, 200, 53, 1, 1]), SignKind::Dhcp, None, all);
    for looking in [dhcp("0.0.0.0", &[53, 1, 1]), dhcp("0.0.0.0", &[53, 1, 3]), arp(ESP, 1, "0.0.0.0", E4)] {
        assert!(read(&looking).unwrap().is_of_a_start());
    }
    assert!(!read(&dhcp(E4, &[53, 1, 3, 255])).unwrap().is_of_a_start(), "a lease is renewed");
    let query = udp(5353, 5353, &[0; 12]);
    is(&ipv4(ESP, E4, "224.0.0.251", 17, &query), SignKind::Mdns, Some(E4), "224.0.0.251");
    is(&ipv6(ESP, "fe80::2", "ff02::fb", 17, 255, &query), SignKind::Mdns, Some("fe80::2"), "ff02::fb");
    is(&ipv4(ESP, E4, P4, 17, &query), SignKind::Other, Some(E4), P4);
    // From the server to the client.
    is(&ipv4(PHONE, P4, E4, 17, &udp(67, 68, &[0; 300])), SignKind::Other, Some(P4), E4);
}

#[test]
fn behind_vlan_tags_and_on_other_links() {
    let frame = arp(PHONE, 1, P4, E4);
    let tagged = [&frame[..12], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 7], &frame[12..]].concat();
    is(&tagged, SignKind::WhoHas, Some(P4), E4);
    // Linux cooked, the first version: the sender's address is all there is.
    let cooked = [&[0, 1, 0, 1, 0, 6][..], &PHONE, &[0, 0], &frame[12..]].concat();
    let read = sign::read(&Frame {
        number: 1,
        time: Timestamp::ZERO,
        link: LinkType::LINUX_SLL,
        wire_len: cooked.len() as u32,
        data: &cooked,
    });
    let sign = read.unwrap();
    assert_eq!((sign.kind, sign.from, sign.mac), (SignKind::WhoHas, Some(ip(P4)), Some(PHONE)));
}

#[test]
fn what_is_cut_or_lies_about_its_length_says_no_more_than_it_can() {
    let whole = arp(PHONE, 1, P4, E4);
    for len in 0..whole.len() {
        assert_eq!(read(&whole[..len]), None, "ARP of {len} octets");
    }
    let solicitation = neighbour(P6, E6, 135, 0, E6);
    for len in 0..solicitation.len() {
        let sign = read(&solicitation[..len]);
        assert!(sign.is_none_or(|sign| sign.kind == SignKind::Other), "solicitation of {len} octets");
    }
    // Ethernet's padding is not the packet.
    let mut padded = ipv4(ESP, E4, P4, 1, &[]);
    padded.extend([8; 26]);
    is(&padded, SignKind::Other, Some(E4), P4);
    for (at, value) in [(14, 0x44), (14, 0x4f), (17, 19), (16, 0)] {
        let mut lying = ipv4(ESP, E4, P4, 1, &[8, 0, 0, 0]);
        lying[at] = value;
        if at == 16 {
            lying[17] = 0;
        }
        assert_eq!(read(&lying), None, "octet {at}");
    }
    // What stands in a later fragment is not a header.
    let mut fragment = ipv4(ESP, E4, P4, 1, &[8, 0, 0, 0]);
    fragment[14 + 7] = 1;
    is(&fragment, SignKind::Other, Some(E4), P4);
    assert_eq!(read(&ethernet(ALL, ESP, 0x0800, &[0x55; 40])), None, "no IP version");
    assert_eq!(read(&ethernet(ALL, ESP, 0x0800, &[])), None);
}

/// Frames at their times through an engine without a named device.
fn watch(scope: DeviceScope, frames: &[(f64, Vec<u8>)], until_s: f64) -> (Vec<Finding>, Summary) {
    let mut engine = Engine::new(EngineConfig {
        devices: scope,
        rules: RuleSet::built_in().unwrap(),
        flow_events: false,
        segment_events: false,
        start: Start::default(),
        max_flows: DEFAULT_MAX_FLOWS,
    });
    let at = |seconds: f64| Timestamp::from_nanos(1_700_000_000_000_000_000 + (seconds * 1e9) as u64);
    for (number, (seconds, data)) in (1..).zip(frames) {
        let (time, wire_len) = (at(*seconds), data.len() as u32);
        engine.handle(Input::Frame(Frame { number, time, link: LinkType::ETHERNET, wire_len, data }));
    }
    engine.handle(Input::Tick(at(until_s)));
    engine.handle(Input::End);
    let mut findings = Vec::new();
    while let Some(event) = engine.poll_event() {
        match event {
            Event::Finding(finding) => findings.push(finding),
            Event::Summary(summary) => return (findings, summary),
            _ => {}
        }
    }
    panic!("every run ends with a summary");
}

fn rules(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.rule.as_ref()).collect()
}

#[test]
fn an_unnamed_device_is_known_by_its_first_sign() {
    let signs = [
        arp(ESP, 1, E4, P4),
        arp(ESP, 2, E4, P4),
        arp(ESP, 1, E4, E4),
        dhcp(E4, &[53, 1, 3, 255]),
        ipv4(ESP, E4, "224.0.0.251", 17, &udp(5353, 5353, &[0; 12])),
        neighbour(E6, P6, 136, 0x60, E6),
    ];
    for scope in [DeviceScope::Espressif, DeviceScope::Auto] {
        for sign in &signs {
            let (findings, summary) = watch(scope.clone(), &[(0.0, sign.clone())], 20.0);
            assert_eq!(rules(&findings), ["not-on-path"]);
            assert_eq!(summary.devices[0].mac.as_deref(), Some("24:0a:c4:77:00:02"));
            assert!(findings[0].is_of_device());
        }
    }
    // A packet may come through it from elsewhere, and others are not Espressif's.
    let routed = ipv4(ESP, "192.0.2.1", P4, 1, &[0, 0, 0, 0]);
    for no_sign in [routed, arp(PHONE, 1, P4, P4), dhcp("0.0.0.0", &[53, 1, 1])] {
        let (_, summary) = watch(DeviceScope::Espressif, &[(0.0, no_sign)], 20.0);
        assert!(summary.devices.is_empty());
    }
    let named = DeviceScope::Named(vec![ip("10.77.0.9")]);
    let (findings, summary) = watch(named, &[(0.0, signs[0].clone())], 20.0);
    assert_eq!((summary.devices.len(), findings.len()), (1, 0), "the one that was named");
}

fn silence() -> Vec<(f64, Vec<u8>)> {
    let asked = || arp(PHONE, 1, P4, E4);
    vec![(0.0, asked()), (0.1, arp(ESP, 2, E4, P4)), (5.0, asked()), (6.0, asked()), (7.0, asked())]
}

#[test]
fn a_device_that_never_spoke_tcp_can_fall_silent() {
    let (findings, _) = watch(DeviceScope::Espressif, &silence(), 30.0);
    let silent = findings.iter().find(|finding| finding.rule == "device-silent").unwrap();
    assert_eq!(silent.frames, [3, 4, 5]);
    assert!(silent.text.contains("has not answered 3 ARP requests from 10.77.0.1"), "{}", silent.text);
    assert_eq!(silent.quantities["pings"], 0.0);
}

#[test]
fn pings_are_told_and_never_count_alone() {
    let ping = || ipv4(PHONE, P4, E4, 1, &[8, 0, 0, 0]);
    let mut frames = silence();
    frames.extend([(7.5, ping()), (8.5, ping())]);
    let (findings, _) = watch(DeviceScope::Espressif, &frames, 30.0);
    let silent = findings.iter().find(|finding| finding.rule == "device-silent").unwrap();
    assert!(silent.text.contains("(the first is frame 3) nor 2 pings"), "{}", silent.text);
    // Pings in vain while ARP is answered: a device may ignore them.
    let mut answered = silence()[..2].to_vec();
    for second in 3..30 {
        answered.push((f64::from(second), ping()));
        if second % 10 == 0 {
            answered.push((f64::from(second) + 0.1, arp(PHONE, 1, P4, E4)));
            answered.push((f64::from(second) + 0.2, arp(ESP, 2, E4, P4)));
        }
    }
    let (findings, _) = watch(DeviceScope::Espressif, &answered, 60.0);
    assert_eq!(rules(&findings), ["not-on-path"]);
}

#[test]
fn an_answer_as_late_as_in_power_save_is_no_silence() {
    let mut frames = silence();
    frames.push((9.9, arp(ESP, 2, E4, P4)));
    let (findings, _) = watch(DeviceScope::Espressif, &frames, 30.0);
    assert!(!rules(&findings).contains(&"device-silent"));
}

#[test]
fn a_host_that_goes_on_with_another_address_is_not_silent() {
    let tick = |at: f64| (at, neighbour(E6, "ff02::1", 136, 0x20, E6));
    let mut frames = vec![tick(0.0)];
    frames.extend(silence().into_iter().map(|(at, frame)| (at + 0.5, frame)));
    for at in [6.2, 9.0, 12.0] {
        frames.push(tick(at));
    }
    frames.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (findings, _) = watch(DeviceScope::Espressif, &frames, 14.0);
    assert!(!rules(&findings).contains(&"device-silent"), "{findings:?}");
}
