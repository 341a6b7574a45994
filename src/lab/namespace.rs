//! Leaving the host's network for an empty one, as root or through a user namespace, and telling which of the
//! system's locks is in the way when that fails. Knows nothing of what the new network is furnished with.

use std::fs;
use std::io;

use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, getegid, geteuid};

use super::error::LabError;

/// By what right the process holds its network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It had the capabilities, and has them still.
    Network,
    /// A user namespace owns it: every capability over this network, none over anything else, and no other users.
    UserAndNetwork,
}

/// To make a network namespace, to furnish it, and to capture in it. A container's root often has but the last.
const ENOUGH: [Capability; 3] =
    [Capability::CAP_SYS_ADMIN, Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW];

const STATUS: &str = "/proc/thread-self/status";

pub(super) fn enter() -> Result<Kind, LabError> {
    only_one_thread()?;
    if ENOUGH.iter().all(|&one| caps::has_cap(None, CapSet::Effective, one).unwrap_or(false)) {
        match unshare(CloneFlags::CLONE_NEWNET) {
            Ok(()) => return Ok(Kind::Network),
            // A sandbox that counts for more than capabilities; it may let the other way pass.
            Err(Errno::EPERM) => {}
            Err(error) => return Err(refused("a network namespace", error.into())),
        }
    }
    let (uid, gid) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)
        .map_err(|error| refused("a user and a network namespace", error.into()))?;
    map_to_self(uid, gid).map_err(|error| refused("a user namespace", error))?;
    Ok(Kind::UserAndNetwork)
}

pub(super) fn only_one_thread() -> Result<(), LabError> {
    let status = fs::read_to_string(STATUS).map_err(|cause| LabError::Proc { path: STATUS, cause })?;
    match threads(&status) {
        Some(1) => Ok(()),
        // The others would stay behind in the old network, and a user namespace would be refused outright.
        threads => Err(LabError::SeveralThreads { threads: threads.unwrap_or(0) }),
    }
}

/// Each id means itself inside.
///
/// The capabilities come from having made the namespace, not from being uid 0 in it, so there is nothing to gain by
/// the usual map to root; and there is something to lose: code that asks whether it is root, or who called sudo,
/// would get a false answer, and the twin would get every capability back at its exec. Files are the user's under
/// either map.
fn map_to_self(uid: Uid, gid: Gid) -> io::Result<()> {
    // A binary with file capabilities is undumpable, and then its /proc entries belong to the real root. Its
    // capabilities over the host went with the old user namespace: there is nothing left to guard from its owner.
    nix::sys::prctl::set_dumpable(true)?;
    fs::write("/proc/thread-self/uid_map", format!("{uid} {uid} 1"))?;
    // Without this a group map is refused: giving up a group could open files that are closed to it.
    match fs::write("/proc/thread-self/setgroups", "deny") {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::write("/proc/thread-self/gid_map", format!("{gid} {gid} 1"))
}

fn refused(what: &'static str, cause: io::Error) -> LabError {
    let advice = advice_about(&cause);
    LabError::Namespace { what, cause, advice }
}

/// What to do about a refusal, in making the namespace or only in furnishing it: Ubuntu's AppArmor lets a user
/// namespace be made and then grants nothing in it.
pub(super) fn advice_about(cause: &io::Error) -> String {
    advice(cause, &Locks::read())
}

/// The system's switches for namespaces, `None` where this kernel has no such switch; and who is asking.
#[derive(Default)]
struct Locks {
    is_root: bool,
    unprivileged_userns_clone: Option<u64>,
    apparmor_restrict_unprivileged_userns: Option<u64>,
    max_user_namespaces: Option<u64>,
    max_net_namespaces: Option<u64>,
}

impl Locks {
    fn read() -> Self {
        let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
        Locks {
            is_root: geteuid().is_root(),
            unprivileged_userns_clone: number("/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor_restrict_unprivileged_userns: number(
                "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            ),
            max_user_namespaces: number("/proc/sys/user/max_user_namespaces"),
            max_net_namespaces: number("/proc/sys/user/max_net_namespaces"),
        }
    }
}

/// The lock that is shut, named first by the switches and only then by the error: EPERM alone has many causes.
fn advice(cause: &io::Error, locks: &Locks) -> String {
    let or_root = if locks.is_root { "" } else { ", or run this command with sudo" };
    let errno = cause.raw_os_error().map(Errno::from_raw);
    if locks.max_user_namespaces == Some(0) {
        format!(
            "user namespaces are switched off here: `sudo sysctl user.max_user_namespaces=15000`{or_root}"
        )
    } else if locks.max_net_namespaces == Some(0) {
        "network namespaces are switched off here: `sudo sysctl user.max_net_namespaces=15000`".to_owned()
    } else if errno == Some(Errno::ENOSPC) {
        "there are as many namespaces as user.max_user_namespaces or user.max_net_namespaces allow: \
         end some, or raise the limit with sysctl"
            .to_owned()
    } else if locks.unprivileged_userns_clone == Some(0) {
        format!(
            "user namespaces are closed to ordinary users here: \
             `sudo sysctl kernel.unprivileged_userns_clone=1`{or_root}"
        )
    } else if locks.apparmor_restrict_unprivileged_userns.is_some_and(|value| value != 0) {
        format!(
            "AppArmor restricts user namespaces here (Ubuntu 23.10 and later): \
             `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`{or_root}"
        )
    } else if matches!(errno, Some(Errno::EINVAL | Errno::ENOSYS)) {
        format!("this kernel was built without such namespaces: run this command on another{or_root}")
    } else {
        format!(
            "a container or a sandbox forbids it: start the container with `--cap-add SYS_ADMIN \
             --cap-add NET_ADMIN --device /dev/net/tun`{or_root}"
        )
    }
}

fn threads(status: &str) -> Option<usize> {
    status.lines().find_map(|line| line.strip_prefix("Threads:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_how_many_threads_there_are() {
        assert_eq!(threads("Name:\tx\nThreads:\t3\nSigQ:\t0/1\n"), Some(3));
        assert_eq!(threads("Name:\tThreads: 9\nThreads:\t1\n"), Some(1));
        assert_eq!(threads("Name:\tx\n"), None);
    }

    #[test]
    fn a_second_thread_is_seen() {
        let seen = std::thread::spawn(only_one_thread).join().unwrap();
        assert!(matches!(seen, Err(LabError::SeveralThreads { threads: 2.. })));
    }

    #[test]
    fn each_lock_is_named_with_its_key() {
        let open = Locks {
            is_root: false,
            max_user_namespaces: Some(15000),
            max_net_namespaces: Some(15000),
            unprivileged_userns_clone: Some(1),
            apparmor_restrict_unprivileged_userns: Some(0),
        };
        let table = [
            (Errno::ENOSPC, Locks { max_user_namespaces: Some(0), ..open }, "user.max_user_namespaces=15000"),
            (Errno::ENOSPC, Locks { max_net_namespaces: Some(0), ..open }, "user.max_net_namespaces=15000"),
            (Errno::ENOSPC, Locks { ..open }, "raise the limit"),
            (
                Errno::EPERM,
                Locks { unprivileged_userns_clone: Some(0), ..open },
                "kernel.unprivileged_userns_clone=1",
            ),
            (
                Errno::EPERM,
                Locks { apparmor_restrict_unprivileged_userns: Some(1), ..open },
                "kernel.apparmor_restrict_unprivileged_userns=0",
            ),
            (Errno::EINVAL, Locks { ..open }, "built without"),
            (Errno::EPERM, Locks { ..open }, "--cap-add SYS_ADMIN"),
            (Errno::EPERM, Locks::default(), "--cap-add SYS_ADMIN"),
        ];
        for (errno, locks, expected) in table {
            let text = advice(&errno.into(), &locks);
            assert!(text.contains(expected), "{errno}: {text}");
            let to_root = advice(&errno.into(), &Locks { is_root: true, ..locks });
            assert!(!to_root.contains("with sudo"), "{errno}: {to_root}");
        }
    }
}
