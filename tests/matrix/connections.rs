//! The client's side of a scenario: plain sockets, opened, held and ended as told.
//!
//! Knows TCP through the socket calls alone. Bounded: nothing here waits longer than it was allowed to.
#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn, setsockopt, sockopt};

use super::step::Tally;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: device\r\nConnection: close\r\n\r\n";
const LOOK_AGAIN: Duration = Duration::from_millis(10);

pub struct Connections {
    server: SocketAddr,
    held: Vec<TcpStream>,
}

impl Connections {
    pub fn to(server: SocketAddr) -> Self {
        Connections { server, held: Vec::new() }
    }

    /// On threads that are gone when it returns.
    pub fn ask(&self, count: u16, side_by_side: u16, first_port: Option<u16>, patience: Duration) -> Tally {
        let one = |number: u16| ask_once(self.server, first_port.map(|first| first + number), patience);
        let mut tally = Tally::default();
        std::thread::scope(|scope| {
            let share = |worker: u16| (worker..count).step_by(side_by_side.into()).map(one);
            let workers: Vec<_> = (0..side_by_side)
                .map(|worker| scope.spawn(move || share(worker).collect::<Vec<_>>()))
                .collect();
            for worker in workers {
                for ended in worker.join().unwrap_or_default() {
                    tally.count(&ended);
                }
            }
        });
        tally
    }

    pub fn ask_from(&self, ports: &[u16], patience: Duration) -> Tally {
        let mut tally = Tally::default();
        for port in ports {
            tally.count(&ask_once(self.server, Some(*port), patience));
        }
        tally
    }

    /// All SYNs at once; those that nobody answers go on asking while they are held.
    pub fn open(&mut self, count: usize, port: Option<u16>, patience: Duration) -> Result<Tally> {
        let mut asking = Vec::new();
        for _ in 0..count {
            asking.push(begin(self.server, port)?);
        }
        let mut tally = Tally::default();
        let deadline = Instant::now() + patience;
        loop {
            let mut undecided = Vec::new();
            for stream in asking {
                match outcome(&stream)? {
                    None => undecided.push(stream),
                    Some(Ok(())) => {
                        tally.well += 1;
                        self.held.push(stream);
                    }
                    Some(Err(_)) => tally.broken += 1,
                }
            }
            asking = undecided;
            if asking.is_empty() || Instant::now() >= deadline {
                break;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        tally.waiting = asking.len();
        self.held.extend(asking);
        Ok(tally)
    }

    pub fn say(&mut self, on_newest: usize) {
        for stream in self.held.iter_mut().rev().take(on_newest) {
            // A connection that was reset meanwhile shows when it is read.
            let _sent = stream.write_all(REQUEST);
        }
    }

    pub fn pour(&mut self) {
        let octets = [b'x'; 4096];
        for stream in &mut self.held {
            while stream.write(&octets).is_ok_and(|sent| sent > 0) {}
        }
    }

    /// Those that end, well or not, are held no longer.
    pub fn hear(&mut self, patience: Duration) -> Result<Tally> {
        let mut tally = Tally::default();
        let deadline = Instant::now() + patience;
        loop {
            let mut still = Vec::new();
            for mut stream in self.held.drain(..) {
                match drain(&mut stream) {
                    Ok(true) => tally.well += 1,
                    Ok(false) => still.push(stream),
                    Err(_) => tally.broken += 1,
                }
            }
            self.held = still;
            if self.held.is_empty() || Instant::now() >= deadline {
                break;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        tally.waiting = self.held.len();
        Ok(tally)
    }

    pub fn shut_down(&self) {
        for stream in &self.held {
            let _unconnected = stream.shutdown(Shutdown::Write);
        }
    }

    pub fn close(&mut self) {
        self.held.clear();
    }

    pub fn abort(&mut self) -> Result<()> {
        for stream in self.held.drain(..) {
            let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
            setsockopt(&stream, sockopt::Linger, &at_once)?;
        }
        Ok(())
    }

    /// A socket in repair mode is closed without a word (tcp(7): TCP_REPAIR), as by the end of its machine.
    pub fn forget(&mut self) -> Result<()> {
        for stream in self.held.drain(..) {
            let on: libc::c_int = 1;
            #[expect(unsafe_code, reason = "an option that no crate wraps")]
            // SAFETY: the option is an `int`, which outlives the call; the descriptor is open.
            let set = unsafe {
                libc::setsockopt(
                    stream.as_raw_fd(),
                    libc::IPPROTO_TCP,
                    libc::TCP_REPAIR,
                    (&raw const on).cast(),
                    size_of_val(&on) as libc::socklen_t,
                )
            };
            Errno::result(set).context("TCP_REPAIR")?;
        }
        Ok(())
    }
}

impl Tally {
    fn count(&mut self, ended: &std::io::Result<()>) {
        match ended {
            Ok(()) => self.well += 1,
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                self.waiting += 1;
            }
            Err(_) => self.broken += 1,
        }
    }
}

/// A request, its whole answer, and a close after the device's.
fn ask_once(server: SocketAddr, port: Option<u16>, patience: Duration) -> std::io::Result<()> {
    let deadline = Instant::now() + patience;
    let mut stream = begin(server, port).map_err(std::io::Error::other)?;
    wait(&stream, PollFlags::POLLOUT, deadline)?;
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    stream.write_all(REQUEST)?;
    let mut octets = [0; 2048];
    let mut heard = 0;
    loop {
        wait(&stream, PollFlags::POLLIN, deadline)?;
        match stream.read(&mut octets) {
            Ok(0) if heard > 0 => return Ok(()),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => heard += length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

fn wait(stream: &TcpStream, what: PollFlags, deadline: Instant) -> std::io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(stream.as_fd(), what)], timeout)? {
        0 => Err(ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}

/// Asks for a connection and does not wait for it.
fn begin(server: SocketAddr, port: Option<u16>) -> Result<TcpStream> {
    let SocketAddr::V4(server) = server else { bail!("the device's IPv4 address is meant") };
    let fd: OwnedFd = socket::socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    if let Some(port) = port {
        // Ours alone, and the last connection from it is still in the kernel's memory.
        setsockopt(&fd, sockopt::ReuseAddr, &true)?;
        socket::bind(fd.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)))?;
    }
    match socket::connect(fd.as_raw_fd(), &SockaddrIn::from(server)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(TcpStream::from(fd)),
        Err(error) => Err(error.into()),
    }
}

/// `None`: nobody answered yet.
fn outcome(stream: &TcpStream) -> Result<Option<std::io::Result<()>>> {
    let mut asked = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
    if poll(&mut asked, PollTimeout::ZERO)? == 0 {
        return Ok(None);
    }
    Ok(Some(match stream.take_error()? {
        Some(error) => Err(error),
        None => Ok(()),
    }))
}

/// `true` at the device's FIN, `false` while it is open.
fn drain(stream: &mut TcpStream) -> std::io::Result<bool> {
    let mut octets = [0; 2048];
    loop {
        match stream.read(&mut octets) {
            Ok(0) => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}
