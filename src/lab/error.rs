//! Why there is no lab: the one thing missing, and what to type about it. Knows the wording, not the finding out.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    #[error(
        "the lab must be entered before the first thread; this process has {threads} (a fault of the program)"
    )]
    SeveralThreads { threads: usize },

    #[error("cannot read {path}: {cause}; the lab needs /proc mounted")]
    Proc { path: &'static str, cause: io::Error },

    #[error("cannot make {what}: {cause}; {advice}")]
    Namespace { what: &'static str, cause: io::Error, advice: String },

    #[error(
        "/dev/net/tun is missing: load the driver with `sudo modprobe tun`; \
         in a container, start it with `--device /dev/net/tun`"
    )]
    TunMissing,

    #[error("/dev/net/tun is closed to this process: {cause}; {advice}")]
    TunClosed { cause: io::Error, advice: &'static str },

    #[error("/dev/net/tun does not work: {cause}; load the driver with `sudo modprobe tun`")]
    TunDead { cause: io::Error },

    #[error("cannot make a TAP device through /dev/net/tun: {cause}; {advice}")]
    Tap { cause: io::Error, advice: String },

    #[error("cannot {what} in the lab's own network namespace: {cause}; {advice}")]
    Configure { what: String, cause: io::Error, advice: String },

    #[error("cannot hold the wire of a device that is turned off: {cause}; `ulimit -n` may be too low")]
    Wire { cause: io::Error },

    #[error("this lab has no power switch: its wire went with the device (a fault of the program)")]
    NoSwitch,

    #[error("no twin at {}: run `make twin`", path.display())]
    TwinMissing { path: PathBuf },

    #[error(
        "the twin esp-tcpwatch-twin was not found: run `make twin`, or name it with --twin PATH or \
         ESP_TCPWATCH_TWIN; looked at {}",
        looked_at.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    TwinNotFound { looked_at: Vec<PathBuf> },

    #[error("cannot start the twin {}: {cause}; run `make twin` to build it anew", path.display())]
    TwinNotStarted { path: PathBuf, cause: io::Error },

    #[error("the twin {} was not ready within {} s{}", path.display(), waited.as_secs(), said(stderr))]
    TwinNotReady { path: PathBuf, waited: Duration, stderr: String },

    #[error(
        "the twin {} said {line:?} where it should have said that it is ready: it is of another version, \
         run `make twin`{}",
        path.display(), said(stderr)
    )]
    TwinStrange { path: PathBuf, line: String, stderr: String },

    #[error("the twin {} ended before its time, {status}{}", path.display(), said(stderr))]
    TwinEnded { path: PathBuf, status: ExitStatus, stderr: String },

    #[error(
        "the twin {} did not end within {} s of being asked to and was killed{}",
        path.display(), waited.as_secs(), said(stderr)
    )]
    TwinKilled { path: PathBuf, waited: Duration, stderr: String },

    #[error("cannot take the twin {} (process {pid}) down: {cause}; end it with `kill -9 {pid}`", path.display())]
    TwinStuck { path: PathBuf, pid: u32, cause: io::Error },
}

/// The twin's own words, where it had any.
fn said(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!("; it said: {stderr}") }
}
