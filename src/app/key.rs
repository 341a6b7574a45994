//! The key of a device's test firmware: drawn, or read from its file.
//!
//! Knows how it is read, and says of it nothing but its name. The file is the user's: read it with their rights
//! and no others, after the privileges are gone or by [`as_invoker`](super::privilege::as_invoker).

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};

use super::exit::usage;
use crate::firmware::{KEY_OCTETS, Key};

/// A key file is one short line.
const LENGTH_MAX: u64 = 4_096;

/// The error names the file, and never holds what is in it.
pub fn read(path: &Path) -> Result<Key> {
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
