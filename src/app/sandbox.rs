//! The way from a run that has everything open to one that can do little else.
//!
//! On Linux all of it belongs to a thread: [`enter`] must run while the process has only one, and before the first
//! octet from the network or from a file is looked at. Knows the order; which files and which calls those are is told
//! by whoever opens them.

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
))]
mod calls;
#[cfg(target_os = "linux")]
mod files;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{
    privilege::{self, Invoker},
    service,
};
use crate::cli::confine::Confinement;

/// What a run still opens after its privileges are gone. What is open already stays usable and is not named here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Files, and folders with all below them, that are read.
    pub reads: Vec<PathBuf>,
    /// Folders below which files are made, written and removed.
    pub writes: Vec<PathBuf>,
    /// Folders from which files are removed, and none is read or made.
    pub removes: Vec<PathBuf>,
    /// Keys and the size of the window: `/dev/tty`.
    pub terminal: bool,
    pub sockets: Sockets,
}

/// Which sockets may still be made, from the fewest on. Raw and packet sockets never are: a capture has its own from before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sockets {
    #[default]
    None,
    /// AF_UNIX, and AF_NETLINK to ask for the interfaces.
    Local,
    /// TCP and UDP as well.
    Network,
}

impl Needs {
    /// What a capture asks the kernel while it goes on: loss counters (libpcap reads them from sysfs), and whether an
    /// interface that went away is back.
    #[must_use]
    pub fn and_a_capture(mut self) -> Needs {
        self.reads.extend(["/sys/class/net", "/sys/devices"].map(PathBuf::from));
        self.sockets = self.sockets.max(Sockets::Local);
        self
    }

    /// What a run without a screen takes: its rules are read again, and systemd is told how it goes.
    #[must_use]
    pub fn and_a_duty(mut self, rules: Option<&Path>) -> Needs {
        self.reads.extend(rules.map(Path::to_owned));
        if service::is_asked_for() {
            self.sockets = self.sockets.max(Sockets::Local);
        }
        self
    }

    /// What events take that go to a file in pieces: those are made, renamed and removed in `folder`.
    #[must_use]
    pub fn and_pieces_in(mut self, folder: Option<PathBuf>) -> Needs {
        self.writes.extend(folder);
        self
    }

    /// The flight recorder's folder: recordings are made, named and removed there.
    #[must_use]
    pub fn and_recordings(mut self, folder: Option<&Path>) -> Needs {
        self.writes.extend(folder.map(Path::to_owned));
        self
    }

    /// What serving metrics takes: connections of a socket that listens already, and when the system started, from which
    /// the kernel counts when this process did.
    #[must_use]
    pub fn and_metrics(mut self) -> Needs {
        self.reads.push("/proc/stat".into());
        self.sockets = self.sockets.max(Sockets::Local);
        self
    }

    /// What serving those who attach takes: connections of a socket that listens already, in a `folder` from which it is
    /// removed.
    #[must_use]
    pub fn and_a_socket(mut self, folder: PathBuf) -> Needs {
        self.removes.push(folder);
        self.sockets = self.sockets.max(Sockets::Local);
        self
    }
}

/// Becomes `successor`, gives up every capability, and leaves nothing open to this process but what it `needs`.
///
/// What is not as it should be is told on stderr, and returned to be told again where the run is shown: the sandbox
/// was left out, or this kernel lacks a part of it.
///
/// # Errors
/// A step that the kernel has and refuses. The process is then half confined: say what is wrong and end.
pub fn enter(successor: Option<Invoker>, confinement: &Confinement, needs: &Needs) -> Result<Vec<String>> {
    privilege::drop_all(successor)?;
    let remarks = if confinement.sandbox {
        confine(needs).context("the sandbox cannot be made\n  --no-sandbox goes without")?
    } else {
        vec![
            "NO SANDBOX, as --no-sandbox asks: privileges are given up, but a hostile frame or file that takes over this \
             program may read and write whatever this user may, open connections and start programs"
                .to_owned(),
        ]
    };
    for remark in &remarks {
        eprintln!("esp-tcpwatch: {remark}");
    }
    Ok(remarks)
}

#[cfg(target_os = "linux")]
fn confine(needs: &Needs) -> Result<Vec<String>> {
    // Files first: the calls that restrict them are none that the filter lets pass.
    Ok([files::restrict(needs)?, restrict_calls(needs)?].into_iter().flatten().collect())
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
))]
fn restrict_calls(needs: &Needs) -> Result<Option<String>> {
    calls::restrict(needs.sockets)
}

#[cfg(all(
    target_os = "linux",
    not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))
))]
fn restrict_calls(_: &Needs) -> Result<Option<String>> {
    let processor = std::env::consts::ARCH;
    Ok(Some(format!("no filter of system calls is written for {processor}: the run may make all of them")))
}

#[cfg(not(target_os = "linux"))]
fn confine(_: &Needs) -> Result<Vec<String>> {
    Ok(vec!["no sandbox: Landlock and seccomp are Linux's; privileges are given up all the same".to_owned()])
}
