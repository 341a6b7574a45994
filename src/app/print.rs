//! Text for stdout that is not an event stream: lists, completions, manual pages, reports.
//!
//! Knows one thing: a reader that has seen enough (`| head`) is a normal end, not an error.

use std::io::{self, ErrorKind, Write};

use anyhow::{Context, Result};

pub fn print(text: impl AsRef<[u8]>) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot write to stdout"),
        _ => Ok(()),
    }
}
