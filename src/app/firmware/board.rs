//! The script onto a MicroPython board, through the serial port, by MicroPython's own tool mpremote.
//!
//! Knows what is asked of mpremote, and what its refusals mean to a person. Network and key travel in a file that only we
//! may read; a command line shows them to everybody. What counts as copied is what the board then says it has.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};

use super::{key, project, wifi};
use crate::app::{
    privilege::quoted,
    shutdown::{self, Stop},
    terminal,
};
use crate::firmware::bundle::{MICROPYTHON, ON_THE_BOARD};
use crate::text::escape;

const TOOL: &str = "mpremote";
/// A board that listens answers within a second; copying takes a few at 115,200 baud.
const ASKING: Duration = Duration::from_secs(20);
const COPYING: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);
/// Lines of mpremote's own words that are repeated: the last ones say what went wrong.
const REPEATED: usize = 4;
const CONFIG: &str = "config.py";

/// Copies the script to the board at `port`, its key into `key_file`; what to do next.
pub fn install(port: &str, key_file: &Path, force: bool) -> Result<String> {
    let network = wifi::ask()?;
    let stop = Stop::default();
    shutdown::listen(&stop, None, terminal::restore)?;
    let desk = Desk::make()?;
    let board = Board { port, desk: &desk, stop: &stop };

    let there = board.files()?;
    let in_the_way: Vec<&str> = names().filter(|name| there.iter().any(|there| there == name)).collect();
    if !in_the_way.is_empty() && !force {
        bail!(
            "the board has {} already\n  --force replaces them, its Wi-Fi and key too",
            in_the_way.join(", ")
        );
    }
    let (key, was_there) = key::in_file(key_file)?;
    for name in ON_THE_BOARD {
        desk.put(name, source(name)?)?;
    }
    desk.put(CONFIG, &project::config_py(&key, &network)?)?;
    board.copy()?;
    board.check()?;
    board.reset()?;

    let whose = if was_there { "the key that was there" } else { "a fresh key" };
    let key_file = key_file.display();
    let wifi = if network.name.is_empty() {
        format!(
            "Wi-Fi: blank. Fill it in: mpremote connect {port} edit :{CONFIG}, then: mpremote connect {port} reset\n"
        )
    } else {
        String::new()
    };
    Ok(format!(
        "Copied to the board, and read back: {}; {whose} in {key_file}, and in the board's {CONFIG}.\n{wifi}\
         Next: mpremote connect {port}             shows the address it listens on; Ctrl-] leaves\n\
         Then: esp-tcpwatch mode -d ADDRESS --key-file {}\n",
        names().collect::<Vec<_>>().join(", "),
        quoted(&key_file.to_string())
    ))
}

fn names() -> impl Iterator<Item = &'static str> {
    ON_THE_BOARD.into_iter().chain([CONFIG])
}

fn source(name: &str) -> Result<&'static str> {
    let found = MICROPYTHON.iter().find(|file| file.path.strip_prefix("micropython/") == Some(name));
    Ok(found.with_context(|| format!("{name} is not bundled"))?.text)
}

/// A folder of our own for the files on their way; it goes when this does.
struct Desk(PathBuf);

impl Desk {
    fn make() -> Result<Desk> {
        // Made for its owner alone.
        let made = nix::unistd::mkdtemp(&std::env::temp_dir().join("esp-tcpwatch-XXXXXX"));
        Ok(Desk(made.context("cannot make a temporary folder")?))
    }

    fn put(&self, name: &str, text: &str) -> Result<()> {
        let path = self.0.join(name);
        let written = key::private(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    fn octets(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.0.join(name);
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("esp-tcpwatch: cannot remove {}, which holds a key: {error}", self.0.display());
        }
    }
}

struct Board<'a> {
    port: &'a str,
    desk: &'a Desk,
    stop: &'a Stop,
}

impl Board<'_> {
    fn files(&self) -> Result<Vec<String>> {
        let code = "import os\nfor name in os.listdir(): print(name)";
        let told = self.mpremote(&["exec".as_ref(), code.as_ref()], ASKING)?;
        Ok(told.lines().map(|line| line.trim_end().to_owned()).collect())
    }

    fn copy(&self) -> Result<()> {
        let pairs: Vec<_> = names().map(|name| (self.desk.0.join(name), format!(":{name}"))).collect();
        let mut words: Vec<&OsStr> = Vec::new();
        for (here, there) in &pairs {
            // Each by its name there: not every port of MicroPython knows its folder by an empty one.
            words.extend(["cp".as_ref(), here.as_os_str(), there.as_ref(), "+".as_ref()]);
        }
        words.pop();
        self.mpremote(&words, COPYING).map(drop)
    }

    /// What the board has is what was sent, octet for octet.
    fn check(&self) -> Result<()> {
        let listed: Vec<String> = names().map(|name| format!("'{name}'")).collect();
        let code = format!(
            "import hashlib, binascii\n\
             for name in ({}):\n with open(name, 'rb') as file: print(name, binascii.hexlify(hashlib.sha256(file.read()).digest()).decode())",
            listed.join(", ")
        );
        let told = self.mpremote(&["exec".as_ref(), code.as_ref()], ASKING)?;
        for name in names() {
            let sum: String =
                Sha256::digest(self.desk.octets(name)?).iter().map(|octet| format!("{octet:02x}")).collect();
            if !told.lines().any(|line| line.trim_end() == format!("{name} {sum}")) {
                bail!(
                    "the board's {name} is not what was sent\n  try again with --force; is its file system full?"
                );
            }
        }
        Ok(())
    }

    fn reset(&self) -> Result<()> {
        self.mpremote(&["reset".as_ref()], ASKING).map(drop)
    }

    /// What mpremote prints, when it ends well and in time.
    fn mpremote(&self, words: &[&OsStr], limit: Duration) -> Result<String> {
        let out = Spool::make(self.desk.0.join("out"))?;
        let err = Spool::make(self.desk.0.join("err"))?;
        let child = Command::new(TOOL)
            .args(["connect", self.port])
            .args(words)
            .stdin(Stdio::null())
            .stdout(out.file.try_clone()?)
            .stderr(err.file.try_clone()?)
            .spawn();
        let mut child = child.map_err(|error| match error.kind() {
            ErrorKind::NotFound => anyhow!(
                "{TOOL} is not installed, MicroPython's own tool for boards\n  \
                 type: pipx install {TOOL}   (or: python3 -m pip install --user {TOOL})"
            ),
            _ => anyhow!(error).context(format!("cannot run {TOOL}")),
        })?;
        let end = Instant::now() + limit;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if self.stop.is_raised() || Instant::now() > end {
                // It may have ended by itself just now; then there is nobody to kill.
                let _ = child.kill();
                child.wait()?;
                break None;
            }
            std::thread::sleep(LOOK);
        };
        let (out, err) = (out.read()?, err.read()?);
        match status {
            Some(status) if status.success() => Ok(out),
            Some(status) => Err(refused(self.port, status, &format!("{out}{err}"))),
            None if self.stop.is_raised() => bail!("interrupted; what is on the board may be half of it"),
            None => bail!(
                "the board at {} did not answer in {} s\n  is MicroPython on it? unplug it, plug it in, try again",
                self.port,
                limit.as_secs()
            ),
        }
    }
}

/// What a child prints, in a file: however much that is, it never waits for us.
struct Spool {
    path: PathBuf,
    file: File,
}

impl Spool {
    fn make(path: PathBuf) -> Result<Spool> {
        // There is one of the call before.
        let _ = fs::remove_file(&path);
        let file = key::private(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Spool { path, file })
    }

    fn read(self) -> Result<String> {
        let octets = fs::read(&self.path).with_context(|| format!("cannot read {}", self.path.display()))?;
        Ok(String::from_utf8_lossy(&octets).into_owned())
    }
}

/// What mpremote, or the board through it, says, with what a person can do about it.
fn refused(port: &str, status: ExitStatus, said: &str) -> anyhow::Error {
    let has = |words: &str| said.contains(words);
    let next = if has("no device found") {
        "no board is plugged in, or its cable carries power alone; `mpremote connect list` shows the ports"
    } else if has("failed to access") || has("Permission denied") || has("could not open port") {
        "is the port right (`mpremote connect list`), free (close other terminals), and yours to use \
         (sudo usermod -aG dialout $USER, then log in again)?"
    } else if has("could not enter raw repl") {
        "it does not answer as MicroPython does: is it on the board? press its reset button and try again"
    } else if has("ENOSPC") || has("OSError: 28") {
        "the board's file system is full: `mpremote ls` shows it, `mpremote rm :FILE` makes room"
    } else {
        "these are the last words of mpremote"
    };
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last: Vec<_> =
        lines.iter().skip(lines.len().saturating_sub(REPEATED)).map(|line| escape(line)).collect();
    anyhow!("{TOOL} could not do it at {port} ({status})\n  {next}\n  {}", last.join("\n  "))
}
