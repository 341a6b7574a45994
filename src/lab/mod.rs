//! A device without hardware: the twin and this process, alone in a network namespace nobody else can see.
//!
//! Knows how such a place is made, with what addresses, and how it ends. Refuses to know what is done in it: who
//! captures, who sends requests and what they prove is other rooms' business.
//!
//! # How it ends
//!
//! The namespace has no name: the kernel holds it for the processes inside and for nothing else. The twin lives as
//! long as its standard input, a pipe whose only other end is in this process (close-on-exec, so no later child
//! keeps it alive by accident). The TAP device lives as long as its descriptor, which only the twin holds. So every
//! end of this process ends the twin, and the end of the twin ends the interface: a return, an error, a panic,
//! Ctrl-C, SIGTERM and `kill -9` alike. [`Lab::finish`] and `Drop` only make it prompt and check it.
//!
//! A lab with a [switch](LabConfig::has_power_switch) keeps a descriptor of the TAP device beside the twin's: the
//! interface then outlives a device without power, as an access point does, and still goes with this process.

mod error;
mod namespace;
mod netlink;
mod tap;
mod twin;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

pub use error::LabError;
pub use twin::find as find_twin;

use namespace::Kind;
use twin::{Start, Twin};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const DEVICE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const NETMASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);
const PREFIX: u8 = 24;
const CLIENT6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1);
const DEVICE6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2);
const PREFIX6: u8 = 64;
const CONTROL_PORT: u16 = 7777;
const HTTP_PORT: u16 = 80;

/// What a lab is made of.
#[derive(Clone, Debug, Default)]
pub struct LabConfig {
    /// The twin's binary; see [`find_twin`].
    pub twin: PathBuf,
    /// Further arguments of the twin, such as `--mode fixed`.
    pub twin_args: Vec<String>,
    /// Makes the twin's chance repeatable.
    pub seed: u64,
    /// User and group the twin becomes, when this process is root and will become them as well: a process that has
    /// dropped to a user could otherwise no longer signal a twin that stayed root. `None`, or where there are no other
    /// users ([`Lab::has_other_users`]): as this process.
    pub twin_user: Option<(u32, u32)>,
    /// Keep the interface while the device is off, so that it can be turned [off](Lab::turn_off) and [on](Lab::turn_on).
    pub has_power_switch: bool,
}

impl LabConfig {
    pub fn new(twin: PathBuf, seed: u64) -> Self {
        LabConfig { twin, seed, ..LabConfig::default() }
    }
}

/// A running twin, and this process beside it.
#[derive(Debug)]
pub struct Lab {
    twin: Twin,
    /// The wire's end in this process, never read while the device is on. Where there is no power switch: `None`.
    wire: Option<OwnedFd>,
    start: Start,
    has_ipv6: bool,
    has_other_users: bool,
}

impl Lab {
    /// Moves this process, for good, into a network namespace of its own and starts the twin there.
    ///
    /// Must be called before the first thread. After an error the process may already have left its old
    /// namespace: say what is wrong and end.
    ///
    /// Privilege is needed here and for a capture opened on [`Lab::interface`] afterwards; then it can be dropped.
    /// As an ordinary user both work too, by the capabilities a process has in a user namespace it made; user and
    /// group stay the same in there, so that what the process writes belongs to whom it belonged before.
    pub fn enter(config: &LabConfig) -> Result<Lab, LabError> {
        // What can be told beforehand is told while the process is still where it was.
        twin::check(&config.twin)?;
        tap::check()?;
        let kind = namespace::enter()?;

        let mut link = netlink::Route::open()?;
        link.up("lo", None)?;
        let tap = tap::open()?;
        link.up(tap::NAME, Some(tap::CLIENT_MAC))?;
        link.add_address(tap::NAME, CLIENT.into(), PREFIX)?;
        let has_ipv6 = match link.add_address(tap::NAME, CLIENT6.into(), PREFIX6) {
            Ok(()) => true,
            Err(refused) if refused.is_lack_of_ipv6() => false,
            Err(refused) => return Err(refused.into()),
        };

        let mut arguments: Vec<String> = Vec::new();
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        option("--ip", DEVICE.to_string());
        option("--netmask", NETMASK.to_string());
        option("--gateway", CLIENT.to_string());
        option("--ip6", DEVICE6.to_string());
        option("--seed", config.seed.to_string());
        arguments.extend(config.twin_args.iter().cloned());
        let has_other_users = kind == Kind::Network;
        let user = config.twin_user.filter(|_| has_other_users);
        let wire = if config.has_power_switch { Some(tap::second(&tap)?) } else { None };
        let start = Start { path: config.twin.clone(), arguments, user };
        let twin = Twin::start(&start, tap)?;
        Ok(Lab { twin, wire, start, has_ipv6, has_other_users })
    }

    /// Takes the device's power: it ends without a word to anybody. The interface stays where the lab has a switch.
    pub fn turn_off(&mut self) -> Result<(), LabError> {
        self.twin.kill()
    }

    /// Gives the power back: the same device, from its start, remembering nothing; what was sent to it meanwhile is lost.
    ///
    /// This process must have one thread, as for [`Lab::enter`], and privilege enough for another user's twin.
    pub fn turn_on(&mut self) -> Result<(), LabError> {
        namespace::only_one_thread()?;
        let Some(wire) = &self.wire else { return Err(LabError::NoSwitch) };
        self.twin.kill()?;
        tap::forget_what_waits(wire)?;
        self.twin = Twin::start(&self.start, tap::second(wire)?)?;
        Ok(())
    }

    /// The interface between this process and the device.
    pub fn interface(&self) -> &str {
        tap::NAME
    }

    pub fn device(&self) -> IpAddr {
        DEVICE.into()
    }

    /// The device's IPv6 address, where this host has IPv6 at all.
    pub fn device6(&self) -> Option<Ipv6Addr> {
        self.has_ipv6.then_some(DEVICE6)
    }

    /// This process's address towards the device.
    pub fn client(&self) -> IpAddr {
        CLIENT.into()
    }

    /// The device's web server.
    pub fn server(&self) -> SocketAddr {
        SocketAddr::new(self.device(), HTTP_PORT)
    }

    /// The device's control channel.
    pub fn control(&self) -> SocketAddr {
        SocketAddr::new(self.device(), CONTROL_PORT)
    }

    /// Whether there is anybody else this process could become in here. In a user namespace there is not: even the
    /// supplementary groups cannot be given up, and what is left to drop are the capabilities.
    pub fn has_other_users(&self) -> bool {
        self.has_other_users
    }

    /// The stack the twin says it runs on, such as `lwIP 2.2.1`.
    pub fn stack(&self) -> &str {
        self.twin.stack()
    }

    /// Takes the lab down and says so if the twin had come to grief before, or would not go.
    ///
    /// The process stays in its namespace, now without a device; the namespace goes with the process.
    pub fn finish(mut self) -> Result<(), LabError> {
        self.twin.stop()
    }
}
