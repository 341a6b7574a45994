//! Goes into the sandbox that the program goes into, and then tries one thing that it must or must not be able to do.
//!
//! `confined READS WRITES REMOVES SOCKETS ACTION [ARGUMENT]`: prints `done` or `refused: ERROR`. What is fatal prints nothing.

use std::error::Error;
use std::ffi::CString;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Command;

use esp_tcpwatch::app::sandbox::{self, Needs, Sockets};
use esp_tcpwatch::cli::confine::ConfineArgs;
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [reads, writes, removes, sockets, action, rest @ ..] = words.as_slice() else {
        panic!("confined READS WRITES REMOVES SOCKETS ACTION [ARGUMENT]");
    };
    let needs = Needs {
        reads: vec![PathBuf::from(reads)],
        writes: vec![PathBuf::from(writes)],
        removes: vec![PathBuf::from(removes)],
        terminal: true,
        sockets: match sockets.as_str() {
            "none" => Sockets::None,
            "local" => Sockets::Local,
            "network" => Sockets::Network,
            other => panic!("{other}"),
        },
    };
    // Open before, usable after.
    let mut held = fs::File::open("/etc/hostname").or_else(|_| fs::File::open("/proc/version")).unwrap();
    let remarks = sandbox::enter(None, &ConfineArgs::default().into(), &needs).unwrap();
    assert!(remarks.is_empty(), "{remarks:?}");
    let argument = rest.first().map_or("", String::as_str);
    match attempt(action, argument, &mut held) {
        Ok(()) => println!("done"),
        Err(error) => println!("refused: {error}"),
    }
}

fn attempt(action: &str, argument: &str, held: &mut fs::File) -> Result<(), Box<dyn Error>> {
    let raw = |family, kind| socket(family, kind, SockFlag::SOCK_CLOEXEC, None).map(drop);
    match action {
        "read" => drop(fs::read(argument)?),
        "list" => drop(fs::read_dir(argument)?),
        "write" => fs::write(argument, "x")?,
        "remove" => fs::remove_file(argument)?,
        "held" => drop(std::io::copy(held, &mut std::io::sink())?),
        "thread" => {
            let status = std::thread::spawn(|| fs::read_to_string("/proc/thread-self/status")).join();
            let status = status.map_err(|_| "the thread panicked")??;
            assert!(status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1"), "{status}");
        }
        "spawn" => drop(Command::new("/bin/true").status()?),
        "exec" => {
            let program = CString::new("/bin/true")?;
            nix::unistd::execv(&program, &[&program])?;
        }
        "mount" => mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REMOUNT, None::<&str>)?,
        "unshare" => unshare(CloneFlags::CLONE_NEWUSER)?,
        "packet" => raw(AddressFamily::Packet, SockType::Datagram)?,
        "raw" => raw(AddressFamily::Inet, SockType::Raw)?,
        "raw6" => raw(AddressFamily::Inet6, SockType::Raw)?,
        "tcp" => drop(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?),
        "udp" => drop(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?),
        "interfaces" => assert!(nix::ifaddrs::getifaddrs()?.any(|entry| entry.interface_name == "lo")),
        "type" => type_into(held)?,
        "code" => make_code()?,
        other => panic!("{other}"),
    }
    Ok(())
}

/// What an intruder does to the shell that the program was started from.
fn type_into(terminal: &fs::File) -> std::io::Result<()> {
    #[expect(unsafe_code, reason = "the ioctl that must not be possible")]
    // SAFETY: TIOCSTI reads one octet, which outlives the call.
    let done = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSTI, c"x".as_ptr()) };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

fn make_code() -> std::io::Result<()> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    #[expect(unsafe_code, reason = "the mapping that must not be possible")]
    // SAFETY: a new mapping where the kernel likes; nothing looks into it.
    let place = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) };
    if place == libc::MAP_FAILED { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}
