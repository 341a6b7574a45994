//! The twin's process: where its binary is, how it is started with the device's end of the wire, how it is known to
//! be ready, how it ends. Knows nothing of what it serves.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use caps::CapSet;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::pipe2;

use super::error::LabError;

const NAME: &str = "esp-tcpwatch-twin";
const VARIABLE: &str = "ESP_TCPWATCH_TWIN";
const READY_WITHIN: Duration = Duration::from_secs(5);
const END_WITHIN: Duration = Duration::from_secs(2);

/// The twin's binary: the one named, else the one in the environment, else the one beside this executable or where
/// `make twin` puts it.
pub fn find(explicit: Option<&Path>) -> Result<PathBuf, LabError> {
    let named = explicit.map(Path::to_owned).or_else(|| {
        let value = std::env::var_os(VARIABLE)?;
        (!value.is_empty()).then(|| PathBuf::from(value))
    });
    // A name that is given is meant: when it is wrong, another twin would be the wrong answer.
    if let Some(path) = named {
        return check(&path).map(|()| path);
    }
    let executable =
        std::env::current_exe().map_err(|cause| LabError::Proc { path: "/proc/self/exe", cause })?;
    find_near(&executable)
}

fn find_near(executable: &Path) -> Result<PathBuf, LabError> {
    let mut looked_at = Vec::new();
    if let Some(folder) = executable.parent() {
        looked_at.push(folder.join(NAME));
        // target/debug/esp-tcpwatch, target/debug/examples/*, target/<triple>/release/esp-tcpwatch
        let above = folder.ancestors().skip(1).take(2);
        looked_at.extend(above.map(|folder| folder.join("twin").join(NAME)));
    }
    match looked_at.iter().find(|path| check(path).is_ok()) {
        Some(path) => Ok(path.clone()),
        None => Err(LabError::TwinNotFound { looked_at }),
    }
}

pub(super) fn check(path: &Path) -> Result<(), LabError> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(not_started(path, Errno::ENOEXEC.into())),
        Ok(found) if found.permissions().mode() & 0o111 == 0 => Err(not_started(path, Errno::EACCES.into())),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(LabError::TwinMissing { path: path.to_owned() })
        }
        Err(error) => Err(not_started(path, error)),
    }
}

fn not_started(path: &Path, cause: io::Error) -> LabError {
    LabError::TwinNotStarted { path: path.to_owned(), cause }
}

/// What it takes to start it, once or again.
#[derive(Debug)]
pub(super) struct Start {
    pub path: PathBuf,
    pub arguments: Vec<String>,
    pub user: Option<(u32, u32)>,
}

#[derive(Debug)]
pub(super) struct Twin {
    path: PathBuf,
    /// Our end of its standard input is in here: the twin ends when it closes. `None` once it is down.
    child: Option<Child>,
    stderr: fs::File,
    stack: String,
}

impl Twin {
    /// Starts it and waits until it says that it listens. This process must have one thread.
    pub(super) fn start(start: &Start, device_end: OwnedFd) -> Result<Twin, LabError> {
        let path = start.path.as_path();
        // Its words may come at any time, and on a terminal they would spoil the screen. So they go into a pipe that
        // is read once it is over; a full one loses them rather than stopping the twin.
        let (stderr, its_stderr) =
            pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).map_err(|error| not_started(path, error.into()))?;
        let child = match spawn(start, path, &device_end, &its_stderr) {
            // That user may not go where it lies, as into root's home: then by a descriptor, which we may still open.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && start.user.is_some() => {
                fs::File::open(path).and_then(|file| {
                    let program = format!("/proc/self/fd/{}", file.as_raw_fd());
                    spawn(start, program.as_ref(), &device_end, &its_stderr)
                })
            }
            outcome => outcome,
        };
        let child = child.map_err(|error| not_started(path, error))?;
        let mut twin = Twin {
            path: path.to_owned(),
            child: Some(child),
            stderr: fs::File::from(stderr),
            stack: String::new(),
        };
        // From here on these ends are the twin's alone.
        drop((device_end, its_stderr));
        twin.stack = twin.ready()?;
        Ok(twin)
    }

    pub(super) fn stack(&self) -> &str {
        &self.stack
    }

    /// Ends it: by closing its standard input, and if it will not hear, by force. The second call does nothing.
    pub(super) fn stop(&mut self) -> Result<(), LabError> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let ended_already = matches!(child.try_wait(), Ok(Some(_)));
        drop(child.stdin.take());
        let stuck = |pid, cause| LabError::TwinStuck { path: self.path.clone(), pid, cause };
        match wait(&mut child, END_WITHIN) {
            Ok(Some(status)) if status.success() && !ended_already => Ok(()),
            Ok(Some(status)) => Err(self.ended(status)),
            Ok(None) => {
                child.kill().and_then(|()| child.wait()).map_err(|cause| stuck(child.id(), cause))?;
                let (path, stderr) = (self.path.clone(), self.words());
                Err(LabError::TwinKilled { path, waited: END_WITHIN, stderr })
            }
            Err(cause) => Err(stuck(child.id(), cause)),
        }
    }

    /// Ends it as a lost supply does: at once, and without a last word. The second call does nothing.
    pub(super) fn kill(&mut self) -> Result<(), LabError> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        if let Ok(Some(status)) = child.try_wait() {
            return Err(self.ended(status));
        }
        let ended = child.kill().and_then(|()| child.wait());
        ended.map(drop).map_err(|cause| LabError::TwinStuck {
            path: self.path.clone(),
            pid: child.id(),
            cause,
        })
    }

    /// Waits for the one line on its standard output, and returns the stack it names.
    fn ready(&mut self) -> Result<String, LabError> {
        match self.first_line(Instant::now() + READY_WITHIN) {
            Ok(Some(line)) => stack_of(&line).ok_or_else(|| {
                let _killed = self.stop();
                LabError::TwinStrange { path: self.path.clone(), line, stderr: self.words() }
            }),
            Ok(None) => match self.child.as_mut().map(|child| wait(child, END_WITHIN)) {
                Some(Ok(Some(status))) => {
                    self.child = None;
                    Err(self.ended(status))
                }
                // It closed its output and lives on.
                _ => Err(self.not_ready()),
            },
            Err(_) => Err(self.not_ready()),
        }
    }

    /// `None` when its output ends first.
    fn first_line(&mut self, deadline: Instant) -> io::Result<Option<String>> {
        let Some(stdout) = self.child.as_mut().and_then(|child| child.stdout.as_mut()) else {
            return Ok(None);
        };
        let mut line = Vec::new();
        let mut octets = [0u8; 512];
        while line.len() < 4096 {
            if !readable(stdout, deadline)? {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let length = stdout.read(&mut octets)?;
            if length == 0 {
                return Ok(None);
            }
            line.extend(octets.iter().take(length));
            if let Some(end) = line.iter().position(|&octet| octet == b'\n') {
                line.truncate(end);
                break;
            }
        }
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }

    fn not_ready(&mut self) -> LabError {
        if let Some(mut child) = self.child.take() {
            let _gone = child.kill().and_then(|()| child.wait());
        }
        LabError::TwinNotReady { path: self.path.clone(), waited: READY_WITHIN, stderr: self.words() }
    }

    fn ended(&mut self, status: ExitStatus) -> LabError {
        LabError::TwinEnded { path: self.path.clone(), status, stderr: self.words() }
    }

    /// What it wrote to standard error so far, on one line and without the power to steer a terminal.
    fn words(&mut self) -> String {
        let mut octets = vec![0u8; 4096];
        let length = self.stderr.read(&mut octets).unwrap_or(0);
        octets.truncate(length);
        one_line(&String::from_utf8_lossy(&octets))
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        // Nobody is left to hear of it; `Lab::finish` is for those who want to.
        let _unheard = self.stop();
    }
}

/// The process on its way to becoming the twin, with its words going into `stderr`.
fn spawn(start: &Start, program: &Path, device_end: &OwnedFd, stderr: &OwnedFd) -> io::Result<Child> {
    let tap = device_end.try_clone()?;
    let mut command = Command::new(program);
    command
        .arg0(&start.path)
        .arg("--tap-fd")
        .arg(tap.as_raw_fd().to_string())
        .args(&start.arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::from(stderr.try_clone()?))
        // A Ctrl-C goes to the terminal's whole foreground group; when the twin ends is for us to say.
        .process_group(0);
    if let Some((uid, gid)) = start.user {
        command.uid(uid).gid(gid);
    }
    // SAFETY: the process has one thread (namespace::only_one_thread saw to it), so its child may do whatever the process
    // may, allocating included.
    #[expect(unsafe_code, reason = "what happens between fork and exec is the caller's word")]
    unsafe {
        command.pre_exec(move || before_exec(&tap))
    };
    command.spawn()
}

/// In the child, on its way to becoming the twin: it keeps the device's end of the wire, and no power of ours.
fn before_exec(tap: &OwnedFd) -> io::Result<()> {
    fcntl(tap, FcntlArg::F_SETFD(FdFlag::empty()))?;
    nix::sys::prctl::set_no_new_privs()?;
    // With the above an exec gives root's capabilities to a uid 0 only as far as it had them.
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).map_err(|_| io::Error::from(Errno::EPERM))?;
    }
    Ok(())
}

fn readable(from: &impl AsFd, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(from.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Until it ends or the time is over. Looked at every few milliseconds: no signal handler of this room's, and no
/// pidfd, which older kernels lack.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if Instant::now() >= deadline => return Ok(None),
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// The stack named by a ready line; `None` when it is none.
fn stack_of(line: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    if value.get("ready")?.as_bool()? {
        Some(value.get("stack").and_then(|stack| stack.as_str()).unwrap_or("lwIP").to_owned())
    } else {
        None
    }
}

fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" / ").chars().fold(String::new(), |mut out, c| {
        let written = if c.is_control() { write!(out, "{}", c.escape_default()) } else { write!(out, "{c}") };
        debug_assert!(written.is_ok());
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twin_at(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_twin_is_found_from_every_place_cargo_puts_a_binary() {
        let target = tempfile::tempdir().unwrap();
        let made = target.path().join("twin").join(NAME);
        twin_at(&made);
        for executable in ["debug/esp-tcpwatch", "debug/examples/x", "x86_64-unknown-linux-musl/release/x"] {
            assert_eq!(find_near(&target.path().join(executable)).unwrap(), made, "{executable}");
        }
        let beside = target.path().join("debug").join(NAME);
        twin_at(&beside);
        assert_eq!(find_near(&target.path().join("debug/esp-tcpwatch")).unwrap(), beside);
    }

    #[test]
    fn where_there_is_none_the_error_says_how_to_make_it() {
        let empty = tempfile::tempdir().unwrap();
        let text = find_near(&empty.path().join("debug/esp-tcpwatch")).unwrap_err().to_string();
        assert!(text.contains("make twin") && text.contains("--twin"), "{text}");
        let named = empty.path().join("mine");
        let text = find(Some(&named)).unwrap_err().to_string();
        assert!(text.contains("make twin") && text.contains("mine"), "{text}");
    }

    #[test]
    fn what_cannot_be_run_is_no_twin() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plain");
        fs::write(&file, "").unwrap();
        assert!(matches!(find(Some(&file)), Err(LabError::TwinNotStarted { .. })));
        assert!(matches!(find(Some(folder.path())), Err(LabError::TwinNotStarted { .. })));
    }

    #[test]
    fn only_a_ready_line_is_one() {
        let table = [
            (r#"{"ready":true,"stack":"lwIP 2.2.1","ip":"10.77.0.2"}"#, Some("lwIP 2.2.1")),
            (r#"{"ready":true}"#, Some("lwIP")),
            (r#"{"ready":false}"#, None),
            (r#"{"stack":"x"}"#, None),
            ("ready", None),
            ("", None),
        ];
        for (line, expected) in table {
            assert_eq!(stack_of(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn its_words_cannot_steer_a_terminal() {
        assert_eq!(one_line("cannot open\n\n  port \x1b[2J80\n"), "cannot open / port \\u{1b}[2J80");
        assert_eq!(one_line("\n"), "");
    }
}
