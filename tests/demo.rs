//! The demo against the real lwIP: what we count is what the device counts, and a recording tells the same story.
//!
//! `needs_tap_…`: these need root (or user namespaces), `/dev/net/tun` and the twin (`make twin`).
#![cfg(target_os = "linux")]

mod support;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::lab::{account, twin};
use support::{code, events, is_root, not_run, of_type, program, run, stderr, stdout, summary};

/// As whom a run of root's goes on.
const NOBODY: u32 = 65_534;

fn findings(text: &str) -> Vec<Value> {
    of_type(&events(text), "finding")
}

#[test]
fn needs_tap_the_devices_account_equals_ours_and_the_recording_tells_the_same() {
    let Some(twin) = twin("needs_tap_the_devices_account_equals_ours_and_the_recording_tells_the_same")
    else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let recording = dir.path().join("run.pcapng");
    let recording = recording.to_str().unwrap();
    let live = run(&["demo", "--json", "--headless", "--ports", "50", "--twin", &twin, "-w", recording]);
    assert_eq!(code(&live), 0, "{}", stderr(&live));
    let text = stdout(&live);
    let (syns, rsts) = account(&events(&text));
    let last = summary(&text);
    assert!(syns >= 50, "every one of 50 ports is refused at least once, not {syns} in all");
    assert_eq!(last["findings"]["time-wait-collision"], syns, "{last}");
    assert_eq!(last["devices"][0]["time_wait"]["syns"], syns, "{last}");
    assert_eq!(last["devices"][0]["time_wait"]["rsts"], rsts, "{last}");
    assert_eq!(last["devices"][0]["behaves_as"], "unfixed", "{last}");
    assert_eq!(last["capture"]["dropped"], 0, "{last}");

    let replayed = run(&["-r", recording, "--json", "-d", "10.77.0.2"]);
    assert_eq!(code(&replayed), 1, "{}", stderr(&replayed));
    assert_eq!(findings(&stdout(&replayed)), findings(&text));
}

#[test]
fn needs_tap_the_flight_recorder_has_what_came_before_the_alert() {
    let Some(twin) = twin("needs_tap_the_flight_recorder_has_what_came_before_the_alert") else { return };
    let dir = tempfile::tempdir().unwrap();
    support::give_to_successor(dir.path());
    let folder = dir.path().join("recordings");
    let words = ["--ports", "3", "--twin", &twin, "--recorder", folder.to_str().unwrap()];
    let mut command = program(&["demo", "--json"]);
    let live = command.args(words).output().unwrap();
    assert_eq!(code(&live), 0, "{}", stderr(&live));
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    // The first lives of the connections are in it, so a replay tells the same of what followed.
    let replayed = run(&["-r", files[0].to_str().unwrap(), "--json", "-d", "10.77.0.2"]);
    assert_eq!(code(&replayed), 1, "{}", stderr(&replayed));
    assert_eq!(findings(&stdout(&replayed)), findings(&stdout(&live)));
}

#[test]
fn needs_tap_no_thread_of_the_demo_keeps_a_capability() {
    let Some(twin) = twin("needs_tap_no_thread_of_the_demo_keeps_a_capability") else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut command = program(&["demo", "--json", "--twin", &twin]);
    let mut demo = command.current_dir(dir.path()).stdout(Stdio::null()).spawn().unwrap();
    let names = ["capture", "engine", "signals", "control", "client"];
    let threads = support::threads::threads(demo.id(), &names);
    support::threads::assert_powerless(&threads);
    if is_root() {
        support::threads::assert_ids(&threads, NOBODY);
    }
    // There is a report at its end; this one changes nothing.
    kill(Pid::from_raw(demo.id().cast_signed()), Signal::SIGUSR1).unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(0));
}

#[test]
fn needs_tap_the_demo_tells_its_story_and_leaves_a_report() {
    let Some(twin) = twin("needs_tap_the_demo_tells_its_story_and_leaves_a_report") else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut command = program(&["demo", "--twin", &twin, "--ports", "3", "--duration", "1500ms"]);
    let output = command.current_dir(dir.path()).stdin(Stdio::null()).output().unwrap();
    let text = stdout(&output);
    assert_eq!(code(&output), 0, "{text}{}", stderr(&output));
    assert!(text.contains("They agree: the bug was shown and caught."), "{text}");
    let (_, path) = text.lines().find_map(|line| line.split_once("Report: ")).unwrap();
    let report = std::fs::read_to_string(dir.path().join(path)).unwrap();
    assert!(report.contains("time-wait-collision"), "{report}");
}

#[test]
fn needs_tap_a_fixed_device_has_no_bug_to_show() {
    let Some(twin) = twin("needs_tap_a_fixed_device_has_no_bug_to_show") else { return };
    let words =
        ["demo", "--json", "--mode", "fixed", "--ports", "3", "--duration", "1500ms", "--twin", &twin];
    let output = run(&words);
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("no bug to show"), "{}", stderr(&output));
    assert_eq!(summary(&stdout(&output))["devices"][0]["behaves_as"], "accepts-syn");
}

/// Each remedy alone, as the wire shows it and as the device's own account has it.
#[test]
fn needs_tap_each_remedy_alone_shows_on_the_wire() {
    let Some(twin) = twin("needs_tap_each_remedy_alone_shows_on_the_wire") else { return };
    for (remedy, behaves_as, rst, syn) in [
        ("rst_in_time_wait=honour", "honours-rst", "honoured", "refused"),
        ("syn_in_time_wait=accept", "accepts-syn", "unknown", "accepted"),
        ("close=client-first", "unknown", "unknown", "unknown"),
    ] {
        let words =
            ["demo", "--json", "--remedy", remedy, "--ports", "4", "--duration", "1500ms", "--twin", &twin];
        let output = run(&words);
        let text = stdout(&output);
        let last = summary(&text);
        let device = &last["devices"][0];
        assert_eq!(device["behaves_as"], behaves_as, "{remedy}: {last}");
        assert_eq!(device["rst_in_time_wait"], rst, "{remedy}: {last}");
        assert_eq!(device["syn_in_time_wait"], syn, "{remedy}: {last}");
        let (syns, rsts) = account(&events(&text));
        assert_eq!(device["time_wait"]["syns"], syns, "{remedy}: {last}");
        assert_eq!(device["time_wait"]["rsts"], rsts, "{remedy}: {last}");
    }
}

/// The bracket contains the device's real MSL: refused before 2·MSL, accepted after it.
#[test]
fn needs_tap_the_msl_is_measured_from_the_wire() {
    let Some(twin) = twin("needs_tap_the_msl_is_measured_from_the_wire") else { return };
    for (remedy, msl_s, patience) in [("msl_ms=1000", 1.0, "6s"), ("msl_ms=3000", 3.0, "14s")] {
        let words =
            ["demo", "--json", "--remedy", remedy, "--ports", "3", "--duration", patience, "--twin", &twin];
        let output = run(&words);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let last = summary(&stdout(&output));
        let bracket = &last["devices"][0]["msl_s"];
        let (least, most) = (bracket["at_least"].as_f64().unwrap(), bracket["at_most"].as_f64().unwrap());
        assert!(least <= msl_s && msl_s <= most, "{remedy}: {bracket}");
        assert!(most - least < 3.0, "{remedy}: {bracket} says little");
        assert_eq!(last["devices"][0]["behaves_as"], "unfixed", "a shorter MSL is no remedy: {last}");
    }
}

#[test]
fn needs_tap_an_interrupted_demo_ends_with_a_summary_and_without_its_twin() {
    let Some(twin) = twin("needs_tap_an_interrupted_demo_ends_with_a_summary_and_without_its_twin") else {
        return;
    };
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let mut command = program(&["demo", "--json", "--duration", "60s", "--twin", &twin]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let pid = child.id();
        std::thread::sleep(Duration::from_millis(1500));
        let twins = children(pid);
        assert_eq!(twins.len(), 1, "the demo runs one twin");
        kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
        let since = Instant::now();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut text).unwrap();
        child.wait().unwrap();
        assert!(since.elapsed() < Duration::from_secs(5), "{signal}: it took {:?}", since.elapsed());
        if signal != Signal::SIGKILL {
            summary(&text);
        }
        while Path::new(&format!("/proc/{}", twins[0])).exists() {
            assert!(since.elapsed() < Duration::from_secs(5), "{signal}: the twin is still there");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// With more ports than the device has blocks for, each gives way before it is used again: that looks like a device
/// that accepts newer SYNs, and is not taken for one.
#[test]
fn needs_tap_a_cap_is_not_taken_for_a_remedy() {
    let Some(twin) = twin("needs_tap_a_cap_is_not_taken_for_a_remedy") else { return };
    for (ports, may_behave_as) in [("12", &["unknown", "unfixed"][..]), ("6", &["unfixed"])] {
        let remedy = "pcb_cap=6";
        let words =
            ["demo", "--json", "--remedy", remedy, "--ports", ports, "--duration", "1500ms", "--twin"];
        let last = summary(&stdout(&run(&[&words[..], &[&twin]].concat())));
        let device = &last["devices"][0];
        // On a busy machine the ports do not come one by one, and some are refused after all.
        assert!(may_behave_as.contains(&device["behaves_as"].as_str().unwrap()), "{last}");
        assert_ne!(device["syn_in_time_wait"], "accepted", "{last}");
        assert_eq!(device["time_wait"]["accepted_from_s"], Value::Null, "{last}");
        assert_eq!(device["msl_s"]["at_most"], Value::Null, "{last}");
        assert!(contains_the_cap(device, 6), "{last}");
        if device["behaves_as"] == "unknown" {
            assert!(device["note"].as_str().unwrap().contains("drops the oldest TIME-WAIT"), "{last}");
        }
    }
}

/// Whether what is said of the number of connection blocks is true.
fn contains_the_cap(device: &Value, cap: u64) -> bool {
    let bound = |name: &str| device["pcb_cap"][name].as_u64();
    bound("at_least").is_none_or(|least| least <= cap) && bound("at_most").is_none_or(|most| most >= cap)
}

/// Traffic of our own beside the demo's: what is refused and what has given way brackets the device's cap.
#[test]
fn needs_tap_the_cap_is_measured_from_the_wire() {
    let name = "needs_tap_the_cap_is_measured_from_the_wire";
    let Some(twin) = twin(name) else { return };
    if !is_root() {
        return not_run(name, "entering the network of another process needs root");
    }
    // The demo's own port comes in between on a busy machine: nothing wrong may be said then, but less.
    let measured = (0..5).any(|_| {
        let last = measure_a_cap_of_4(&twin);
        let device = &last["devices"][0];
        assert!(contains_the_cap(device, 4), "{last}");
        assert_ne!(device["syn_in_time_wait"], "accepted", "{last}");
        assert_eq!(device["time_wait"]["accepted_from_s"], Value::Null, "{last}");
        device["pcb_cap"]["at_least"] == 4
            && device["pcb_cap"]["at_most"].as_u64().is_some_and(|most| most <= 6)
    });
    assert!(measured, "five times no bracket");
}

fn measure_a_cap_of_4(twin: &str) -> Value {
    let words =
        ["demo", "--json", "--remedy", "pcb_cap=4", "--ports", "1", "--duration", "5s", "--twin", twin];
    let demo = program(&words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // The demo's own port is refused by now, and its next SYN is most of a second away.
    std::thread::sleep(Duration::from_millis(1200));
    let network = std::fs::File::open(format!("/proc/{}/ns/net", demo.id())).unwrap();
    let client = std::thread::spawn(move || {
        nix::sched::setns(network, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        for port in 41_000..41_006 {
            connects(port);
        }
        // The newest four are held; the first has given way, and its new connection makes the third do so.
        for port in [41_003, 41_002, 41_000, 41_003] {
            connects(port);
        }
    });
    client.join().unwrap();
    summary(&stdout(&demo.wait_with_output().unwrap()))
}

/// Two recordings of the twin, one after the other, are one device that was started anew in between.
#[test]
fn needs_tap_a_restart_shows_in_the_clock_of_the_sequence_numbers() {
    let Some(twin) = twin("needs_tap_a_restart_shows_in_the_clock_of_the_sequence_numbers") else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut recordings = Vec::new();
    for seed in ["1", "2"] {
        let recording = dir.path().join(format!("{seed}.pcapng"));
        let remedy = "syn_in_time_wait=accept";
        let words =
            ["demo", "--json", "--remedy", remedy, "--ports", "3", "--seed", seed, "--twin", &twin, "-w"];
        let output = run(&[&words[..], &[recording.to_str().unwrap()]].concat());
        assert_eq!(last_finding(&output, "device-reboot"), None, "{}", stdout(&output));
        recordings.push(std::fs::read(recording).unwrap());
    }
    let both = dir.path().join("both.pcapng");
    std::fs::write(&both, recordings.concat()).unwrap();
    let output = run(&["-r", both.to_str().unwrap(), "--json", "-d", "10.77.0.2"]);
    let finding = last_finding(&output, "device-reboot").unwrap();
    assert_eq!(finding["certainty"], "inferred");
    assert!(finding["text"].as_str().unwrap().contains("sequence numbers anew"), "{finding}");
    assert_eq!(summary(&stdout(&output))["findings"]["device-reboot"], 1, "told once");
}

fn last_finding(output: &std::process::Output, rule: &str) -> Option<Value> {
    findings(&stdout(output)).into_iter().rfind(|finding| finding["rule"] == rule)
}

/// Connects to the twin from `port`, fetches a page and closes after it, unless the SYN is not answered within 100 ms.
fn connects(port: u16) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(([0, 0, 0, 0], port).into()).unwrap();
        let connecting = socket.connect(([10, 77, 0, 2], 80).into());
        let Ok(stream) = tokio::time::timeout(Duration::from_millis(100), connecting).await else {
            return;
        };
        let Ok(mut stream) = stream else { return };
        let _sent = stream.write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await;
        let _page = stream.read_to_end(&mut Vec::new()).await;
    })
}

/// Processes whose parent is `pid`.
fn children(pid: u32) -> Vec<u32> {
    let parent = |status: &str| -> Option<u32> {
        status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(process) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        if std::fs::read_to_string(entry.path().join("status"))
            .is_ok_and(|status| parent(&status) == Some(pid))
        {
            found.push(process);
        }
    }
    found
}
