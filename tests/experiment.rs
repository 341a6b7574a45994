//! `experiment` as a person meets it: on the twin, which is switched, provoked and watched; killed, rebooted and blinded.
//!
//! Tests whose name begins with `needs_tap` want /dev/net/tun, leave to make a network namespace, and the twin.
#![cfg(target_os = "linux")]

#[path = "lab/running.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "tests/lab.rs takes more of it")]
mod running;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use running::{Probe, no_tap};
use serde_json::Value;
use support::{PROGRAM, code, events, not_run, of_type, program, run, stderr, stdout};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";
/// Every remedy, measured on the twin by the command in `docs/remedies.md`.
const RECORDED: &str = "tests/data/remedies.jsonl";

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    // The last may be half a line: that is what a kill leaves.
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    events(whole)
}

fn blocks(path: &Path) -> Vec<Value> {
    of_type(&lines(path), "block")
}

fn told(output: &std::process::Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap_or_else(|_| panic!("{}{}", stdout(output), stderr(output)))
}

fn verdicts(told: &Value) -> Vec<(String, String)> {
    let arms = told["comparison"]["arms"].as_array().unwrap();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    arms.iter().map(|arm| (word(&arm["label"]), word(&arm["verdict"]))).collect()
}

/// The demo's experiment with little patience, its results told as JSON.
fn of_demo<'a>(twin: &'a str, output: &'a Path) -> [&'a str; 9] {
    let output = output.to_str().unwrap();
    ["demo", "--experiment", "--json", "--duration", "2s", "--twin", twin, "-o", output]
}

fn is(verdicts: &[(String, String)], expected: &[(&str, &str)]) {
    let owned = expected.iter().map(|(arm, word)| ((*arm).to_owned(), (*word).to_owned()));
    assert_eq!(verdicts, owned.collect::<Vec<_>>());
}

#[test]
fn needs_tap_unfixed_against_fixed_is_collisions_against_none() {
    let name = "needs_tap_unfixed_against_fixed_is_collisions_against_none";
    let Some(twin) = support::lab::twin(name) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (page, kept) = (dir.path().join("proof.md"), dir.path().join("kept"));
    let mut words = of_demo(&twin, &page).to_vec();
    words.extend(["--keep", kept.to_str().unwrap()]);
    let output = run(&words);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let told = told(&output);
    is(&verdicts(&told), &[("unfixed", "shows-the-bug"), ("fixed", "removed")]);
    let [unfixed, fixed] = [0, 1].map(|arm| told["comparison"]["arms"][arm].clone());
    // Four blocks of ten reused ports; three SYNs of each are refused in two seconds, the first of them twice.
    assert_eq!((unfixed["blocks"].as_u64(), unfixed["failed"].as_u64()), (Some(4), Some(40)), "{unfixed}");
    assert!(unfixed["collisions"].as_u64().unwrap() >= 80, "{unfixed}");
    assert_eq!(fixed["collisions"], 0);
    for arm in [&unfixed, &fixed] {
        assert_eq!((&arm["disagreements"], &arm["frames_lost"]), (&0.into(), &0.into()), "{arm}");
    }
    let page = fs::read_to_string(page).unwrap();
    assert!(page.starts_with("# Experiment: unfixed against fixed\n"), "{page}");
    let results = dir.path().join("proof.jsonl");
    recordings_say_the_same(&blocks(&results), &kept);
    assert!(page.contains("block-000-control.pcapng"), "{page}");
    // Made again without a device, it is the same page but for whose addresses it may show.
    let again = run(&["report", results.to_str().unwrap(), "--no-redact"]);
    assert_eq!(stdout(&again), page);
    let ports: Vec<u64> = blocks(&results)
        .iter()
        .flat_map(|block| block["reuses"].as_array().unwrap().clone())
        .map(|reuse| reuse["port"].as_u64().unwrap())
        .collect();
    assert_eq!(ports.len(), ports.iter().collect::<BTreeSet<_>>().len(), "no block reuses another's ports");
}

/// What was counted while the block ran is in its recording.
fn recordings_say_the_same(blocks: &[Value], kept: &Path) {
    assert_eq!(fs::read_dir(kept).unwrap().count(), blocks.len());
    for block in blocks {
        let path = kept.join(block["recording"].as_str().unwrap());
        let output = run(&["-r", path.to_str().unwrap(), "-d", "10.77.0.2", "--json"]);
        let summary = of_type(&events(&stdout(&output)), "summary").remove(0);
        let (wire, device) = (&block["wire"], &summary["devices"][0]);
        let replayed = (&summary["frames"], &summary["findings"], &device["time_wait"]["entered"]);
        assert_eq!(replayed, (&wire["frames"], &wire["findings"], &wire["entered"]), "{block}");
        assert_eq!(device["msl_s"]["at_least"], wire["msl_at_least_s"], "{block}");
        assert!(wire["frames"].as_u64().unwrap() > 100);
    }
}

#[test]
fn needs_tap_no_thread_of_an_experiment_keeps_a_capability() {
    let Some(twin) = support::lab::twin("needs_tap_no_thread_of_an_experiment_keeps_a_capability") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let results = dir.path().join("r.jsonl");
    let mut command = program(&of_demo(&twin, &results));
    let mut run =
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let threads = support::threads::threads(run.id(), &["capture", "engine", "signals"]);
    let until = Instant::now() + Duration::from_secs(30);
    while of_type(&lines(&results), "begin").is_empty() {
        assert!(Instant::now() < until && run.try_wait().unwrap().is_none(), "no block was begun");
        std::thread::sleep(Duration::from_millis(20));
    }
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(run.id().cast_signed()), nix::sys::signal::SIGTERM)
        .unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(4), "interrupted");
    support::threads::assert_powerless(&threads);
    if support::is_root() {
        support::threads::assert_ids(&threads, 65_534);
    }
}

#[test]
fn needs_tap_a_run_that_is_killed_goes_on_where_it_was() {
    let Some(twin) = support::lab::twin("needs_tap_a_run_that_is_killed_goes_on_where_it_was") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let results = dir.path().join("r.jsonl");
    let words = of_demo(&twin, &results);
    let mut first = program(&words)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    // Inside a block: one more began than ended.
    while blocks(&results).len() < 3 || of_type(&lines(&results), "begin").len() < 4 {
        assert!(
            Instant::now() < until && first.try_wait().unwrap().is_none(),
            "it ended, or never came so far"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    let before = blocks(&results);
    let mut torn = fs::read(&results).unwrap();
    torn.extend(b"{\"type\":\"block\",\"turn\":");
    fs::write(&results, torn).unwrap();

    let output = run(&words);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    is(&verdicts(&told(&output)), &[("unfixed", "shows-the-bug"), ("fixed", "removed")]);
    let after = blocks(&results);
    assert_eq!(after[..before.len()], before[..], "what was measured stays");
    assert_eq!(after.len(), 9, "the control and eight");
    let turns: BTreeSet<u64> = after.iter().map(|block| block["turn"].as_u64().unwrap()).collect();
    assert_eq!(turns.len(), 9);
    assert!(
        !turns.contains(&(before.len() as u64)),
        "the ports of the block that was killed are not used again"
    );
}

/// In the lab of a probe: the experiment as it is run against a device of the network.
fn in_a_lab(dir: &Path, options: &[&str], more: &str) -> (Value, PathBuf) {
    let (command, results) = prepared(dir, more);
    (run_in_a_lab(dir, options, &command, &mut |_| {}), results)
}

/// The command and where its results go.
fn prepared(dir: &Path, more: &str) -> (String, PathBuf) {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    let (key, results) = (dir.join("key"), dir.join("r.jsonl"));
    fs::write(&key, KEY).unwrap();
    let (key, out) = (key.display(), results.display());
    let command =
        format!("{PROGRAM} experiment -d 10.77.0.2 --key-file {key} -o {out} --patience 2s --json {more}");
    (command, results)
}

/// `meanwhile` gets the twin's pid.
fn run_in_a_lab(dir: &Path, options: &[&str], command: &str, meanwhile: &mut dyn FnMut(Pid)) -> Value {
    let mut running = Probe::new()
        .args(options)
        .args(&["--run", command])
        .twin_args(&["--key-file", dir.join("key").to_str().unwrap()])
        .start();
    running.until("entered");
    let (twin, _) = running.twin_and_namespace();
    meanwhile(Pid::from_raw(twin.cast_signed()));
    let ended = running.end();
    let ran = ended.line("ran").clone();
    ended.nothing_is_left();
    ran
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An experiment of two arms in which turn 1 did not count, and everything else did.
fn only_turn_1_was_spoilt(ran: &Value, results: &Path) -> String {
    assert_eq!(ran["ran"], 0, "{ran}");
    let blocks = blocks(results);
    let spoilt: Vec<_> = blocks.iter().filter(|block| !block["spoilt"].is_null()).collect();
    assert_eq!(spoilt.len(), 1, "{spoilt:?}");
    assert_eq!(spoilt[0]["turn"], 1, "{spoilt:?}");
    assert_eq!(blocks.len(), 10, "it was done again");
    let again = blocks.iter().find(|block| block["turn"] == 2).unwrap();
    assert_eq!((&again["slot"], &again["arm"]), (&spoilt[0]["slot"], &spoilt[0]["arm"]));
    let told: Value = serde_json::from_str(ran["stdout"].as_str().unwrap()).unwrap();
    is(&verdicts(&told), &[("unfixed", "shows-the-bug"), ("fixed", "removed")]);
    assert_eq!(told["comparison"]["blocks_spoilt"], 1);
    let counted: u64 = told["comparison"]["arms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arm| arm["blocks"].as_u64().unwrap())
        .sum();
    assert_eq!(counted, 8, "never counted");
    spoilt[0]["spoilt"].as_str().unwrap().to_owned()
}

#[test]
fn needs_tap_a_device_that_restarts_in_a_block_spoils_it_and_no_more() {
    if let Some(why) = no_tap() {
        return not_run("needs_tap_a_device_that_restarts_in_a_block_spoils_it_and_no_more", why);
    }
    let dir = tempfile::tempdir().unwrap();
    let cycle = ["--power-cycle-when", "\"turn\":1}", "--of"];
    let watched = dir.path().join("r.jsonl");
    let options = [cycle[0], cycle[1], cycle[2], watched.to_str().unwrap()];
    let (ran, results) = in_a_lab(dir.path(), &options, "--reuse 2 --between 0");
    assert_eq!(only_turn_1_was_spoilt(&ran, &results), "the device restarted");
}

#[test]
fn needs_tap_a_device_that_goes_silent_in_a_block_spoils_it_and_no_more() {
    if let Some(why) = no_tap() {
        return not_run("needs_tap_a_device_that_goes_silent_in_a_block_spoils_it_and_no_more", why);
    }
    let dir = tempfile::tempdir().unwrap();
    let (command, results) = prepared(dir.path(), "--reuse 2 --between 0");
    let ran = run_in_a_lab(dir.path(), &[], &command, &mut |twin| {
        wait_until("turn 1 begins", || of_type(&lines(&results), "begin").len() == 2);
        std::thread::sleep(Duration::from_millis(800));
        kill(twin, Signal::SIGSTOP).unwrap();
        let is_spoilt = |block: &Value| !block["spoilt"].is_null();
        wait_until("the block is spoilt", || blocks(&results).iter().any(is_spoilt));
        // It stays away for a while: nobody may try again before it is back.
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(of_type(&lines(&results), "begin").len(), 2);
        kill(twin, Signal::SIGCONT).unwrap();
    });
    let why = only_turn_1_was_spoilt(&ran, &results);
    assert!(why.starts_with("it went silent: "), "{why}");
}

#[test]
fn needs_tap_a_device_that_others_switch_in_a_block_spoils_it_and_no_more() {
    if let Some(why) = no_tap() {
        return not_run("needs_tap_a_device_that_others_switch_in_a_block_spoils_it_and_no_more", why);
    }
    let dir = tempfile::tempdir().unwrap();
    let (command, results) = prepared(dir.path(), "--reuse 2 --between 0");
    let script = dir.path().join("both.sh");
    let text = format!(
        "{command} &\nours=$!\nuntil grep -q '\"turn\":1}}' {results}; do sleep 0.05; done\nsleep 0.8\n\
         {PROGRAM} mode fixed-all -d 10.77.0.2 --key-file {key} > {said}\nwait $ours\n",
        results = results.display(),
        key = dir.path().join("key").display(),
        said = dir.path().join("said").display(),
    );
    running::write_script(&script, &text);
    let ran = run_in_a_lab(dir.path(), &[], &format!("sh {}", script.display()), &mut |_| {});
    assert_eq!(only_turn_1_was_spoilt(&ran, &results), "it left its mode and is in fixed-all now");
}

/// Twelve source ports and four in a block: before the fourth and the seventh turn the device must have let go of all. It
/// holds them for as long as the arm of the block before says, and that is how long is waited.
#[test]
fn needs_tap_where_ports_run_out_the_device_is_waited_for_as_long_as_it_holds_them() {
    let name = "needs_tap_where_ports_run_out_the_device_is_waited_for_as_long_as_it_holds_them";
    if let Some(why) = no_tap() {
        return not_run(name, why);
    }
    let dir = tempfile::tempdir().unwrap();
    let more = "--arms msl_ms=500,msl_ms=3000 --reuse 2 --between 0 --source-ports 20000-20011 --seed";
    // The blocks before the two waits are of different arms.
    let arms = |seed: u64| {
        let text = fs::read_to_string("tests/data/unfixed-against-unfixed.jsonl").unwrap();
        let stored = esp_tcpwatch::experiment::store::parse(&text).unwrap().unwrap();
        let spec = esp_tcpwatch::experiment::spec::Spec { seed, rounds: 2, ..stored.spec };
        let order = esp_tcpwatch::experiment::schedule::order(&spec);
        (order[1], order[4])
    };
    let seed = (1..100).find(|seed| arms(*seed) == (0, 1)).unwrap();
    let (ran, results) = in_a_lab(dir.path(), &[], &format!("{more} {seed}"));
    assert_eq!(ran["ran"], 0, "{ran}");
    let said = ran["stderr"].as_str().unwrap();
    let waited: Vec<f64> = said
        .lines()
        .filter_map(|line| line.strip_prefix("it had after ")?.strip_suffix(" s")?.parse().ok())
        .collect();
    let [short, long] = waited[..] else { panic!("{said}") };
    // One second in TIME-WAIT, which is over when the block is; six seconds.
    assert!(short < 2.5 && (3.0..9.0).contains(&long), "{waited:?}: {said}");
    let blocks = blocks(&results);
    assert_eq!(blocks.len(), 9);
    for block in &blocks {
        assert_eq!(block["firsts"], serde_json::json!({ "asked": 4, "answered": 4 }), "{block}");
        let port = block["reuses"][0]["port"].as_u64().unwrap();
        assert!((20_000..=20_011).contains(&port), "{block}");
    }
    let ports =
        |turn: usize| blocks[turn]["reuses"].as_array().unwrap().iter().map(|reuse| reuse["port"].as_u64());
    let first = |turn: usize| ports(turn).min().unwrap();
    assert_eq!((first(3), first(6)), (first(0), first(0)), "the same ports, once round");
}

#[test]
fn needs_tap_a_set_up_that_sees_nothing_measures_nothing() {
    if let Some(why) = no_tap() {
        return not_run("needs_tap_a_set_up_that_sees_nothing_measures_nothing", why);
    }
    let dir = tempfile::tempdir().unwrap();
    let (ran, results) = in_a_lab(dir.path(), &[], "--iface lo");
    assert_eq!(ran["ran"], 4, "{ran}");
    let told: Value = serde_json::from_str(ran["stdout"].as_str().unwrap()).unwrap();
    assert_eq!(told["comparison"]["conclusion"], "not-measurable");
    let control = &told["comparison"]["control"];
    assert_eq!((&control["suffered"], &control["collisions"]), (&10.into(), &0.into()));
    assert!(control["stale_acks"].as_u64().unwrap() > 0, "the device says that it refused: {control}");
    assert!(told["section"]["verdict"][0].as_str().unwrap().contains("does not show the bug"));
    assert_eq!(blocks(&results).len(), 1, "nothing is compared after that");
}

#[test]
fn needs_tap_a_key_that_is_not_the_devices_ends_it_at_once() {
    if let Some(why) = no_tap() {
        return not_run("needs_tap_a_key_that_is_not_the_devices_ends_it_at_once", why);
    }
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other");
    fs::write(&other, KEY.replace("00", "01")).unwrap();
    fs::write(dir.path().join("key"), KEY).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let results = dir.path().join("r.jsonl");
    let command =
        format!("{PROGRAM} experiment -d 10.77.0.2 --key-file {} -o {}", other.display(), results.display());
    let key = dir.path().join("key");
    let run = Probe::new().args(&["--run", &command]).twin_args(&["--key-file", key.to_str().unwrap()]).run();
    let ran = run.line("ran");
    assert_eq!(ran["ran"], 4, "{ran}");
    assert!(ran["stderr"].as_str().unwrap().contains("does not take this key"), "{ran}");
    assert!(blocks(&results).is_empty());
}

#[test]
fn what_was_measured_once_is_shown_again_with_the_same_words() {
    let output = run(&["experiment", "--resume", RECORDED]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    insta::assert_snapshot!("every_remedy", stdout(&output));
    let output = run(&["experiment", "--resume", RECORDED, "--json"]);
    is(
        &verdicts(&told(&output)),
        &[
            ("unfixed", "shows-the-bug"),
            ("msl_ms=6000", "shortened"),
            ("pcb_cap=12", "older-ports-freed"),
            ("rst_in_time_wait=honour", "removed"),
            ("syn_in_time_wait=accept", "removed"),
            ("close=client-first", "removed"),
            ("close=keep-alive", "removed"),
            ("close=reset", "removed"),
            ("fixed", "removed"),
            ("fixed-app", "removed"),
        ],
    );
}

#[test]
fn an_arm_that_declares_the_bug_gone_and_shows_it_ends_with_1() {
    // The recording, with the device's claim swapped: what the unfixed device did is told of `fixed`.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.jsonl");
    let text = fs::read_to_string("tests/data/unfixed-against-unfixed.jsonl").unwrap();
    let arms = r#""arms":[{"label":"unfixed","words":["unfixed"],"declares":"bug"},{"label":"fixed","words":["fixed"],"declares":"fixed"}]"#;
    let twice = r#""arms":[{"label":"unfixed","words":["unfixed"],"declares":"bug"},{"label":"unfixed","words":["unfixed"],"declares":"bug"}]"#;
    assert!(text.contains(twice));
    let spec: esp_tcpwatch::experiment::store::Stored =
        esp_tcpwatch::experiment::store::parse(&text).unwrap().unwrap();
    let order = esp_tcpwatch::experiment::schedule::order(&spec.spec);
    let mut lines: Vec<String> = Vec::new();
    for line in text.replace(twice, arms).lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        let is_other = value["slot"].as_u64().is_some_and(|slot| order[slot as usize] == 1);
        let from = r#""arm":"unfixed""#;
        lines.push(if is_other { line.replace(from, r#""arm":"fixed""#) } else { line.to_owned() });
    }
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let output = run(&["experiment", "--resume", path.to_str().unwrap()]);
    assert_eq!(code(&output), 1, "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("An arm that declares the bug gone shows it"));
}

#[test]
fn what_was_typed_wrong_touches_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (key, short, foreign, new) = (at("key"), at("short"), at("foreign.jsonl"), at("new.jsonl"));
    fs::write(&key, KEY).unwrap();
    fs::write(&short, "0011").unwrap();
    fs::write(&foreign, "{\"type\":\"summary\"}\n").unwrap();
    for (words, told) in [
        (&["experiment", "-d", "127.0.0.1"][..], "--key-file FILE"),
        (&["experiment", "--key-file", &key], "no device is named"),
        (&["experiment", "-d", "127.0.0.1", "--key-file", &short, "-o", &new], "64 hexadecimal digits"),
        (&["experiment", "-d", "127.0.0.1", "--key-file", &key, "-o", &new, "--arms", "unfixed"], "two arms"),
        (
            &["experiment", "-d", "127.0.0.1", "--key-file", &key, "-o", &new, "--arms", "unfixed,fixd"],
            "the modes are",
        ),
        (
            &["experiment", "-d", "127.0.0.1", "--key-file", &key, "-o", &new, "--arms", "unfixed,msl=1"],
            "there are msl_ms",
        ),
        (
            &["experiment", "-d", "127.0.0.1", "--key-file", &key, "--source-ports", "2000-2010", "-o", &new],
            "needs 20 source ports",
        ),
        (&["experiment", "--resume", &new], "holds no results yet"),
        (&["experiment", "--resume", &foreign], "line 1 is no line"),
        (&["experiment", "--resume", "proof.md"], "proof.jsonl"),
        (&["demo", "--arms", "unfixed,fixed"], "add --experiment"),
        (&["demo", "--experiment", "--mode", "fixed"], "cannot be used with"),
    ] {
        let output = run(words);
        assert_eq!(code(&output), 2, "{words:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(told), "{words:?}: {}", stderr(&output));
        assert!(stdout(&output).is_empty() && !Path::new(&new).exists(), "{words:?}");
    }
}
