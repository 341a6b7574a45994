//! The experiment without hardware: the twin is the device, with a key made for this one run.
//!
//! Knows how the place is made. What is done there is what is done to any device.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Place, check, go, open, results_of_demo};
use crate::app::{
    exit::usage,
    privilege::{self, Invoker},
};
use crate::cli::{
    experiment::Shape,
    plan::{DemoPlan, View},
};
use crate::firmware::Key;
use crate::lab::{self, Lab, LabConfig};

const KEY_OCTETS: usize = 32;

pub fn run(plan: &DemoPlan, shape: &Shape) -> Result<u8> {
    check(shape)?;
    let invoker = privilege::invoker()?;
    let hex = fresh_key()?;
    let file = KeyFile::write(&hex, invoker)?;
    let lab = Lab::enter(&LabConfig {
        twin: lab::find_twin(plan.twin.as_deref())?,
        twin_args: vec!["--key-file".to_owned(), file.path.display().to_string()],
        seed: plan.seed,
        twin_user: invoker.map(|invoker| (invoker.uid.as_raw(), invoker.gid.as_raw())),
        has_power_switch: false,
    })?;
    // It has read it: the device is ready.
    drop(file);
    let device = lab.device();
    let capture = open(lab.interface().to_owned(), device)?;
    let results = results_of_demo(shape, device, invoker)?;
    privilege::drop_all(invoker)?;
    let key = Key::from_hex(&hex).map_err(usage)?;
    let place = Place { server: lab.server(), control: lab.control(), key, capture };
    let code = go(place, results, plan.output.view == View::Json)?;
    lab.finish()?;
    Ok(code)
}

fn fresh_key() -> Result<String> {
    let mut octets = [0_u8; KEY_OCTETS];
    let mut random = File::open("/dev/urandom").context("cannot make a key: /dev/urandom")?;
    random.read_exact(&mut octets).context("cannot make a key: /dev/urandom")?;
    Ok(octets.iter().map(|octet| format!("{octet:02x}")).collect())
}

/// A file that only the twin's user may read, and that goes when it was read.
struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    fn write(hex: &str, invoker: Option<Invoker>) -> Result<KeyFile> {
        // Named by part of another random number, and made here or not at all: nobody can have laid a trap.
        let name = format!("esp-tcpwatch-{}", fresh_key()?.get(..16).unwrap_or_default());
        let path = std::env::temp_dir().join(name);
        let cannot = |path: &Path| format!("cannot write the twin's key to {}", path.display());
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| cannot(&path))?;
        let made = KeyFile { path };
        if let Some(Invoker { uid, gid }) = invoker {
            nix::unistd::fchown(file.as_fd(), Some(uid), Some(gid)).with_context(|| cannot(&made.path))?;
        }
        file.write_all(hex.as_bytes()).with_context(|| cannot(&made.path))?;
        Ok(made)
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        // A key of a device that lives for minutes in a namespace of its own: nothing is lost where this fails.
        let _ = fs::remove_file(&self.path);
    }
}
