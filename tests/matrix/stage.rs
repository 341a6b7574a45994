//! One row of the matrix: its scenario played, what was found held against what was expected, the recording replayed.
//!
//! Knows how to judge a row, and none of the rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use esp_tcpwatch::firmware::protocol::Status;
use serde_json::Value;

use super::step::{Said, Step, Tally};
use crate::support::{PROGRAM, events, of_type, program};

pub const DEVICE: &str = "10.77.0.2";

pub struct Row {
    pub name: &'static str,
    pub twin: &'static [&'static str],
    pub steps: Vec<Step>,
    /// What must be told. Whatever else is told is a fault, unless `may` names it.
    pub expect: Vec<Expected>,
    /// What may be told besides: true where it appears, and not certain to.
    pub may: &'static [&'static str],
    /// What the device's own account must agree with, and what the findings must say.
    pub check: fn(&Run),
}

/// What a fault or a lossy link may bring about besides, and a clean run may not.
const ALWAYS_POSSIBLE: [&str; 4] = ["data-stall", "keepalive-failure", "ledger-mismatch", "window-shrink"];

impl Row {
    pub fn is_clean(&self) -> bool {
        self.name.starts_with("clean")
    }
}

pub struct Expected {
    pub rule: &'static str,
    pub count: Count,
    /// The surest word that the wire supports.
    pub at_most: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub enum Count {
    Exactly(usize),
    AtLeast(usize),
}

pub fn exactly(count: usize, rule: &'static str, at_most: &'static str) -> Expected {
    Expected { rule, count: Count::Exactly(count), at_most }
}

pub fn at_least(count: usize, rule: &'static str, at_most: &'static str) -> Expected {
    Expected { rule, count: Count::AtLeast(count), at_most }
}

/// A row that was played.
pub struct Run {
    pub findings: Vec<Value>,
    pub alerts: Vec<Value>,
    pub summary: Value,
    pub account: Status,
    /// Of the steps that make connections or read from them, in their order.
    pub tallies: Vec<Tally>,
    /// Frames that floods had.
    pub flooded: u64,
    pub recording: PathBuf,
    exit: i32,
}

impl Run {
    pub fn of(&self, rule: &str) -> Vec<&Value> {
        self.findings.iter().filter(|finding| finding["rule"] == rule).collect()
    }

    /// What was told of TIME-WAIT is what the device met there.
    pub fn collisions_are_the_devices(&self) {
        let stale_acks = self.account.time_wait.stale_acks() as usize;
        assert_eq!(self.of("time-wait-collision").len(), stale_acks, "stale ACKs by the device's account");
    }

    /// As above, where some stale ACKs were lost before they could be seen.
    pub fn collisions_are_not_more_than_the_devices(&self) {
        let (told, ignored) = (self.of("time-wait-collision").len(), self.of("ignored-rst").len());
        let stale_acks = self.account.time_wait.stale_acks() as usize;
        assert!(ignored <= told && told <= stale_acks, "{ignored}, {told}: {:?}", self.account.time_wait);
    }

    /// The wire and the device agree that nothing met a TIME-WAIT.
    pub fn nothing_met_a_time_wait(&self) {
        assert_eq!((self.account.time_wait.syns, self.account.time_wait.rsts), (0, 0));
    }

    /// Nothing was told that somebody should look at.
    pub fn is_silent(&self) {
        let told: Vec<&Value> = self.alerts.iter().filter(|alert| is_grave(alert)).collect();
        assert!(told.is_empty(), "{told:#?}");
        assert_eq!(self.exit, 0);
    }
}

pub fn is_grave(alert: &Value) -> bool {
    alert["severity"] == "warning" || alert["severity"] == "critical"
}

/// Plays `row` in a namespace of its own and judges it. Panics with what is wrong; `folder` then has the evidence.
pub fn play(row: &Row, seed: u64, folder: &Path) -> Run {
    let run = perform(row, seed, folder);
    judge(row, &run);
    (row.check)(&run);
    the_recording_tells_the_same(&run);
    run
}

/// Plays `row` and judges nothing.
pub fn perform(row: &Row, seed: u64, folder: &Path) -> Run {
    let output = Command::new(actor())
        .args([PROGRAM, folder.to_str().unwrap(), &seed.to_string()])
        .arg(serde_json::to_string(&row.steps).unwrap())
        .args(row.twin)
        .env("ESP_TCPWATCH_TWIN", crate::support::lab::twin(row.name).unwrap())
        .output()
        .unwrap();
    let watcher = std::fs::read_to_string(folder.join("stderr.txt")).unwrap_or_default();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the actor: {stderr}\nthe program: {watcher}");
    // That it began and ended is its log; anything else there would be a complaint.
    let is_log = |line: &&str| line.contains(" INFO watching ") || line.contains(" INFO stopped after ");
    let complaints: Vec<&str> = watcher.lines().filter(|line| !is_log(line)).collect();
    assert!(complaints.is_empty(), "the program's standard error: {complaints:#?}");
    let (mut tallies, mut flooded, mut account, mut exit) = (Vec::new(), 0, None, None);
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        match serde_json::from_str(line).unwrap() {
            Said::Tally(tally) => tallies.push(tally),
            Said::Flooded(frames) => flooded += frames,
            Said::Account(status) => account = Some(*status),
            Said::Watched(code) => exit = Some(code),
        }
    }
    let all = events(&std::fs::read_to_string(folder.join("events.jsonl")).unwrap());
    Run {
        findings: of_type(&all, "finding"),
        alerts: of_type(&all, "alert"),
        summary: all.last().unwrap().clone(),
        account: account.unwrap(),
        tallies,
        flooded,
        recording: folder.join("live.pcapng"),
        exit: exit.unwrap(),
    }
}

fn judge(row: &Row, run: &Run) {
    assert_eq!(run.summary["type"], "summary", "{}", run.summary);
    assert_eq!(run.summary["capture"]["dropped"], 0, "{}", run.summary);
    let words = ["suspected", "inferred", "proven"];
    let rank = |word: &Value| words.iter().position(|known| word == known).unwrap();
    let mut told: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for finding in &run.findings {
        told.entry(finding["rule"].as_str().unwrap()).or_default().push(finding);
    }
    for Expected { rule, count, at_most } in &row.expect {
        let found = told.remove(rule).unwrap_or_default();
        let holds = match count {
            Count::Exactly(count) => found.len() == *count,
            Count::AtLeast(count) => found.len() >= *count,
        };
        assert!(holds, "{rule}: {count:?} expected, {} told: {found:#?}", found.len());
        for finding in found {
            assert!(
                rank(&finding["certainty"]) <= rank(&Value::from(*at_most)),
                "at most {at_most}: {finding}"
            );
        }
    }
    for rule in row.may {
        told.remove(rule);
    }
    if !row.is_clean() {
        for rule in ALWAYS_POSSIBLE {
            told.remove(rule);
        }
    }
    assert!(told.is_empty(), "told besides: {told:#?}");
    let alerted = run.alerts.iter().any(is_grave);
    assert_eq!(run.exit, i32::from(alerted), "the exit code says whether there was an alert");
}

/// All time that passed live passed in the recording as well: it ends with the actor's last question.
fn the_recording_tells_the_same(run: &Run) {
    let output = program(&["-r", run.recording.to_str().unwrap(), "--json", "-d", DEVICE]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let replayed = of_type(&events(&text), "finding");
    for (live, again) in run.findings.iter().zip(&replayed) {
        assert_eq!(again, live, "the replay differs");
    }
    assert_eq!(replayed.len(), run.findings.len(), "{replayed:#?}");
    assert_eq!(output.status.code(), Some(run.exit));
}

/// target/<profile>/examples/lab_actor, next to this test in target/<profile>/deps.
fn actor() -> PathBuf {
    let profile = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let path = profile.join("examples/lab_actor");
    assert!(
        path.is_file(),
        "no {}: run `cargo build --example lab_actor`, or plain `cargo test`",
        path.display()
    );
    path
}
