//! As whom a run goes on that root started.
//!
//! The user that was named, else who called sudo, else `nobody`. Knows the system's list of users and what a user
//! namespace leaves of it. Changes nothing: that is `privilege`'s.

use std::fs;

use anyhow::{Context, Result};
use nix::unistd::{Gid, Uid, User};

use super::{
    exit::usage,
    privilege::{self, Invoker},
};
use crate::text::escape;

/// What Linux has for whoever is nobody, where the system's list of users does not say.
const NOBODY: u32 = 65_534;

/// Whom to become; `None`: nobody else. `named` is what `--user` or the configuration says, a name or a number.
///
/// Only root can become somebody: for anybody else the name changes nothing.
pub fn successor(named: Option<&str>) -> Result<Option<Invoker>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    if let Some(name) = named {
        return user(name).map(|user| (!user.uid.is_root()).then_some(user));
    }
    if let Some(invoker) = privilege::invoker()? {
        return Ok(Some(invoker));
    }
    let nobody = nobody()?;
    let there_is = can_become(nobody, |file| fs::read_to_string(file).ok());
    if !there_is {
        eprintln!(
            "esp-tcpwatch: this namespace has no other users, so the run stays uid 0, without any capability"
        );
    }
    Ok(there_is.then_some(nobody))
}

fn user(name: &str) -> Result<Invoker> {
    let found = match name.parse() {
        Ok(uid) => User::from_uid(Uid::from_raw(uid)),
        Err(_) => User::from_name(name),
    };
    let name = escape(name);
    let found = found.with_context(|| format!("cannot look up the user {name}"))?;
    found.map(|user| Invoker { uid: user.uid, gid: user.gid }).ok_or_else(|| {
        usage(format!(
            "--user {name}: there is no such user\n  `getent passwd` lists them; left out, it is nobody"
        ))
    })
}

fn nobody() -> Result<Invoker> {
    let found = User::from_name("nobody").context("cannot look up the user nobody")?;
    Ok(found.map_or(Invoker { uid: Uid::from_raw(NOBODY), gid: Gid::from_raw(NOBODY) }, |user| Invoker {
        uid: user.uid,
        gid: user.gid,
    }))
}

/// Whether this user namespace knows `user`, and lets groups be given up. `read` gives a file's text.
fn can_become(user: Invoker, read: impl Fn(&str) -> Option<String>) -> bool {
    let knows = |file: &str, id: u32| read(file).is_none_or(|map| is_mapped(&map, id));
    knows("/proc/self/uid_map", user.uid.as_raw())
        && knows("/proc/self/gid_map", user.gid.as_raw())
        && read("/proc/self/setgroups").is_none_or(|word| word.trim() != "deny")
}

/// Lines of: first id inside, first id outside, how many.
fn is_mapped(map: &str, id: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(|word| word.parse::<u64>().unwrap_or(0));
        let (Some(first), Some(_), Some(count)) = (numbers.next(), numbers.next(), numbers.next()) else {
            return false;
        };
        (first..first.saturating_add(count)).contains(&u64::from(id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_become_only_where_there_is_one() {
        let nobody = Invoker { uid: Uid::from_raw(NOBODY), gid: Gid::from_raw(NOBODY) };
        let host = "         0          0 4294967295\n";
        for (uids, gids, groups, expected) in [
            (Some(host), Some(host), Some("allow\n"), true),
            (Some("0 1000 1\n"), Some(host), Some("allow\n"), false),
            (Some(host), Some("0 1000 1\n1 100000 65536\n"), Some("allow\n"), true),
            (Some("0 1000 1\n1 100000 65533\n"), Some(host), None, false),
            (Some(host), Some(host), Some("deny\n"), false),
            (None, None, None, true),
            (Some("nonsense"), Some(host), None, false),
        ] {
            let read = |file: &str| {
                let text = match file {
                    "/proc/self/uid_map" => uids,
                    "/proc/self/gid_map" => gids,
                    _ => groups,
                };
                text.map(str::to_owned)
            };
            assert_eq!(can_become(nobody, read), expected, "{uids:?} {gids:?} {groups:?}");
        }
    }

    #[test]
    fn a_user_is_found_by_name_and_by_number_or_refused() {
        assert_eq!(user("root").unwrap(), user("0").unwrap());
        let error = user("no-such-user\u{1b}[31m").unwrap_err();
        assert_eq!(super::super::exit::code_of(&error), super::super::exit::USAGE);
        assert!(!error.to_string().contains('\u{1b}'), "{error}");
    }
}
