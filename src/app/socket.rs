//! Where others attach to a run: a Unix socket of its user's, made before the privileges go, and the two ends of it.
//!
//! Knows paths, owners and who may connect. What is told there is the event stream, as `--json` writes it.

mod feed;
pub mod onlook;
mod present;
mod queue;
mod serve;

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Uid;

use super::{exit::usage, output, privilege, privilege::Invoker};
use crate::cli::attach::SocketPlace;

pub use feed::Feed;
pub use serve::Serving;

/// The folder of sockets without a name, below the user's or the system's for such things.
const FOLDER: &str = "esp-tcpwatch";
const NAME: &str = "watch.sock";

/// A socket that listens and that nobody is served on yet. Its file goes with it.
pub struct Listening {
    listener: UnixListener,
    path: PathBuf,
}

impl Listening {
    /// Makes the socket at `place` with the rights of `successor`, as whom the run goes on: it is theirs, and nobody
    /// else's but root's. Call it while there is one thread.
    ///
    /// # Errors
    /// No socket can be made there, another run answers there, or something else stands there.
    pub fn on(place: &SocketPlace, successor: Option<Invoker>) -> Result<Listening> {
        let path = match place {
            SocketPlace::At(path) => path.clone(),
            SocketPlace::Usual => {
                let path = usual(successor.map(|successor| successor.uid)).swap_remove(0);
                if let Some(folder) = path.parent() {
                    output::directory(folder, successor)
                        .context("nobody can attach there\n  give a path of your own: --socket PATH")?;
                }
                path
            }
        };
        let listener = privilege::as_invoker(successor, || listen(&path))??;
        listener.set_nonblocking(true).context("cannot serve those who attach")?;
        eprintln!("attach: {}", path.display());
        Ok(Listening { listener, path })
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

/// The places where a run of `user` (`None`: of ours) is met when none is named; the first is where it makes one.
fn usual(user: Option<Uid>) -> Vec<PathBuf> {
    let own = Uid::effective();
    let user = user.unwrap_or(own);
    let named = std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty() && user == own);
    let theirs = named.map(PathBuf::from).or_else(|| Some(format!("/run/user/{user}").into()));
    let places = theirs.filter(|folder| !user.is_root() && folder.is_dir());
    places.into_iter().chain(["/run".into()]).map(|folder| folder.join(FOLDER).join(NAME)).collect()
}

fn listen(path: &Path) -> Result<UnixListener> {
    let cannot = || format!("cannot make the socket {}\n  give another path with --socket", path.display());
    match bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {}
        bound => return bound.with_context(cannot),
    }
    let is_socket = fs::symlink_metadata(path).is_ok_and(|about| about.file_type().is_socket());
    match UnixStream::connect(path) {
        Ok(_) => Err(usage(format!(
            "another run answers at {0}\n  `esp-tcpwatch attach {0}` shows it; give this one another path with --socket",
            path.display()
        ))),
        // Its run was killed.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused && is_socket => {
            fs::remove_file(path).with_context(cannot)?;
            bind(path).with_context(cannot)
        }
        Err(_) => Err(usage(format!(
            "{} exists and is no socket of a run\n  give another path with --socket",
            path.display()
        ))),
    }
}

/// Nobody but its owner may connect, from the first moment.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let before = umask(Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(path);
    umask(before);
    bound
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_socket_is_its_owner_s_alone_and_goes_with_its_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let place = SocketPlace::At(path.clone());
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
        let place = SocketPlace::At(path.clone());
        drop(Listening::on(&place, None).unwrap());
        fs::write(&path, "mine").unwrap();
        let error = Listening::on(&place, None).err().unwrap();
        assert!(error.to_string().contains("is no socket of a run"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        std::os::unix::fs::symlink("/nonexistent", dir.path().join("link")).unwrap();
        assert!(Listening::on(&SocketPlace::At(dir.path().join("link")), None).is_err());
    }
}
