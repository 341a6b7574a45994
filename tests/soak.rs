//! What takes longer than a minute: `make soak`. Each test prints its numbers.
//!
//! `needs_tap_…`: these need root (or user namespaces), `/dev/net/tun` and the twin (`make twin`).
#![cfg(target_os = "linux")]

#[path = "matrix/mod.rs"]
mod matrix;
mod support;

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use support::lab::{account, twin};
use support::mixed::Run;
use support::{code, events, run, stderr, stdout, summary};

/// An unfixed device and a patient client: Linux gives up after some 134 s, and each of its SYNs was refused.
#[test]
#[ignore = "soak: more than two minutes"]
fn needs_tap_a_patient_client_gives_up_after_eleven_syns() {
    let Some(twin) = twin("needs_tap_a_patient_client_gives_up_after_eleven_syns") else { return };
    let began = Instant::now();
    let output = run(&["demo", "--json", "--ports", "4", "--duration", "150s", "--twin", &twin]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    let last = summary(&text);
    let (syns, rsts) = account(&events(&text));
    println!(
        "gave up after {:.1} s: {} {}",
        began.elapsed().as_secs_f64(),
        last["findings"],
        last["devices"][0]
    );
    assert_eq!(last["findings"]["time-wait-collision"], syns);
    assert_eq!(last["devices"][0]["time_wait"]["rsts"], rsts);
    assert_eq!(syns, 4 * 11, "eleven SYNs a client");
    assert_eq!(last["findings"]["ignored-rst"], syns - 4, "the last RST of a chain proves nothing");
    assert!(began.elapsed().as_secs_f64() < 145.0, "the client gives up by itself");
}

/// The bracket holds the real MSL, from the test firmware's short one to that of ESP-IDF.
#[test]
#[ignore = "soak: more than a minute"]
fn needs_tap_the_msl_is_measured_from_6_to_60_seconds() {
    let Some(twin) = twin("needs_tap_the_msl_is_measured_from_6_to_60_seconds") else { return };
    let runs: Vec<_> = [(6, "30s"), (30, "80s"), (60, "75s")]
        .into_iter()
        .map(|(msl, patience)| {
            let twin = twin.clone();
            std::thread::spawn(move || {
                let remedy = format!("msl_ms={}", msl * 1_000);
                let words = [
                    "demo",
                    "--json",
                    "--remedy",
                    &remedy,
                    "--ports",
                    "2",
                    "--duration",
                    patience,
                    "--twin",
                    &twin,
                ];
                (f64::from(msl), summary(&stdout(&run(&words))))
            })
        })
        .collect();
    for run in runs {
        let (msl, last) = run.join().unwrap();
        let bracket = &last["devices"][0]["msl_s"];
        println!(
            "MSL {msl} s: {bracket}, refused until {}",
            last["devices"][0]["time_wait"]["refused_until_s"]
        );
        assert!(bracket["at_least"].as_f64().unwrap() <= msl, "{last}");
        assert!(bracket["at_most"].as_f64().is_none_or(|most| msl <= most), "{last}");
        assert_eq!(bracket["at_most"].is_null(), msl == 60.0, "at 60 s the client gives up first: {last}");
    }
}

/// A thousand ports at once: the device's account and ours stay equal, and no frame is lost.
#[test]
#[ignore = "soak: about a minute"]
fn needs_tap_a_thousand_ports_are_counted_alike() {
    let Some(twin) = twin("needs_tap_a_thousand_ports_are_counted_alike") else { return };
    let output = run(&["demo", "--json", "--ports", "1000", "--duration", "40s", "--twin", &twin]);
    let text = stdout(&output);
    let last = summary(&text);
    let (syns, rsts) = account(&events(&text));
    println!(
        "{} {} {}",
        last["findings"],
        last["capture"],
        stderr(&output).lines().nth(1).unwrap_or_default()
    );
    assert_eq!(last["findings"]["time-wait-collision"], syns, "{}", stderr(&output));
    assert_eq!(last["devices"][0]["time_wait"]["rsts"], rsts);
    assert_eq!(last["capture"]["dropped"], 0);
}

/// The rows of the matrix that take longer, or more traffic.
#[test]
#[ignore = "soak: about a minute"]
fn needs_tap_every_longer_scenario_is_told_as_it_was() {
    if twin("needs_tap_every_longer_scenario_is_told_as_it_was").is_none() {
        return;
    }
    matrix::play_all(matrix::rows::patient(), 5, matrix::a_lossy_sniffer_adds_nothing);
}

/// Five minutes of mixed traffic on each of three devices: at no poll does the ledger differ from the device's own list.
#[test]
#[ignore = "soak: five minutes"]
fn needs_tap_the_ledger_equals_the_devices_own_list_for_five_minutes() {
    let Some(twin) = twin("needs_tap_the_ledger_equals_the_devices_own_list_for_five_minutes") else {
        return;
    };
    let arm = |twin: &'static [&'static str], options: &'static [&'static str]| Run {
        twin,
        options,
        seconds: 300,
        closes_first: true,
    };
    let runs = [
        arm(&["--msl-ms", "3000"], &[]),
        arm(&["--mode", "fixed"], &[]),
        arm(&["--msl-ms", "6000", "--rst-in-time-wait", "honour"], &["--loss", "20"]),
    ];
    std::thread::scope(|scope| {
        let running: Vec<_> = runs.iter().map(|run| scope.spawn(|| run.go(&twin))).collect();
        for (run, running) in runs.iter().zip(running) {
            running.join().unwrap().agrees(run);
        }
    });
}

/// `docs/remedies.md`, measured anew: which remedy helps how much.
#[test]
#[ignore = "soak: five minutes"]
fn needs_tap_every_remedy_does_what_its_page_says() {
    let Some(twin) = twin("needs_tap_every_remedy_does_what_its_page_says") else { return };
    let dir = tempfile::tempdir().unwrap();
    let results = dir.path().join("r.jsonl");
    let page = std::fs::read_to_string("docs/remedies.md").unwrap();
    let command =
        page.lines().find_map(|line| line.trim().strip_prefix("esp-tcpwatch demo --experiment ")).unwrap();
    let (_, arms) = command.split_once("--arms ").unwrap();
    let words = ["demo", "--experiment", "--json", "--arms", arms.trim(), "--twin", &twin, "-o"];
    let output = run(&[&words[..], &[results.to_str().unwrap()]].concat());
    println!("{}", stderr(&output));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let told: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let rows = told["section"]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), arms.split(',').count());
    for row in rows {
        let (arm, verdict) = (row[0].as_str().unwrap(), row[1].as_str().unwrap());
        println!("{row}");
        assert!(page.contains(&format!("| `{arm}` | {verdict} |")), "{arm}: {verdict}");
    }
}

/// A run that is killed at any moment leaves a recording and events that can be read, and lacks the last second at most.
#[test]
#[ignore = "soak: about a minute"]
fn twenty_kills_cost_the_last_second_and_no_file() {
    let header = support::refused()[..24].to_vec();
    // The SYN of the trace, again and again, each from another port and stamped with the time of now.
    let syn = {
        let pcap = support::refused();
        let length = u32::from_le_bytes(pcap[32..36].try_into().unwrap()) as usize;
        pcap[40..40 + length].to_vec()
    };
    let client = support::source_port(&syn);
    for round in 0..20_u64 {
        let dir = tempfile::tempdir().unwrap();
        support::give_to_successor(dir.path());
        let mut command = support::program(&[
            "-r",
            "-",
            "--headless",
            "--events",
            "segment",
            "-w",
            "run.pcapng",
            "--events-to",
            "events.jsonl",
        ]);
        command.current_dir(dir.path());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(&header).unwrap();
        let lives = Duration::from_millis(1_500 + (round * 7_919) % 1_300);
        let began = Instant::now();
        let mut sent = Vec::new();
        while began.elapsed() < lives {
            let mut octets = syn.clone();
            support::renumber(&mut octets, client, 10_000 + sent.len() as u16);
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            let length = octets.len() as u32;
            let mut record = Vec::new();
            for word in [now.as_secs() as u32, now.subsec_micros(), length, length] {
                record.extend(word.to_le_bytes());
            }
            record.extend(octets);
            input.write_all(&record).unwrap();
            sent.push(Instant::now());
            std::thread::sleep(Duration::from_millis(3));
        }
        child.kill().unwrap();
        let killed = Instant::now();
        child.wait().unwrap();
        let is_early = |at: &&Instant| killed.duration_since(**at) > Duration::from_secs(1);
        let early = sent.iter().filter(is_early).count() as u64;
        assert!(early > 0);
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let read = run(&["-r", &path("run.pcapng"), "--json"]);
        let recorded = summary(&stdout(&read))["frames"].as_u64().unwrap();
        let text = fs::read_to_string(path("events.jsonl")).unwrap();
        assert!(text.ends_with('\n'), "round {round}");
        let told = events(&text).iter().filter(|event| event["type"] == "segment").count() as u64;
        println!(
            "round {round}: {} sent, {early} before the last second; {recorded} recorded, {told} told, exit {} {}",
            sent.len(),
            code(&read),
            stderr(&read).trim()
        );
        assert!(recorded >= early && told >= early, "round {round}");
        assert!(code(&read) <= 1, "round {round}: {}", stderr(&read));
    }
}
