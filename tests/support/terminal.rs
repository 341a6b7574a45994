//! A terminal of a fixed size with a program in front of it: what it wrote, and what a person would see.
#![allow(dead_code, clippy::allow_attributes, reason = "each file takes what it needs")]

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
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

pub const UP: &str = "\u{1b}[?1049h";
pub const DOWN: &str = "\u{1b}[?1049l";

pub fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

/// A program that still runs when this is dropped is ended.
pub struct Terminal {
    pub child: Child,
    pub keys: File,
    /// Kept open, so that the settings can be looked at after the program has gone.
    pub slave: OwnedFd,
    pub before: Termios,
    drawn: Receiver<Vec<u8>>,
    pub text: String,
    /// What a person would see.
    pub seen: vt100::Parser,
}

impl Terminal {
    /// Runs `command` in a terminal of 100 columns and 30 rows.
    pub fn run(command: Command) -> Terminal {
        Terminal::of_size(command, 100, 30)
    }

    /// Runs `command` with a terminal of its own as stdin, stdout, stderr and controlling terminal.
    pub fn of_size(mut command: Command, columns: u16, rows: u16) -> Terminal {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let slave = || Stdio::from(pty.slave.try_clone().unwrap());
        command.env("TERM", "xterm-256color").stdin(slave()).stdout(slave()).stderr(slave());
        #[expect(unsafe_code, reason = "a controlling terminal is taken between fork and exec")]
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
        let seen = vt100::Parser::new(cells(size.ws_row), cells(size.ws_col), 0);
        Terminal { child, keys, slave: pty.slave, before, drawn, text: String::new(), seen }
    }

    /// Waits until `part` was written.
    pub fn until(&mut self, part: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.text.contains(part) {
            assert!(self.reads(deadline), "{part} does not show: {}", self.text);
        }
    }

    /// Waits until a person would see `part`.
    pub fn shows(&mut self, part: &str) {
        self.shows_within(Duration::from_secs(20), part);
    }

    pub fn shows_within(&mut self, span: Duration, part: &str) {
        let deadline = Instant::now() + span;
        while !self.seen.screen().contents().contains(part) {
            assert!(self.reads(deadline), "{part} does not show:\n{}", self.seen.screen().contents());
        }
    }

    /// Reads for `span`.
    pub fn wait_for(&mut self, span: Duration) {
        let deadline = Instant::now() + span;
        while self.reads(deadline) {}
    }

    /// Reads on; `false` where nothing more comes in time.
    pub fn reads(&mut self, deadline: Instant) -> bool {
        match self.drawn.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(octets) => {
                self.text.push_str(&String::from_utf8_lossy(&octets));
                self.seen.process(&octets);
                true
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        }
    }

    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    pub fn local_flags(&self) -> nix::sys::termios::LocalFlags {
        tcgetattr(self.slave.as_fd()).unwrap().local_flags
    }

    /// Waits for the end; the exit code, after the terminal was found restored.
    pub fn end(mut self) -> Option<i32> {
        let code = self.wait();
        self.until(DOWN);
        assert!(self.text.rfind(DOWN) > self.text.rfind(UP), "{}", self.text);
        for mode in ["?1000", "?1006", "?2004"] {
            let (on, off) = (format!("\u{1b}[{mode}h"), format!("\u{1b}[{mode}l"));
            assert!(self.text.rfind(&off) > self.text.rfind(&on), "{mode} is left on");
        }
        assert_eq!(self.local_flags(), self.before.local_flags);
        assert_eq!(tcgetattr(self.slave.as_fd()).unwrap().input_flags, self.before.input_flags);
        code
    }

    pub fn wait(&mut self) -> Option<i32> {
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

impl Drop for Terminal {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
