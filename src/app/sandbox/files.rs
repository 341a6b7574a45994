//! Which files a run may still open, by Landlock.
//!
//! Knows rights on paths. What is open already is not touched, and what the file's permissions forbid stays forbidden.

use std::path::PathBuf;

use anyhow::{Context, Result};
use landlock::{
    ABI, Access, AccessFs, BitFlags, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    path_beneath_rules,
};

use super::Needs;

/// The newest rights that this was tried with. An older kernel gives what it has: from the first version on, nothing
/// outside can be read, made or removed; 2 guards links between folders, 3 truncation, 5 the settings of devices.
const KNOWN: ABI = ABI::V5;

/// Forbids everything but what `needs` names, for this thread and all that it makes. What the kernel lacks is returned.
pub(super) fn restrict(needs: &Needs) -> Result<Option<String>> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile;
    let device: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    // With RUST_BACKTRACE a panic looks itself up.
    let own = [Some("/proc/self".into()), std::env::current_exe().ok()];
    let terminal = needs.terminal.then_some("/dev/tty");
    // Here is what is named with an empty path, as by a file without a folder.
    let here = |path: &PathBuf| if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.clone() };
    let (writes, removes) = (needs.writes.iter().map(here), needs.removes.iter().map(here));
    let made = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))
        .and_then(Ruleset::create)
        .and_then(|set| set.add_rules(path_beneath_rules(own.iter().flatten(), read)))
        .and_then(|set| set.add_rules(path_beneath_rules(&needs.reads, read)))
        .and_then(|set| set.add_rules(path_beneath_rules(writes, write)))
        .and_then(|set| set.add_rules(path_beneath_rules(removes, AccessFs::RemoveFile)))
        .and_then(|set| set.add_rules(path_beneath_rules(terminal, device)))
        .and_then(|set| set.restrict_self());
    Ok(match made.context("Landlock")?.ruleset {
        RulesetStatus::FullyEnforced => None,
        RulesetStatus::PartiallyEnforced => Some(
            "this kernel's Landlock is older than what is asked of it: files outside stay shut, but for truncation or for \
             the settings of devices (5.13 has the first version, 6.10 all that is used here)"
                .to_owned(),
        ),
        RulesetStatus::NotEnforced => Some(
            "this kernel has no Landlock, or it is switched off (`cat /sys/kernel/security/lsm`): the run may open whatever \
             its user may"
                .to_owned(),
        ),
    })
}
