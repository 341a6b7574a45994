//! Where a run and those who attach to it meet when neither was told of a place.
//!
//! Knows the folders for that, and which of the sockets in them answers. Whether those behind them let us in for long is theirs
//! to say.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use nix::unistd::Uid;

/// The folder of sockets without a name, below the user's or the system's for such things.
const FOLDER: &str = "esp-tcpwatch";
const NAME: &str = "watch.sock";
/// What a socket's name in such a folder ends in, so that it is found.
const ENDING: &str = "sock";
/// Sockets that are tried in one folder.
const TRIED: usize = 64;

/// Where a run of `user` (`None`: of ours) makes its socket. `for_others`: where others can get, too.
pub(super) fn usual(user: Option<Uid>, for_others: bool) -> PathBuf {
    // A user's own folder is nobody else's.
    let at = if for_others { SYSTEM.into() } else { folders(user).swap_remove(0) };
    at.join(FOLDER).join(NAME)
}

const SYSTEM: &str = "/run";

fn folders(user: Option<Uid>) -> Vec<PathBuf> {
    let own = Uid::effective();
    let user = user.unwrap_or(own);
    let named = std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty() && user == own);
    let theirs = named.map(PathBuf::from).or_else(|| Some(format!("/run/user/{user}").into()));
    let places = theirs.filter(|folder| !user.is_root() && folder.is_dir());
    places.into_iter().chain([SYSTEM.into()]).collect()
}

/// What is met in the folders of a user.
#[derive(Default)]
pub(super) struct Met {
    /// Runs that answer.
    pub runs: Vec<(PathBuf, UnixStream)>,
    /// A socket that did not, and why.
    pub refused: Option<(PathBuf, io::Error)>,
    /// Where a run would be met.
    pub places: Vec<PathBuf>,
}

/// Tries all that may be runs of `user` (`None`: of ours).
pub(super) fn met(user: Option<Uid>) -> Met {
    let mut met = Met::default();
    for folder in folders(user) {
        let folder = folder.join(FOLDER);
        met.places.push(folder.join(NAME));
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut sockets: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|ending| ending == ENDING))
            .take(TRIED)
            .collect();
        sockets.sort();
        for path in sockets {
            match UnixStream::connect(&path) {
                Ok(stream) => met.runs.push((path, stream)),
                // Gone between two looks.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // Another user's is worth more words than one that a killed run left.
                Err(error) => {
                    let is_better = error.kind() == ErrorKind::PermissionDenied;
                    if met.refused.is_none() || is_better {
                        met.refused = Some((path, error));
                    }
                }
            }
        }
    }
    met
}
