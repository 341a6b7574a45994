//! A live watch that speaks with the test firmware: what the device says of its mode is in the stream, and a switch divides
//! it, whoever switched.
//!
//! Tests whose name begins with `needs_tap` want /dev/net/tun, leave to make a network namespace, and the twin.
#![cfg(target_os = "linux")]

#[path = "lab/running.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "tests/lab.rs takes more of it")]
mod running;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use running::{Probe, no_tap};
use serde_json::Value;
use support::{PROGRAM, code, events, not_run, of_type, program, run, stderr, stdout};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

/// A folder that the twin's user may look into, with a key in it.
fn folder() -> (tempfile::TempDir, String) {
    let folder = running::open_folder();
    let path = folder.path().join("key");
    fs::write(&path, KEY).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// What `lab_switch` tells when it is run with `words` beside a twin that has the key.
fn switched(words: &str, twin: &[&str]) -> Vec<Value> {
    let example = example("lab_switch");
    let run = Probe::new().args(&["--run", &format!("{} {words}", example.display())]).twin_args(twin).run();
    let ran = run.line("ran");
    assert_eq!(ran["ran"], 0, "{ran}");
    run.nothing_is_left();
    events(ran["stdout"].as_str().unwrap())
}

fn example(name: &str) -> PathBuf {
    let path = Path::new(PROGRAM).with_file_name("examples").join(name);
    assert!(
        path.is_file(),
        "no {}: run `cargo build --example {name}`, or plain `cargo test`",
        path.display()
    );
    path
}

fn index(all: &[Value], wanted: impl Fn(&Value) -> bool) -> usize {
    let found = all.iter().position(wanted);
    found.unwrap_or_else(|| panic!("not there; markers: {:#?}", of_type(all, "marker")))
}

/// Findings of collisions after event `from` and before event `to`.
fn collisions(all: &[Value], from: usize, to: usize) -> usize {
    of_type(&all[from..to], "finding").iter().filter(|it| it["rule"] == "time-wait-collision").count()
}

#[test]
fn needs_tap_the_screen_switches_the_device_and_every_alert_has_its_mode() {
    let name = "needs_tap_the_screen_switches_the_device_and_every_alert_has_its_mode";
    if let Some(why) = no_tap() {
        return not_run(name, why);
    }
    let (_folder, key) = folder();
    let all = switched(&format!("--key {key} - fixed unfixed"), &["--key-file", &key]);

    let answers = of_type(&all, "answer");
    assert_eq!(answers.iter().map(|it| &it["mode"]).collect::<Vec<_>>(), ["fixed", "unfixed"]);
    let is_switch = |it: &Value, mode: &str| it["mode_changed"] == true && it["mode"] == mode;
    let first = index(&all, |it| it["type"] == "marker" && it["mode"] == "unfixed");
    assert_eq!(all[first]["mode_changed"], false, "it was so before");
    let fixed = index(&all, |it| is_switch(it, "fixed"));
    assert_eq!(all[fixed]["text"], "10.77.0.2 was switched from unfixed to fixed");
    assert_eq!(all[fixed]["device"], "10.77.0.2");
    let unfixed = index(&all, |it| is_switch(it, "unfixed"));
    for round in 0..3 {
        index(&all, |it| it["text"] == format!("round {round}"));
    }

    assert!(collisions(&all, first, fixed) > 0, "before the switch the bug is there");
    assert_eq!(collisions(&all, fixed, unfixed), 0, "with the remedies it is not");
    assert!(collisions(&all, unfixed, all.len()) > 0, "and then it is there again");

    let alerts = of_type(&all, "alert");
    assert!(
        alerts.iter().all(|it| it["mode"] == "unfixed" || it["rule"] != "time-wait-collision"),
        "{alerts:#?}"
    );
    let phases = |range: &[Value], phase: &str| {
        let alerts = of_type(range, "alert").into_iter();
        alerts.filter(|it| it["rule"] == "time-wait-collision" && it["phase"] == phase).count()
    };
    let counted = [&all[first..fixed], &all[fixed..unfixed], &all[unfixed..]]
        .map(|range| (phases(range, "raised"), phases(range, "ended")));
    assert_eq!(counted, [(1, 1), (0, 0), (1, 1)], "the alert of a mode ends with it");

    let last = all.iter().rfind(|it| it["type"] == "summary").unwrap();
    assert_eq!(last["devices"][0]["mode"], "unfixed", "{last}");
    assert_eq!(last["devices"][0]["behaves_as"], "unfixed", "{last}");
    assert!(last["devices"][0]["own_account"]["accounts"].as_u64().unwrap() > 0, "{last}");
    assert_eq!(last["findings"]["ledger-mismatch"], Value::Null, "{last}");
}

#[test]
fn needs_tap_a_switch_that_cannot_be_says_why() {
    if let Some(why) = no_tap() {
        return not_run("needs_tap_a_switch_that_cannot_be_says_why", why);
    }
    let (folder, key) = folder();
    let other = folder.path().join("other");
    fs::write(&other, KEY.replace("00", "01")).unwrap();
    let wrong = format!("--key {} fixed", other.display());
    let with_key = format!("--key {key} fixd fixed");
    for (words, twin, told) in [
        ("fixed", &["--key-file", &key][..], "start with --key-file FILE"),
        (&wrong, &["--key-file", &key], "does not take this key"),
        (&with_key, &[], "the modes are unfixed, fixed"),
        (&with_key, &[], "has no key"),
    ] {
        let all = switched(words, twin);
        let said = |it: &&Value| {
            [&it["why"], &it["error"]].iter().any(|why| why.as_str().is_some_and(|why| why.contains(told)))
        };
        let answered: Vec<_> = of_type(&all, "answer").into_iter().chain(of_type(&all, "refused")).collect();
        assert_eq!(answered.iter().filter(said).count(), 1, "{told}: {answered:#?}");
        assert!(of_type(&all, "marker").iter().all(|it| it["mode_changed"] == false), "{told}");
    }
}

/// The program itself: a device that others switch and that is told of, and the key file's rights.
#[test]
fn needs_tap_a_switch_by_others_is_told_too() {
    if let Some(why) = no_tap() {
        return not_run("needs_tap_a_switch_by_others_is_told_too", why);
    }
    let (folder, key) = folder();
    let here = folder.path().display();
    let text = format!(
        "set -eu\n\
         {PROGRAM} --iface tap0 -d 10.77.0.2 --control --json --report {here}/report.md > {here}/run.jsonl & watcher=$!\n\
         until grep -q '\"mode\":\"unfixed\"' {here}/run.jsonl; do sleep 0.02; done\n\
         {PROGRAM} drive -d 10.77.0.2 --requests 4 --clients 2 --interval 10ms --connect-timeout 600ms \\\n\
           --source-ports 43000-43001 > {here}/drive\n\
         {PROGRAM} mode fixed msl_ms=3000 -d 10.77.0.2 --key-file {key} > {here}/mode\n\
         until grep -q 'msl_ms=3000' {here}/run.jsonl; do sleep 0.02; done\n\
         sleep 0.3; kill -INT $watcher; wait $watcher || [ $? = 1 ]\n"
    );
    let script = folder.path().join("script");
    running::write_script(&script, &text);
    let run = Probe::new()
        .args(&["--run", &format!("sh {}", script.display())])
        .twin_args(&["--key-file", &key])
        .run();
    assert_eq!(run.line("ran")["ran"], 0, "{}", run.line("ran"));
    let all = events(&fs::read_to_string(folder.path().join("run.jsonl")).unwrap());
    let switch = &all[index(&all, |it| it["type"] == "marker" && it["mode_changed"] == true)];
    assert_eq!(switch["mode"], "fixed msl_ms=3000");
    let text = switch["text"].as_str().unwrap();
    assert!(
        text.starts_with("10.77.0.2 is now in mode fixed msl_ms=3000; ")
            && text.ends_with("it was in unfixed")
    );
    let alert = &of_type(&all, "alert")[0];
    assert_eq!(alert["mode"], "unfixed", "{alert}");
    let report = fs::read_to_string(folder.path().join("report.md")).unwrap();
    assert!(
        report.contains("| Mode of its test firmware | `fixed msl_ms=3000`, in its own words |"),
        "{report}"
    );
    run.nothing_is_left();
}

/// Who has no test firmware is watched all the same.
#[test]
fn a_device_that_does_not_answer_is_told_of_once_and_ends_no_run() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let began = Instant::now();
    let words =
        ["-i", "lo", "-d", "127.0.0.1", "--control", "--control-port", &port, "--json", "--duration", "5s"];
    let output = run(&words);
    if code(&output) == 3 {
        return not_run(
            "a_device_that_does_not_answer_is_told_of_once_and_ends_no_run",
            "capturing is not permitted",
        );
    }
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let markers = of_type(&events(&stdout(&output)), "marker");
    assert_eq!(markers.len(), 1, "{markers:#?}");
    assert_eq!(markers[0]["mode"], Value::Null);
    let text = markers[0]["text"].as_str().unwrap();
    assert!(text.starts_with("what 127.0.0.1 says of itself is not known: "), "{text}");
}

/// Before anything is captured or sent.
#[test]
fn a_key_file_that_is_none_ends_the_run_and_is_not_repeated() {
    let (folder, _) = folder();
    let short = folder.path().join("short");
    fs::write(&short, "0011").unwrap();
    let output =
        program(&["-i", "lo", "-d", "127.0.0.1", "--key-file", short.to_str().unwrap()]).output().unwrap();
    if code(&output) == 3 {
        return not_run(
            "a_key_file_that_is_none_ends_the_run_and_is_not_repeated",
            "capturing is not permitted",
        );
    }
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert!(stderr(&output).contains("64 hexadecimal digits") && !stderr(&output).contains("0011"));
    assert!(stdout(&output).is_empty());
}
