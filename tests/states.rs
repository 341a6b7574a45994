//! The observation law, step by step: what was sent is proven, what was offered is inferred.

use std::fs;

use esp_tcpwatch::analysis::{
    flow::{Belongs, Flow, FourTuple},
    input::{Frame, LinkType},
    tcp::progress,
    time::Timestamp,
    wire::{
        decode,
        notation::{self, Step},
    },
};

/// Feeds a trace to one flow; after each segment: where it belonged, A's view, B's view.
fn walk(steps: &[Step]) -> Vec<(Belongs, String, String)> {
    let mut flow: Option<Flow> = None;
    let mut seen = Vec::new();
    for (number, step) in (1..).zip(steps) {
        let Step::Frame { at_s, octets } = step else { continue };
        let segment = decode(&Frame {
            number,
            time: Timestamp::from_nanos((at_s * 1e9) as u64),
            link: LinkType::ETHERNET,
            wire_len: octets.len() as u32,
            data: octets,
        })
        .unwrap();
        let (tuple, from) = FourTuple::of(&segment);
        let place = match &mut flow {
            Some(flow) => flow.take(&segment, from),
            None => {
                flow = Some(Flow::open(tuple, &segment, from));
                Belongs::NewLife
            }
        };
        let life = flow.as_ref().unwrap().life;
        seen.push((place, life.a.view.to_string(), life.b.view.to_string()));
    }
    seen
}

fn script(text: &str) -> Vec<(Belongs, String, String)> {
    walk(&notation::parse(text).unwrap()[0].steps)
}

#[track_caller]
fn views(seen: &[(Belongs, String, String)], expected: &[(&str, &str)]) {
    let got: Vec<(&str, &str)> = seen.iter().map(|(_, a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(got, expected);
}

#[test]
fn a_connection_that_the_server_closes_first() {
    let text = fs::read_to_string("tests/scripts/time-wait-collision.seg").unwrap();
    let seen = walk(&notation::parse(&text).unwrap()[0].steps);
    views(
        &seen[..12],
        &[
            ("SYN-SENT (proven)", "SYN-RECEIVED (inferred)"),
            ("ESTABLISHED (inferred)", "SYN-RECEIVED (proven)"),
            ("ESTABLISHED (proven)", "ESTABLISHED (inferred)"),
            ("ESTABLISHED (proven)", "ESTABLISHED (inferred)"),
            ("ESTABLISHED (proven)", "ESTABLISHED (proven)"),
            ("ESTABLISHED (proven)", "ESTABLISHED (proven)"),
            ("CLOSE-WAIT (inferred)", "FIN-WAIT-1 (proven)"),
            ("LAST-ACK (proven)", "TIME-WAIT (inferred)"),
            ("CLOSED (inferred)", "TIME-WAIT (proven)"),
            // A new life for the client alone: the stale ACK proves that the device still lives in the old one.
            ("SYN-SENT (proven)", "SYN-RECEIVED (inferred)"),
            ("SYN-SENT (proven)", "TIME-WAIT (proven)"),
            ("SYN-SENT (proven)", "TIME-WAIT (proven)"),
        ],
    );
    let places: Vec<Belongs> = seen[9..13].iter().map(|(place, ..)| *place).collect();
    assert_eq!(places, [Belongs::NewLife, Belongs::AnotherLife, Belongs::AnotherLife, Belongs::SameSyn]);
}

#[test]
fn a_device_that_lets_a_syn_through_leaves_time_wait() {
    let text = fs::read_to_string("tests/scripts/ignored-rst.seg").unwrap();
    let honoured = notation::parse(&text).unwrap().swap_remove(2);
    let seen = walk(&honoured.steps);
    let tail: Vec<&str> = seen[9..].iter().map(|(.., b)| b.as_str()).collect();
    assert_eq!(
        tail,
        [
            "SYN-RECEIVED (inferred)",
            "TIME-WAIT (proven)",
            "TIME-WAIT (proven)",
            "TIME-WAIT (proven)",
            "SYN-RECEIVED (proven)"
        ]
    );
}

#[test]
fn a_simultaneous_open_is_one_life() {
    let seen = script(
        "+0     A > B  S   1000:1000(0)            win 64240
         +0.001 B > A  S   5000:5000(0)            win 5744
         +0.002 A > B  S.  1000:1000(0)  ack 5001  win 64240
         +0.003 B > A  S.  5000:5000(0)  ack 1001  win 5744
         +0.004 A > B  P.  1001:1011(10) ack 5001  win 64240",
    );
    assert!(seen[1..].iter().all(|(place, ..)| *place == Belongs::ThisLife), "{seen:?}");
    assert_eq!(seen[2].1, "SYN-RECEIVED (proven)");
    assert_eq!(seen[4].1, "ESTABLISHED (proven)");
}

#[test]
fn a_simultaneous_close_leaves_both_in_time_wait() {
    let seen = script(
        "+0     A > B  S   1000:1000(0)            win 64240
         +0.001 B > A  S.  5000:5000(0)  ack 1001  win 5744
         +0.002 A > B  .   1001:1001(0)  ack 5001  win 64240
         +0.003 A > B  F.  1001:1001(0)  ack 5001  win 64240
         +0.003 B > A  F.  5001:5001(0)  ack 1001  win 5744
         +0.004 A > B  .   1002:1002(0)  ack 5002  win 64240
         +0.005 B > A  .   5002:5002(0)  ack 1002  win 5744",
    );
    assert!(seen[5].1.starts_with("CLOSING (proven)"), "{seen:?}");
    let (_, a, b) = &seen[6];
    assert!(a.starts_with("TIME-WAIT") && b.starts_with("TIME-WAIT"), "{seen:?}");
}

#[test]
fn a_rebooted_peer_begins_a_new_life_on_a_tuple_that_looks_established() {
    let seen = script(
        "+0     A > B  S   1000:1000(0)            win 64240
         +0.001 B > A  S.  5000:5000(0)  ack 1001  win 5744
         +0.002 A > B  .   1001:1001(0)  ack 5001  win 64240
         +9.000 A > B  S   7000:7000(0)            win 64240
         +9.001 B > A  S.  8000:8000(0)  ack 7001  win 5744",
    );
    assert_eq!(seen[3].0, Belongs::NewLife);
    assert_eq!(seen[4].2, "SYN-RECEIVED (proven)");
}

#[test]
fn a_reset_closes_for_its_sender_for_certain_and_for_its_receiver_if_it_is_exact() {
    let head = "+0     A > B  S   1000:1000(0)            win 64240
                +0.001 B > A  S.  5000:5000(0)  ack 1001  win 5744
                +0.002 A > B  .   1001:1001(0)  ack 5001  win 64240\n";
    let exact = script(&format!("{head}+0.003 A > B R 1001:1001(0) win 0"));
    assert_eq!((exact[3].1.as_str(), exact[3].2.as_str()), ("CLOSED (proven)", "CLOSED (inferred)"));
    let blind = script(&format!("{head}+0.003 A > B R 4001:4001(0) win 0"));
    assert_eq!((blind[3].1.as_str(), blind[3].2.as_str()), ("CLOSED (proven)", "ESTABLISHED (inferred)"));
}

#[test]
fn a_stream_joined_late_is_established_where_it_speaks() {
    let seen = script(
        "+0     A > B  P.  1001:1031(30) ack 5001  win 64240
         +0.001 B > A  .   5001:5001(0)  ack 1031  win 5714",
    );
    views(&seen, &[("ESTABLISHED (proven)", "unknown"), ("ESTABLISHED (proven)", "ESTABLISHED (proven)")]);
}

#[test]
fn each_segment_of_a_trace_has_its_kind() {
    let text = "
        +0.000 A > B  S   1000:1000(0)              win 64240
        +0.001 A > B  S   1000:1000(0)              win 64240
        +0.002 B > A  S.  5000:5000(0)    ack 1001  win 5744
        +0.003 B > A  S.  5000:5000(0)    ack 1001  win 5744
        +0.004 A > B  .   1001:1001(0)    ack 5001  win 64240
        +0.005 A > B  P.  1001:1031(30)   ack 5001  win 64240
        +0.006 A > B  P.  1001:1031(30)   ack 5001  win 64240
        +0.007 B > A  .   5001:5001(0)    ack 1031  win 5714
        +0.008 B > A  .   5001:5001(0)    ack 1031  win 5744
        +0.009 B > A  .   5001:5001(0)    ack 1031  win 5744
        +0.010 A > B  P.  1041:1051(10)   ack 5001  win 64240
        +0.011 B > A  .   5001:5001(0)    ack 1031  win 5744
        +0.012 A > B  P.  1031:1041(10)   ack 5001  win 64240
        +0.013 B > A  .   5001:5001(0)    ack 1051  win 0
        +0.014 A > B  .   1050:1050(0)    ack 5001  win 64240
        +0.015 B > A  .   5001:5001(0)    ack 1051  win 5744
        +0.016 A > B  .   1050:1050(0)    ack 5001  win 64240
        +0.017 A > B  R.  1051:1051(0)    ack 5001  win 0";
    use esp_tcpwatch::analysis::tcp::Kind::*;
    let expected = [
        Syn,
        SynAgain,
        SynAck,
        SynAckAgain,
        AckOfNews,
        News,
        Again,
        AckOfNews,
        WindowUpdate,
        IdleAck,
        BeyondAHole,
        DuplicateAck,
        Again,
        AckOfNews,
        WindowProbe,
        WindowUpdate,
        KeepAlive,
        Reset,
    ];
    let trace = notation::parse(text).unwrap().swap_remove(0);
    let mut flow: Option<Flow> = None;
    for (number, (step, expected)) in trace.steps.iter().zip(expected).enumerate() {
        let Step::Frame { octets, .. } = step else { panic!("only frames here") };
        let segment = decode(&Frame {
            number: number as u64 + 1,
            time: Timestamp::ZERO,
            link: LinkType::ETHERNET,
            wire_len: octets.len() as u32,
            data: octets,
        })
        .unwrap();
        let (tuple, from) = FourTuple::of(&segment);
        let life = flow.map(|flow| flow.life);
        let (sender, receiver) =
            life.map_or_else(Default::default, |life| (*life.endpoint(from), *life.endpoint(from.other())));
        assert_eq!(
            progress::kind(&segment, &sender, &receiver),
            expected,
            "line {}: {segment:?}",
            number + 1
        );
        match &mut flow {
            Some(flow) => drop(flow.take(&segment, from)),
            None => flow = Some(Flow::open(tuple, &segment, from)),
        }
    }
}
