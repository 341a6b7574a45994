//! A board with MicroPython on it, as a serial port shows it: MicroPython's Unix port, whose files are its flash.
//!
//! Knows two things a chip does and a process does not: a soft reset does not end it, and begins in the REPL that it ended in.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use nix::pty::openpty;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::ttyname;

pub struct Board {
    /// What a program opens as the serial port.
    pub port: String,
    /// What lies on the board.
    pub flash: tempfile::TempDir,
    chip: Arc<Mutex<Option<Child>>>,
    /// Kept open, so that the port stays when a program closes it.
    _port: OwnedFd,
}

/// Two ends of a line that changes no octet.
fn line() -> (File, OwnedFd) {
    let pair = openpty(None, None).unwrap();
    let mut raw = tcgetattr(pair.slave.as_fd()).unwrap();
    cfmakeraw(&mut raw);
    tcsetattr(pair.slave.as_fd(), SetArg::TCSANOW, &raw).unwrap();
    (File::from(pair.master), pair.slave)
}

fn start(micropython: &Path, flash: &Path, serial: &OwnedFd) -> Child {
    let end = || serial.try_clone().unwrap();
    let mut command = Command::new(micropython);
    command.current_dir(flash).stdin(end()).stdout(end()).stderr(end()).spawn().unwrap()
}

impl Board {
    pub fn plug_in(micropython: &Path) -> Board {
        let flash = tempfile::tempdir().unwrap();
        let (outside, port) = line();
        let (inside, serial) = line();
        let name = ttyname(port.as_fd()).unwrap().to_str().unwrap().to_owned();
        let chip = Arc::new(Mutex::new(Some(start(micropython, flash.path(), &serial))));
        let board = Board { port: name, flash, chip: chip.clone(), _port: port };

        // To the chip: as typed. The pumps end with the lines' last ends.
        let (mut from, mut to) = (outside.try_clone().unwrap(), inside.try_clone().unwrap());
        std::thread::spawn(move || pump(&mut from, |octets| to.write_all(octets)));
        let (mut from, mut to) = (inside.try_clone().unwrap(), outside.try_clone().unwrap());
        std::thread::spawn(move || pump(&mut from, |octets| to.write_all(octets)));
        let (folder, micropython) = (board.flash.path().to_owned(), micropython.to_owned());
        std::thread::spawn(move || reset_softly(&chip, &micropython, &folder, &serial, outside, inside));
        board
    }
}

fn pump(from: &mut File, mut take: impl FnMut(&[u8]) -> std::io::Result<()>) {
    let mut octets = [0; 4096];
    while let Ok(count) = from.read(&mut octets) {
        if count == 0 || take(&octets[..count]).is_err() {
            return;
        }
    }
}

/// Ctrl-D ends the process; a chip says so, begins anew, and is in the raw REPL again.
fn reset_softly(
    chip: &Mutex<Option<Child>>,
    micropython: &Path,
    flash: &Path,
    serial: &OwnedFd,
    mut outside: File,
    mut inside: File,
) {
    loop {
        std::thread::sleep(std::time::Duration::from_millis(5));
        let mut held = chip.lock().unwrap();
        let Some(child) = held.as_mut() else { return };
        if child.try_wait().unwrap().is_some() {
            outside.write_all(b"MPY: soft reboot\r\n").unwrap();
            *child = start(micropython, flash, serial);
            inside.write_all(b"\x01").unwrap();
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if let Some(mut child) = self.chip.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
