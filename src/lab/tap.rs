//! The wire between this process and the device: one TAP device. Knows /dev/net/tun and its ways of being shut,
//! and nothing of addresses.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::unistd::read;

use super::error::LabError;
use super::namespace;

/// Ours for certain: the namespace was empty.
pub(super) const NAME: &str = "tap0";

/// Locally administered, and the same in every run: two captures of the same events should differ in time alone.
pub(super) const CLIENT_MAC: [u8; 6] = [0x02, 0x77, 0, 0, 0, 0x01];

const TUN: &str = "/dev/net/tun";

nix::ioctl_write_ptr_bad!(tun_set_iff, libc::TUNSETIFF, libc::ifreq);

/// Whether the door is open, asked before anything is changed. The descriptor is of no use later: a TAP device
/// belongs to the namespace in which /dev/net/tun was opened.
pub(super) fn check() -> Result<(), LabError> {
    open_tun().map(drop)
}

/// Frames as they are on the wire, without a header of the driver's. The device lives as long as the descriptor.
pub(super) fn open() -> Result<OwnedFd, LabError> {
    let tun = open_tun()?;
    let request = request();
    #[expect(unsafe_code, reason = "an ioctl that no crate wraps")]
    // SAFETY: TUNSETIFF reads and writes one `ifreq`, which outlives the call; the descriptor is open.
    match unsafe { tun_set_iff(tun.as_raw_fd(), &raw const request) } {
        Ok(_) => Ok(tun.into()),
        Err(error) => {
            let cause = io::Error::from(error);
            let advice = match error {
                Errno::EPERM | Errno::EACCES => namespace::advice_about(&cause),
                _ => "the driver is the kernel's `tun`; `dmesg` may know more".to_owned(),
            };
            Err(LabError::Tap { cause, advice })
        }
    }
}

/// Another descriptor of the same device's end, for this process alone.
pub(super) fn second(tap: &OwnedFd) -> Result<OwnedFd, LabError> {
    tap.try_clone().map_err(|cause| LabError::Wire { cause })
}

/// Throws away the frames that wait for a device that was off.
pub(super) fn forget_what_waits(tap: &OwnedFd) -> Result<(), LabError> {
    let wire = |errno: Errno| LabError::Wire { cause: errno.into() };
    let mut frame = [0u8; 2048];
    // The file status flags are shared with no twin now: there is none.
    let flags = OFlag::from_bits_truncate(fcntl(tap, FcntlArg::F_GETFL).map_err(wire)?);
    fcntl(tap, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map_err(wire)?;
    let emptied = loop {
        match read(tap, &mut frame) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => break Ok(()),
            Err(error) => break Err(wire(error)),
        }
    };
    fcntl(tap, FcntlArg::F_SETFL(flags)).map_err(wire)?;
    emptied
}

fn request() -> libc::ifreq {
    #[expect(unsafe_code, reason = "the kernel's own structure")]
    // SAFETY: `ifreq` is plain data for which all zeros is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(NAME.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
    request
}

fn open_tun() -> Result<File, LabError> {
    OpenOptions::new().read(true).write(true).open(TUN).map_err(shut)
}

fn shut(cause: io::Error) -> LabError {
    match cause.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOENT | Errno::ENOTDIR) => LabError::TunMissing,
        Some(Errno::EACCES) => LabError::TunClosed {
            cause,
            advice: "run this command with sudo, or open it to everyone with `sudo chmod 0666 /dev/net/tun` \
                     (most systems have it so; in a user's own network namespace it gives no power over the host)",
        },
        // The permissions allow it and the device controller does not.
        Some(Errno::EPERM) => LabError::TunClosed {
            cause,
            advice: "start the container with `--device /dev/net/tun`; a node made by mknod is not enough",
        },
        _ => LabError::TunDead { cause },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_being_shut_is_told_apart() {
        let table = [
            (Errno::ENOENT, "missing", "--device /dev/net/tun"),
            (Errno::EACCES, "closed", "sudo"),
            (Errno::EPERM, "closed", "--device /dev/net/tun"),
            (Errno::ENODEV, "does not work", "modprobe tun"),
        ];
        for (errno, what, advice) in table {
            let text = shut(errno.into()).to_string();
            assert!(
                text.starts_with("/dev/net/tun ") && text.contains(what) && text.contains(advice),
                "{text}"
            );
        }
    }

    #[test]
    fn the_request_names_the_device_and_asks_for_bare_frames() {
        let request = request();
        let name: Vec<u8> = request.ifr_name.iter().map(|&c| c as u8).take_while(|&c| c != 0).collect();
        assert_eq!(name, NAME.as_bytes());
        #[expect(unsafe_code, reason = "a member of a union")]
        // SAFETY: `request()` wrote this member.
        let flags = unsafe { request.ifr_ifru.ifru_flags };
        assert_eq!(flags, 0x1002);
    }
}
