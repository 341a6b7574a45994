//! The key of a device's test firmware: drawn, or read from its file.
//!
//! Knows how it is read, and says of it nothing but its name. The file is the user's, and is read with their rights
//! and no others: `sudo` opens nobody's key.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};

use super::{exit::usage, privilege};
use crate::firmware::{KEY_OCTETS, Key};

/// A key file is one short line.
const LENGTH_MAX: u64 = 4_096;

/// Read before the privileges go, while there is one thread: whom a run of root's goes on as may not see root's files.
///
/// The error names the file, and never holds what is in it.
pub fn read(path: &Path) -> Result<Key> {
    privilege::as_invoker(privilege::invoker()?, || read_by_whoever_we_are(path))?
}

fn read_by_whoever_we_are(path: &Path) -> Result<Key> {
    let cannot = || format!("cannot read the key file {}", path.display());
    let length = fs::metadata(path).with_context(cannot)?.len();
    if length > LENGTH_MAX {
        return Err(usage(format!("{} has {length} octets and is no key file", path.display())));
    }
    let text = fs::read_to_string(path).with_context(cannot)?;
    Key::from_hex(&text).map_err(|error| usage(format!("{}: {error}", path.display())))
}

/// A key that nobody has had before.
pub fn fresh() -> Result<Key> {
    let mut octets = [0; KEY_OCTETS];
    let drawn = File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut octets));
    drawn.context("cannot draw a key from /dev/urandom")?;
    Ok(Key::from(octets))
}
