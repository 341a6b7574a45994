//! The rows in which somebody floods the wire while the device shows what it is known for.

use super::rows::{ms, s, until_device};
use super::stage::{Row, exactly};
use super::step::Step;

/// Well within what the program can take: nothing is lost, and every refusal is told.
pub fn bearable() -> Row {
    Row {
        name: "ports reused in a flood of SYNs",
        twin: &[],
        steps: vec![
            Step::AskFrom { ports: (40000..40012).collect(), patience: s(5) },
            until_device(12, "/pcbs/time_wait"),
            Step::Flood { rate: 10_000, for_: s(8) },
            Step::AskFrom { ports: (40000..40012).collect(), patience: ms(500) },
            Step::FloodOver,
        ],
        expect: vec![
            // Each port: a SYN, and the one that Linux sends 10 ms later.
            exactly(24, "time-wait-collision", "proven"),
            exactly(12, "ignored-rst", "proven"),
        ],
        may: &["time-wait-reuse", "time-wait-buildup"],
        check: |run| {
            run.collisions_are_the_devices();
            assert!(run.flooded > 20_000, "{} frames are no flood", run.flooded);
            assert!(run.summary["frames"].as_u64().unwrap() > run.flooded);
            assert_eq!(run.summary["devices"][0]["behaves_as"], "unfixed");
        },
    }
}

/// More than the kernel keeps for a program that does not come to read it.
pub fn unbearable() -> Row {
    Row {
        name: "ports reused after more than can be taken",
        twin: &[],
        steps: vec![
            Step::AskFrom { ports: (40000..40012).collect(), patience: s(5) },
            until_device(12, "/pcbs/time_wait"),
            Step::Freeze,
            Step::Flood { rate: 100_000, for_: s(6) },
            Step::FloodOver,
            Step::Thaw,
            Step::AskFrom { ports: (40000..40012).collect(), patience: s(2) },
        ],
        expect: vec![],
        may: &[],
        check: |_| {},
    }
}
