//! The rows. Each is real traffic with the real stack; what is expected is derived from what lwIP does, not from what
//! the program happened to say.

use std::time::Duration;

use serde_json::json;

use super::lossy::{clean, lossy, lossy_for_long, reused};
use super::stage::{Row, Run, exactly};
use super::step::Step;

pub(super) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const HEAR: Step = Step::Hear { patience: Duration::from_secs(5) };
/// The device looks at its faults every 50 ms, and nothing tells that it has.
const PAUSE: Step = Step::Quiet(Duration::from_millis(200));

pub(super) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn ask(count: u16, side_by_side: u16) -> Step {
    Step::Ask { count, side_by_side, first_port: None, patience: s(40) }
}

fn until(count: usize, rule: &str) -> Step {
    Step::Until { rule: rule.to_owned(), count, within: s(20) }
}

pub(super) fn until_device(count: u64, place: &str) -> Step {
    Step::UntilDevice { place: place.to_owned(), count, within: s(10) }
}

fn open(count: usize) -> Step {
    Step::Open { count, patience: s(2) }
}

/// A full backlog and connection blocks that ran out look alike.
fn names_both_candidates(run: &Run) {
    let alert = run.alerts.iter().find(|alert| alert["rule"] == "syn-unanswered").unwrap();
    let why = alert["why"].as_str().unwrap();
    assert!(why.contains("backlog is full") && why.contains("PCBs"), "{why}");
}

pub fn quick() -> Vec<Row> {
    // The long ones first: the short ones then fill what is left.
    let mut rows = reused();
    rows.extend([
        lossy("20 % of the frames are lost", 200, 24),
        lossy("10 % of the frames are lost", 100, 80),
        Row {
            name: "the application leaks connections",
            twin: &[],
            steps: vec![
                Step::Fault(json!({"leak_ms": 60000})),
                open(3),
                Step::Say,
                Step::Hear { patience: ms(300) },
                Step::ShutDown,
                until_device(3, "/pcbs/close_wait"),
                until(3, "half-closed"),
            ],
            expect: vec![exactly(3, "half-closed", "inferred")],
            may: &[],
            check: |run| {
                assert_eq!(run.account.pcbs.close_wait, 3);
                for told in run.of("half-closed") {
                    assert_eq!(told["quantities"]["by_device"], 1, "its application does not close: {told}");
                }
            },
        },
        Row {
            name: "the client does not close",
            twin: &[],
            steps: vec![open(2), Step::Say, until_device(2, "/pcbs/fin_wait_2"), until(2, "half-closed")],
            expect: vec![exactly(2, "half-closed", "inferred")],
            may: &[],
            check: |run| {
                assert_eq!(run.account.pcbs.fin_wait_2, 2);
                for told in run.of("half-closed") {
                    assert_eq!(told["quantities"]["by_device"], 0, "the device has closed: {told}");
                }
            },
        },
        Row {
            name: "the radio link is gone for a while",
            twin: &[],
            steps: vec![
                ask(3, 1),
                Step::Fault(json!({"link_down_ms": 9000})),
                Step::FlushNeighbour,
                Step::Knock { for_: s(6) },
                until(1, "device-silent"),
                Step::Quiet(s(3)),
                ask(3, 1),
                until_device(6, "/http/served"),
            ],
            expect: vec![exactly(1, "device-silent", "inferred")],
            may: &[],
            check: |run| {
                assert_eq!((run.tallies[0].well, run.tallies[1].well), (3, 3));
                assert_eq!(run.account.http.served, 6, "it was there all the time");
            },
        },
        Row {
            name: "no power",
            twin: &[],
            steps: vec![
                ask(3, 1),
                Step::TurnOff,
                Step::FlushNeighbour,
                Step::Knock { for_: s(6) },
                until(1, "device-silent"),
                Step::TurnOn,
            ],
            expect: vec![exactly(1, "device-silent", "inferred")],
            may: &[],
            check: |run| assert_eq!(run.account.http.accepted, 0, "it remembers nothing"),
        },
        lossy("3 % of the frames are lost", 30, 150),
        clean(300),
        Row {
            name: "backlog full",
            twin: &[],
            steps: vec![
                Step::Fault(json!({"no_accept": true, "backlog": 1})),
                PAUSE,
                Step::Open { count: 3, patience: s(1) },
                until(2, "syn-unanswered"),
                Step::Close,
                Step::Fault(json!({"no_accept": false})),
            ],
            expect: vec![exactly(2, "syn-unanswered", "inferred")],
            may: &[],
            check: names_both_candidates,
        },
        Row {
            name: "socket table full, and the clients have not asked yet",
            twin: &[],
            // Ten sockets: the listener, the control channel, and these.
            steps: vec![
                open(8),
                until_device(8, "/http/accepted"),
                open(3),
                until(3, "accept-overflow"),
                Step::Say,
                HEAR,
            ],
            expect: vec![exactly(3, "accept-overflow", "suspected")],
            may: &[],
            check: |run| assert_eq!(run.account.http.accepted, 8, "by its application"),
        },
        Row {
            name: "socket table full, and the request is there before accept",
            twin: &[],
            steps: vec![
                open(8),
                until_device(8, "/http/accepted"),
                Step::Fault(json!({"no_accept": true})),
                PAUSE,
                open(3),
                Step::SayOnNewest(3),
                PAUSE,
                Step::Fault(json!({"no_accept": false})),
                until(3, "accept-overflow"),
            ],
            expect: vec![exactly(3, "accept-overflow", "suspected")],
            may: &[],
            check: |run| {
                let with_request = run
                    .of("accept-overflow")
                    .iter()
                    .filter(|told| told["quantities"]["request_sent"] == 1)
                    .count();
                assert_eq!(with_request, 3);
            },
        },
        Row {
            name: "PCB cap: the newest are held, the older were evicted",
            twin: &["--pcb-cap", "6"],
            steps: vec![
                Step::AskFrom { ports: (40000..40012).collect(), patience: s(2) },
                until_device(6, "/pcbs/time_wait"),
                Step::AskFrom { ports: (40000..40012).rev().collect(), patience: ms(500) },
            ],
            expect: vec![
                // Each of the newest six: a SYN, and the one that Linux sends 10 ms later.
                exactly(12, "time-wait-collision", "proven"),
                exactly(6, "ignored-rst", "proven"),
            ],
            may: &["time-wait-reuse", "time-wait-buildup"],
            check: |run| {
                assert_eq!((run.tallies[1].waiting, run.tallies[1].well), (6, 6), "{:?}", run.tallies);
                run.collisions_are_the_devices();
                let mut refused: Vec<_> =
                    run.of("time-wait-collision").iter().map(|told| told["client"].to_string()).collect();
                refused.dedup();
                let newest: Vec<_> =
                    (40006..40012).rev().map(|port| format!("\"10.77.0.1:{port}\"")).collect();
                assert_eq!(refused, newest);
            },
        },
        Row {
            name: "the application stalls",
            twin: &[],
            steps: vec![Step::Fault(json!({"stall_ms": 4000})), ask(3, 3), until_device(3, "/http/served")],
            expect: vec![exactly(3, "app-stall", "inferred")],
            may: &[],
            check: |run| {
                assert_eq!((run.tallies[0].well, run.account.http.served), (3, 3), "it answers in the end");
            },
        },
        Row {
            name: "the application does not read",
            twin: &[],
            steps: vec![
                Step::Fault(json!({"no_read_ms": 60000})),
                open(1),
                Step::Pour,
                until(1, "zero-window"),
                Step::Close,
            ],
            expect: vec![exactly(1, "zero-window", "proven")],
            may: &[],
            check: |run| {
                let told = &run.of("zero-window")[0]["quantities"];
                assert_eq!(told["by_device"], 1, "{told}");
                assert!(told["probes"].as_f64().unwrap() > 0.0, "the client has more to send: {told}");
            },
        },
        Row {
            name: "the device restarts",
            twin: &[],
            steps: vec![
                open(3),
                until_device(3, "/pcbs/established"),
                Step::TurnOff,
                Step::TurnOn,
                Step::Say,
                HEAR,
                ask(3, 1),
            ],
            expect: vec![exactly(1, "device-reboot", "suspected")],
            may: &["reset-close"],
            check: |run| {
                assert_eq!((run.tallies[1].broken, run.tallies[2].well), (3, 3), "{:?}", run.tallies);
                assert_eq!(run.account.http.accepted, 3, "those of its new life");
            },
        },
        Row {
            name: "the client forgot its connection",
            twin: &[],
            steps: vec![
                Step::OpenFrom { port: 41000, patience: s(2) },
                until_device(1, "/pcbs/established"),
                Step::Forget,
                Step::OpenFrom { port: 41000, patience: s(2) },
                Step::Say,
                HEAR,
            ],
            expect: vec![exactly(1, "half-open", "inferred"), exactly(1, "stale-ack", "suspected")],
            may: &[],
            check: |run| {
                assert_eq!((run.tallies[1].well, run.tallies[2].well), (1, 1), "{:?}", run.tallies);
                run.nothing_met_a_time_wait();
            },
        },
        Row {
            name: "the client's RST is lost on the air",
            twin: &[],
            steps: vec![
                Step::OpenFrom { port: 41000, patience: s(2) },
                until_device(1, "/pcbs/established"),
                Step::Fault(json!({"link_down_ms": 1000})),
                // The device's answer leaves before its link goes.
                PAUSE,
                Step::Abort,
                until_device(1, "/pcbs/established"),
                Step::OpenFrom { port: 41000, patience: s(2) },
                Step::Say,
                HEAR,
            ],
            expect: vec![exactly(1, "half-open", "suspected"), exactly(1, "stale-ack", "suspected")],
            may: &[],
            check: |run| {
                assert_eq!((run.tallies[1].well, run.tallies[2].well), (1, 1), "{:?}", run.tallies);
                run.nothing_met_a_time_wait();
            },
        },
        Row {
            name: "every connection block is in use",
            twin: &["--pcb-cap", "3"],
            steps: vec![
                open(3),
                until_device(3, "/pcbs/established"),
                Step::Open { count: 2, patience: s(1) },
                until(2, "syn-unanswered"),
                Step::Close,
            ],
            expect: vec![exactly(2, "syn-unanswered", "inferred")],
            may: &[],
            check: |run| {
                let syns: f64 = run
                    .of("syn-unanswered")
                    .iter()
                    .map(|told| told["quantities"]["syns"].as_f64().unwrap())
                    .sum();
                assert!(
                    f64::from(run.account.time_wait.dropped_at_cap) >= syns,
                    "{:?}",
                    run.account.time_wait
                );
                names_both_candidates(run);
            },
        },
        Row {
            name: "every connection ends by a RST",
            twin: &["--close", "reset"],
            steps: vec![ask(5, 1), until_device(5, "/http/served")],
            expect: vec![exactly(5, "reset-close", "inferred")],
            may: &[],
            check: |run| {
                assert_eq!(run.account.http.served, 5);
                assert_eq!(run.account.pcbs.time_wait, 0, "a RST leaves none");
                run.is_silent();
            },
        },
    ]);
    rows
}

/// What takes longer, or more.
pub fn patient() -> Vec<Row> {
    vec![
        clean(1000),
        lossy_for_long("3 % of the frames are lost, for long", 30, 600),
        lossy_for_long("10 % of the frames are lost, for long", 100, 300),
        lossy_for_long("20 % of the frames are lost, for long", 200, 150),
        Row {
            name: "the device gives up waiting for the client's FIN",
            twin: &[],
            steps: vec![
                open(2),
                Step::Say,
                until_device(2, "/pcbs/fin_wait_2"),
                until(2, "half-closed"),
                // lwIP: TCP_FIN_WAIT_TIMEOUT, 20 s, and nothing on the wire tells of it.
                Step::UntilDevice { place: "/pcbs/fin_wait_2".to_owned(), count: 0, within: s(30) },
                Step::Close,
                Step::Quiet(s(1)),
            ],
            expect: vec![exactly(2, "half-closed", "inferred")],
            may: &[],
            check: |run| {
                for told in run.of("half-closed") {
                    assert_eq!(told["quantities"]["by_device"], 0, "the device has closed: {told}");
                }
                run.nothing_met_a_time_wait();
            },
        },
    ]
}
