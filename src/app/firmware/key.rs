//! The control key: drawn once, kept in a file of its owner's, and never shown.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};

use crate::app::key;

/// The key in `path`, as lower-case hexadecimal digits, and whether it was there already; otherwise a fresh one, which
/// now is there.
pub fn in_file(path: &Path) -> Result<(String, bool)> {
    let cannot = || format!("cannot write the key file {}", path.display());
    match private(path) {
        Ok(mut file) => {
            let key = key::fresh()?.to_hex();
            file.write_all(format!("{key}\n").as_bytes()).with_context(cannot)?;
            Ok((key, false))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok((key::read(path)?.to_hex(), true)),
        Err(error) => Err(error).with_context(cannot),
    }
}

/// Makes `path` for its owner's eyes alone.
///
/// # Errors
/// As the system gives them; `AlreadyExists` where something is there.
pub fn private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
