//! The rows in which the device does nothing wrong but what it is known for, and the link loses frames or does not.

use serde_json::json;

use super::rows::{ask, ms, s, until_device};
use super::stage::{Row, Run, at_least};
use super::step::Step;

/// Served well, whatever the number: nothing is told but the TIME-WAITs that add up.
pub fn clean(requests: u16) -> Row {
    Row {
        name: "clean: every request is served",
        twin: &[],
        // The client has its answer a moment before the device has counted it. And then longer than any detector
        // waits: what a sniffer did not hear of an ending must not become a connection that hangs.
        steps: vec![ask(requests, 4), until_device(requests.into(), "/http/served"), Step::Quiet(s(11))],
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

/// Frames are lost in both directions; no port is used twice, so that no SYN can meet a TIME-WAIT.
pub fn lossy(name: &'static str, permille: u32, requests: u16) -> Row {
    Row {
        name,
        twin: &[],
        steps: vec![
            Step::Fault(json!({"loss_in_permille": permille, "loss_out_permille": permille})),
            Step::Ask { count: requests, side_by_side: 8, first_port: Some(40000), patience: s(12) },
            Step::Fault(json!({"loss_in_permille": 0, "loss_out_permille": 0})),
        ],
        expect: vec![],
        // Two SYNs of one attempt were lost, or their answers.
        may: &["syn-unanswered", "time-wait-buildup"],
        check: Run::nothing_met_a_time_wait,
    }
}

/// The same from ports of the system's choice, which are used twice when there are many: what is told of that is then
/// no more than what the device met.
pub fn lossy_for_long(name: &'static str, permille: u32, requests: u16) -> Row {
    Row {
        name,
        twin: &[],
        steps: vec![
            Step::Fault(json!({"loss_in_permille": permille, "loss_out_permille": permille})),
            Step::Ask { count: requests, side_by_side: 8, first_port: None, patience: s(40) },
            Step::Fault(json!({"loss_in_permille": 0, "loss_out_permille": 0})),
        ],
        expect: vec![],
        may: &[
            "syn-unanswered",
            "time-wait-buildup",
            "time-wait-reuse",
            "time-wait-collision",
            "ignored-rst",
        ],
        check: Run::collisions_are_not_more_than_the_devices,
    }
}

/// Ports that are used again, over links that lose frames: each refusal is told once, and no more than there were.
pub fn reused() -> Vec<Row> {
    vec![
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
        Row {
            name: "ports reused over a link that loses both ways",
            twin: &[],
            steps: vec![
                Step::AskFrom { ports: (40000..40008).collect(), patience: s(2) },
                Step::Fault(json!({"loss_in_permille": 100, "loss_out_permille": 100})),
                Step::AskFrom { ports: (40000..40008).collect(), patience: ms(1500) },
                Step::Fault(json!({"loss_in_permille": 0, "loss_out_permille": 0})),
            ],
            expect: vec![at_least(8, "time-wait-collision", "proven"), at_least(1, "ignored-rst", "proven")],
            may: &["time-wait-reuse", "syn-unanswered"],
            check: Run::collisions_are_not_more_than_the_devices,
        },
        Row {
            name: "honoured RSTs, of which some are lost",
            twin: &["--rst-in-time-wait", "honour"],
            steps: vec![
                Step::AskFrom { ports: (40000..40012).collect(), patience: s(2) },
                Step::Fault(json!({"loss_in_permille": 250})),
                Step::AskFrom { ports: (40000..40012).collect(), patience: s(5) },
                Step::Fault(json!({"loss_in_permille": 0})),
            ],
            expect: vec![at_least(8, "time-wait-collision", "proven")],
            may: &["time-wait-buildup", "time-wait-reuse", "syn-unanswered", "ignored-rst"],
            check: |run| {
                run.collisions_are_the_devices();
                let on_the_wire = run.summary["devices"][0]["time_wait"]["rsts"].as_u64().unwrap() as usize;
                let lost = on_the_wire - run.account.time_wait.rsts as usize;
                let ignored = run.of("ignored-rst");
                assert!(ignored.len() <= lost, "{lost} were lost: {ignored:#?}");
                for told in &ignored {
                    let sure = told["quantities"]["cycle"].as_f64().unwrap() >= 2.0;
                    assert!(sure || told["certainty"] == "suspected", "one may be lost on the air: {told}");
                }
            },
        },
    ]
}
