//! `mode` as a person or a script meets it, and what a switch does on the wire: one twin, started once, is switched
//! through every remedy while a watcher that knows nothing of that reads the wire.
//!
//! Tests whose name begins with `needs_tap` want /dev/net/tun, leave to make a network namespace, and the twin.
#![cfg(target_os = "linux")]

#[path = "lab/running.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "tests/lab.rs takes more of it")]
mod running;
mod support;

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, Instant};

use esp_tcpwatch::firmware::protocol::MODES;
use running::{Probe, no_tap};
use serde_json::Value;
use support::{PROGRAM, code, not_run, run, stderr, stdout, summary};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

/// One arm: what is switched to, and what the wire then shows of reused ports.
struct Arm {
    change: &'static str,
    behaves_as: &'static str,
    refuses: bool,
    enters_time_wait: bool,
}

const fn arm(change: &'static str, behaves_as: &'static str, refuses: bool, enters_time_wait: bool) -> Arm {
    Arm { change, behaves_as, refuses, enters_time_wait }
}

/// `domain.md`'s table, in one lifetime of one device; at the end it is as it was, and so is the bug.
const ARMS: &[Arm] = &[
    arm("unfixed", "unfixed", true, true),
    arm("unfixed rst_in_time_wait=honour", "honours-rst", true, true),
    arm("unfixed syn_in_time_wait=accept", "accepts-syn", false, true),
    arm("unfixed close=client-first", "unknown", false, false),
    arm("fixed-app", "unknown", false, false),
    arm("fixed", "accepts-syn", false, true),
    arm("unfixed", "unfixed", true, true),
];

/// A key file that the twin's own user may read.
fn key_in(dir: &Path) -> String {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    let path = dir.join("key");
    fs::write(&path, KEY).unwrap();
    path.to_str().unwrap().to_owned()
}

/// For each arm: switch, watch, ask twice from each of two ports of its own, stop watching.
fn script(dir: &Path, key: &str) -> String {
    let mut text = "set -eu\n".to_owned();
    for (number, arm) in ARMS.iter().enumerate() {
        let (first, keep) =
            (41_000 + 10 * number, if arm.change == "fixed-app" { "--keep-alive" } else { "" });
        let run = dir.join(format!("{number}"));
        text.push_str(&format!(
            "{PROGRAM} mode {change} -d 10.77.0.2 --key-file {key} --json > {run}.mode\n\
             {PROGRAM} --iface tap0 -d 10.77.0.2 --json > {run}.jsonl & watcher=$!\n\
             until grep -q '\"type\":\"start\"' {run}.jsonl; do sleep 0.02; done\n\
             {PROGRAM} drive -d 10.77.0.2 --requests 4 --clients 2 --interval 10ms --connect-timeout 600ms \\\n\
               --source-ports {first}-{last} {keep} --json > {run}.drive\n\
             kill -INT $watcher; wait $watcher || [ $? = 1 ]\n",
            change = arm.change,
            run = run.display(),
            last = first + 1,
        ));
    }
    text
}

#[test]
fn needs_tap_one_device_is_switched_through_every_remedy_and_back() {
    if let Some(why) = no_tap() {
        return not_run("needs_tap_one_device_is_switched_through_every_remedy_and_back", why);
    }
    let dir = tempfile::tempdir().unwrap();
    let key = key_in(dir.path());
    let path = dir.path().join("script");
    fs::write(&path, script(dir.path(), &key)).unwrap();
    let command = format!("sh {}", path.display());
    let run = Probe::new().args(&["--run", &command]).twin_args(&["--key-file", &key]).run();
    let ran = run.line("ran");
    assert_eq!(ran["ran"], 0, "{ran}");
    for (number, arm) in ARMS.iter().enumerate() {
        let file = |end: &str| fs::read_to_string(dir.path().join(format!("{number}.{end}"))).unwrap();
        let told: Value = serde_json::from_str(&file("mode")).unwrap();
        assert_eq!(told["changed"], arm.change.replace(' ', ", "), "{told}");
        // What the firmware takes a mode for is what this program takes it for.
        if let Some((_, remedies)) = MODES.iter().find(|(mode, _)| *mode == arm.change) {
            assert_eq!(told["status"]["remedies"], serde_json::to_value(remedies).unwrap(), "{told}");
        }
        let last = summary(&file("jsonl"));
        let device = &last["devices"][0];
        let name = format!("arm {number}, {}: {last}", arm.change);
        assert_eq!(device["behaves_as"], arm.behaves_as, "{name}");
        assert_eq!(last["findings"]["time-wait-collision"].as_u64().unwrap_or(0) > 0, arm.refuses, "{name}");
        assert_eq!(device["time_wait"]["entered"].as_u64().unwrap() > 0, arm.enters_time_wait, "{name}");
        let drive: Value = serde_json::from_str(&file("drive")).unwrap();
        let failed = drive["requests"]["failed"].as_u64().unwrap();
        assert_eq!(failed > 0, arm.behaves_as == "unfixed", "arm {number}, {}: {drive}", arm.change);
    }
    run.nothing_is_left();
}

#[test]
fn needs_tap_whoever_has_not_the_key_changes_nothing() {
    if let Some(why) = no_tap() {
        return not_run("needs_tap_whoever_has_not_the_key_changes_nothing", why);
    }
    let dir = tempfile::tempdir().unwrap();
    let key = key_in(dir.path());
    let other = dir.path().join("other");
    fs::write(&other, KEY.replace("00", "01")).unwrap();
    let other = other.to_str().unwrap();
    for (twin_args, words, told) in [
        (&["--key-file", &key][..], format!("fixed --key-file {other}"), "does not take this key"),
        (
            &["--key-file", &key],
            format!("msl_ms=1 --key-file {key}"),
            "msl_ms is milliseconds of MSL, 250 to 600000",
        ),
        (&[], format!("fixed --key-file {key}"), "has no key"),
    ] {
        let command = format!("{PROGRAM} mode -d 10.77.0.2 {words}");
        let run = Probe::new().args(&["--run", &command]).twin_args(twin_args).run();
        let ran = run.line("ran");
        assert_eq!(ran["ran"], 4, "{ran}");
        assert!(ran["stderr"].as_str().unwrap().contains(told), "{words}: {ran}");
        assert_eq!(ran["account"]["mode"], "unfixed", "it kept its mode: {ran}");
    }
}

#[test]
fn a_host_that_does_not_answer_is_told_in_three_seconds_with_what_to_check() {
    // Bound and never read: there is somebody, who says nothing.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let began = Instant::now();
    let output = run(&["mode", "-d", "127.0.0.1", "--port", &port]);
    assert_eq!(code(&output), 4);
    assert!(began.elapsed() < Duration::from_secs(3));
    assert!(stderr(&output).contains("test firmware (UDP port 7777)"), "{}", stderr(&output));
}

#[test]
fn what_was_typed_wrong_sends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let key = key_in(dir.path());
    let short = dir.path().join("short");
    fs::write(&short, "0011").unwrap();
    let short = short.to_str().unwrap();
    for (words, told) in [
        (&["mode", "fixed", "-d", "127.0.0.1"][..], "--key-file FILE"),
        (&["mode", "fixd", "-d", "127.0.0.1", "--key-file", &key], "the modes are unfixed, fixed"),
        (&["mode", "msl=1", "-d", "127.0.0.1", "--key-file", &key], "there are msl_ms"),
        (&["mode", "fixed", "-d", "127.0.0.1", "--key-file", short], "64 hexadecimal digits"),
        (&["mode"], "--device"),
    ] {
        let output = run(words);
        assert_eq!(code(&output), 2, "{words:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(told), "{words:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("0011"), "a key is never repeated");
        assert!(stdout(&output).is_empty());
    }
}
