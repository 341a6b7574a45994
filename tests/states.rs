//! The observation law, step by step: what was sent is proven, what was offered is inferred.

use std::{fs, sync::LazyLock};

use esp_tcpwatch::analysis::{
    flow::{Belongs, Flow, FourTuple, Incarnation, Side},
    input::{Frame, LinkType},
    tcp::{Kind, ReceiveWindow, RstValidity, Scaling, progress},
    time::Timestamp,
    wire::{
        Segment, SeqNum, decode,
        notation::{self, Step},
    },
};
use proptest::prelude::*;

/// One segment of a trace: who sent it, what it was, and the life after it. A of the notation is side A here too.
#[derive(Clone, Debug)]
struct Told {
    segment: Segment,
    from: Side,
    place: Belongs,
    kind: Kind,
    life: Incarnation,
}

/// Feeds a trace of one four-tuple to one flow.
fn lives(steps: &[Step]) -> Vec<Told> {
    let mut flow: Option<Flow> = None;
    let mut told = Vec::new();
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
        let (sender, receiver) = flow.map_or_else(Default::default, |flow| {
            (*flow.life.endpoint(from), *flow.life.endpoint(from.other()))
        });
        let kind = progress::kind(&segment, &sender, &receiver);
        let place = match &mut flow {
            Some(flow) => flow.take(&segment, from),
            None => {
                flow = Some(Flow::open(tuple, &segment, from));
                Belongs::NewLife
            }
        };
        told.push(Told { segment, from, place, kind, life: flow.as_ref().unwrap().life });
    }
    told
}

fn trace(text: &str) -> Vec<Told> {
    lives(&notation::parse(text).unwrap()[0].steps)
}

/// The life at the end of a trace.
fn life(text: &str) -> Incarnation {
    trace(text).last().unwrap().life
}

/// After each segment: where it belonged, A's view, B's view.
fn walk(steps: &[Step]) -> Vec<(Belongs, String, String)> {
    let view = |told: Told| (told.place, told.life.a.view.to_string(), told.life.b.view.to_string());
    lives(steps).into_iter().map(view).collect()
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
    use Kind::*;
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
    let kinds: Vec<Kind> = trace(text).iter().map(|told| told.kind).collect();
    assert_eq!(kinds, expected);
}

const HANDSHAKE: &str = "
    +0     A > B  S   1000:1000(0)            win 64240  mss 1460  wscale 7
    +0.040 B > A  S.  5000:5000(0)  ack 1001  win 5744   mss 1440  wscale 2
    +0.041 A > B  .   1001:1001(0)  ack 5001  win 502
    +0.042 A > B  P.  1001:1031(30) ack 5001  win 502
    +0.092 B > A  .   5001:5001(0)  ack 1031  win 1436
";

#[test]
fn both_syns_give_the_scale_and_so_the_right_edge() {
    let told = trace(HANDSHAKE);
    let edges = |told: &Told| {
        let Incarnation { a, b, .. } = &told.life;
        (a.right_edge(b).map(|edge| edge.0), b.right_edge(a).map(|edge| edge.0))
    };
    // The window of a SYN is unscaled, and not taken for a promise.
    assert_eq!(edges(&told[0]), (None, None));
    assert_eq!(edges(&told[1]), (None, None));
    assert_eq!(edges(&told[2]), (Some(5001 + (502 << 7)), None));
    assert_eq!(edges(&told[4]), (Some(5001 + (502 << 7)), Some(1031 + (1436 << 2))));
    let Incarnation { a, b, .. } = &told[4].life;
    assert_eq!((a.shift(b), b.shift(a)), (Some(7), Some(2)));
    let window = ReceiveWindow { next: SeqNum(1031), octets: 1436 << 2 };
    assert_eq!(b.receive_window(a), Some(window));
}

#[test]
fn a_window_is_scaled_only_where_both_sides_agreed_to() {
    let handshake = |syn: &str, syn_ack: &str| {
        life(&format!(
            "+0     A > B  S   1000:1000(0)            win 64240  mss 1460 {syn}
             +0.001 B > A  S.  5000:5000(0)  ack 1001  win 5744   mss 1440 {syn_ack}
             +0.002 A > B  .   1001:1001(0)  ack 5001  win 502"
        ))
    };
    for (syn, syn_ack, octets) in [
        ("wscale 7", "", 502),
        ("", "", 502),
        ("wscale 0", "wscale 7", 502),
        ("wscale 7", "wscale 0", 502 << 7),
        ("wscale 14", "wscale 0", 502 << 14),
        // RFC 7323 §2.3.
        ("wscale 200", "wscale 0", 502 << 14),
    ] {
        let Incarnation { a, b, .. } = handshake(syn, syn_ack);
        assert_eq!(a.right_edge(&b), Some(SeqNum(5001 + octets)), "`{syn}` `{syn_ack}`");
    }
}

#[test]
fn without_both_syns_no_window_is_known() {
    let lines: Vec<&str> = HANDSHAKE.trim().lines().collect();
    for missing in [0, 1] {
        let rest: Vec<&str> =
            lines.iter().enumerate().filter(|(line, _)| *line != missing).map(|(_, line)| *line).collect();
        let Incarnation { a, b, .. } = life(&rest.join("\n"));
        assert_eq!((a.right_edge(&b), b.right_edge(&a)), (None, None), "without line {missing}");
    }
    let Incarnation { a, b, .. } = life(&lines[3..].join("\n"));
    assert_eq!((a.scaling, b.scaling, a.shift(&b)), (Scaling::Unseen, Scaling::Unseen, None));
    let told = trace(lines[3]);
    assert_eq!(told[0].life.b.accepts(&told[0].segment, &told[0].life.a), None);
}

#[test]
fn an_ack_of_what_was_never_seen_promises_nothing() {
    let Incarnation { a, b, .. } =
        life(&format!("{HANDSHAKE}\n+0.1 B > A . 5001:5001(0) ack 900000 win 1436"));
    assert_eq!(b.right_edge(&a), Some(SeqNum(1031 + (1436 << 2))));
}

#[test]
fn a_rst_is_judged_by_what_its_receiver_expects() {
    let rst = |head: &str, seq: u32| {
        let told = trace(&format!("{head}\n+1 A > B R {seq}:{seq}(0) win 0"));
        let before = &told[told.len() - 2].life;
        before.b.rst_validity(&told.last().unwrap().segment, &before.a)
    };
    let edge = 1031 + (1436 << 2);
    for (seq, validity) in [
        (1031, RstValidity::Exact),
        (1032, RstValidity::InWindow),
        (edge - 1, RstValidity::InWindow),
        (edge, RstValidity::OutOfWindow),
        (1030, RstValidity::OutOfWindow),
        (1031u32.wrapping_sub(1 << 31), RstValidity::OutOfWindow),
    ] {
        assert_eq!(rst(HANDSHAKE, seq), validity, "{seq}");
    }
    // The request is under way: whether it has arrived or not, the RST after it or before it is exact.
    let under_way = format!("{HANDSHAKE}\n+0.2 A > B P. 1031:1061(30) ack 5001 win 502");
    assert_eq!(rst(&under_way, 1061), RstValidity::Exact);
    assert_eq!(rst(&under_way, 1031), RstValidity::Exact);
    assert_eq!(rst(&under_way, 1045), RstValidity::InWindow);
    // Joined late: the exact number is known, the window is not.
    let late = "+0.000 A > B  P.  1001:1031(30) ack 5001  win 502
                +0.001 B > A  .   5001:5001(0)  ack 1031  win 1436";
    assert_eq!(rst(late, 1031), RstValidity::Exact);
    assert_eq!(rst(late, 1032), RstValidity::Unknown);
    // In SYN-SENT a RST counts by what it acknowledges.
    let told = trace(
        "+0     A > B  S   1000:1000(0)            win 64240
         +0.001 B > A  R.  0:0(0)       ack 1001  win 0
         +0.002 B > A  R.  0:0(0)       ack 1002  win 0
         +0.003 B > A  R   0:0(0)                 win 0",
    );
    let Incarnation { a, b, .. } = &told[0].life;
    let validity: Vec<RstValidity> = told[1..].iter().map(|told| a.rst_validity(&told.segment, b)).collect();
    assert_eq!(validity, [RstValidity::Exact, RstValidity::OutOfWindow, RstValidity::OutOfWindow]);
}

#[test]
fn a_reset_right_after_a_request_closes_both() {
    let told = trace(&format!(
        "{HANDSHAKE}
         +0.2 A > B  P.  1031:1061(30) ack 5001  win 502
         +0.3 A > B  R   1061:1061(0)            win 0"
    ));
    let Incarnation { a, b, .. } = &told.last().unwrap().life;
    assert_eq!(
        (a.view.to_string(), b.view.to_string()),
        ("CLOSED (proven)".into(), "CLOSED (inferred)".into())
    );
}

#[test]
fn a_round_trip_is_measured_from_segments_that_were_sent_once() {
    let millis = |side: &esp_tcpwatch::analysis::tcp::Endpoint| {
        (side.round_trip.samples(), side.round_trip.smoothed().map(|span| (span.as_micros() + 500) / 1_000))
    };
    let Incarnation { a, b, .. } = life(HANDSHAKE);
    // SYN to SYN-ACK 40 ms, request to ACK 50 ms: 40 · 7/8 + 50 / 8. The device's SYN-ACK is acknowledged after 1 ms.
    assert_eq!((millis(&a), millis(&b)), ((2, Some(41)), (1, Some(1))));
    let again = life(&format!(
        "{HANDSHAKE}
         +1.000 A > B  P.  1031:1061(30) ack 5001  win 502
         +1.200 A > B  P.  1031:1061(30) ack 5001  win 502
         +1.210 B > A  .   5001:5001(0)  ack 1061  win 1436"
    ));
    assert_eq!(millis(&again.a), (2, Some(41)), "which of the two was acknowledged nobody knows");
    let syn_again = life(
        "+0     A > B  S   1000:1000(0)            win 64240
         +1     A > B  S   1000:1000(0)            win 64240
         +1.040 B > A  S.  5000:5000(0)  ack 1001  win 5744
         +1.041 A > B  .   1001:1001(0)  ack 5001  win 64240",
    );
    assert_eq!((millis(&syn_again.a), millis(&syn_again.b)), ((0, None), (1, Some(1))));
    let acked_first = life(&format!(
        "{HANDSHAKE}
         +1.000 B > A  .   5001:5001(0)  ack 1061  win 1436
         +1.001 A > B  P.  1031:1061(30) ack 5001  win 502
         +9.000 B > A  .   5001:5001(0)  ack 1061  win 1436"
    ));
    assert_eq!(millis(&acked_first.a), (2, Some(41)), "the capture held the ACK before the data");
}

#[test]
fn both_sides_of_a_simultaneous_open_end_established_and_know_the_scale() {
    let Incarnation { a, b, .. } = life(
        "+0     A > B  S   1000:1000(0)            win 64240  mss 1460  wscale 7
         +0.001 B > A  S   5000:5000(0)            win 5744   mss 1440  wscale 2
         +0.002 A > B  S.  1000:1000(0)  ack 5001  win 64240  mss 1460  wscale 7
         +0.003 B > A  S.  5000:5000(0)  ack 1001  win 5744   mss 1440  wscale 2
         +0.004 A > B  .   1001:1001(0)  ack 5001  win 502
         +0.005 B > A  P.  5001:5025(24) ack 1001  win 1436
         +0.006 A > B  P.  1001:1031(30) ack 5025  win 502",
    );
    assert_eq!(
        (a.view.to_string(), b.view.to_string()),
        ("ESTABLISHED (proven)".into(), "ESTABLISHED (proven)".into())
    );
    assert_eq!((a.shift(&b), b.shift(&a)), (Some(7), Some(2)));
}

#[test]
fn crossed_fins_of_which_one_is_acknowledged_in_the_capture() {
    let seen = script(
        "+0     A > B  S   1000:1000(0)            win 64240
         +0.001 B > A  S.  5000:5000(0)  ack 1001  win 5744
         +0.002 A > B  .   1001:1001(0)  ack 5001  win 64240
         +0.003 A > B  F.  1001:1001(0)  ack 5001  win 64240
         +0.003 B > A  F.  5001:5001(0)  ack 1001  win 5744
         +0.004 A > B  .   1002:1002(0)  ack 5002  win 64240",
    );
    // A has acknowledged B's FIN; whether B has A's is not seen.
    assert_eq!(seen[5].1, "CLOSING (proven)");
    assert_eq!(seen[5].2, "TIME-WAIT (inferred)");
}

#[test]
fn of_one_side_alone_its_states_are_proven_and_the_others_not() {
    let told = trace(
        "+0     A > B  S   1000:1000(0)            win 64240  mss 1460  wscale 7
         +0.002 A > B  .   1001:1001(0)  ack 5001  win 502
         +0.003 A > B  P.  1001:1031(30) ack 5001  win 502
         +0.100 A > B  F.  1031:1031(0)  ack 5025  win 502
         +0.200 A > B  .   1032:1032(0)  ack 5026  win 502",
    );
    let views: Vec<String> = told.iter().map(|told| told.life.a.view.to_string()).collect();
    assert_eq!(views[0], "SYN-SENT (proven)");
    assert!(views[1..3].iter().all(|view| view == "ESTABLISHED (proven)"), "{views:?}");
    assert!(views[3..].iter().all(|view| view == "FIN-WAIT-1 (proven)"), "{views:?}");
    assert!(told.iter().all(|told| !told.life.b.view.to_string().contains("proven")), "{told:?}");
    let Incarnation { a, b, .. } = &told[4].life;
    assert_eq!((a.right_edge(b), a.snd_una(), a.round_trip.smoothed()), (None, None, None));
}

#[test]
fn a_fin_before_the_data_that_it_follows_is_acted_upon_when_the_hole_is_filled() {
    let told = trace(&format!(
        "{HANDSHAKE}
         +0.200 A > B  F.  1061:1061(0)  ack 5001  win 502
         +0.201 A > B  P.  1031:1061(30) ack 5001  win 502
         +0.202 B > A  .   5001:5001(0)  ack 1062  win 1428"
    ));
    let tail: Vec<(Kind, String)> =
        told[5..].iter().map(|told| (told.kind, told.life.b.view.to_string())).collect();
    assert_eq!(
        tail,
        [
            (Kind::BeyondAHole, "ESTABLISHED (proven)".into()),
            (Kind::Again, "ESTABLISHED (proven)".into()),
            (Kind::AckOfNews, "CLOSE-WAIT (proven)".into()),
        ]
    );
}

/// Moves the sequence numbers of A's and B's streams round the circle.
fn moved(steps: &[Step], by_a: u32, by_b: u32) -> Vec<Step> {
    let add = |octets: &mut [u8], at: usize, by: u32| {
        let number = u32::from_be_bytes(octets[at..at + 4].try_into().unwrap());
        octets[at..at + 4].copy_from_slice(&number.wrapping_add(by).to_be_bytes());
    };
    let mut steps = steps.to_vec();
    for step in &mut steps {
        let Step::Frame { octets, .. } = step else { continue };
        let (own, peer) = if octets[26..30] == [10, 77, 0, 1] { (by_a, by_b) } else { (by_b, by_a) };
        add(octets, 38, own);
        // Without the ACK flag the field means nothing.
        if octets[47] & 0x10 != 0 {
            add(octets, 42, peer);
        }
    }
    steps
}

/// What must not hang on where in sequence space a connection lives.
fn outline(told: &[Told]) -> Vec<String> {
    told.iter()
        .map(|Told { segment, from, place, kind, life }| {
            let Incarnation { a, b, number, .. } = life;
            let (sender, receiver) = (life.endpoint(*from), life.endpoint(from.other()));
            let octets = |own: &_, peer: &_| {
                esp_tcpwatch::analysis::tcp::Endpoint::receive_window(own, peer).map(|window| window.octets)
            };
            format!(
                "{place:?} {kind:?} {number} {} {} {:?} {:?} {:?} {:?} {} {} {:?} {:?}",
                a.view,
                b.view,
                octets(a, b),
                octets(b, a),
                receiver.accepts(segment, sender),
                receiver.rst_validity(segment, sender),
                a.payload,
                b.payload,
                a.round_trip.smoothed(),
                b.round_trip.smoothed(),
            )
        })
        .collect()
}

/// Every trace of the scripts that is about the four-tuple A, B alone.
static TRACES_OF_ONE_TUPLE: LazyLock<Vec<Vec<Step>>> = LazyLock::new(|| {
    let mut files: Vec<_> =
        fs::read_dir("tests/scripts").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let traces = files.iter().flat_map(|file| notation::parse(&fs::read_to_string(file).unwrap()).unwrap());
    let is_of_one = |step: &Step| match step {
        Step::Frame { octets, .. } => {
            let ports = octets.get(34..38).unwrap_or_default();
            octets[12..14] == [8, 0] && octets[23] == 6 && ports.contains(&80) && {
                let client = 40_000u16.to_be_bytes();
                ports[..2] == client || ports[2..] == client
            }
        }
        Step::Gap { .. } | Step::Tick { .. } | Step::Mode { .. } | Step::Account { .. } => true,
    };
    traces.map(|trace| trace.steps).filter(|steps| steps.iter().all(is_of_one)).collect()
});

#[test]
fn every_trace_is_the_same_wherever_its_numbers_wrap() {
    let traces = &*TRACES_OF_ONE_TUPLE;
    assert!(traces.len() > 80, "only {} traces", traces.len());
    // Both streams of most traces begin at 1000 and 5000: these put the end of sequence space into them.
    let ends = [1u32, 1_001, 1_002, 1_015, 1_031, 1_032, 5_000, 5_001, 5_002, 5_013, 5_025, 5_026, 6_745];
    for steps in traces {
        let plain = outline(&lives(steps));
        for end in ends.map(u32::wrapping_neg) {
            assert_eq!(plain, outline(&lives(&moved(steps, end, 0))), "A by {end}");
            assert_eq!(plain, outline(&lives(&moved(steps, 0, end))), "B by {end}");
            assert_eq!(plain, outline(&lives(&moved(steps, end, end))), "both by {end}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_trace_is_the_same_anywhere_in_sequence_space(
        by_a in any::<u32>(), by_b in any::<u32>(), which in any::<prop::sample::Index>(),
    ) {
        let steps = which.get(&TRACES_OF_ONE_TUPLE);
        prop_assert_eq!(outline(&lives(steps)), outline(&lives(&moved(steps, by_a, by_b))));
    }
}
