//! The ledger of TIME-WAIT that is made from the wire, against the device's own list of its connections.
//!
//! `needs_tap_…`: these need root (or user namespaces), `/dev/net/tun` and the twin (`make twin`).
#![cfg(target_os = "linux")]

mod support;

use support::lab::twin;
use support::mixed::{Compared, Run};

/// Runs side by side, as many at once as do not starve each other.
const AT_ONCE: usize = 3;

fn all(runs: &[Run<'_>], twin: &str) -> Vec<Compared> {
    let mut compared = Vec::new();
    for some in runs.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let running: Vec<_> = some.iter().map(|run| scope.spawn(|| run.go(twin))).collect();
            compared.extend(running.into_iter().map(|run| run.join().unwrap()));
        });
    }
    compared
}

#[test]
fn needs_tap_the_ledger_equals_the_devices_own_list_at_every_poll() {
    let Some(twin) = twin("needs_tap_the_ledger_equals_the_devices_own_list_at_every_poll") else { return };
    let arm = |twin: &'static [&'static str], options: &'static [&'static str]| Run {
        twin,
        options,
        seconds: 7,
        closes_first: true,
    };
    let runs = [
        // Short enough for many to run out, also where 2·MSL is no whole number of lwIP's ticks.
        arm(&["--msl-ms", "1000"], &[]),
        arm(&["--msl-ms", "1600"], &[]),
        arm(&["--msl-ms", "3000", "--rst-in-time-wait", "honour"], &[]),
        arm(&["--msl-ms", "2000", "--syn-in-time-wait", "accept"], &[]),
        arm(&["--msl-ms", "3000", "--pcb-cap", "4"], &[]),
        arm(&["--mode", "fixed"], &[]),
        // Nothing to hold, but for an end that both began at once.
        Run { closes_first: false, ..arm(&["--msl-ms", "1000", "--close", "client-first"], &[]) },
        // Frames lost between the capture and the device, as on the air.
        arm(&["--msl-ms", "1000"], &["--loss", "50"]),
        arm(&["--msl-ms", "3000", "--rst-in-time-wait", "honour"], &["--loss", "20"]),
    ];
    let compared = all(&runs, &twin);
    for (run, compared) in runs.iter().zip(&compared) {
        compared.agrees(run);
        if run.options.is_empty() && run.closes_first {
            assert!(compared.unsure * 5 <= compared.agreed, "{}: mostly unsure", compared.name);
        }
    }
    let polls: u64 = compared.iter().map(|compared| compared.accounts).sum();
    let tuples: u64 = compared.iter().map(|compared| compared.agreed).sum();
    println!("in all {polls} polls and {tuples} tuples alike");
    assert!(tuples > 1_000, "{tuples} tuples");
}

/// The test above could fail: each way of telling it wrong is noticed, and found.
#[test]
fn needs_tap_an_account_that_is_wrong_on_purpose_is_noticed() {
    let Some(twin) = twin("needs_tap_an_account_that_is_wrong_on_purpose_is_noticed") else { return };
    let lie = |options: &'static [&'static str]| Run {
        twin: &["--msl-ms", "1500"],
        options,
        seconds: 6,
        closes_first: true,
    };
    let runs = [
        (lie(&["--lie", "omit"]), "and it does not list it"),
        (lie(&["--lie", "add"]), "the wire did not show how it came to that"),
        (lie(&["--lie", "late"]), "that was over"),
        (lie(&["--lie", "timer"]), "has lasted"),
    ];
    let compared = all(&runs.map(|(run, _)| run), &twin);
    for (compared, (_, words)) in compared.iter().zip(runs) {
        println!("{}: {} disagreements", compared.name, compared.disagreements);
        assert!(compared.disagreements > 0, "{}", compared.name);
        assert!(
            compared.told.iter().any(|text| text.contains(words)),
            "{}: {:?}",
            compared.name,
            compared.told
        );
    }
}
