//! The log of a run that systemd started: it goes to the journal and not to stderr, field by field, from a process that has
//! no rights left.
//!
//! The journal is a socket of the test's, put in the journal's place in a mount namespace: only the program sees it there.
#![cfg(target_os = "linux")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{is_root, not_run};

/// Makes `$1` the folder of the journal's socket for all that `$2`… starts.
const IN_ITS_PLACE: &str = "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && \
     mount --bind \"$1\" /run/systemd/journal && shift && exec \"$@\"";

/// A namespace of its own, where mounting is allowed.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]);
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command
}

fn may_mount(test: &str) -> bool {
    let tried = unshare().args(["mount", "-t", "tmpfs", "none", "/run"]).output();
    let may = tried.is_ok_and(|output| output.status.success());
    if !may {
        not_run(test, "a mount namespace needs root, or leave to make user namespaces");
    }
    may
}

struct Journal(UnixDatagram);

impl Journal {
    fn listening(folder: &Path) -> Journal {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        let path = folder.join("socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        // As systemd makes it.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Journal(socket)
    }

    /// The next record. An empty datagram only asks whether somebody listens.
    fn next(&self) -> BTreeMap<String, String> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = self.0.recv(&mut buffer).expect("a record in the journal");
            if length > 0 {
                return fields(&buffer[..length]);
            }
        }
    }

    fn until(&self, message: &str) -> BTreeMap<String, String> {
        loop {
            let record = self.next();
            if record["MESSAGE"].contains(message) {
                return record;
            }
        }
    }
}

/// The journal's native protocol: `NAME=value`, or a name, the value's length (64 bit, little endian) and the value.
fn fields(mut record: &[u8]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    while !record.is_empty() {
        let end = record.iter().position(|octet| *octet == b'\n').unwrap();
        let line = &record[..end];
        record = &record[end + 1..];
        let (name, value) = match line.iter().position(|octet| *octet == b'=') {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => {
                let (length, rest) = record.split_at(8);
                let (value, rest) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
                record = rest.strip_prefix(b"\n").unwrap();
                (line, value)
            }
        };
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
        assert_eq!(fields.insert(text(name), text(value)), None, "{}", text(name));
    }
    fields
}

/// A run over a stream, whose stderr systemd says is the journal's.
struct Run {
    child: Child,
    out: BufReader<ChildStdout>,
    errors: UnixStream,
}

impl Run {
    /// `journal`: the folder with its socket.
    fn start(journal: &Path, at: &Path, words: &[&str]) -> Run {
        // systemd connects stderr with a stream socket and names what it made.
        let (errors, theirs) = UnixStream::pair().unwrap();
        let about = nix::sys::stat::fstat(theirs.as_fd()).unwrap();
        let program = support::program(words);
        let mut command = unshare();
        command.args(["sh", "-c", IN_ITS_PLACE, "sh"]).arg(journal);
        command.arg(program.get_program()).args(program.get_args()).current_dir(at);
        command.env_remove("SUDO_UID").env_remove("SUDO_GID").env_remove("NOTIFY_SOCKET");
        command.env("XDG_CONFIG_HOME", "/nonexistent");
        command.env("JOURNAL_STREAM", format!("{}:{}", about.st_dev, about.st_ino));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(OwnedFd::from(theirs));
        let mut child = command.spawn().unwrap();
        // Else our own copy would keep it open.
        drop(command);
        let out = BufReader::new(child.stdout.take().unwrap());
        Run { child, out, errors }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    fn feed(&mut self, octets: &[u8]) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(octets).unwrap();
        input.flush().unwrap();
    }

    fn until(&mut self, kind: &str) {
        let mut line = String::new();
        while line.is_empty() || serde_json::from_str::<Value>(&line).unwrap()["type"] != kind {
            line.clear();
            if self.out.read_line(&mut line).unwrap() == 0 {
                let mut said = String::new();
                let _ = self.errors.read_to_string(&mut said);
                panic!("no {kind}: {said}");
            }
        }
    }

    /// Ends the stream: what came on stderr, and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        drop(self.child.stdin.take());
        std::io::copy(&mut self.out, &mut std::io::sink()).unwrap();
        let mut said = String::new();
        self.errors.read_to_string(&mut said).unwrap();
        (said, self.child.wait().unwrap().code())
    }
}

#[test]
fn the_log_goes_to_the_journal_after_every_right_is_gone() {
    const NAME: &str = "the_log_goes_to_the_journal_after_every_right_is_gone";
    if !may_mount(NAME) {
        return;
    }
    let (folder, at) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    support::give_to_successor(at.path());
    let rules = at.path().join("rules");
    fs::create_dir(&rules).unwrap();
    fs::copy("rules/time-wait-collision.toml", rules.join("mine.toml")).unwrap();
    let journal = Journal::listening(folder.path());
    let mut run = Run::start(folder.path(), at.path(), &["-r", "-", "--json", "--rules", "rules"]);
    run.feed(&support::refused());
    run.until("alert");

    // The last thing that a run does before it says this is to give up what it may.
    let record = journal.until("watching stdin");
    let threads = support::threads::threads(run.child.id(), &["engine", "signals"]);
    support::threads::assert_powerless(&threads);
    if is_root() {
        support::threads::assert_ids(&threads, 65_534);
    }
    for (field, value) in [("PRIORITY", "5"), ("SYSLOG_IDENTIFIER", "esp-tcpwatch")] {
        assert_eq!(record[field], value, "{record:?}");
    }
    assert!(record["TARGET"].starts_with("esp_tcpwatch::"), "{record:?}");

    run.signal(Signal::SIGUSR1);
    let record = journal.until("report: ");
    let (_, report) = record["MESSAGE"].split_once("report: ").unwrap();
    assert!(fs::read_to_string(at.path().join(report)).unwrap().contains("time-wait-collision"));

    fs::write(rules.join("mine.toml"), "id = \"time-wait-collision\"\nseverity = \"\u{1b}[31mloud\"\n")
        .unwrap();
    run.signal(Signal::SIGHUP);
    let record = journal.until("mine.toml:2:");
    assert_eq!((&*record["PRIORITY"], &*record["SYSLOG_IDENTIFIER"]), ("3", "esp-tcpwatch"), "{record:?}");
    assert!(!record["MESSAGE"].contains('\u{1b}'), "{record:?}");

    let (said, code) = run.end();
    let record = journal.until("stopped after 15 frames");
    assert_eq!(record["PRIORITY"], "5");
    assert_eq!(code, Some(1), "{said}");
    for word in ["INFO", "ERROR", "watching", "mine.toml"] {
        assert!(!said.contains(word), "{word} is on stderr too: {said}");
    }
}

#[test]
fn without_a_journal_that_listens_the_log_stays_on_stderr() {
    if !may_mount("without_a_journal_that_listens_the_log_stays_on_stderr") {
        return;
    }
    let (folder, at) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    support::give_to_successor(at.path());
    let mut run = Run::start(folder.path(), at.path(), &["-r", "-", "--json"]);
    run.feed(&support::refused());
    run.until("alert");
    let (said, code) = run.end();
    assert_eq!(code, Some(1), "{said}");
    for word in ["INFO watching stdin", "INFO stopped after 15 frames"] {
        assert!(said.contains(word), "{word} is missing: {said}");
    }
}
