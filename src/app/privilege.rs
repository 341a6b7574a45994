//! Giving up every privilege once the capture is open, and saying which one was missing when it cannot be opened.
//!
//! On Linux users, groups and capabilities belong to a thread: [`drop_all`] must run while the process has only one,
//! and before the first octet from the network is looked at. Knows nothing of what the privileges were for.

use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::unistd::{Gid, Uid};

/// Who gets the output files, and as whom the rest of the run goes on: the person behind `sudo`, or whom
/// [`successor`](super::successor::successor) finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invoker {
    pub uid: Uid,
    pub gid: Gid,
}

/// Who called us through sudo; `None` where nobody did: whoever we are then *is* the invoking user.
pub fn invoker() -> Result<Option<Invoker>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let id = |name: &str| -> Result<Option<u32>> {
        match std::env::var(name) {
            Err(_) => Ok(None),
            Ok(text) => text.parse().map(Some).with_context(|| format!("{name}={text} is not a number")),
        }
    };
    Ok(match (id("SUDO_UID")?, id("SUDO_GID")?) {
        (None, None) | (Some(0), _) => None,
        (Some(uid), Some(gid)) => Some(Invoker { uid: Uid::from_raw(uid), gid: Gid::from_raw(gid) }),
        // Half an identity is no identity: guessing the other half could leave root's group behind.
        _ => bail!("only one of SUDO_UID and SUDO_GID is set; sudo sets both, so set both or neither"),
    })
}

/// What `work` comes to with the invoker's rights instead of root's, which come back after it. Call it while there is
/// one thread.
pub fn as_invoker<T>(invoker: Option<Invoker>, work: impl FnOnce() -> T) -> Result<T> {
    let Some(Invoker { uid, gid }) = invoker else { return Ok(work()) };
    let (own_uid, own_gid) = (Uid::effective(), Gid::effective());
    let own_groups = groups()?;
    set_groups(&[gid])?;
    nix::unistd::setegid(gid).with_context(|| format!("cannot act as gid {gid}"))?;
    nix::unistd::seteuid(uid).with_context(|| format!("cannot act as uid {uid}"))?;
    let done = work();
    nix::unistd::seteuid(own_uid).context("cannot become root again")?;
    nix::unistd::setegid(own_gid).context("cannot become root's group again")?;
    set_groups(&own_groups)?;
    Ok(done)
}

#[cfg(target_os = "linux")]
fn groups() -> Result<Vec<Gid>> {
    nix::unistd::getgroups().context("cannot read the groups")
}

#[cfg(target_os = "linux")]
fn set_groups(groups: &[Gid]) -> Result<()> {
    nix::unistd::setgroups(groups).context("cannot change the groups")
}

/// As in [`become_user`]: macOS has no `setgroups` of that meaning.
#[cfg(not(target_os = "linux"))]
fn groups() -> Result<Vec<Gid>> {
    Ok(Vec::new())
}

#[cfg(not(target_os = "linux"))]
fn set_groups(_: &[Gid]) -> Result<()> {
    Ok(())
}

/// Becomes the invoker and gives up every capability, for good. Call it while there is one thread.
pub fn drop_all(invoker: Option<Invoker>) -> Result<()> {
    #[cfg(target_os = "linux")]
    linux::before_identity()?;
    if let Some(invoker) = invoker {
        become_user(invoker)
            .with_context(|| format!("cannot become uid {} gid {}", invoker.uid, invoker.gid))?;
    }
    #[cfg(target_os = "linux")]
    linux::after_identity()?;
    Ok(())
}

#[cfg(target_os = "linux")]
fn become_user(Invoker { uid, gid }: Invoker) -> Result<()> {
    // Groups first: after setresuid there is no right left to change them.
    nix::unistd::setgroups(&[])?;
    nix::unistd::setresgid(gid, gid, gid)?;
    nix::unistd::setresuid(uid, uid, uid)?;
    no_way_back()
}

/// macOS: supplementary groups live in the directory service there and `setgroups` does not mean the same;
/// the user and the group are what guards files.
#[cfg(not(target_os = "linux"))]
fn become_user(Invoker { uid, gid }: Invoker) -> Result<()> {
    nix::unistd::setgid(gid)?;
    nix::unistd::setuid(uid)?;
    no_way_back()
}

/// A drop that can be taken back is none.
fn no_way_back() -> Result<()> {
    if nix::unistd::setuid(Uid::from_raw(0)).is_ok() {
        bail!("the way back to root is still open after the drop");
    }
    Ok(())
}

#[cfg(target_os = "linux")]
mod linux {
    use anyhow::{Context, Result, bail};
    use caps::{CapSet, Capability};

    /// The steps that need a capability themselves.
    pub fn before_identity() -> Result<()> {
        nix::sys::prctl::set_no_new_privs().context("cannot set no_new_privs")?;
        // Emptying the bounding set takes CAP_SETPCAP, which a binary with the file capability cap_net_raw does not
        // have. The set then stays, and means nothing: it limits what an exec may gain, and no_new_privs gives none.
        if holds(CapSet::Effective, Capability::CAP_SETPCAP)? {
            caps::clear(None, CapSet::Bounding).context("cannot empty the bounding set")?;
        }
        Ok(())
    }

    /// The rest: `setresuid` cleared what root had, not what file capabilities gave.
    pub fn after_identity() -> Result<()> {
        let sets = [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted];
        for set in sets {
            caps::clear(None, set).with_context(|| format!("cannot give up the {set:?} capabilities"))?;
        }
        for set in sets {
            if !caps::read(None, set).with_context(|| format!("cannot read the {set:?} set"))?.is_empty() {
                bail!("{set:?} capabilities are left after the drop");
            }
        }
        Ok(())
    }

    fn holds(set: CapSet, capability: Capability) -> Result<bool> {
        caps::has_cap(None, set, capability).with_context(|| format!("cannot read the {set:?} set"))
    }
}

/// What to type to be allowed to capture: the same command under sudo, or the one capability for the binary.
pub fn how_to_be_permitted() -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| "esp-tcpwatch".into());
    let arguments = std::env::args_os().skip(1).map(|word| quoted(&word.to_string_lossy()));
    advice(&program, &arguments.collect::<Vec<_>>().join(" "))
}

fn advice(program: &Path, arguments: &str) -> String {
    let program = quoted(&program.to_string_lossy());
    let mut text = format!("this run:      sudo {program} {arguments}");
    if cfg!(target_os = "linux") {
        text.push_str(&format!("\n  once for all:  sudo setcap cap_net_raw=ep {program}"));
    } else {
        text.push_str(
            "\n  once for all:  give your user read access to /dev/bpf* (Wireshark's ChmodBPF does)",
        );
    }
    text
}

/// As a shell takes it back.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        let table = [
            ("lo", "lo"),
            ("", "''"),
            ("tcp port 80", "'tcp port 80'"),
            ("it's", r"'it'\''s'"),
            ("$x", "'$x'"),
        ];
        for (word, expected) in table {
            assert_eq!(quoted(word), expected);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn both_ways_are_named() {
        let text = advice(Path::new("/opt/esp-tcpwatch"), "-i lo");
        assert!(text.contains("sudo /opt/esp-tcpwatch -i lo\n"));
        assert!(text.ends_with("sudo setcap cap_net_raw=ep /opt/esp-tcpwatch"));
    }
}
