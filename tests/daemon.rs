//! A run without a screen that goes on for long: what signals ask of it, what systemd hears of it, and where its events go.
//!
//! Fed through a stream, which needs no privilege; a session of its own (`setsid`) takes the terminal away, as a service has none.
#![cfg(target_os = "linux")]

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{is_root, not_run, pcap_of};
use tempfile::TempDir;

/// A capture's header, and its records.
struct Parts {
    header: Vec<u8>,
    records: Vec<Vec<u8>>,
}

fn parts(pcap: &[u8]) -> Parts {
    let (header, mut rest) = pcap.split_at(24);
    let mut records = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let (record, after) = rest.split_at(16 + length);
        records.push(record.to_vec());
        rest = after;
    }
    Parts { header: header.to_vec(), records }
}

/// The record, `seconds` later.
fn later(record: &[u8], seconds: u32) -> Vec<u8> {
    let mut record = record.to_vec();
    let time = u32::from_le_bytes(record[..4].try_into().unwrap()) + seconds;
    record[..4].copy_from_slice(&time.to_le_bytes());
    record
}

/// A stream that is watched by a program without a terminal.
struct Run {
    child: Child,
    input: Option<ChildStdin>,
    out: BufReader<ChildStdout>,
    log: JoinHandle<String>,
    events: Vec<Value>,
}

impl Run {
    fn start(words: &[&str], at: &Path, variables: &[(&str, &str)]) -> Run {
        let program = support::program(words);
        let mut command = Command::new("setsid");
        command.arg(program.get_program()).args(program.get_args()).current_dir(at);
        command.env_remove("SUDO_UID").env_remove("SUDO_GID").env("XDG_CONFIG_HOME", "/nonexistent");
        command.env_remove("JOURNAL_STREAM").env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC");
        command.envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, out) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let log = reading(child.stderr.take().unwrap());
        Run { child, input, out, log, events: Vec::new() }
    }

    fn feed(&mut self, octets: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(octets).unwrap();
        input.flush().unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// The next event for which `holds`. The end of the stream is none.
    fn until(&mut self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.out.read_line(&mut line).unwrap() > 0, "no {what}: {:?}", self.events);
            let event: Value = serde_json::from_str(&line).unwrap();
            self.events.push(event.clone());
            if holds(&event) {
                return event;
            }
        }
    }

    fn until_marker(&mut self, words: &str) -> Value {
        self.until(words, |event| {
            event["type"] == "marker" && event["text"].as_str().unwrap().contains(words)
        })
    }

    /// The stream ends here: the last event, the log and the exit code.
    fn end(mut self) -> (Value, String, Option<i32>) {
        drop(self.input.take());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        self.events.extend(support::events(&rest));
        let last = self.events.pop().unwrap();
        assert_eq!(last["type"], "summary", "{last}");
        let code = self.child.wait().unwrap().code();
        (last, self.log.join().unwrap(), code)
    }
}

fn reading(mut from: ChildStderr) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        text
    })
}

/// A folder that the program may write, whoever it becomes.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    support::give_to_successor(dir.path());
    dir
}

/// What comes true within some seconds.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn of_alert<'a>(rule: &'a str, phase: &'a str) -> impl Fn(&Value) -> bool + use<'a> {
    move |event| event["type"] == "alert" && event["rule"] == rule && event["phase"] == phase
}

const COLLISION: &str = "time-wait-collision";

/// A directory with the built-in rule for collisions.
fn rules_in(at: &Path) -> PathBuf {
    let dir = at.join("rules");
    fs::create_dir(&dir).unwrap();
    fs::copy(format!("rules/{COLLISION}.toml"), dir.join("mine.toml")).unwrap();
    dir
}

fn reports_in(at: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|end| end == "md")).collect()
}

#[test]
fn sigusr1_writes_a_report_and_the_run_goes_on() {
    let dir = folder();
    // In the folder of --report, else in the one that it was started in.
    for (words, expected_at_the_end) in [(&["--report", "there/"][..], 3), (&[], 2)] {
        let at = dir.path().join(if words.is_empty() { "." } else { "there" });
        let mut run = Run::start(&[&["-r", "-", "--json"], words].concat(), dir.path(), &[]);
        run.feed(&support::refused());
        run.until("alert", of_alert(COLLISION, "raised"));
        for count in 1..=2 {
            run.signal(Signal::SIGUSR1);
            let is_told = |path: &PathBuf| {
                fs::read_to_string(path).is_ok_and(|text| text.contains(COLLISION) && text.ends_with('\n'))
            };
            wait_for("a report", || {
                (reports_in(&at).iter().filter(|path| is_told(path)).count() == count).then_some(())
            });
        }
        let (_, log, code) = run.end();
        assert_eq!(code, Some(1), "{log}");
        assert_eq!(reports_in(&at).len(), expected_at_the_end, "{log}");
        for word in ["INFO watching stdin", "INFO report: ", "INFO stopped after 15 frames"] {
            assert!(log.contains(word), "{word} is missing: {log}");
        }
    }
}

#[test]
fn sighup_reads_the_rules_again_and_nothing_that_was_seen_is_forgotten() {
    let dir = folder();
    let rules = rules_in(dir.path());
    let mut run = Run::start(&["-r", "-", "--json", "--rules", "rules"], dir.path(), &[]);
    let Parts { header, records } = parts(&support::refused());
    // Up to the first refusal.
    run.feed(&[header, records[..11].concat()].concat());
    let raised = run.until("alert", of_alert(COLLISION, "raised"));
    assert_eq!(raised["severity"], "critical");
    run.signal(Signal::SIGHUP);
    run.until_marker("The rules were read again and are as they were.");

    let mine = rules.join("mine.toml");
    let text = fs::read_to_string(&mine).unwrap();
    fs::write(&mine, text.replace("severity = \"critical\"", "severity = \"notice\"")).unwrap();
    run.signal(Signal::SIGHUP);
    let ended = run.until("end of the alert", of_alert(COLLISION, "ended"));
    assert_eq!((&ended["id"], &ended["severity"]), (&raised["id"], &"critical".into()));
    run.until_marker("The rules were read again. changed: time-wait-collision.");

    // The second is found with what was known before, and judged by the new rule.
    run.feed(&records[11..].concat());
    let raised = run.until("alert", of_alert(COLLISION, "raised"));
    assert_eq!((&raised["severity"], &raised["count"]), (&"notice".into(), &1.into()));

    fs::remove_file(&mine).unwrap();
    fs::write(rules.join("own.toml"), own_rule()).unwrap();
    run.signal(Signal::SIGHUP);
    run.until_marker("changed: time-wait-collision; new: my-close.");
    let (last, log, _) = run.end();
    assert_eq!(last["findings"][COLLISION], 2, "{last}");
    assert_eq!(log.matches("INFO rules were read again from rules").count(), 3, "{log}");
}

fn own_rule() -> String {
    let text = fs::read_to_string(format!("rules/{COLLISION}.toml")).unwrap();
    let head = text.split("[parameters]").next().unwrap().replace(COLLISION, "my-close");
    let (before, policy) = head.split_once("[policy]").unwrap();
    format!("listens_to = \"finding\"\nwhen = \"rule == 'reset-close'\"\n{before}[policy]{policy}")
}

#[test]
fn a_set_with_a_fault_changes_nothing_and_is_told() {
    let dir = folder();
    let rules = rules_in(dir.path());
    let mut run = Run::start(&["-r", "-", "--json", "--rules", "rules"], dir.path(), &[]);
    let Parts { header, records } = parts(&support::refused());
    run.feed(&[header, records[..11].concat()].concat());
    run.until("alert", of_alert(COLLISION, "raised"));
    fs::write(rules.join("mine.toml"), "id = \"time-wait-collision\"\nseverity = \"\u{1b}[31mloud\"\n")
        .unwrap();
    run.signal(Signal::SIGHUP);
    run.until_marker("The rules were not read again, since one is at fault: those in force stay in force.");
    run.feed(&records[11..].concat());
    let grown = run.until("growth", of_alert(COLLISION, "grown"));
    assert_eq!(grown["severity"], "critical");
    let (_, log, code) = run.end();
    assert_eq!(code, Some(1));
    assert!(log.contains("ERROR") && log.contains("mine.toml:2:"), "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
}

#[test]
fn sighup_without_a_rules_directory_is_no_end_either() {
    let dir = folder();
    let mut run = Run::start(&["-r", "-", "--json"], dir.path(), &[]);
    run.feed(&support::refused()[..24]);
    run.until("start", |event| event["type"] == "start");
    run.signal(Signal::SIGHUP);
    std::thread::sleep(Duration::from_millis(300));
    run.feed(&parts(&support::refused()).records.concat());
    run.until("alert", of_alert(COLLISION, "raised"));
    let (_, log, code) = run.end();
    assert_eq!(code, Some(1));
    assert!(log.contains("there is no --rules directory"), "{log}");
}

/// The terminal goes away, and with it whoever looked at the lines.
#[test]
fn sighup_ends_a_run_that_has_a_terminal() {
    const NAME: &str = "sighup_ends_a_run_that_has_a_terminal";
    if !is_root() {
        return not_run(NAME, "live capture needs root");
    }
    let command = support::program(&["-i", "lo", "-f", "tcp port 1", "--headless"]);
    let mut terminal = terminal::Terminal::run(command);
    terminal.until("watching lo");
    terminal.signal(Signal::SIGHUP);
    assert_eq!(terminal.wait(), Some(0));
    terminal.wait_for(Duration::from_millis(100));
    assert!(terminal.text.contains("stopped after "), "{}", terminal.text);
}

/// What a service says to systemd.
struct Systemd {
    socket: UnixDatagram,
    path: String,
}

impl Systemd {
    fn listening(at: &Path) -> Systemd {
        let path = at.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        Systemd { socket, path: path.to_str().unwrap().to_owned() }
    }

    /// The next message but for the watchdog's, or none in time.
    fn next(&self) -> Option<String> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(message) = self.within(Duration::from_secs(20)).filter(|text| text != "WATCHDOG=1\n")
            {
                return Some(message);
            }
        }
        None
    }

    fn within(&self, span: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(span)).unwrap();
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }

    /// How often the watchdog is fed in `span`.
    fn fed_in(&self, span: Duration) -> usize {
        let deadline = Instant::now() + span;
        let mut fed = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return fed;
            }
            fed += usize::from(self.within(left).is_some_and(|text| text == "WATCHDOG=1\n"));
        }
    }
}

#[test]
fn systemd_hears_when_it_is_ready_reloads_and_stops() {
    let dir = folder();
    rules_in(dir.path());
    let systemd = Systemd::listening(dir.path());
    let mut run = Run::start(
        &["-r", "-", "--json", "--rules", "rules"],
        dir.path(),
        &[("NOTIFY_SOCKET", &systemd.path), ("WATCHDOG_USEC", "600000")],
    );
    run.feed(&support::refused());
    assert_eq!(systemd.next().as_deref(), Some("READY=1\nSTATUS=watching stdin\n"));
    // A third of the limit each; a busy host is late.
    assert!(systemd.fed_in(Duration::from_secs(3)) >= 5);
    run.signal(Signal::SIGHUP);
    let reloading = systemd.next().unwrap();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(systemd.next().as_deref(), Some("READY=1\nSTATUS=watching stdin\n"));
    run.signal(Signal::SIGTERM);
    assert_eq!(systemd.next().as_deref(), Some("STOPPING=1\n"));
    let (_, _, code) = run.end();
    assert_eq!(code, Some(1));
}

/// The main thread is well and the engine is not: nobody reads what it writes.
#[test]
fn the_watchdog_is_not_fed_while_the_engine_stands_still() {
    let dir = folder();
    let systemd = Systemd::listening(dir.path());
    let mut run = Run::start(
        &["-r", "-", "--json", "--events", "flow,segment"],
        dir.path(),
        &[("NOTIFY_SOCKET", &systemd.path), ("WATCHDOG_USEC", "300000")],
    );
    let Parts { header, records } = parts(&pcap_of(COLLISION, 0));
    let mut input = run.input.take().unwrap();
    let feeding = std::thread::spawn(move || {
        input.write_all(&header).unwrap();
        for round in 0..400 {
            for record in &records {
                input.write_all(&later(record, 10 * round)).unwrap();
            }
        }
        input
    });
    assert_eq!(systemd.next().as_deref(), Some("READY=1\nSTATUS=watching stdin\n"));
    wait_for("a time without a word", || (systemd.fed_in(Duration::from_secs(1)) == 0).then_some(()));
    assert_eq!(systemd.fed_in(Duration::from_secs(1)), 0);
    // Somebody reads again, and it goes on.
    let reader = std::thread::spawn(move || run.end());
    wait_for("a word", || (systemd.fed_in(Duration::from_millis(500)) > 0).then_some(()));
    // A service whose words nobody takes waits to say the next: systemd reads on to the end.
    wait_for("the end", || {
        systemd.fed_in(Duration::from_millis(100));
        feeding.is_finished().then_some(())
    });
    drop(feeding.join().unwrap());
    wait_for("the end", || {
        systemd.fed_in(Duration::from_millis(100));
        reader.is_finished().then_some(())
    });
    let (last, log, _) = reader.join().unwrap();
    assert_eq!(last["frames"], 400 * 15, "{log}");
}

/// The unit's own command line means something to the program, and the page tells how the unit is rated.
#[test]
fn the_unit_says_what_the_program_understands_and_is_rated_as_the_page_says() {
    let unit = fs::read_to_string("packaging/esp-tcpwatch.service").unwrap();
    let line =
        unit.lines().find_map(|line| line.strip_prefix("ExecStart=@PREFIX@/bin/esp-tcpwatch ")).unwrap();
    let words: Vec<_> = line
        .split(' ')
        .map(|word| word.replace("/etc/esp-tcpwatch/config.toml", "/nonexistent/config.toml"))
        .collect();
    let output = support::run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(support::code(&output), 2);
    let told = support::stderr(&output);
    assert!(told.contains("cannot read the configuration file /nonexistent/config.toml"), "{told}");

    const NAME: &str = "the_unit_is_rated_as_the_page_says";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("esp-tcpwatch.service");
    fs::write(&path, unit.replace("@PREFIX@", "/usr")).unwrap();
    let rated = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(&path)
        .output()
        .ok()
        .filter(|output| output.status.success());
    let Some(rated) = rated else { return not_run(NAME, "there is no systemd-analyze that can rate a file") };
    let text = support::stdout(&rated);
    let (_, level) = text.rsplit_once("exposure level for esp-tcpwatch.service: ").unwrap();
    let figure: f64 = level.split(' ').next().unwrap().parse().unwrap();
    // Later versions look at more.
    assert!(figure < 2.5, "{text}");
    let page = fs::read_to_string("docs/daemon.md").unwrap();
    let version = Command::new("systemd-analyze").arg("--version").output().unwrap();
    if support::stdout(&version).starts_with("systemd 252 ") {
        assert!(page.contains(&format!("rates the unit {figure} (OK)")), "{figure}");
    }
}

/// Many segments: so many rounds of a refused connection, and what the recording says of each.
fn rounds(count: u32) -> Vec<u8> {
    let Parts { header, records } = parts(&support::refused());
    let all = (0..count).flat_map(|round| records.iter().map(move |record| later(record, 10 * round)));
    [header, all.collect::<Vec<_>>().concat()].concat()
}

/// The lines of a piece, each a whole event.
fn lines_of(piece: &Path) -> Vec<Value> {
    let text = fs::read_to_string(piece).unwrap();
    assert!(text.ends_with('\n'), "{}", piece.display());
    support::events(&text)
}

const TO_FILE: [&str; 6] = ["-r", "-", "--events", "flow,segment", "--events-to", "events.jsonl"];

#[test]
fn events_go_to_a_file_in_pieces_each_of_which_can_be_read_alone() {
    let dir = folder();
    let path = |number: u32| match number {
        0 => dir.path().join("events.jsonl"),
        number => dir.path().join(format!("events.jsonl.{number}")),
    };
    let words = [&TO_FILE[..], &["--rotate", "1M", "--keep", "3"]].concat();
    let mut run = Run::start(&words, dir.path(), &[]);
    run.feed(&rounds(1_000));
    drop(run.input.take());
    let mut out = String::new();
    run.out.read_to_string(&mut out).unwrap();
    assert_eq!(out, "", "what is in the file is not on stdout");
    assert_eq!(run.child.wait().unwrap().code(), Some(1), "{}", run.log.join().unwrap());
    assert!(path(3).exists() && !path(4).exists());
    let mut times = Vec::new();
    for number in (0..=3).rev() {
        assert!(fs::metadata(path(number)).unwrap().len() <= 1 << 20);
        let events = lines_of(&path(number));
        assert_eq!(events[0]["type"], "start");
        assert_eq!(events.last().unwrap()["type"] == "summary", number == 0);
        let of_flows = events.iter().filter(|event| event["type"] == "segment");
        times.extend(of_flows.map(|event| event["frame"].as_u64().unwrap()));
        // As any saved run.
        let read = support::run(&["-r", path(number).to_str().unwrap(), "--json"]);
        assert!(support::code(&read) <= 1, "{}", support::stderr(&read));
    }
    assert!(times.windows(2).all(|pair| pair[0] + 1 == pair[1]), "nothing is missing between the pieces");
    assert_eq!(times.last(), Some(&15_000));

    // The next run begins its own, and keeps what was there.
    let last = fs::read(path(0)).unwrap();
    let mut run = Run::start(&[&TO_FILE[..], &["--json"]].concat(), dir.path(), &[]);
    run.feed(&support::refused());
    run.until("summary", |event| {
        // It was asked for on stdout as well.
        event["type"] == "alert"
    });
    run.end();
    assert_eq!(fs::read(path(1)).unwrap(), last);
    assert_eq!(lines_of(&path(0))[0]["type"], "start");
}

#[test]
fn a_full_disk_costs_events_and_not_the_run() {
    const NAME: &str = "a_full_disk_costs_events_and_not_the_run";
    if !is_root() {
        return not_run(NAME, "only root can make a small disk");
    }
    let dir = folder();
    let at = dir.path().to_str().unwrap().to_owned();
    let program = support::program(&TO_FILE);
    let mut command = Command::new("unshare");
    let script = format!(
        "mount -t tmpfs -o size=1m,mode=777 none {at} && cd {at} && head -c 1000k /dev/zero > fill; exec setsid \"$0\" \"$@\""
    );
    command.args(["-m", "sh", "-c", &script]).arg(program.get_program()).args(program.get_args());
    command.env_remove("SUDO_UID").env_remove("SUDO_GID").env("XDG_CONFIG_HOME", "/nonexistent");
    command.env_remove("JOURNAL_STREAM").env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let there = PathBuf::from(format!("/proc/{}/root{at}", child.id()));
    let mut input = child.stdin.take().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut until = |words: &str| {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "no {words}");
        }
    };
    until("watching stdin");
    let Parts { header, records } = parts(&support::refused());
    let feed = |input: &mut ChildStdin, rounds: std::ops::Range<u32>| {
        for round in rounds {
            let octets: Vec<u8> = records.iter().flat_map(|record| later(record, 10 * round)).collect();
            input.write_all(&octets).unwrap();
        }
        input.flush().unwrap();
    };
    input.write_all(&header).unwrap();
    feed(&mut input, 0..100);
    until("events cannot be written to events.jsonl: No space left on device");
    fs::remove_file(there.join("fill")).unwrap();
    feed(&mut input, 100..110);
    until("events are written to events.jsonl again");
    // While the namespace is there.
    let events = wait_for("whole lines", || {
        let events = lines_of(&there.join("events.jsonl"));
        events.iter().any(|event| event["frame"] == 110 * 15).then_some(events)
    });
    assert_eq!(events[0]["type"], "start");
    drop(input);
    until("could not be written to the file of --events-to");
    assert_eq!(child.wait().unwrap().code(), Some(4));
}
