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

/// Octets of this process that are in memory.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

/// A month of one device, as packet time goes: a connection every ten seconds, each hundredth of them on ports that are used
/// again too soon, with the rules read again each day and a report folded all along.
#[test]
#[ignore = "soak: a minute or two"]
fn a_month_of_connections_takes_no_more_memory_than_its_first_week() {
    use esp_tcpwatch::analysis::{
        engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
        event::{Event, Start},
        host::DeviceScope,
        input::{Frame, Input, LinkType},
        rule::RuleSet,
        time::Timestamp,
        wire::notation::{self, Step},
    };
    use esp_tcpwatch::report::model::Report;

    const DAYS: u64 = 30;
    const A_DAY: u64 = 24 * 360;
    let text = fs::read_to_string("tests/scripts/time-wait-collision.seg").unwrap();
    let trace = notation::parse(&text).unwrap().swap_remove(0);
    let frames: Vec<(f64, Vec<u8>)> = trace
        .steps
        .iter()
        .map(|step| match step {
            Step::Frame { at_s, octets } => (*at_s, octets.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    let client = source_port(&frames[0].1);
    let rules = RuleSet::built_in().unwrap();
    let mut engine = Engine::new(EngineConfig {
        devices: DeviceScope::Espressif,
        rules: rules.clone(),
        flow_events: true,
        segment_events: false,
        start: Start::default(),
        max_flows: DEFAULT_MAX_FLOWS,
    });
    let mut report = Report::default();
    let (mut number, mut alerts, mut last) = (0, 0, None);
    let mut resident_after = Vec::new();
    let began = Instant::now();
    for day in 0..DAYS {
        for connection in 0..A_DAY {
            let count = day * A_DAY + connection;
            let at = Timestamp::from_micros((1_700_000_000 + 10 * count) * 1_000_000);
            // The rest of the trace is the second connection on the same ports.
            let length = if count.is_multiple_of(100) { frames.len() } else { 9 };
            for (after, octets) in &frames[..length] {
                let mut octets = octets.clone();
                number += 1;
                renumber(&mut octets, client, 10_000 + (count % 50_000) as u16);
                engine.handle(Input::Frame(Frame {
                    number,
                    time: at.saturating_add(Duration::from_secs_f64(*after)),
                    link: LinkType::ETHERNET,
                    wire_len: octets.len() as u32,
                    data: &octets,
                }));
                while let Some(event) = engine.poll_event() {
                    alerts += u64::from(matches!(event, Event::Alert(_)));
                    report.fold(&event);
                }
            }
        }
        engine.reload(rules.clone());
        resident_after.push(resident());
    }
    engine.handle(Input::End);
    while let Some(event) = engine.poll_event() {
        if let Event::Summary(summary) = event {
            last = Some(summary);
        }
    }
    let last = last.unwrap();
    let (early, late) = (resident_after[6], resident_after[DAYS as usize - 1]);
    println!(
        "{number} frames, {} incarnations, {alerts} alert events in {:.0} s; in memory after a week {:.1} MiB, after the month {:.1}",
        last.incarnations,
        began.elapsed().as_secs_f64(),
        early as f64 / 1_048_576.0,
        late as f64 / 1_048_576.0,
    );
    assert!(last.incarnations >= DAYS * A_DAY, "{last:?}");
    assert_eq!(last.findings["time-wait-collision"], 2 * (DAYS * A_DAY).div_ceil(100), "{last:?}");
    assert!(late < early + 8 * 1_048_576, "{resident_after:?}");
}

/// Ethernet, and IPv4 without options.
const PORTS_AT: usize = 34;

fn source_port(octets: &[u8]) -> u16 {
    u16::from_be_bytes([octets[PORTS_AT], octets[PORTS_AT + 1]])
}

/// Gives the client another port; checksums are not looked at.
fn renumber(octets: &mut [u8], client: u16, port: u16) {
    for at in [PORTS_AT, PORTS_AT + 2] {
        if octets[at..at + 2] == client.to_be_bytes() {
            octets[at..at + 2].copy_from_slice(&port.to_be_bytes());
        }
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
    let client = source_port(&syn);
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
            renumber(&mut octets, client, 10_000 + sent.len() as u16);
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
