//! Privileges: refused with advice where there are none, given up in every thread where there are.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::threads::{assert_ids, assert_powerless, field};
use support::{code, is_root, not_run, stderr, summary};

const NOBODY: u32 = 65534;

#[test]
fn without_privilege_it_ends_with_3_and_says_both_ways_out() {
    let dir = tempfile::tempdir().unwrap();
    let program = support::program_for_everybody(dir.path());
    let mut command = Command::new(&program);
    command.args(["-i", "lo", "-f", "tcp port 80", "--headless"]);
    if is_root() {
        // As root, std also empties the groups here.
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().unwrap();
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let program = program.to_str().unwrap();
    for line in [
        format!("sudo {program} -i lo -f 'tcp port 80' --headless"),
        format!("sudo setcap cap_net_raw=ep {program}"),
    ] {
        assert!(stderr(&output).contains(&line), "{line}\n{}", stderr(&output));
    }
    assert!(output.stdout.is_empty());
}

/// Every thread of a live watch but the first.
const THREADS: [&str; 3] = ["capture", "engine", "signals"];

/// A live watch on the loopback interface that has written its first line.
struct Watch {
    child: Child,
    out: BufReader<ChildStdout>,
    first: String,
}

impl Watch {
    fn start(extra: &[&str], sudo: bool) -> Watch {
        let mut words = vec!["-i", "lo", "-d", "127.0.0.1", "--json"];
        words.extend(extra);
        let mut command = support::program(&words);
        if sudo {
            command.env("SUDO_UID", NOBODY.to_string()).env("SUDO_GID", NOBODY.to_string());
        }
        Watch::of(&mut command)
    }

    fn of(command: &mut Command) -> Watch {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        assert!(first.contains("\"type\":\"start\""), "{first}");
        Watch { child, out, first }
    }

    fn threads(&self) -> Vec<String> {
        support::threads::threads(self.child.id(), &THREADS)
    }

    /// Ends it with `signal`; everything it wrote, and its exit code.
    fn end(mut self, signal: Signal) -> (String, Option<i32>) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
        let mut text = self.first;
        self.out.read_to_string(&mut text).unwrap();
        (text, self.child.wait().unwrap().code())
    }
}

#[test]
fn no_thread_keeps_a_capability() {
    if !is_root() {
        return not_run("no_thread_keeps_a_capability", "live capture needs root");
    }
    let watch = Watch::start(&[], false);
    let threads = watch.threads();
    assert_powerless(&threads);
    assert_ids(&threads, NOBODY);
    watch.end(Signal::SIGTERM);
    // Nobody answers there, which is no reason to have more rights.
    let watch = Watch::start(&["--control"], false);
    let threads = support::threads::threads(watch.child.id(), &["capture", "engine", "signals", "control"]);
    assert_powerless(&threads);
    assert_ids(&threads, NOBODY);
    watch.end(Signal::SIGTERM);
}

#[test]
fn root_goes_on_as_whom_it_names() {
    if !is_root() {
        return not_run("root_goes_on_as_whom_it_names", "only root may become somebody");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("run.pcapng");
    let daemon = nix::unistd::User::from_name("daemon").unwrap().map_or(1, |user| user.uid.as_raw());
    // Named, it counts for more than sudo.
    for (name, sudo, id) in [("root", false, 0), ("0", false, 0), ("daemon", true, daemon)] {
        let watch = Watch::start(&["--user", name, "-w", file.to_str().unwrap()], sudo);
        let threads = watch.threads();
        assert_powerless(&threads);
        assert_ids(&threads, id);
        watch.end(Signal::SIGTERM);
        assert_eq!(fs::metadata(&file).unwrap().uid(), id, "{name}");
        fs::remove_file(&file).unwrap();
    }
    let output = support::run(&["-i", "lo", "--json", "--user", "nobody-of-that-name"]);
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert!(stderr(&output).contains("getent passwd"), "{}", stderr(&output));
}

/// The way without sudo: the file has the one capability, whoever runs it has none.
#[test]
fn with_a_file_capability_an_ordinary_user_captures_in_the_same_sandbox() {
    let test = "with_a_file_capability_an_ordinary_user_captures_in_the_same_sandbox";
    if !is_root() {
        return not_run(test, "only root may give a file a capability");
    }
    let dir = tempfile::tempdir().unwrap();
    let program = support::program_for_everybody(dir.path());
    let given = Command::new("setcap").arg("cap_net_raw=ep").arg(&program).output();
    if !given.is_ok_and(|output| output.status.success()) {
        return not_run(test, "setcap is not installed, or this file system keeps no capabilities");
    }
    let mut command = Command::new(&program);
    command.args(["-i", "lo", "-d", "127.0.0.1", "--json"]).env("XDG_CONFIG_HOME", "/nonexistent");
    let watch = Watch::of(command.uid(NOBODY).gid(NOBODY));
    let threads = watch.threads();
    // The bounding set stays: emptying it takes a capability that the file does not have, and it gives none.
    for status in &threads {
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(field(status, set), "0000000000000000", "{set} of {}", field(status, "Name"));
        }
        assert_eq!((field(status, "NoNewPrivs"), field(status, "Seccomp")), ("1", "2"));
    }
    assert_ids(&threads, NOBODY);
    assert_eq!(watch.end(Signal::SIGTERM).1, Some(0));
}

#[test]
fn under_sudo_every_thread_and_every_file_is_the_invokers() {
    if !is_root() {
        return not_run("under_sudo_every_thread_and_every_file_is_the_invokers", "live capture needs root");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    // The directory is root's and closed to others: the files must be open before the drop.
    let watch = Watch::start(&["-w", &path("run.pcapng"), "--report", &path("reports/")], true);
    let threads = watch.threads();
    assert_powerless(&threads);
    for status in &threads {
        let ids = format!("{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}");
        assert_eq!(field(status, "Uid"), ids);
        assert_eq!(field(status, "Gid"), ids);
        assert_eq!(field(status, "Groups"), "");
    }
    let (text, exit) = watch.end(Signal::SIGINT);
    assert_eq!(exit, Some(0));
    summary(&text);
    let report = fs::read_dir(path("reports")).unwrap().next().unwrap().unwrap().path();
    for file in [path("run.pcapng").into(), path("reports").into(), report] {
        let about = fs::metadata(&file).unwrap();
        assert_eq!((about.uid(), about.gid()), (NOBODY, NOBODY), "{}", file.display());
        assert!(about.len() > 0, "{}", file.display());
    }
}

#[test]
fn a_signal_or_the_time_limit_ends_a_live_run_with_a_summary() {
    if !is_root() {
        return not_run(
            "a_signal_or_the_time_limit_ends_a_live_run_with_a_summary",
            "live capture needs root",
        );
    }
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (text, exit) = Watch::start(&[], false).end(signal);
        assert_eq!(exit, Some(0), "{signal}");
        summary(&text);
    }
    let mut watch = Watch::start(&["--duration", "300ms"], false);
    let mut rest = String::new();
    watch.out.read_to_string(&mut rest).unwrap();
    assert_eq!(watch.child.wait().unwrap().code(), Some(0));
    summary(&rest);
}

/// The last frames before the signal are in the kernel's buffer, not in ours yet.
#[test]
fn the_tail_of_a_live_run_is_not_lost() {
    if !is_root() {
        return not_run("the_tail_of_a_live_run_is_not_lost", "live capture needs root");
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let filter = format!("tcp port {port}");
    let watch = Watch::start(&["-f", &filter, "--events", "flow"], false);
    for _ in 0..100 {
        let client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (server, _) = listener.accept().unwrap();
        drop((client, server));
    }
    std::thread::sleep(Duration::from_millis(1));
    let (text, _) = watch.end(Signal::SIGTERM);
    let last = summary(&text);
    assert_eq!(last["flows"], 100, "{last}");
    assert_eq!(last["capture"]["dropped"], 0);
}

/// What root may read is opened before the drop; what is in it is read after.
#[test]
fn a_capture_only_root_may_read_is_read_by_the_invoker() {
    use std::os::unix::fs::PermissionsExt;
    if !is_root() {
        return not_run("a_capture_only_root_may_read_is_read_by_the_invoker", "only root has such files");
    }
    let dir = tempfile::tempdir().unwrap();
    let capture = dir.path().join("run.pcap");
    fs::write(&capture, support::refused()).unwrap();
    fs::set_permissions(&capture, fs::Permissions::from_mode(0o600)).unwrap();
    let capture = capture.to_str().unwrap();
    for words in [&["-r", capture, "--json"][..], &["report", capture]] {
        let output = support::program(words)
            .env("SUDO_UID", NOBODY.to_string())
            .env("SUDO_GID", NOBODY.to_string())
            .output()
            .unwrap();
        assert!(support::stdout(&output).contains("time-wait-collision"), "{}", stderr(&output));
    }
}

/// A fault is told with the words that it is in, so what root alone may read must not be taken for a rule.
#[test]
fn rules_only_root_may_read_are_not_read_for_the_invoker() {
    use std::os::unix::fs::PermissionsExt;
    if !is_root() {
        return not_run("rules_only_root_may_read_are_not_read_for_the_invoker", "only root has such files");
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (capture, secret, rules) =
        (dir.path().join("run.pcap"), dir.path().join("secret"), dir.path().join("rules"));
    fs::write(&capture, support::refused()).unwrap();
    fs::write(&secret, "verysecret = 1\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(&rules).unwrap();
    std::os::unix::fs::symlink(&secret, rules.join("mine.toml")).unwrap();
    let (capture, rules) = (capture.to_str().unwrap(), rules.to_str().unwrap());
    for words in [
        &["-r", capture, "--json", "--rules", rules][..],
        &["-i", "lo", "--json", "--duration", "1s", "--rules", rules],
        &["rules", "check", rules],
        &["rules", "list", "--rules", rules],
    ] {
        // Root itself is told, which shows that the text would be there to be seen.
        assert!(stderr(&support::run(words)).contains("verysecret"), "{words:?}");
        let mut command = support::program(words);
        let command = command.env("SUDO_UID", NOBODY.to_string()).env("SUDO_GID", NOBODY.to_string());
        let output = command.output().unwrap();
        assert_ne!(code(&output), 0, "{words:?}");
        assert!(stderr(&output).contains("mine.toml: Permission denied"), "{}", stderr(&output));
        assert!(!stderr(&output).contains("verysecret"), "{}", stderr(&output));
    }
}

#[test]
fn half_an_identity_is_refused() {
    if !is_root() {
        return not_run("half_an_identity_is_refused", "only root may become somebody");
    }
    let output =
        support::program(&["-i", "lo", "--json"]).env("SUDO_UID", NOBODY.to_string()).output().unwrap();
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains("SUDO_GID"), "{}", stderr(&output));
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    if !is_root() {
        return not_run("an_interface_that_is_not_there_is_named", "live capture needs root");
    }
    let output = support::run(&["-i", "nowhere0", "--json"]);
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains("nowhere0"), "{}", stderr(&output));
    let output = support::run(&["-i", "lo", "-f", "no such filter", "--json"]);
    assert_eq!(code(&output), 2, "{}", stderr(&output));
}
