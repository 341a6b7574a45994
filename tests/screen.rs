//! The program at a terminal: the screen comes up where stdout is one, and every way out leaves the terminal as found.
#![cfg(unix)]

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::libc;
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::Pid;

const UP: &str = "\u{1b}[?1049h";
const DOWN: &str = "\u{1b}[?1049l";

/// A terminal, and the program in front of it.
struct Terminal {
    child: Child,
    keys: File,
    /// Kept open, so that the settings can be looked at after the program has gone.
    slave: OwnedFd,
    before: Termios,
    drawn: Receiver<Vec<u8>>,
    text: String,
}

impl Terminal {
    /// Runs `command` with a terminal of its own as stdin, stdout, stderr and controlling terminal.
    fn run(mut command: Command) -> Terminal {
        let size = Winsize { ws_row: 30, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let slave = || Stdio::from(pty.slave.try_clone().unwrap());
        command.env("TERM", "xterm-256color").stdin(slave()).stdout(slave()).stderr(slave());
        // SAFETY: only calls that are safe between fork and exec.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                match libc::ioctl(0, libc::TIOCSCTTY as _, 0) {
                    -1 => Err(std::io::Error::last_os_error()),
                    _ => Ok(()),
                }
            });
        }
        let child = command.spawn().unwrap();
        let keys = File::from(pty.master);
        let mut screen = keys.try_clone().unwrap();
        let (tell, drawn) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count) = screen.read(&mut buffer) {
                if count == 0 || tell.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal { child, keys, slave: pty.slave, before, drawn, text: String::new() }
    }

    fn replay(scene: &tempfile::TempDir) -> Terminal {
        let capture = scene.path().join("run.pcap");
        std::fs::write(&capture, support::refused()).unwrap();
        let mut terminal = Terminal::run(support::program(&["-r", capture.to_str().unwrap()]));
        terminal.until("time-wait-collision");
        assert!(terminal.text.contains(UP));
        assert_ne!(terminal.local_flags(), terminal.before.local_flags, "keys come one by one");
        terminal
    }

    fn until(&mut self, part: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.text.contains(part) {
            match self.drawn.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(octets) => self.text.push_str(&String::from_utf8_lossy(&octets)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{part} does not show: {}", self.text)
                }
            }
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    fn local_flags(&self) -> nix::sys::termios::LocalFlags {
        tcgetattr(self.slave.as_fd()).unwrap().local_flags
    }

    /// Waits for the end; the exit code, after the terminal was found restored.
    fn end(mut self) -> Option<i32> {
        let code = self.wait();
        self.until(DOWN);
        assert!(self.text.rfind(DOWN) > self.text.rfind(UP), "{}", self.text);
        assert_eq!(self.local_flags(), self.before.local_flags);
        assert_eq!(tcgetattr(self.slave.as_fd()).unwrap().input_flags, self.before.input_flags);
        code
    }

    fn wait(&mut self) -> Option<i32> {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            if since.elapsed() > Duration::from_secs(5) {
                self.child.kill().unwrap();
                panic!("it does not end: {}", self.text);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn q_and_ctrl_c_leave_the_terminal_as_found() {
    for keys in ["q", "\u{3}"] {
        let scene = tempfile::tempdir().unwrap();
        let mut terminal = Terminal::replay(&scene);
        terminal.press(keys);
        assert_eq!(terminal.end(), Some(1), "{keys:?}");
    }
}

#[test]
fn signals_leave_the_terminal_as_found() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let scene = tempfile::tempdir().unwrap();
        let terminal = Terminal::replay(&scene);
        terminal.signal(signal);
        assert_eq!(terminal.end(), Some(1), "{signal}");
    }
}

#[test]
fn an_error_is_told_after_the_screen() {
    let scene = tempfile::tempdir().unwrap();
    let capture = scene.path().join("run.pcap");
    let mut octets = support::refused();
    octets.truncate(octets.len() - 10);
    std::fs::write(&capture, octets).unwrap();
    let mut terminal = Terminal::run(support::program(&["-r", capture.to_str().unwrap()]));
    terminal.until("time-wait-collision");
    terminal.press("q");
    assert_eq!(terminal.wait(), Some(4));
    terminal.until(DOWN);
    // The screen tells it as well: only what comes after the screen counts.
    terminal.text = terminal.text.split_off(terminal.text.rfind(DOWN).unwrap());
    terminal.until("damaged at byte");
}

#[test]
fn at_a_terminal_a_report_that_exists_is_asked_about() {
    for (answer, exit, text) in [("n\n", 2, "mine"), ("\n", 2, "mine"), ("y\n", 0, "# ")] {
        let scene = tempfile::tempdir().unwrap();
        let (capture, report) = (scene.path().join("run.pcap"), scene.path().join("there.md"));
        std::fs::write(&capture, support::refused()).unwrap();
        std::fs::write(&report, "mine").unwrap();
        let words = ["report", capture.to_str().unwrap(), "-o", report.to_str().unwrap()];
        let mut terminal = Terminal::run(support::program(&words));
        terminal.until("there.md exists. Write over it? [y/N]");
        terminal.press(answer);
        assert_eq!(terminal.wait(), Some(exit), "{answer:?}");
        assert!(std::fs::read_to_string(&report).unwrap().starts_with(text), "{answer:?}");
    }
}

#[test]
fn without_privilege_the_terminal_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(support::program_for_everybody(dir.path()));
    command.args(["-i", "lo"]);
    if support::is_root() {
        command.uid(65534).gid(65534);
    }
    let mut terminal = Terminal::run(command);
    assert_eq!(terminal.wait(), Some(3));
    terminal.until("sudo setcap");
    assert!(!terminal.text.contains('\u{1b}'), "{}", terminal.text);
}

#[test]
fn headless_and_json_have_no_screen() {
    let scene = tempfile::tempdir().unwrap();
    let capture = scene.path().join("run.pcap");
    std::fs::write(&capture, support::refused()).unwrap();
    for option in ["--headless", "--json"] {
        let mut terminal = Terminal::run(support::program(&["-r", capture.to_str().unwrap(), option]));
        assert_eq!(terminal.wait(), Some(1));
        terminal.until("time-wait-collision");
        assert!(!terminal.text.contains('\u{1b}'), "{option}: {}", terminal.text);
    }
}
