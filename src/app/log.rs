//! What a run without a screen says of itself while it goes on: that it began, lost its interface, read its rules again.
//!
//! Goes to the journal where stderr is the journal's, to stderr otherwise, with the time. What is seen on the network is none of
//! it: that is the event stream.

use core::fmt::Display;
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use tracing::dispatcher::has_been_set;
use tracing_subscriber::{Registry, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Begins the log. The journal's socket is made here: call it before the sandbox.
///
/// # Errors
/// There is a log already.
pub fn begin() -> Result<()> {
    let journal = is_journal().then(|| tracing_journald::layer().ok()).flatten();
    let begun = match journal {
        Some(journal) => {
            let journal = journal.with_syslog_identifier("esp-tcpwatch".to_owned());
            Registry::default().with(journal).try_init()
        }
        None => {
            let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_target(false);
            Registry::default().with(lines).try_init()
        }
    };
    begun.context("cannot begin the log")
}

/// What a person must know, in the log where there is one, else as one line on stderr.
pub fn warn(what: impl Display) {
    if has_been_set() {
        tracing::warn!("{what}");
    } else {
        eprintln!("esp-tcpwatch: {what}");
    }
}

/// systemd names the device and inode of the stream that it made for stderr; one that was redirected since is another.
fn is_journal() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(about) = nix::sys::stat::fstat(std::io::stderr().as_fd()) else { return false };
    named == format!("{}:{}", about.st_dev, about.st_ino)
}
