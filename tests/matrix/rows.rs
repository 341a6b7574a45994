//! The rows. Each is real traffic with the real stack; what is expected is derived from what lwIP does, not from what
//! the program happened to say.

use std::time::Duration;

use serde_json::json;

use super::stage::{Row, Run, at_least, exactly};
use super::step::Step;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const HEAR: Step = Step::Hear { patience: Duration::from_secs(5) };
/// The device looks at its faults every 50 ms, and nothing tells that it has.
const PAUSE: Step = Step::Quiet(Duration::from_millis(200));

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn ask(count: usize, side_by_side: usize) -> Step {
    Step::Ask { count, side_by_side, patience: s(40) }
}

fn until(count: usize, rule: &str) -> Step {
    Step::Until { rule: rule.to_owned(), count, within: s(20) }
}

fn until_device(count: u64, place: &str) -> Step {
    Step::UntilDevice { place: place.to_owned(), count, within: s(10) }
}

fn open(count: usize) -> Step {
    Step::Open { count, patience: s(2) }
}

/// Served well, whatever the number: nothing is told but the TIME-WAITs that add up.
pub fn clean(requests: usize) -> Row {
    Row {
        name: "clean: every request is served",
        twin: &[],
        // The client has its answer a moment before the device has counted it.
        steps: vec![ask(requests, 4), until_device(requests as u64, "/http/served")],
        expect: vec![],
        may: &["time-wait-buildup"],
        check: |run| {
            run.is_silent();
            run.nothing_met_a_time_wait();
            assert_eq!(run.tallies[0].well, run.account.http.served as usize);
            let entered = &run.summary["devices"][0]["time_wait"]["entered"];
            assert_eq!(*entered, run.account.pcbs.time_wait, "every close was the device's");
        },
    }
}

/// Frames are lost in both directions; the connections are new ones all the same.
pub fn lossy(name: &'static str, permille: u32, requests: usize) -> Row {
    Row {
        name,
        twin: &[],
        steps: vec![
            Step::Fault(json!({"loss_in_permille": permille, "loss_out_permille": permille})),
            ask(requests, 8),
            Step::Fault(json!({"loss_in_permille": 0, "loss_out_permille": 0})),
        ],
        expect: vec![],
        may: &["syn-unanswered", "time-wait-buildup"],
        check: |run| run.nothing_met_a_time_wait(),
    }
}

pub fn quick() -> Vec<Row> {
    vec![
        clean(300),
        lossy("3 % of the frames are lost", 30, 150),
        lossy("10 % of the frames are lost", 100, 80),
        lossy("20 % of the frames are lost", 200, 40),
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
            check: |_| {},
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
            steps: vec![Step::Fault(json!({"stall_ms": 4000})), ask(3, 3)],
            expect: vec![exactly(3, "app-stall", "inferred")],
            may: &[],
            check: |_| {},
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
            check: |_| {},
        },
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
            check: |_| {},
        },
        Row {
            name: "the client does not close",
            twin: &[],
            steps: vec![open(2), Step::Say, until_device(2, "/pcbs/fin_wait_2"), until(2, "half-closed")],
            expect: vec![exactly(2, "half-closed", "inferred")],
            may: &[],
            check: |_| {},
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
            check: |_| {},
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
            ],
            expect: vec![exactly(1, "device-silent", "inferred")],
            may: &[],
            check: |_| {},
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
            check: |run| assert_eq!(run.tallies[1].broken, 3),
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
                Step::Fault(json!({"link_down_ms": 300})),
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
            name: "ports reused over a link that loses what goes in",
            twin: &[],
            steps: vec![
                Step::AskFrom { ports: (40000..40008).collect(), patience: s(2) },
                Step::Fault(json!({"loss_in_permille": 200})),
                Step::AskFrom { ports: (40000..40008).collect(), patience: ms(1500) },
                Step::Fault(json!({"loss_in_permille": 0})),
            ],
            expect: vec![at_least(8, "time-wait-collision", "proven"), at_least(1, "ignored-rst", "proven")],
            // Two SYNs of one attempt lost on the way in.
            may: &["time-wait-reuse", "syn-unanswered"],
            check: Run::collisions_are_the_devices,
        },
    ]
}
