//! Sends TCP frames on an interface at a rate, for the live bench and for the tests that flood a lab.
//!
//!     bench_sender INTERFACE WHAT DEVICE RATE SECONDS [SEED]
//!
//! WHAT is one of
//!   syn      SYNs from everywhere to any port of DEVICE; their checksum is wrong, so that no device has to answer
//!   small    frames of 60 octets on 64 connections of DEVICE
//!   full     frames of 1514 octets on the same
//!   collide  connections of the devices DEVICE, DEVICE + 1 and so on, one each, RATE devices a second: each closes first, and
//!            then refuses the next connection on the same port
//!   stall    RATE connections a second on which DEVICE acknowledges a request and says no more
//!
//! Both ends are played, so nobody needs to be there. It says how many frames it sent, and in what time (JSON).

#[path = "traffic/mod.rs"]
mod traffic;

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("packet sockets are Linux's");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::IoSlice;
    use std::net::{Ipv4Addr, SocketAddrV4};
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::time::{Duration, Instant};

    use anyhow::{Context, Result, bail};
    use nix::errno::Errno;
    use nix::ifaddrs::getifaddrs;
    use nix::sys::socket::{
        AddressFamily, LinkAddr, MsgFlags, MultiHeaders, SockFlag, SockType, bind, sendmmsg, socket,
    };

    use super::traffic::chance::Chance;
    use super::traffic::esp32::{CLIENT, Device};
    use super::traffic::frame::{ACK, PSH, SYN, Sent};
    use super::traffic::synflood::syn;

    /// Frames that one system call hands over.
    const AT_ONCE: usize = 64;
    /// A sender that fell further behind than this gives up what it missed: a burst is not a rate.
    const PATIENCE: Duration = Duration::from_millis(20);
    const CONNECTIONS: u16 = 64;
    /// The longest payload in a frame of 60 octets, and in one of 1514.
    const SMALL: u16 = 6;
    const FULL: u16 = 1_460;

    /// Segments of one connection that went well, and of two refusals: the second proves that the RST of the first was ignored.
    const SERVED_AND_REFUSED_TWICE: usize = 9 + 2 * 3;

    pub fn main() -> Result<()> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let [interface, what, device, rate, seconds, seed @ ..] = words.as_slice() else {
            bail!("bench_sender INTERFACE syn|small|full|collide|stall DEVICE RATE SECONDS [SEED]")
        };
        let rate: f64 = rate.parse().context("RATE is a number")?;
        let lasting = Duration::from_secs_f64(seconds.parse().context("SECONDS is a number")?);
        let seed = seed.first().map_or(Ok(1), |word| word.parse()).context("SEED is a whole number")?;
        let mut wire = Wire::open(interface)?;
        let mut traffic = Traffic::new(what, device.parse().context("DEVICE is an IPv4 address")?, seed)?;

        let began = Instant::now();
        let (mut due, mut missed) = (0_u64, 0_u64);
        while began.elapsed() < lasting {
            let now = (began.elapsed().as_secs_f64() * rate) as u64;
            let late = now.saturating_sub(due);
            let most = (PATIENCE.as_secs_f64() * rate).ceil() as u64;
            missed += late.saturating_sub(most);
            due = now;
            for _ in 0..late.min(most) {
                traffic.add(&mut wire)?;
            }
            wire.flush()?;
            std::thread::sleep(Duration::from_micros(200));
        }
        let took = began.elapsed().as_secs_f64();
        println!("{}", serde_json::json!({ "sent": wire.sent, "missed": missed, "seconds": took }));
        Ok(())
    }

    enum Traffic {
        Syn { device: Ipv4Addr, chance: Chance },
        Steady { streams: Vec<Stream>, next: usize, payload: u16 },
        Collide { next: Ipv4Addr, chance: Chance },
        Stall { device: Ipv4Addr, port: u16, chance: Chance },
    }

    impl Traffic {
        fn new(what: &str, device: Ipv4Addr, seed: u64) -> Result<Traffic> {
            let mut chance = Chance::new(seed);
            Ok(match what {
                "syn" => Traffic::Syn { device, chance },
                "small" | "full" => {
                    let payload = if what == "small" { SMALL } else { FULL };
                    let streams = (0..CONNECTIONS).map(|nth| Stream::new(device, nth, &mut chance));
                    Traffic::Steady { streams: streams.collect(), next: 0, payload }
                }
                "collide" => Traffic::Collide { next: device, chance },
                "stall" => Traffic::Stall { device, port: 20_000, chance },
                other => bail!("{other} is none of syn, small, full, collide and stall"),
            })
        }

        /// One frame more; of `collide` and `stall` one connection more.
        fn add(&mut self, wire: &mut Wire) -> Result<()> {
            match self {
                Traffic::Syn { device, chance } => {
                    let octets = wire.add(&syn(0, *device, chance))?;
                    let checksum = 14 + 20 + 16;
                    octets[checksum] ^= 0x55;
                }
                Traffic::Steady { streams, next, payload } => {
                    let nth = *next % streams.len();
                    *next += 1;
                    for sent in streams[nth].next(*payload) {
                        wire.add(&sent)?;
                    }
                }
                Traffic::Collide { next, chance } => {
                    let mut device = Device::new(CLIENT, *next, 0);
                    device.request(false, chance);
                    device.request(true, chance);
                    for sent in core::iter::from_fn(|| device.next()).take(SERVED_AND_REFUSED_TWICE) {
                        wire.add(&sent)?;
                    }
                    *next = Ipv4Addr::from_bits(next.to_bits() + 1);
                }
                Traffic::Stall { device, port, chance } => {
                    *port = port.wrapping_add(1);
                    for sent in Stream::new(*device, *port, chance).open_and_ask() {
                        wire.add(&sent)?;
                    }
                }
            }
            Ok(())
        }
    }

    /// A connection that has no end.
    struct Stream {
        client: SocketAddrV4,
        device: SocketAddrV4,
        client_seq: u32,
        device_seq: u32,
        is_open: bool,
        by_device: bool,
    }

    impl Stream {
        fn new(device: Ipv4Addr, nth: u16, chance: &mut Chance) -> Stream {
            Stream {
                client: SocketAddrV4::new(CLIENT, 40_000_u16.wrapping_add(nth)),
                device: SocketAddrV4::new(device, 80),
                client_seq: chance.sequence(),
                device_seq: chance.sequence(),
                is_open: false,
                by_device: false,
            }
        }

        /// Once the handshake; then payload from each side in turn, which acknowledges that of the other.
        fn next(&mut self, payload: u16) -> Vec<Sent> {
            if !self.is_open {
                return self.open();
            }
            self.by_device = !self.by_device;
            let sent = if self.by_device { self.down(ACK, payload) } else { self.up(ACK, payload) };
            let seq = if self.by_device { &mut self.device_seq } else { &mut self.client_seq };
            *seq = seq.wrapping_add(payload.into());
            vec![sent]
        }

        fn open(&mut self) -> Vec<Sent> {
            self.is_open = true;
            let syn = Sent { ack: 0, ..self.up(SYN, 0) };
            self.client_seq = self.client_seq.wrapping_add(1);
            let answer = self.down(SYN | ACK, 0);
            self.device_seq = self.device_seq.wrapping_add(1);
            vec![syn, answer, self.up(ACK, 0)]
        }

        fn open_and_ask(&mut self) -> Vec<Sent> {
            let mut sent = self.open();
            sent.push(self.up(PSH | ACK, 100));
            self.client_seq = self.client_seq.wrapping_add(100);
            sent.push(self.down(ACK, 0));
            sent
        }

        fn up(&self, flags: u8, payload: u16) -> Sent {
            let (from, to) = (self.client, self.device);
            Sent {
                at: 0,
                from,
                to,
                seq: self.client_seq,
                ack: self.device_seq,
                flags,
                window: 64_240,
                payload,
            }
        }

        fn down(&self, flags: u8, payload: u16) -> Sent {
            let (from, to) = (self.device, self.client);
            Sent {
                at: 0,
                from,
                to,
                seq: self.device_seq,
                ack: self.client_seq,
                flags,
                window: 5_744,
                payload,
            }
        }
    }

    /// A packet socket on one interface, and the frames that it is about to send.
    struct Wire {
        socket: OwnedFd,
        frames: Vec<Vec<u8>>,
        waiting: usize,
        id: u16,
        sent: u64,
    }

    impl Wire {
        fn open(interface: &str) -> Result<Wire> {
            let is_ours = |found: &nix::ifaddrs::InterfaceAddress| found.interface_name == interface;
            let address: LinkAddr = getifaddrs()?
                .filter(is_ours)
                .find_map(|found| found.address?.as_link_addr().copied())
                .with_context(|| format!("there is no interface {interface}; `ip link` lists them"))?;
            // Protocol 0: it sends, and hears nothing.
            let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)
                .context("a packet socket takes CAP_NET_RAW: run this as root")?;
            bind(socket.as_raw_fd(), &address).with_context(|| format!("cannot send on {interface}"))?;
            Ok(Wire { socket, frames: vec![Vec::new(); AT_ONCE], waiting: 0, id: 0, sent: 0 })
        }

        /// Adds a frame, which goes when there are enough of them; returns its octets.
        fn add(&mut self, sent: &Sent) -> Result<&mut [u8]> {
            if self.waiting == AT_ONCE {
                self.flush()?;
            }
            self.id = self.id.wrapping_add(1);
            let octets = &mut self.frames[self.waiting];
            sent.write(self.id, octets);
            self.waiting += 1;
            Ok(octets)
        }

        fn flush(&mut self) -> Result<()> {
            let mut first = 0;
            while first < self.waiting {
                let frames: Vec<[IoSlice<'_>; 1]> =
                    self.frames[first..self.waiting].iter().map(|frame| [IoSlice::new(frame)]).collect();
                let nowhere: Vec<Option<LinkAddr>> = vec![None; frames.len()];
                let mut headers = MultiHeaders::preallocate(frames.len(), None);
                let fd = self.socket.as_raw_fd();
                let sent = sendmmsg(fd, &mut headers, frames.iter(), &nowhere, [], MsgFlags::empty());
                match sent.map(Iterator::count) {
                    Ok(sent) => {
                        first += sent;
                        self.sent += sent as u64;
                    }
                    Err(Errno::ENOBUFS | Errno::EINTR) => std::thread::sleep(Duration::from_micros(50)),
                    Err(error) => bail!("cannot send: {}", error.desc()),
                }
            }
            self.waiting = 0;
            Ok(())
        }
    }
}
