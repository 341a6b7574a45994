//! The lab, seen from outside: a probe process enters it (never this one: a test harness has threads), and what it
//! does and leaves behind is looked at in /proc.
//!
//! Tests whose name begins with `needs_tap` want /dev/net/tun and leave to make a network namespace. Where that is
//! not to be had they say NOT RUN on standard error.

#![cfg(all(target_os = "linux", feature = "control"))]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

macro_rules! needs_tap {
    ($name:literal) => {
        if let Some(why) = no_tap() {
            // Not eprintln!, whose words the harness keeps to itself when a test passes.
            writeln!(std::io::stderr(), "NOT RUN: {}: {why}", $name).unwrap();
            return;
        }
    };
}

#[test]
fn needs_tap_the_device_answers_and_refuses_a_reused_port() {
    needs_tap!("needs_tap_the_device_answers_and_refuses_a_reused_port");
    let run = Probe::new().args(&["--ports", "2"]).run();
    let entered = run.line("entered");
    assert_eq!(entered["interfaces"], serde_json::json!(["lo", "tap0"]), "nothing of the host's network");
    assert_eq!(entered["interface"], "tap0");
    assert!(entered["stack"].as_str().unwrap().starts_with("lwIP 2."), "{entered}");
    assert!(entered["ready_ms"].as_u64().unwrap() < 2000, "{entered}");
    for port in run.lines_with("port") {
        assert_eq!(port["first"]["answered"], true, "{port}");
        assert!(port["first"]["bytes"].as_u64().unwrap() > 20, "{port}");
        assert_eq!(port["second"]["failed"], "no answer before the deadline", "{port}");
    }
    let totals = run.line("ports");
    assert_eq!((&totals["first_answered"], &totals["reuse_refused"]), (&2.into(), &2.into()), "{totals}");
    assert_eq!(run.line("finished")["interfaces"], serde_json::json!(["lo"]));
    assert!(run.status.success());
    run.nothing_is_left();
}

#[test]
fn needs_tap_a_fixed_device_takes_the_port_again() {
    needs_tap!("needs_tap_a_fixed_device_takes_the_port_again");
    let run = Probe::new().args(&["--ports", "4", "--parallel", "2"]).twin_args(&["--mode", "fixed"]).run();
    let totals = run.line("ports");
    assert_eq!((&totals["reuse_answered"], &totals["reuse_refused"]), (&4.into(), &0.into()), "{totals}");
    run.nothing_is_left();
}

#[test]
fn needs_tap_over_ipv6_it_is_the_same() {
    needs_tap!("needs_tap_over_ipv6_it_is_the_same");
    let run = Probe::new().args(&["--ports", "1", "--ipv6"]).run();
    let port = run.line("port");
    assert_eq!(port["first"]["answered"], true, "{port}");
    // The address was usable at once: no second of duplicate detection.
    assert!(port["first"]["connect_ms"].as_f64().unwrap() < 500.0, "{port}");
    assert_eq!(port["second"]["failed"], "no answer before the deadline", "{port}");
}

#[test]
fn needs_tap_an_answer_of_announced_length_is_an_answer() {
    needs_tap!("needs_tap_an_answer_of_announced_length_is_an_answer");
    // With keep-alive nobody has to close for the answer to be over. (Our `Connection: close` is heeded or not.)
    let run = Probe::new().args(&["--ports", "1"]).twin_args(&["--close", "keep-alive"]).run();
    assert_eq!(run.line("port")["first"]["answered"], true);
    assert!(run.line("ports")["took_ms"].as_u64().unwrap() < 5000);
}

#[test]
fn needs_tap_a_stop_is_heard_in_the_midst_of_it() {
    needs_tap!("needs_tap_a_stop_is_heard_in_the_midst_of_it");
    let long = ["--ports", "50", "--parallel", "3", "--connect-ms", "60000", "--stop-after", "300"];
    let run = Probe::new().args(&long).run();
    let totals = run.line("ports");
    assert_eq!(totals["stopped"], true);
    assert_eq!((&totals["ports"], &totals["reuse_refused"]), (&3.into(), &0.into()), "{totals}");
    assert!(totals["took_ms"].as_u64().unwrap() < 1000, "{totals}");
}

#[test]
fn needs_tap_nothing_is_left_after_any_kind_of_end() {
    needs_tap!("needs_tap_nothing_is_left_after_any_kind_of_end");
    for (end, expected) in [("normal", 0), ("drop", 0), ("error", 1), ("panic", 101)] {
        let run = Probe::new().args(&["--end", end]).run();
        assert_eq!(run.status.code(), Some(expected), "{end}: {}", run.stderr);
        run.nothing_is_left();
    }
}

#[test]
fn needs_tap_nothing_is_left_after_any_signal() {
    needs_tap!("needs_tap_nothing_is_left_after_any_signal");
    for signal in
        [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGABRT, Signal::SIGKILL]
    {
        let mut running = Probe::new().args(&["--end", "wait"]).start();
        running.until("entered");
        let (_, namespace) = running.twin_and_namespace();
        assert_ne!(network_of(std::process::id()).unwrap(), namespace);
        kill(running.pid(), signal).unwrap();
        let run = running.end();
        assert_eq!(run.status.signal(), Some(signal as i32));
        run.nothing_is_left();
        assert!(inhabitants(&namespace).is_empty(), "the namespace outlived {signal}");
    }
}

#[test]
fn needs_tap_another_child_does_not_keep_the_twin_alive() {
    needs_tap!("needs_tap_another_child_does_not_keep_the_twin_alive");
    let mut running = Probe::new().args(&["--end", "wait", "--child"]).start();
    let child = running.until("child")["child"].as_u64().unwrap();
    running.twin_and_namespace();
    kill(running.pid(), Signal::SIGKILL).unwrap();
    let run = running.end();
    run.nothing_is_left();
    let child = Pid::from_raw(i32::try_from(child).unwrap());
    kill(child, Signal::SIGKILL).expect("the child was to outlive the twin, or this shows nothing");
}

#[test]
fn needs_tap_a_ctrl_c_of_the_terminal_is_ours_to_answer() {
    needs_tap!("needs_tap_a_ctrl_c_of_the_terminal_is_ours_to_answer");
    // As a terminal does it: to the whole foreground group. The probe ignores it; the twin must not be in the group.
    let mut running = Probe::new()
        .args(&["--end", "wait"])
        .through(&["sh", "-c", "trap '' INT; exec \"$@\"", "sh"])
        .start();
    running.until("entered");
    let (twin, _) = running.twin_and_namespace();
    nix::sys::signal::killpg(running.pid(), Signal::SIGINT).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(Path::new(&format!("/proc/{twin}")).exists(), "the twin died of the terminal's Ctrl-C");
    running.close_stdin();
    let run = running.end();
    assert!(run.status.success(), "{}", run.stderr);
    run.nothing_is_left();
}

#[test]
fn needs_tap_a_twin_that_died_meanwhile_is_told_of() {
    needs_tap!("needs_tap_a_twin_that_died_meanwhile_is_told_of");
    let mut running = Probe::new().args(&["--end", "wait"]).start();
    running.until("entered");
    let (twin, _) = running.twin_and_namespace();
    kill(Pid::from_raw(twin.cast_signed()), Signal::SIGSEGV).unwrap();
    running.close_stdin();
    let run = running.end();
    assert_eq!(run.status.code(), Some(1));
    assert!(run.stderr.contains("ended before its time, signal: 11"), "{}", run.stderr);
}

#[test]
fn needs_tap_the_twin_has_no_privilege() {
    needs_tap!("needs_tap_the_twin_has_no_privilege");
    let mut users = vec![None];
    if nix::unistd::geteuid().is_root() {
        users.push(Some("65534"));
    }
    for user in users {
        let folder = open_folder();
        let twin = copied(&twin(), folder.path());
        let mut probe = Probe::new().args(&["--end", "wait"]).twin(&twin);
        if let Some(id) = user {
            probe = probe.args(&["--twin-user", id]);
        }
        let mut running = probe.start();
        running.until("entered");
        let (twin, _) = running.twin_and_namespace();
        let status = fs::read_to_string(format!("/proc/{twin}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_start_matches(':').split_whitespace().collect::<Vec<_>>().join(" ")
        };
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(field(set), "0000000000000000", "{set}");
        }
        assert_eq!(field("NoNewPrivs"), "1");
        if let Some(id) = user {
            assert_eq!((field("Uid"), field("Groups")), ([id; 4].join(" "), String::new()));
        }
        running.close_stdin();
        assert!(running.end().status.success());
    }
}

#[test]
fn needs_tap_a_twin_that_does_not_work_is_told_of_in_its_own_words() {
    needs_tap!("needs_tap_a_twin_that_does_not_work_is_told_of_in_its_own_words");
    let folder = open_folder();
    let table = [
        (
            "echo 'no stack today' >&2; exit 3",
            "ended before its time, exit status: 3; it said: no stack today",
        ),
        ("echo 'still thinking' >&2; exec sleep 60", "was not ready within 5 s; it said: still thinking"),
        ("echo hello; exec sleep 60", "said \"hello\" where it should have said that it is ready"),
        ("echo '{\"ready\":true}'; exec sleep 60", "did not end within 2 s of being asked to and was killed"),
        // More than a pipe holds, before and after: it is neither stopped by it nor believed.
        ("head -c 300000 /dev/zero >&2; echo '{\"ready\":true}'; read -r _; exit 0", ""),
    ];
    let runs: Vec<_> = table
        .iter()
        .enumerate()
        .map(|(number, (script, _))| {
            let path = folder.path().join(format!("twin-{number}"));
            write_script(&path, &format!("#!/bin/sh\n{script}\n"));
            Probe::new().twin(&path).start()
        })
        .collect();
    for (running, (script, expected)) in runs.into_iter().zip(table) {
        let run = running.end();
        assert_eq!(run.status.success(), expected.is_empty(), "{script}: {}", run.stderr);
        assert!(run.stderr.contains(expected), "{script}: {}", run.stderr);
        run.nothing_is_left();
    }
}

#[test]
fn an_ordinary_user_gets_a_lab_or_is_told_what_is_shut() {
    if !nix::unistd::geteuid().is_root() {
        return; // every other test is this one then
    }
    let folder = open_folder();
    let probe = copied(&probe(), folder.path());
    let twin = copied(&twin(), folder.path());
    let become_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let run = Probe::new().binary(&probe).twin(&twin).through(&become_nobody).args(&["--ports", "1"]).run();
    if may_open_tun_as_nobody() {
        assert!(run.status.success(), "{}", run.stderr);
        assert_eq!(run.line("entered")["uid"], 65534, "the same user inside as outside");
        assert_eq!(run.line("port")["first"]["answered"], true);
    } else {
        assert_eq!(run.status.code(), Some(1));
        let told = ["/dev/net/tun is closed to this process", "sudo", "chmod 0666 /dev/net/tun"];
        let missing = ["/dev/net/tun is missing", "modprobe tun", "--device /dev/net/tun"];
        let all = |words: &[&str]| words.iter().all(|word| run.stderr.contains(word));
        assert!(all(&told) || all(&missing), "{}", run.stderr);
    }
    run.nothing_is_left();
}

#[test]
fn without_a_twin_the_error_says_how_to_make_one() {
    let run = Probe::new().twin(Path::new("/nowhere/esp-tcpwatch-twin")).run();
    assert_eq!(run.status.code(), Some(1));
    assert!(run.stderr.contains("no twin at /nowhere/esp-tcpwatch-twin: run `make twin`"), "{}", run.stderr);
}

#[test]
fn a_process_with_threads_is_turned_away() {
    needs_tap!("a_process_with_threads_is_turned_away");
    let run = Probe::new().args(&["--thread-first"]).run();
    assert_eq!(run.status.code(), Some(1));
    assert!(run.stderr.contains("before the first thread; this process has 2"), "{}", run.stderr);
}

/// A probe to be started.
struct Probe {
    binary: PathBuf,
    twin: PathBuf,
    seed: u64,
    through: Vec<String>,
    args: Vec<String>,
    twin_args: Vec<String>,
}

impl Probe {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let seed = (u64::from(std::process::id()) << 20) + NEXT.fetch_add(1, Ordering::Relaxed);
        let (binary, twin) = (probe(), twin());
        Probe { binary, twin, seed, through: vec![], args: vec![], twin_args: vec![] }
    }

    fn binary(self, binary: &Path) -> Self {
        Probe { binary: binary.to_owned(), ..self }
    }

    fn twin(self, twin: &Path) -> Self {
        Probe { twin: twin.to_owned(), ..self }
    }

    /// A command that runs the probe.
    fn through(self, words: &[&str]) -> Self {
        Probe { through: words.iter().map(ToString::to_string).collect(), ..self }
    }

    fn args(mut self, words: &[&str]) -> Self {
        self.args.extend(words.iter().map(ToString::to_string));
        self
    }

    fn twin_args(mut self, words: &[&str]) -> Self {
        self.twin_args.extend(words.iter().map(ToString::to_string));
        self
    }

    fn start(self) -> Running {
        let interfaces = interfaces();
        let mut words = self.through;
        words.push(self.binary.to_str().unwrap().to_owned());
        words.extend(["--seed".to_owned(), self.seed.to_string(), "--twin".to_owned()]);
        words.push(self.twin.to_str().unwrap().to_owned());
        words.extend(self.args);
        words.push("--".to_owned());
        words.extend(self.twin_args);
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Running { child, stdin, stdout, lines: vec![], seed: self.seed, interfaces }
    }

    fn run(self) -> Ended {
        self.start().end()
    }
}

struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<std::process::ChildStdout>,
    lines: Vec<Value>,
    seed: u64,
    interfaces: BTreeSet<String>,
}

impl Running {
    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Reads on until a line has `key`.
    fn until(&mut self, key: &str) -> Value {
        loop {
            let mut line = String::new();
            if self.stdout.read_line(&mut line).unwrap() == 0 {
                let mut stderr = String::new();
                self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
                panic!("the probe ended before it said {key:?}: {stderr}");
            }
            let line: Value = serde_json::from_str(&line).unwrap();
            self.lines.push(line.clone());
            if line.get(key).is_some() {
                return line;
            }
        }
    }

    /// The twin's process, which must be there (or its later absence would show nothing), and the network it is in.
    fn twin_and_namespace(&self) -> (u32, PathBuf) {
        let twins = twins_with(self.seed);
        assert_eq!(twins.len(), 1, "one twin was to run");
        let namespace = network_of(twins[0]).unwrap();
        assert_eq!(network_of(self.child.id()).unwrap(), namespace);
        (twins[0], namespace)
    }

    fn close_stdin(&mut self) {
        self.stdin = None;
    }

    fn end(mut self) -> Ended {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = self.child.wait().unwrap();
        let mut lines = self.lines;
        lines.extend(rest.lines().map(|line| serde_json::from_str(line).unwrap()));
        Ended { status, lines, stderr, seed: self.seed, interfaces: self.interfaces }
    }
}

struct Ended {
    status: ExitStatus,
    lines: Vec<Value>,
    stderr: String,
    seed: u64,
    interfaces: BTreeSet<String>,
}

impl Ended {
    fn lines_with(&self, key: &str) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(move |line| line.get(key).is_some())
    }

    fn line(&self, key: &str) -> &Value {
        let totals = |line: &&Value| key != "ports" || line.get("port").is_none();
        let found = self.lines_with(key).find(totals);
        found.unwrap_or_else(|| panic!("no {key:?} in {:?}; it said: {}", self.lines, self.stderr))
    }

    /// No twin of this run, and no interface that was not there before it. The twin of a killed process may need a
    /// moment to notice.
    fn nothing_is_left(&self) {
        let deadline = Instant::now() + Duration::from_secs(3);
        while !twins_with(self.seed).is_empty() {
            assert!(Instant::now() < deadline, "a twin is left: {:?}", twins_with(self.seed));
            std::thread::sleep(Duration::from_millis(10));
        }
        let new: Vec<String> = interfaces().difference(&self.interfaces).cloned().collect();
        assert!(!new.iter().any(|name| name.starts_with("tap")), "interfaces are left: {new:?}");
    }
}

/// Processes with `--seed N` in their command line that are not the probe: the twin, or what poses as one.
fn twins_with(seed: u64) -> Vec<u32> {
    let seed = seed.to_string();
    let is_one = |pid: &u32| {
        let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
        let words: Vec<&[u8]> = line.split(|&octet| octet == 0).collect();
        words.iter().any(|word| *word == b"--tap-fd")
            && words.windows(2).any(|pair| pair[0] == b"--seed" && pair[1] == seed.as_bytes())
    };
    processes().filter(is_one).collect()
}

fn inhabitants(namespace: &Path) -> Vec<u32> {
    processes().filter(|&pid| network_of(pid).is_some_and(|network| network == namespace)).collect()
}

fn network_of(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

fn processes() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn interfaces() -> BTreeSet<String> {
    let table = fs::read_to_string("/proc/net/dev").unwrap();
    table.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

/// Why there can be no lab here, found out by other means than the lab's own.
fn no_tap() -> Option<&'static str> {
    static WHY: OnceLock<Option<String>> = OnceLock::new();
    WHY.get_or_init(|| {
        if let Err(error) = fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun") {
            return Some(format!("/dev/net/tun: {error}"));
        }
        let flags = if nix::unistd::geteuid().is_root() { "-n" } else { "-Un" };
        match Command::new("unshare").args([flags, "true"]).output() {
            Ok(tried) if !tried.status.success() => {
                Some(String::from_utf8_lossy(&tried.stderr).trim().to_owned())
            }
            // Without the tool there is nothing against it; the tests will tell.
            _ => None,
        }
    })
    .as_deref()
}

fn may_open_tun_as_nobody() -> bool {
    let Ok(found) = fs::metadata("/dev/net/tun") else { return false };
    found.permissions().mode() & 0o006 == 0o006
}

/// target/<profile>/examples/lab_probe, next to this test in target/<profile>/deps.
fn probe() -> PathBuf {
    let path = profile_folder().join("examples/lab_probe");
    assert!(
        path.is_file(),
        "no {}: run `cargo build --example lab_probe`, or plain `cargo test`",
        path.display()
    );
    path
}

fn twin() -> PathBuf {
    let named = std::env::var_os("ESP_TCPWATCH_TWIN").map(PathBuf::from);
    let target = profile_folder();
    let made = target.ancestors().skip(1).take(2).map(|folder| folder.join("twin/esp-tcpwatch-twin"));
    let found = named.into_iter().chain(made).find(|path| path.is_file());
    found.expect("no twin: run make twin")
}

fn profile_folder() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

/// A folder every user may look into.
fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// By another process: a descriptor of ours that is open for writing could be inherited by a child that another test
/// is just starting, and the file would be "busy".
fn copied(file: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join(file.file_name().unwrap());
    assert!(Command::new("cp").arg(file).arg(&copy).status().unwrap().success());
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    copy
}

/// By another process, as above.
fn write_script(path: &Path, text: &str) {
    let write = r#"printf %s "$1" > "$2" && chmod 755 "$2""#;
    assert!(Command::new("sh").args(["-c", write, "sh", text]).arg(path).status().unwrap().success());
}
