//! `--socket` and `esp-tcpwatch attach`: those who attach are told what passed and what comes, and nothing that they do or
//! leave undone is felt by the run.
#![cfg(unix)]

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{code, events, is_root, not_run, of_type, program, refused, stderr, stdout, summary};
use terminal::Terminal;

const NOBODY: u32 = 65_534;
/// Octets of a classic pcap before its first frame.
const FILE_HEADER: usize = 24;
/// Long enough for a machine with better things to do.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a program writes to stdout, read as it comes: nobody is to wait for us.
struct Lines {
    coming: Receiver<String>,
    text: String,
}

impl Lines {
    fn of(child: &mut Child) -> Lines {
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, coming) = channel();
        std::thread::spawn(move || {
            for line in out.lines() {
                if tell.send(line.unwrap() + "\n").is_err() {
                    break;
                }
            }
        });
        Lines { coming, text: String::new() }
    }

    fn until(&mut self, part: &str) {
        let mut since = 0;
        while !self.text[since..].contains(part) {
            since = self.text.len();
            let line = self.coming.recv_timeout(PATIENCE);
            self.text +=
                &line.unwrap_or_else(|error| panic!("{part} does not come ({error}): {}", self.text));
        }
    }

    fn all(mut self) -> String {
        loop {
            match self.coming.recv_timeout(PATIENCE) {
                Ok(line) => self.text += &line,
                Err(RecvTimeoutError::Disconnected) => return self.text,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {}", self.text),
            }
        }
    }
}

/// A run over a stream that was fed and goes on.
struct Run {
    child: Child,
    out: Option<Lines>,
    /// Of the run's user alone.
    folder: tempfile::TempDir,
}

impl Run {
    fn begin() -> Run {
        let folder = tempfile::tempdir().unwrap();
        support::give_to_successor(folder.path());
        Run::in_folder(folder)
    }

    fn in_folder(folder: tempfile::TempDir) -> Run {
        let path = folder.path().join("s");
        Run::of(program(&["-r", "-", "--json", "--socket", path.to_str().unwrap()]), folder)
    }

    fn of(mut command: Command, folder: tempfile::TempDir) -> Run {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        while !said.starts_with("attach: ") {
            said = errors.next().unwrap_or_else(|| panic!("no socket: {said}")).unwrap();
        }
        let out = Some(Lines::of(&mut child));
        Run { child, out, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    fn feed(&mut self, octets: &[u8]) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(octets).unwrap();
        input.flush().unwrap();
    }

    /// Ends the stream; what was written to stdout.
    fn end(&mut self) -> String {
        drop(self.child.stdin.take());
        let text = self.out.take().unwrap().all();
        self.child.wait().unwrap();
        text
    }

    fn attach(&self, words: &[&str]) -> Command {
        let path = self.path();
        program(&[&["attach", path.to_str().unwrap()], words].concat())
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.path()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody who is attached.
struct Attached {
    child: Child,
    out: Lines,
}

impl Attached {
    fn of(mut command: Command) -> Attached {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = Lines::of(&mut child);
        Attached { child, out }
    }

    fn until(&mut self, part: &str) {
        self.out.until(part);
    }

    /// Reads to the end: what was told, the exit code, and stderr.
    fn end(self) -> (String, i32, String) {
        let text = self.out.all();
        let output = self.child.wait_with_output().unwrap();
        (text, code(&output), stderr(&output))
    }
}

/// What [`refused`] holds, `times` times, each from another port of the client's and a second later than the one before.
/// No file header. `first`: the first port.
fn again(times: u16, first: u16) -> Vec<u8> {
    let once = refused();
    let mut octets = Vec::new();
    for port in (first..).take(times.into()) {
        let mut rest = &once[FILE_HEADER..];
        while let Some((header, frames)) = rest.split_at_checked(16) {
            let length = u32::from_le_bytes(header[8..12].try_into().unwrap()) as usize;
            let (frame, others) = frames.split_at(length);
            let mut frame = frame.to_vec();
            // Ethernet 14, IPv4 20: then the ports, of which the device's is 80.
            let client = if frame[34..36] == 80_u16.to_be_bytes() { 36 } else { 34 };
            frame[client..client + 2].copy_from_slice(&port.to_be_bytes());
            let second = u32::from_le_bytes(header[..4].try_into().unwrap()) + u32::from(port - 1_023);
            octets.extend(second.to_le_bytes());
            octets.extend(&header[4..]);
            octets.extend(frame);
            rest = others;
        }
    }
    octets
}

fn without_markers(text: &str) -> Vec<Value> {
    events(text).into_iter().filter(|event| event["type"] != "marker").collect()
}

#[test]
fn two_are_told_the_same_whether_they_come_before_or_after() {
    let mut run = Run::begin();
    let mut early = Attached::of(run.attach(&["--json", "--events", "flow,segment"]));
    early.until("\"type\":\"start\"");
    run.feed(&refused());
    early.until("\"rule\":\"ignored-rst\"");
    let mut late = Attached::of(run.attach(&["--json"]));
    late.until("attached: ");
    let text = run.end();
    let (early, early_code, _) = early.end();
    let (late, late_code, errors) = late.end();
    assert_eq!((early_code, late_code), (1, 1), "as the run's own: {errors}");

    assert_eq!(summary(&early), summary(&text));
    assert_eq!(summary(&late), summary(&text));
    let own = without_markers(&text);
    assert!(own.iter().all(|event| !["flow", "segment"].contains(&event["type"].as_str().unwrap())));
    // Of a device or an alert the last word stands for those before it; nothing else passes in so short a run.
    let of_late = without_markers(&late);
    let mut rest = own.iter();
    assert!(of_late.iter().all(|event| rest.any(|one| one == event)), "in the order of the run: {late}");
    for kind in ["start", "finding", "summary"] {
        assert_eq!(of_type(&of_late, kind), of_type(&own, kind));
    }
    for rule in ["time-wait-collision", "ignored-rst"] {
        let last =
            |events: &[Value]| of_type(events, "alert").into_iter().rfind(|alert| alert["rule"] == rule);
        assert!(last(&own).is_some() && last(&of_late) == last(&own), "{rule}");
    }
    assert_eq!(of_type(&of_late, "device").last(), of_type(&own, "device").last());
    let of_early = without_markers(&early);
    let as_own: Vec<Value> = of_early
        .iter()
        .filter(|event| !["flow", "segment"].contains(&event["type"].as_str().unwrap()))
        .cloned()
        .collect();
    assert_eq!(as_own, own);
    assert_eq!(of_type(&of_early, "segment").len() as u64, summary(&text)["segments"].as_u64().unwrap());
    let marker = of_type(&events(&late), "marker").remove(0);
    let numbers = marker["text"].as_str().unwrap().split(' ').filter_map(|word| word.parse().ok());
    let numbers: Vec<usize> = numbers.collect();
    assert!(numbers[0] <= numbers[1] && numbers[1] < of_early.len(), "{marker}");
    assert!(!run.path().exists(), "the socket goes with its run");
}

#[test]
fn one_who_never_reads_holds_nothing_back_and_is_told_what_they_missed() {
    let mut run = Run::begin();
    run.feed(&refused());
    let mut watching = Attached::of(run.attach(&["--json"]));
    watching.until("\"rule\":\"ignored-rst\"");
    let mut slow = run.connect();
    // One who speaks is shown out, which also tells that the one before is attached.
    let mut speaking = run.connect();
    speaking.write_all(b"x").unwrap();
    let gone = speaking.read_to_end(&mut Vec::new());
    assert!(gone.is_ok() || gone.as_ref().unwrap_err().kind() == ErrorKind::ConnectionReset, "{gone:?}");

    let began = Instant::now();
    let mut frames = 0;
    for round in 0..8 {
        let octets = again(100, 1_024 + round * 100);
        frames += 100 * 15;
        run.feed(&octets);
    }
    // All is analysed while nobody reads: the last connection is told to whoever does.
    watching.until("10.77.0.1:1823");
    let took = began.elapsed();

    slow.set_nonblocking(false).unwrap();
    let (mut told, mut segments, mut is_told, mut is_current) = (String::new(), 0, false, false);
    let mut lines = BufReader::new(&mut slow);
    while !(is_told && is_current) {
        told.clear();
        assert!(lines.read_line(&mut told).unwrap() > 0, "missed is told: {is_told}, the last: {is_current}");
        let event: Value = serde_json::from_str(&told).expect("a whole line each");
        segments += usize::from(event["type"] == "segment");
        is_told |= event["type"] == "marker" && told.contains("were not told here");
        is_current |= event["type"] == "finding" && told.contains("10.77.0.1:1823");
    }
    assert!(segments < frames, "{segments} of {frames}");
    drop(slow);
    let text = run.end();
    assert_eq!(summary(&text)["frames"].as_u64(), Some(frames as u64 + 15), "in {took:?}");
    assert_eq!(summary(&text)["capture"]["dropped"], 0);
    let (text_of_watching, _, errors) = watching.end();
    assert_eq!(summary(&text_of_watching), summary(&text), "{errors}");
}

#[test]
fn the_end_is_told_and_the_want_of_one() {
    let mut run = Run::begin();
    run.feed(&refused());
    let mut lines = Attached::of(run.attach(&["--headless"]));
    lines.until("time-wait-collision");
    let stuck = run.connect();
    let began = Instant::now();
    run.end();
    assert!(began.elapsed() < PATIENCE, "who does not read cannot keep a run from ending");
    drop(stuck);
    let (text, exit, errors) = lines.end();
    assert_eq!(exit, 1, "{errors}");
    assert!(text.contains("SUMMARY"), "{text}");
    let gone = run.attach(&["--json"]).output().unwrap();
    assert_eq!(code(&gone), 2);
    assert!(stderr(&gone).contains("--socket"), "{}", stderr(&gone));

    let mut run = Run::begin();
    run.feed(&refused());
    let mut attached = Attached::of(run.attach(&["--json"]));
    attached.until("\"type\":\"alert\"");
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    let (_, exit, errors) = attached.end();
    assert_eq!(exit, 4);
    assert!(errors.contains("broke off without its summary"), "{errors}");
    let gone = run.attach(&["--json"]).output().unwrap();
    assert_eq!(code(&gone), 2);
    assert!(stderr(&gone).contains("is gone"), "{}", stderr(&gone));
    // What it left is no obstacle.
    let folder = std::mem::replace(&mut run.folder, tempfile::tempdir().unwrap());
    let next = Run::in_folder(folder);
    let mut attached = Attached::of(next.attach(&["--json"]));
    attached.until("\"type\":\"start\"");
    kill(Pid::from_raw(attached.child.id().cast_signed()), Signal::SIGINT).unwrap();
    let (_, exit, errors) = attached.end();
    assert_eq!(exit, 0, "to leave is no failure: {errors}");
}

#[test]
fn a_place_that_is_taken_stays_as_it_was() {
    let run = Run::begin();
    let path = run.path();
    let output = program(&["-r", "-", "--json", "--socket", path.to_str().unwrap()])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("another run answers at"), "{}", stderr(&output));
    let mut attached = Attached::of(run.attach(&["--json"]));
    attached.until("\"type\":\"start\"");
    attached.child.kill().unwrap();
    attached.child.wait().unwrap();
}

#[test]
fn needs_root_another_user_may_not_attach() {
    let run = Run::begin();
    let about = fs::symlink_metadata(run.path()).unwrap();
    assert!(about.file_type().is_socket());
    assert_eq!(about.permissions().mode() & 0o777, 0o600);
    if !is_root() {
        return not_run("needs_root_another_user_may_not_attach", "only root can become another user");
    }
    assert_eq!(about.uid(), NOBODY, "of whom the run goes on as");
    let dir = tempfile::tempdir().unwrap();
    let copy = support::program_for_everybody(dir.path());
    let attempt = |uid: u32| {
        let mut command = Command::new(&copy);
        command.args(["attach", run.path().to_str().unwrap(), "--json"]).uid(uid).gid(uid);
        command.env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null());
        command
    };
    fs::set_permissions(run.folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let output = attempt(12_345).output().unwrap();
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("another user's"), "{}", stderr(&output));
    // And where somebody has opened it to all, the run itself looks who is there.
    fs::set_permissions(run.path(), fs::Permissions::from_mode(0o666)).unwrap();
    let output = attempt(12_345).output().unwrap();
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("hung up at once"), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    let mut own = Attached::of(attempt(NOBODY));
    own.until("\"type\":\"start\"");
    own.child.kill().unwrap();
    own.child.wait().unwrap();
}

/// `program` as somebody runs it who is not root and whose sockets lie in `folder`.
fn as_user_of(folder: &Path, program: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words).env("XDG_RUNTIME_DIR", folder).env("XDG_CONFIG_HOME", "/nonexistent");
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

#[test]
fn where_none_is_named_both_meet_in_the_user_s_own_folder() {
    let folder = tempfile::tempdir().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let copy = support::program_for_everybody(dir.path());
    support::give_to_successor(folder.path());
    let as_user = |words: &[&str]| as_user_of(folder.path(), &copy, words);
    let output = as_user(&["attach", "--json"]).output().unwrap();
    assert_eq!(code(&output), 2);
    let told = stderr(&output);
    let first = folder.path().join("esp-tcpwatch/watch.sock");
    assert!(told.contains(&format!("{} or at /run/esp-tcpwatch/watch.sock", first.display())), "{told}");
    let mut run = Run::of(as_user(&["-r", "-", "--json", "--socket"]), tempfile::tempdir().unwrap());
    let mut attached = Attached::of(as_user(&["attach", "--json"]));
    attached.until("\"type\":\"start\"");
    run.end();
    let (text, exit, errors) = attached.end();
    assert_eq!(exit, 0, "{errors}");
    summary(&text);
}

#[test]
fn of_several_runs_none_is_chosen_and_all_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let copy = support::program_for_everybody(dir.path());
    support::give_to_successor(folder.path());
    let as_user = |words: &[&str]| as_user_of(folder.path(), &copy, words);
    let nowhere = || tempfile::tempdir().unwrap();
    let mut first = Run::of(as_user(&["-r", "-", "--json", "--socket"]), nowhere());
    // Where the second is told to be, it is found as well.
    let taken = as_user(&["-r", "-", "--json", "--socket"]).stdin(Stdio::null()).output().unwrap();
    let told = stderr(&taken);
    let (_, other) = told.trim_end().split_once("give this one another path: --socket ").unwrap();
    let mut second = Run::of(as_user(&["-r", "-", "--json", "--socket", other]), nowhere());
    let output = as_user(&["attach", "--json"]).output().unwrap();
    assert_eq!(code(&output), 2);
    let runs: Vec<String> = ["another.sock", "watch.sock"]
        .map(|name| {
            let path = folder.path().join("esp-tcpwatch").join(name);
            format!("  esp-tcpwatch attach {}", path.display())
        })
        .into();
    assert!(
        stderr(&output).contains(&format!("2 runs answer; name one:\n{}", runs.join("\n"))),
        "{}",
        stderr(&output)
    );
    first.end();
    let mut attached = Attached::of(as_user(&["attach", "--json"]));
    attached.until("\"type\":\"start\"");
    // A report is for those who run it; it is no end either.
    kill(Pid::from_raw(attached.child.id().cast_signed()), Signal::SIGUSR1).unwrap();
    second.end();
    let (text, exit, errors) = attached.end();
    assert_eq!(exit, 0, "{errors}");
    summary(&text);
}

/// A group that every system has, and nobody who runs the tests is in.
const GROUP: (&str, u32) = ("daemon", 1);

#[test]
#[cfg(target_os = "linux")]
fn needs_root_the_members_of_a_group_may_attach_and_nobody_else() {
    const TEST: &str = "needs_root_the_members_of_a_group_may_attach_and_nobody_else";
    if !is_root() {
        return not_run(TEST, "only root can become another user");
    }
    let folder = tempfile::tempdir().unwrap();
    support::give_to_successor(folder.path());
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let copy = support::program_for_everybody(dir.path());
    let path = folder.path().join("s");
    // As user and group, with one more group.
    let as_one = |uid: u32, gid: u32, more: u32, words: &[&str]| {
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}")).arg(format!("--groups={more}"));
        command.arg(&copy).args(words).env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null());
        command
    };
    let words = ["-r", "-", "--json", "--socket", path.to_str().unwrap(), "--socket-group"];
    let unknown = program(&[&words[..], &["no-such-group"]].concat()).stdin(Stdio::null()).output().unwrap();
    assert_eq!(code(&unknown), 2);
    assert!(stderr(&unknown).contains("--socket-group no-such-group: there is no such group"));
    assert!(!path.exists());

    let mut run = Run::of(program(&[&words[..], &[GROUP.0]].concat()), folder);
    let about = fs::symlink_metadata(&path).unwrap();
    assert_eq!((about.mode() & 0o777, about.uid(), about.gid()), (0o660, NOBODY, GROUP.1));
    let threads = support::threads::threads(run.child.id(), &["engine", "signals", "socket"]);
    support::threads::assert_powerless(&threads);
    support::threads::assert_ids(&threads, NOBODY);
    let to_attach = ["attach", path.to_str().unwrap(), "--json"];
    let (stranger, own) = (12_345, NOBODY);
    for (uid, gid, more) in [(stranger, GROUP.1, stranger), (stranger, stranger, GROUP.1), (own, own, own)] {
        let mut attached = Attached::of(as_one(uid, gid, more, &to_attach));
        attached.until("\"type\":\"start\"");
        attached.child.kill().unwrap();
        attached.child.wait().unwrap();
    }
    let refused = as_one(stranger, stranger, stranger, &to_attach).output().unwrap();
    assert_eq!(code(&refused), 3, "{}", stderr(&refused));
    // And where somebody has opened it to all, the run itself looks who is there.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let refused = as_one(stranger, stranger, stranger, &to_attach).output().unwrap();
    assert_eq!((code(&refused), stdout(&refused).as_str()), (4, ""), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("hung up at once"), "{}", stderr(&refused));
    run.end();
    assert!(!path.exists());

    // Whoever is not root gives it to a group that they are in, and to no other.
    let words = [&words[..], &[GROUP.0]].concat();
    let output = as_one(own, own, own, &words).output().unwrap();
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot be given to gid 1"), "{}", stderr(&output));
    assert!(!path.exists());
    // The last as systemd starts it with Group=.
    for (gid, more) in [(own, GROUP.1), (GROUP.1, own)] {
        let folder = std::mem::replace(&mut run.folder, tempfile::tempdir().unwrap());
        run = Run::of(as_one(own, gid, more, &words), folder);
        let about = fs::symlink_metadata(&path).unwrap();
        assert_eq!((about.mode() & 0o777, about.uid(), about.gid()), (0o660, NOBODY, GROUP.1));
        run.end();
    }
}

#[test]
fn a_screen_attaches_shows_the_alert_and_leaves() {
    let mut run = Run::begin();
    run.feed(&refused());
    let mut other = Attached::of(run.attach(&["--json"]));
    other.until("\"rule\":\"ignored-rst\"");
    let mut screen = Terminal::run(run.attach(&[]));
    screen.shows("attached to ");
    screen.shows("CRITICAL: 10.77.0.2 refused a new connection");
    screen.press("e");
    screen.shows("has not seen all of the run");
    screen.press("q");
    assert_eq!(screen.end(), Some(1));
    let mut screen = Terminal::run(run.attach(&[]));
    screen.shows("CRITICAL: 10.77.0.2 refused a new connection");
    // What comes now is shown as well, segment by segment.
    screen.press("3");
    run.feed(&again(1, 1_100));
    screen.shows("10.77.0.1:1100");
    let text = run.end();
    assert_eq!(summary(&text)["frames"], 30, "the run took no notice");
    screen.shows(summary(&text)["verdict"].as_str().unwrap().split(' ').next().unwrap());
    screen.press("q");
    assert_eq!(screen.end(), Some(1));
}

#[test]
#[cfg(target_os = "linux")]
fn needs_root_a_live_run_serves_without_any_privilege() {
    if !is_root() {
        return not_run("needs_root_a_live_run_serves_without_any_privilege", "capturing on lo takes root");
    }
    let folder = tempfile::tempdir().unwrap();
    support::give_to_successor(folder.path());
    let path = folder.path().join("s");
    let words = ["-i", "lo", "-d", "127.0.0.1", "--json", "--socket", path.to_str().unwrap()];
    let mut run = Run::of(program(&words), folder);
    let threads = support::threads::threads(run.child.id(), &["capture", "engine", "signals", "socket"]);
    support::threads::assert_powerless(&threads);
    support::threads::assert_ids(&threads, NOBODY);
    let mut attached = Attached::of(run.attach(&["--json"]));
    attached.until("\"source\":\"live\"");
    let of_attached = support::threads::threads(attached.child.id(), &["signals"]);
    support::threads::assert_powerless(&of_attached);
    support::threads::assert_ids(&of_attached, NOBODY);
    kill(Pid::from_raw(run.child.id().cast_signed()), Signal::SIGTERM).unwrap();
    let text = run.end();
    let (told, _, errors) = attached.end();
    assert_eq!(summary(&told), summary(&text), "{errors}");
    assert!(!run.path().exists());
}
