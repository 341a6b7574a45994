//! A key of one run's own, so that the run can switch its twin.
//!
//! It is in no file: the twin inherits the memory that it is in, and nothing is left of it.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::key;
use crate::firmware::Key;

pub struct TwinKey {
    key: Key,
    file: File,
}

impl TwinKey {
    pub fn new() -> Result<TwinKey> {
        let cannot = "cannot make a key for the twin";
        let key = key::fresh().context(cannot)?;
        let mut file = File::from(memfd_create("esp-tcpwatch-key", MFdFlags::empty()).context(cannot)?);
        file.write_all(key.to_hex().as_bytes()).context(cannot)?;
        Ok(TwinKey { key, file })
    }

    /// What the twin is told, which is started with the descriptors of this process.
    pub fn arguments(&self) -> [String; 2] {
        ["--key-file".to_owned(), format!("/proc/self/fd/{}", self.file.as_raw_fd())]
    }

    /// The twin has read it.
    pub fn into_key(self) -> Key {
        self.key
    }
}
