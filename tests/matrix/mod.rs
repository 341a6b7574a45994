//! The lab matrix: every way in which the twin can misbehave, and what the program must say of it.
#![allow(dead_code, clippy::allow_attributes, reason = "each test file takes what it needs")]

pub mod flood;
pub mod lossy;
pub mod rows;
pub mod stage;
#[path = "step.rs"]
pub mod step;
pub mod thin;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use stage::{Row, Run};

/// Plays all rows, `side_by_side` at a time, each in a namespace of its own, and tells of every one that failed.
/// `after` may look at a run further while its recording is there.
pub fn play_all(rows: Vec<Row>, side_by_side: usize, after: fn(&Row, &Run)) {
    let only = std::env::var("MATRIX_ROW").ok();
    let rows: Vec<Row> = rows
        .into_iter()
        .filter(|row| only.as_ref().is_none_or(|only| row.name.contains(only.as_str())))
        .collect();
    assert!(!rows.is_empty(), "no row is named {only:?}");
    let next = Mutex::new(rows.iter().enumerate());
    let faults = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..side_by_side {
            scope.spawn(|| {
                loop {
                    let Some((number, row)) = next.lock().unwrap().next() else { return };
                    let folder = tempfile::tempdir().unwrap();
                    let began = std::time::Instant::now();
                    let outcome = catch_unwind(AssertUnwindSafe(|| {
                        let run = stage::play(row, number as u64 + 1, folder.path());
                        after(row, &run);
                        run.summary["findings"].to_string()
                    }));
                    let took = began.elapsed().as_secs_f64();
                    match outcome {
                        Ok(findings) => {
                            println!("{:<58} {took:5.1} s  {findings}", row.name);
                            if only.is_some() {
                                println!("  {}", folder.keep().display());
                            }
                        }
                        Err(panic) => {
                            let evidence = folder.keep();
                            let words = panic
                                .downcast_ref::<String>()
                                .cloned()
                                .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
                                .unwrap_or_default();
                            let evidence = evidence.display();
                            faults.lock().unwrap().push(format!(
                                "== {} ({took:.1} s; events and recording: {evidence})\n{words}",
                                row.name
                            ));
                        }
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{} rows failed:\n{}", faults.len(), faults.join("\n"));
}

/// A sniffer that hears four frames of five must not make up what was not there.
pub fn a_lossy_sniffer_adds_nothing(row: &Row, run: &Run) {
    let is_clean = row.is_clean();
    for seed in 1..=if is_clean { 10 } else { 3 } {
        let told = thin::replay(&run.recording, seed, 5);
        if is_clean {
            let known = ["capture-gap", "time-wait-buildup"];
            let made_up: Vec<_> = told
                .iter()
                .filter(|event| event["type"] == "finding")
                .filter(|event| !known.iter().any(|rule| event["rule"] == *rule))
                .collect();
            assert!(made_up.is_empty(), "seed {seed}: {made_up:#?}");
            let grave = told.iter().find(|event| event["type"] == "alert" && stage::is_grave(event));
            assert_eq!(grave, None, "seed {seed}");
        }
        if run.account.time_wait.syns == 0 {
            let made_up: Vec<_> = told
                .iter()
                .filter(|event| event["rule"] == "time-wait-collision" || event["rule"] == "ignored-rst")
                .collect();
            assert!(made_up.is_empty(), "seed {seed}: {made_up:#?}");
        }
    }
}
