//! Who it is that attaches, by the kernel's word.
//!
//! Knows users and groups of a process at the other end of a Unix socket, as they were when it connected. The socket's
//! permissions say the same, and may be changed by others.

use std::os::fd::AsFd;

use nix::unistd::{Gid, Uid};
use tokio::net::UnixStream;

/// The run's own user, root, and who is in `group`.
pub(super) fn may_attach(stream: &UnixStream, group: Option<Gid>) -> bool {
    let Ok(peer) = stream.peer_cred() else { return false };
    let is_in = |group: Gid| peer.gid() == group.as_raw() || groups(stream).contains(&group.as_raw());
    peer.uid() == 0 || peer.uid() == Uid::effective().as_raw() || group.is_some_and(is_in)
}

/// The supplementary groups; empty where the kernel does not tell (before Linux 4.13, and on other systems).
#[cfg(target_os = "linux")]
fn groups(peer: &impl AsFd) -> Vec<u32> {
    use std::os::fd::AsRawFd;

    use nix::libc;

    let descriptor = peer.as_fd().as_raw_fd();
    // Linux lets nobody be in more (NGROUPS_MAX). Where there is no room, it says how much there must be.
    let mut groups: Vec<libc::gid_t> = Vec::new();
    for _ in 0..2 {
        let mut length = size_of_val(groups.as_slice()) as libc::socklen_t;
        #[expect(unsafe_code, reason = "no crate asks for this option without it")]
        // SAFETY: `groups` has room for `length` octets, any of which is a valid gid_t, and outlives the call; the kernel
        // writes no more than that, and the length of what it wrote or would write into `length`.
        let answered = unsafe {
            libc::getsockopt(
                descriptor,
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let count = length as usize / size_of::<libc::gid_t>();
        match answered {
            0 => {
                groups.truncate(count);
                return groups;
            }
            _ if std::io::Error::last_os_error().raw_os_error() == Some(libc::ERANGE) && count <= MOST => {
                groups.resize(count, 0);
            }
            _ => break,
        }
    }
    Vec::new()
}

/// NGROUPS_MAX of Linux.
#[cfg(target_os = "linux")]
const MOST: usize = 65_536;

#[cfg(not(target_os = "linux"))]
fn groups(_: &impl AsFd) -> Vec<u32> {
    Vec::new()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn our_own_groups_are_those_of_whoever_speaks_to_us() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut own: Vec<u32> = nix::unistd::getgroups().unwrap().into_iter().map(Gid::as_raw).collect();
        let mut told = groups(&one);
        own.sort_unstable();
        told.sort_unstable();
        assert_eq!(told, own);
    }

    #[test]
    fn what_is_no_socket_of_anybody_s_has_no_groups() {
        assert_eq!(groups(&std::fs::File::open("/dev/null").unwrap()), Vec::<u32>::new());
    }
}
