//! Where others attach to a run: a Unix socket of its user's, made before the privileges go, and the two ends of it.
//!
//! Knows paths, owners and who may connect. What is told there is the event stream, as `--json` writes it.

mod feed;
mod meeting;
pub mod onlook;
mod peer;
mod present;
mod queue;
mod serve;

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, lchown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Group, Uid};

use super::{
    exit::{NotPermitted, usage},
    output, privilege,
    privilege::Invoker,
};
use crate::cli::attach::{SocketPlace, SocketPlan};
use crate::text::escape;

pub use feed::Feed;
pub use serve::Serving;

/// A socket that listens and that nobody is served on yet. Its file goes with it.
pub struct Listening {
    listener: UnixListener,
    path: PathBuf,
    /// Whose members may attach.
    group: Option<Gid>,
}

impl Listening {
    /// Makes the socket that `plan` asks for with the rights of `successor`, as whom the run goes on: it is theirs, and
    /// nobody else's but root's and the group's that `plan` names. Call it while there is one thread.
    ///
    /// # Errors
    /// There is no such group, or it cannot be given to it; no socket can be made there, another run answers there, or
    /// something else stands there.
    pub fn on(plan: &SocketPlan, successor: Option<Invoker>) -> Result<Listening> {
        let group = plan.group.as_deref().map(group).transpose()?;
        let path = match &plan.place {
            SocketPlace::At(path) => path.clone(),
            SocketPlace::Usual => {
                let path = meeting::usual(successor.map(|successor| successor.uid), group.is_some());
                if let Some(folder) = path.parent() {
                    // Others must be able to go through it.
                    let before = group.map(|_| umask(Mode::from_bits_truncate(0o022)));
                    let made = output::directory(folder, successor);
                    before.map(umask);
                    made.context("nobody can attach there\n  give a path of your own: --socket PATH")?;
                }
                path
            }
        };
        let listener = privilege::as_invoker(maker(successor, group), || listen(&path, group))??;
        listener.set_nonblocking(true).context("cannot serve those who attach")?;
        eprintln!("attach: {}", path.display());
        Ok(Listening { listener, path, group })
    }

    /// Where its file is taken away again.
    pub fn folder(&self) -> PathBuf {
        self.path.parent().map(Path::to_owned).unwrap_or_default()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // What is left is found to be nobody's by the next run.
        let _ = fs::remove_file(&self.path);
    }
}

/// A name, or a number.
fn group(name: &str) -> Result<Gid> {
    let found = match name.parse() {
        Ok(gid) => Group::from_gid(Gid::from_raw(gid)),
        Err(_) => Group::from_name(name),
    };
    let name = escape(name);
    let found = found.with_context(|| format!("cannot look up the group {name}"))?;
    found.map(|group| group.gid).ok_or_else(|| {
        usage(format!(
            "--socket-group {name}: there is no such group\n  `getent group` lists them; `sudo groupadd {name}` makes it"
        ))
    })
}

/// Whose rights make the socket. Root takes on the group with them: then it is the file's from its first moment, and nothing
/// that stands in a folder of somebody else's is given away by root.
fn maker(successor: Option<Invoker>, group: Option<Gid>) -> Option<Invoker> {
    let own = Uid::effective();
    let group = group.filter(|_| own.is_root());
    match (successor, group) {
        (Some(successor), Some(gid)) => Some(Invoker { gid, ..successor }),
        (None, Some(gid)) => Some(Invoker { uid: own, gid }),
        (successor, None) => successor,
    }
}

fn listen(path: &Path, group: Option<Gid>) -> Result<UnixListener> {
    let cannot = || format!("cannot make the socket {}\n  give another path with --socket", path.display());
    let bound = match bind(path, group) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            remove_what_is_left(path)?;
            bind(path, group).with_context(cannot)?
        }
        bound => bound.with_context(cannot)?,
    };
    if let Some(group) = group
        && let Err(error) = give_to_group(path, group)
    {
        let _ = fs::remove_file(path);
        return Err(error);
    }
    Ok(bound)
}

/// What a run that was killed left, and nothing else.
fn remove_what_is_left(path: &Path) -> Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|about| about.file_type().is_socket());
    match UnixStream::connect(path) {
        Ok(_) => Err(usage(format!(
            "another run answers at {0}\n  `esp-tcpwatch attach {0}` shows it; give this one another path: --socket {1}",
            path.display(),
            path.with_file_name("another.sock").display()
        ))),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused && is_socket => fs::remove_file(path)
            .with_context(|| format!("cannot remove {}, which a run has left", path.display())),
        Err(_) => Err(usage(format!(
            "{} exists and is no socket of a run\n  give another path with --socket",
            path.display()
        ))),
    }
}

/// Nobody but its owner, and where one is named its group, may connect, from the first moment.
fn bind(path: &Path, group: Option<Gid>) -> io::Result<UnixListener> {
    let mask = if group.is_some() { 0o117 } else { 0o177 };
    let before = umask(Mode::from_bits_truncate(mask));
    let bound = UnixListener::bind(path);
    umask(before);
    bound
}

/// With the rights that we have: whoever is not root must be in `group`.
fn give_to_group(path: &Path, group: Gid) -> Result<()> {
    let whose = || fs::symlink_metadata(path).map(|about| about.gid());
    if whose()? == group.as_raw() {
        return Ok(());
    }
    if Uid::effective().is_root() {
        bail!(
            "{} has the group of its folder and not gid {group}\n  give a path in a folder that is not set-gid: --socket PATH",
            path.display()
        );
    }
    lchown(path, None, Some(group.as_raw())).map_err(|error| {
        NotPermitted(format!(
            "{} cannot be given to gid {group}: {error}\n  start the run with sudo, or as somebody who is in that group",
            path.display()
        ))
        .into()
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn at(path: &Path) -> SocketPlan {
        SocketPlan { place: SocketPlace::At(path.to_owned()), group: None }
    }

    #[test]
    fn a_socket_is_its_owner_s_alone_and_goes_with_its_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let place = at(&path);
        let listening = Listening::on(&place, None).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let error = Listening::on(&place, None).err().unwrap();
        assert!(error.to_string().starts_with("another run answers at"), "{error}");
        drop(listening);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_killed_run_left_is_replaced_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        drop(UnixListener::bind(&path).unwrap());
        let place = at(&path);
        drop(Listening::on(&place, None).unwrap());
        fs::write(&path, "mine").unwrap();
        let error = Listening::on(&place, None).err().unwrap();
        assert!(error.to_string().contains("is no socket of a run"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        std::os::unix::fs::symlink("/nonexistent", dir.path().join("link")).unwrap();
        assert!(Listening::on(&at(&dir.path().join("link")), None).is_err());
    }

    #[test]
    fn a_group_of_ours_gets_the_socket_and_one_that_is_not_there_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let own = nix::unistd::getegid();
        let plan = SocketPlan { group: Some(own.to_string()), ..at(&path) };
        let listening = Listening::on(&plan, None).unwrap();
        let about = fs::metadata(&path).unwrap();
        assert_eq!((about.mode() & 0o777, about.gid()), (0o660, own.as_raw()));
        drop(listening);
        let plan = SocketPlan { group: Some("no-such-group\u{1b}[31m".to_owned()), ..at(&path) };
        let error = Listening::on(&plan, None).err().unwrap();
        assert_eq!(crate::app::exit::code_of(&error), crate::app::exit::USAGE);
        assert!(error.to_string().starts_with("--socket-group no-such-group") && !path.exists(), "{error}");
        assert!(!error.to_string().contains('\u{1b}'), "{error}");
    }
}
