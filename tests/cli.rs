//! The program as a person or a script meets it: words in, lines and exit codes out.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{code, events, of_type, program, run, stderr, stdout, summary};

/// A directory with one capture in it.
struct Scene {
    dir: tempfile::TempDir,
    capture: String,
}

impl Scene {
    fn with(octets: &[u8]) -> Scene {
        let dir = tempfile::tempdir().unwrap();
        let capture = dir.path().join("run.pcap");
        fs::write(&capture, octets).unwrap();
        Scene { capture: capture.to_str().unwrap().to_owned(), dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

#[test]
fn usage_errors_end_with_2_and_the_next_step() {
    let table: &[(&[&str], &str)] = &[
        (&[], "esp-tcpwatch interfaces"),
        (&["--nonsense"], "--help"),
        (&["-r", "x", "-i", "lo"], "--iface"),
        (&["-d", "10.0.0.2:80"], "without a port"),
        (&["-d", "10.0.0.2", "--duration", "5"], "with units"),
        (&["rules", "show", "nothing"], "time-wait-collision"),
        (&["report"], "RUN|CAPTURE"),
        (&["mode"], "--device"),
        (&["experiment"], "demo --experiment"),
    ];
    for (words, next) in table {
        let output = run(words);
        assert_eq!(code(&output), 2, "{words:?}");
        assert!(stderr(&output).contains(next), "{words:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{words:?}");
    }
}

#[test]
fn help_says_how_it_ends() {
    let output = run(&["--help"]);
    assert_eq!(code(&output), 0);
    for part in ["Examples:", "Exit codes:", "esp-tcpwatch demo"] {
        assert!(stdout(&output).contains(part), "{part}");
    }
}

#[test]
fn a_missing_file_ends_with_4_and_is_named() {
    for words in [&["-r", "/no/such.pcap"][..], &["report", "/no/such.pcap"]] {
        let output = run(words);
        assert_eq!(code(&output), 4, "{words:?}");
        assert!(stderr(&output).contains("/no/such.pcap"), "{}", stderr(&output));
    }
}

#[test]
fn a_refused_connection_is_an_alert_and_ends_with_1() {
    let scene = Scene::with(&support::refused());
    let output = run(&["-r", &scene.capture, "--json"]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let all = events(&stdout(&output));
    assert_eq!(all[0]["type"], "start");
    assert_eq!(all[0]["source"], "file");
    assert!(of_type(&all, "flow").is_empty(), "flows only when asked for");
    let last = summary(&stdout(&output));
    assert_eq!(last["findings"]["time-wait-collision"], 2);
    assert_eq!(last["devices"][0]["behaves_as"], "unfixed");
}

#[test]
fn an_accepted_connection_is_none_and_ends_with_0() {
    let scene = Scene::with(&support::accepted());
    let output = run(&["-r", &scene.capture, "--json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(summary(&stdout(&output))["devices"][0]["behaves_as"], "accepts-syn");
}

#[test]
fn the_same_capture_gives_the_same_octets() {
    let scene = Scene::with(&support::refused());
    let words = ["-r", &scene.capture, "--json", "--events", "flow"];
    let (one, two) = (run(&words), run(&words));
    assert_eq!(one.stdout, two.stdout);
    assert!(!of_type(&events(&stdout(&one)), "flow").is_empty());
}

#[test]
fn segments_are_written_where_they_are_asked_for_alone_or_beside_flows() {
    let scene = Scene::with(&support::refused());
    let written = |kinds: &[&str]| {
        let words = [&["-r", &scene.capture, "--json"], kinds].concat();
        let events = events(&stdout(&run(&words)));
        ["segment", "flow"].map(|kind| of_type(&events, kind).len())
    };
    let ([segments, 0], [0, flows]) = (written(&["--events", "segment"]), written(&["--events", "flow"]))
    else {
        panic!("one kind brought the other");
    };
    assert!(segments > flows && flows > 2, "{segments} segments, {flows} flows");
    assert_eq!(written(&["--events", "flow,segment"]), [segments, flows]);
    assert_eq!(written(&[]), [0, 0]);
    let lines = |words: &[&str]| {
        let text = stdout(&run(&[&["-r", &scene.capture], words].concat()));
        text.lines().filter(|line| line.split(' ').nth(1) == Some("segment")).count()
    };
    assert_eq!((lines(&[]), lines(&["--events", "segment"])), (0, segments));
}

#[test]
fn without_a_terminal_there_are_plain_lines_that_name_the_rule() {
    let scene = Scene::with(&support::refused());
    let output = run(&["-r", &scene.capture]);
    assert_eq!(code(&output), 1);
    let text = stdout(&output);
    assert!(text.contains("time-wait-collision") && text.contains("SUMMARY"), "{text}");
    assert!(!text.contains('\u{1b}'), "no terminal, no escape sequences");
}

#[test]
fn other_devices_than_the_named_ones_are_not_judged() {
    let scene = Scene::with(&support::refused());
    let output = run(&["-r", &scene.capture, "--json", "-d", "10.77.0.99"]);
    assert_eq!(code(&output), 0);
    assert!(summary(&stdout(&output))["findings"].as_object().unwrap().is_empty());
}

#[test]
fn what_comes_before_the_damage_is_told_then_the_damage() {
    let mut octets = support::refused();
    octets.truncate(octets.len() - 10);
    let scene = Scene::with(&octets);
    let output = run(&["-r", &scene.capture, "--json"]);
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains(&scene.capture), "{}", stderr(&output));
    assert_eq!(summary(&stdout(&output))["findings"]["time-wait-collision"], 2);
}

#[test]
fn no_capture_is_no_capture() {
    for octets in [&b""[..], b"not a capture at all", &[0; 100]] {
        let scene = Scene::with(octets);
        for words in [&["-r", &scene.capture][..], &["report", &scene.capture]] {
            let output = run(words);
            assert_eq!(code(&output), 4, "{words:?} {octets:?}");
            assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
        }
    }
}

#[test]
fn a_capture_in_monitor_mode_ends_with_4_and_says_where_to_stand() {
    let mut octets = support::refused();
    octets[20] = 127; // the file header's link type: radiotap
    let scene = Scene::with(&octets);
    let output = run(&["-r", &scene.capture, "-d", "10.77.0.2"]);
    assert_eq!(code(&output), 4, "{}", stdout(&output));
    for told in [stdout(&output), stderr(&output)] {
        assert!(told.contains("ssh router tcpdump") && told.contains("monitor mode"), "{told}");
    }
    assert!(stderr(&output).contains("run.pcap: no TCP can be read from it"), "{}", stderr(&output));
    let last = summary(&stdout(&run(&["-r", &scene.capture, "--json"])));
    assert_eq!(last["skipped"]["monitor-mode"], last["frames"], "{last}");
}

#[test]
fn a_capture_may_come_through_stdin() {
    let scene = Scene::with(&support::refused());
    let from_file = run(&["-r", &scene.capture, "--json"]);
    let mut child = start(&["-r", "-", "--json"]);
    child.stdin.take().unwrap().write_all(&support::refused()).unwrap();
    let piped = child.wait_with_output().unwrap();
    assert_eq!(piped.status.code(), Some(1));
    let findings = |text: &str| of_type(&events(text), "finding");
    let piped = String::from_utf8(piped.stdout).unwrap();
    assert_eq!(findings(&stdout(&from_file)), findings(&piped));
    assert_eq!(events(&piped)[0]["source"], "stream");
}

/// A pipe with a name, as `-r <(zcat run.pcap.gz)` makes one, can be read only once.
#[test]
fn a_capture_may_come_through_a_named_pipe() {
    let scene = Scene::with(&support::refused());
    let pipe = scene.path("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for words in [&["-r", pipe.to_str().unwrap(), "--json"][..], &["report", pipe.to_str().unwrap()]] {
        let child = start(words);
        fs::write(&pipe, support::refused()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(stdout(&output).contains("time-wait-collision"), "{}", stderr(&output));
    }
}

/// An event that is known must not wait for the stream to end.
#[test]
fn a_stream_is_told_as_it_comes_and_a_signal_ends_it_with_a_summary() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut child = start(&["-r", "-", "--json"]);
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&support::refused()).unwrap();
        stdin.flush().unwrap();
        let mut out = child.stdout.take().unwrap();
        let mut text = read_until(&mut out, "\"type\":\"alert\"");
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        out.read_to_string(&mut text).unwrap();
        let status = wait(&mut child);
        assert_eq!(status.code(), Some(1), "{signal}");
        assert_eq!(summary(&text)["findings"]["time-wait-collision"], 2, "{signal}");
        drop(stdin);
    }
}

/// Nor for it to pause: here frames go on coming that tell nothing, all of one time.
#[test]
fn what_a_stream_has_told_does_not_wait_for_it_to_pause() {
    let mut child = start(&["-r", "-", "--json"]);
    let (mut stdin, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let capture = support::refused();
    stdin.write_all(&capture).unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        while text.matches("\"rule\":\"time-wait-collision\",\"certainty\"").count() < 2 {
            text += &read_until(&mut out, "\n");
        }
    });
    let deadline = Instant::now() + Duration::from_secs(10);
    while !reader.is_finished() && Instant::now() < deadline {
        stdin.write_all(last_packet(&capture)).unwrap();
        sleep(Duration::from_millis(5));
    }
    assert!(reader.is_finished(), "in ten seconds the second finding was not to be read");
    drop(stdin);
    // It may be that its stdout is closed by now, which is a normal end too.
    assert!(matches!(wait(&mut child).code(), Some(0 | 1)));
}

/// The last record of a classic pcap, with its header.
fn last_packet(pcap: &[u8]) -> &[u8] {
    let mut rest = &pcap[24..];
    loop {
        let kept = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let next = &rest[16 + kept..];
        if next.is_empty() {
            return rest;
        }
        rest = next;
    }
}

#[test]
fn a_closed_stdout_is_a_normal_end() {
    let scene = Scene::with(&support::refused());
    for words in
        [&["-r", &scene.capture, "--json"][..], &["-r", &scene.capture], &["rules", "list"], &["man"]]
    {
        let mut child = start(words);
        drop(child.stdin.take());
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        // By alerts: how far the reading came before the pipe was seen to be closed is no promise.
        assert!(matches!(output.status.code(), Some(0 | 1)), "{words:?}: {stderr}");
        assert!(stderr.is_empty(), "{words:?}: {stderr}");
    }
}

#[test]
fn a_report_is_written_beside_the_lines() {
    let scene = Scene::with(&support::refused());
    let report = scene.name("report.md");
    let output = run(&["-r", &scene.capture, "--json", "--report", &report]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains(&report));
    assert!(fs::read_to_string(&report).unwrap().contains("time-wait-collision"));
}

#[test]
fn a_capture_and_its_saved_run_give_a_report() {
    let scene = Scene::with(&support::refused());
    let saved = run(&["-r", &scene.capture, "--json", "--events", "flow,segment"]).stdout;
    fs::write(scene.path("run.jsonl"), saved).unwrap();
    for input in [&scene.capture, &scene.name("run.jsonl")] {
        let output = run(&["report", input]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(stdout(&output).starts_with("# "), "{}", stdout(&output));
        assert!(stdout(&output).contains("time-wait-collision"));
        let file = scene.name("out.md");
        assert_eq!(code(&run(&["report", input, "-o", &file, "--force"])), 0);
        assert_eq!(fs::read_to_string(file).unwrap(), stdout(&output));
    }
}

#[test]
fn the_ending_of_its_name_tells_what_a_report_is() {
    let scene = Scene::with(&support::refused());
    for (ending, begins) in [("md", "# "), ("html", "<!DOCTYPE html>\n"), ("json", "{\n  \"schema\": 1,")] {
        let (at_the_end, by_itself) =
            (scene.name(&format!("end.{ending}")), scene.name(&format!("itself.{ending}")));
        assert_eq!(code(&run(&["-r", &scene.capture, "--json", "--report", &at_the_end])), 1);
        assert_eq!(code(&run(&["report", &scene.capture, "-o", &by_itself])), 0);
        let text = fs::read_to_string(&by_itself).unwrap();
        assert!(text.starts_with(begins), "{text}");
        assert_eq!(fs::read_to_string(&at_the_end).unwrap(), text, "one report, whoever asks for it");
    }
    let text = stdout(&run(&["report", &scene.capture, "--format", "json"]));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["attached"][0]["octets"], fs::metadata(&scene.capture).unwrap().len());
    assert!(!text.contains(scene.dir.path().to_str().unwrap()), "where a file lies is nobody's business");
    let form = stdout(&run(&["report", &scene.capture, "--template", "micropython"]));
    assert!(form.contains("### Port, board and/or hardware\n\n**\\[TO FILL IN: "), "{form}");
}

#[test]
fn a_recording_belongs_to_its_report() {
    let scene = Scene::with(&support::refused());
    let (report, recording) = (scene.name("run.json"), scene.name("run.pcapng"));
    run(&["-r", &scene.capture, "--json", "--report", &report, "-w", &recording]);
    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!(json["attached"][1]["name"], "run.pcapng");
    assert_eq!(
        json["attached"][1]["octets"],
        fs::metadata(&recording).unwrap().len(),
        "when it was complete"
    );
    assert_eq!(json["attached"][1]["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn a_report_is_not_written_over_unless_told_to() {
    let scene = Scene::with(&support::refused());
    let there = scene.name("there.md");
    for words in [
        &["-r", &scene.capture, "--headless", "--report", &there],
        &["report", &scene.capture, "-o", &there, "--format=markdown"],
    ] {
        fs::write(&there, "mine").unwrap();
        let output = program(words).stdin(Stdio::null()).output().unwrap();
        assert_eq!(code(&output), 2, "{}", stderr(&output));
        assert!(
            stderr(&output).contains("there.md exists") && stderr(&output).contains("--force"),
            "{}",
            stderr(&output)
        );
        assert!(output.stdout.is_empty(), "nothing was done yet");
        assert_eq!(fs::read_to_string(&there).unwrap(), "mine");
        let output = program(words).arg("--force").stdin(Stdio::null()).output().unwrap();
        assert!(code(&output) <= 1, "{}", stderr(&output));
        assert!(fs::read_to_string(&there).unwrap().contains("time-wait-collision"));
    }
}

/// In the sandbox too, through a symbolic link too: whoever looks at the name sees the old report or the new one.
#[cfg(target_os = "linux")]
#[test]
fn a_report_comes_into_its_place_in_one_step() {
    use std::os::unix::fs::MetadataExt;
    let scene = Scene::with(&support::refused());
    let elsewhere = tempfile::tempdir().unwrap();
    let report = elsewhere.path().join("report.md");
    let link = scene.name("link.md");
    std::os::unix::fs::symlink(&report, &link).unwrap();
    support::give_to_successor(scene.dir.path());
    support::give_to_successor(elsewhere.path());
    let number = || fs::metadata(&report).unwrap().ino();
    let direct = report.to_str().unwrap();
    for name in [direct, &link] {
        for words in [
            &["report", &scene.capture, "-o", name, "--force"][..],
            &["-r", &scene.capture, "--json", "--report", name, "--force"],
        ] {
            fs::write(&report, "mine").unwrap();
            support::give_to_successor(&report);
            // Held open, so that its number is not given to another file.
            let _held = fs::File::open(&report).unwrap();
            let before = number();
            let output = run(words);
            assert!(code(&output) <= 1, "{}", stderr(&output));
            assert_ne!(number(), before, "{words:?}");
            assert!(fs::read_to_string(&report).unwrap().contains("time-wait-collision"));
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        }
    }
}

/// Where whoever root goes on as may make no file, a report is written where it is; if it does not fit, what was there stays.
#[cfg(target_os = "linux")]
#[test]
fn a_report_without_room_in_roots_own_folder_leaves_what_was_there() {
    if !support::is_root() {
        return support::not_run(
            "a_report_without_room_in_roots_own_folder_leaves_what_was_there",
            "only root goes on as somebody else",
        );
    }
    let scene = Scene::with(&support::refused());
    let kept = scene.name("kept.md");
    fs::write(&kept, "mine").unwrap();
    let words = ["report", &scene.capture, "-o", &kept, "--force"];
    let line = "trap '' XFSZ; ulimit -f 2; exec \"$@\"";
    let output =
        std::process::Command::new("bash").args(["-c", line, "bash", support::PROGRAM]).args(words).output();
    let output = output.unwrap();
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("is as it was"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&kept).unwrap(), "mine");
    let output = run(&words);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(fs::read_to_string(&kept).unwrap().contains("time-wait-collision"));
}

/// What does not fit leaves what was there, and nothing of itself.
#[test]
fn a_report_that_cannot_be_written_whole_is_not_written() {
    let scene = Scene::with(&support::refused());
    let kept = scene.name("kept.md");
    fs::write(&kept, "mine").unwrap();
    support::give_to_successor(scene.dir.path());
    support::give_to_successor(kept.as_ref());
    for name in ["new.md", "kept.md"] {
        // Files of at most two times 512 or 1024 octets, and no signal for it.
        let line = "trap '' XFSZ; ulimit -f 2; exec \"$@\"";
        let mut shell = std::process::Command::new("bash");
        let target = scene.name(name);
        shell.args([
            "-c",
            line,
            "bash",
            support::PROGRAM,
            "report",
            &scene.capture,
            "-o",
            &target,
            "--force",
        ]);
        let output = shell.output().unwrap();
        assert_eq!(code(&output), 4, "{}", stderr(&output));
        assert!(stderr(&output).contains(name), "{}", stderr(&output));
    }
    let output = run(&["report", &scene.capture, "-o", "/dev/full"]);
    assert_eq!(code(&output), 4);
    assert!(
        stderr(&output).contains("/dev/full") && stderr(&output).contains("not complete"),
        "{}",
        stderr(&output)
    );
    let mut names: Vec<_> =
        fs::read_dir(scene.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["kept.md", "run.pcap"]);
    assert_eq!(fs::read_to_string(kept).unwrap(), "mine");
}

#[test]
fn a_run_that_is_interrupted_leaves_a_report_of_what_it_had() {
    let scene = Scene::with(&support::refused());
    let report = scene.name("run.json");
    let mut command = program(&["-r", "-", "--json", "--report", &report]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&support::refused()).unwrap();
    stdin.flush().unwrap();
    // The stream stays open. An alert on stdout: the frames have been read.
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("\"ignored-rst\"")));
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    lines.for_each(drop);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    drop(stdin);
    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!((&json["complete"], &json["found_fault"]), (&true.into(), &true.into()));
    assert!(json["findings"]["ignored-rst"]["count"].as_u64() > Some(0), "{json}");
}

#[test]
fn a_broken_saved_run_names_the_line() {
    let scene = Scene::with(&support::refused());
    let mut saved = run(&["-r", &scene.capture, "--json"]).stdout;
    saved.extend(b"{\"type\":\"finding\",\"rule\":3}\n");
    let lines = saved.iter().filter(|octet| **octet == b'\n').count();
    fs::write(scene.path("run.jsonl"), saved).unwrap();
    let output = run(&["report", &scene.name("run.jsonl")]);
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains(&format!("run.jsonl, line {lines}")), "{}", stderr(&output));
    assert!(stdout(&output).contains("time-wait-collision"), "what came before is still told");
}

#[test]
fn what_is_read_is_never_written_over() {
    let octets = support::refused();
    let scene = Scene::with(&octets);
    std::os::unix::fs::symlink(&scene.capture, scene.path("link")).unwrap();
    for target in [&scene.capture, &scene.name("link")] {
        for words in [&["-r", &scene.capture, "-w", target], &["report", &scene.capture, "-o", target]] {
            let output = run(words);
            assert_eq!(code(&output), 2, "{}", stderr(&output));
            assert_eq!(fs::read(&scene.capture).unwrap(), octets);
        }
    }
}

#[test]
fn a_recording_of_a_replay_replays_the_same() {
    let scene = Scene::with(&support::refused());
    let copy = scene.name("copy.pcapng");
    let first = run(&["-r", &scene.capture, "--json", "-w", &copy]);
    let second = run(&["-r", &copy, "--json"]);
    let findings = |output| of_type(&events(&stdout(output)), "finding");
    assert_eq!(findings(&first), findings(&second));
    // A port used again, its two refusals, and one ignored RST.
    assert_eq!(findings(&second).len(), 4);
}

#[test]
fn own_rules_replace_built_in_ones_and_a_slip_starts_nothing() {
    let scene = Scene::with(&support::refused());
    let rules = scene.path("rules");
    fs::create_dir(&rules).unwrap();
    let dir = rules.to_str().unwrap();
    assert_eq!(code(&run(&["rules", "check", dir])), 2, "an empty directory is no set of rules");

    let text = stdout(&run(&["rules", "show", "time-wait-collision"]));
    fs::write(rules.join("mine.toml"), text.replace("\"critical\"", "\"notice\"")).unwrap();
    assert_eq!(code(&run(&["rules", "check", dir])), 0);
    let listed = stdout(&run(&["rules", "list", "--rules", dir]));
    assert!(listed.lines().any(|line| line.starts_with("notice") && line.contains("time-wait-collision")));

    fs::write(rules.join("mine.toml"), text.replace("severity = \"critical\"", "severity = \"loud\""))
        .unwrap();
    for words in [&["rules", "check", dir][..], &["-r", &scene.capture, "--json", "--rules", dir]] {
        let output = run(words);
        assert_eq!(code(&output), 2);
        assert!(output.stdout.is_empty(), "nothing starts");
        let place = format!("{dir}/mine.toml:2:");
        assert!(
            stderr(&output).contains(&place) && stderr(&output).contains("severity"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn the_lists_and_pages_are_printed() {
    let table: &[(&[&str], &str)] = &[
        (&["rules", "list"], "ignored-rst"),
        (&["rules", "check"], "sound"),
        (&["interfaces"], "lo"),
        (&["completions", "bash"], "complete"),
        (&["completions", "zsh"], "#compdef"),
        (&["completions", "fish"], "complete -c esp-tcpwatch"),
        (&["man"], ".TH esp-tcpwatch"),
    ];
    for (words, part) in table {
        let output = run(words);
        assert_eq!(code(&output), 0, "{words:?}: {}", stderr(&output));
        assert!(stdout(&output).contains(part), "{words:?}");
    }
}

#[test]
fn the_manual_has_what_the_help_of_each_command_says_at_its_end() {
    let manual = stdout(&run(&["man"])).replace("\\-", "-").replace("\\&", "").replace("\\*(Aq", "'");
    for command in ["watch", "demo", "drive", "mode"] {
        let help = stdout(&run(&[command, "--help"]));
        let notes: Vec<_> = help.lines().rev().take_while(|line| !line.starts_with("  -")).take(4).collect();
        for line in notes {
            assert!(manual.contains(line), "{command}: {line}");
        }
    }
    assert!(manual.contains(".SH \"RULES TEST\""), "commands of commands are in it");
}

fn start(words: &[&str]) -> Child {
    let mut command = program(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Reads until `part` was seen; fails the test when it does not come.
fn read_until(out: &mut impl Read, part: &str) -> String {
    let mut octets = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = out.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "the stream ended without {part}: {}", String::from_utf8_lossy(&octets));
        octets.extend_from_slice(&buffer[..count]);
        if String::from_utf8_lossy(&octets).contains(part) {
            return String::from_utf8(octets).unwrap();
        }
    }
}

fn wait(child: &mut Child) -> std::process::ExitStatus {
    let since = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(since.elapsed() < Duration::from_secs(5), "it does not end");
        sleep(Duration::from_millis(10));
    }
}
