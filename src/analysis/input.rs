//! What analysis is told: frames, the passing of time, losses, markers, what a device says of itself, and the end.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// A frame's number in its capture, from 1, as Wireshark counts.
pub type FrameNo = u64;

/// One thing that a source tells the engine. What is rare is boxed: a frame is handed on by value.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    Frame(Frame<'a>),
    /// Nothing arrived, time went on.
    Tick(Timestamp),
    /// Frames were lost before they could be seen.
    Gap(Gap),
    Marker(Box<Marker>),
    Account(Box<Account>),
    Progress(Box<Progress>),
    End,
}

impl From<Marker> for Input<'_> {
    fn from(marker: Marker) -> Self {
        Input::Marker(Box::new(marker))
    }
}

impl From<Account> for Input<'_> {
    fn from(account: Account) -> Self {
        Input::Account(Box::new(account))
    }
}

/// One captured frame, borrowed from its source.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub number: FrameNo,
    pub time: Timestamp,
    pub link: LinkType,
    /// Octets on the wire; `data` may be shorter (snaplen).
    pub wire_len: u32,
    pub data: &'a [u8],
}

/// How a frame begins: a LINKTYPE_ value of libpcap's registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    pub const ETHERNET: LinkType = LinkType(1);
    pub const RAW: LinkType = LinkType(101);
    pub const LINUX_SLL: LinkType = LinkType(113);
    pub const IPV4: LinkType = LinkType(228);
    pub const IPV6: LinkType = LinkType(229);
    pub const LINUX_SLL2: LinkType = LinkType(276);
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            LinkType::ETHERNET => f.write_str("Ethernet"),
            LinkType::RAW => f.write_str("raw IP"),
            LinkType(other) => write!(f, "link type {other}"),
        }
    }
}

/// Frames that were lost between the wire and us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub at: Timestamp,
    /// Frames lost since the last gap.
    pub lost: u64,
    pub cause: GapCause,
}

impl Gap {
    /// Whether a loss begins here. The end of one is told too, and counts no second time.
    pub fn is_counted(&self) -> bool {
        match self.cause {
            GapCause::Kernel | GapCause::Interface | GapCause::Queue => self.lost > 0,
            GapCause::Gone => true,
            GapCause::Back(_) | GapCause::Link { .. } | GapCause::Clock { .. } => false,
        }
    }

    /// In a person's words; `None` where nothing was lost.
    pub fn told(&self) -> Option<String> {
        let counted = |whose: &str| {
            let lost = self.lost;
            format!("{lost} frames were lost: {whose}. What follows from earlier frames is less certain.")
        };
        Some(match self.cause {
            GapCause::Kernel | GapCause::Interface | GapCause::Queue if self.lost == 0 => return None,
            GapCause::Kernel => counted("the kernel's capture buffer was full"),
            GapCause::Interface => counted("the interface dropped them"),
            GapCause::Queue => counted("the analysis fell behind the capture"),
            GapCause::Gone => {
                "The interface went away or down. It is waited for; what passes meanwhile is not seen."
                    .to_owned()
            }
            GapCause::Back(away) => format!(
                "The interface was away for {:.1} s. How many frames passed meanwhile is not known, and what follows from \
                 earlier frames is less certain.",
                away.as_secs_f64()
            ),
            GapCause::Link { before, now } => format!(
                "What came back under the interface's name is another kind of link: {now}, and it was {before}. Frames are read as \
                 that from here on."
            ),
            GapCause::Clock { forward, by } => {
                let how = if forward { "forward, or the host slept," } else { "back" };
                format!(
                    "The clock that stamps the frames was set {how} by {:.1} s. Times before and after cannot be compared: what \
                     was known of connections is forgotten, and alerts end here.",
                    by.as_secs_f64()
                )
            }
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapCause {
    /// The kernel's capture buffer was full (`ps_drop`).
    Kernel,
    /// The interface dropped them (`ps_ifdrop`).
    Interface,
    /// Our own queue between capture and engine was full.
    Queue,
    /// The interface went away, or down: nobody counts what passes it from here on, and `lost` is 0.
    Gone,
    /// It is there again, after this long. `lost` is 0.
    Back(Duration),
    /// Frames of another kind of link come from here on. `lost` is 0.
    Link { before: LinkType, now: LinkType },
    /// No frame need be lost, but the clock that stamps them made a step; `at` is the time after it, and `lost` is 0.
    Clock { forward: bool, by: Duration },
}

/// Something a person or another program wants remembered at this point of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// By the packets' clock. It is told before the first frame of that time or later; of a time that has passed
    /// (`ZERO`, say), at once.
    pub at: Timestamp,
    pub text: String,
    /// The device's behaviour was changed on purpose here: what was learned of it before no longer binds, and its
    /// alerts end.
    pub mode_changed: bool,
    /// Whom it is about; `None`: every device.
    pub device: Option<IpAddr>,
    /// What the device's test firmware says its mode is from here on.
    pub mode: Option<String>,
}

impl Marker {
    /// A text of now, which tells no device's mode.
    pub fn note(text: String) -> Marker {
        Marker { at: Timestamp::ZERO, text, mode_changed: false, device: None, mode: None }
    }
}

/// How far an experiment on a device has come: all of it each time, so that the latest is enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub device: IpAddr,
    pub doing: Doing,
    /// The arm of the block at hand.
    pub arm: Option<String>,
    /// The block at hand, from 1; 0 is the positive control.
    pub block: u64,
    /// Blocks of all arms; the positive control goes before them.
    pub blocks: u64,
    /// Requests that ended in the block at hand.
    pub requests: u64,
    /// In the order in which the arms were named.
    pub arms: Vec<ArmProgress>,
    /// Seconds until the last block ends, by what those before it took; `None` while there is none.
    pub left_s: Option<f64>,
    /// What came of the last block, in a sentence.
    pub last: Option<String>,
    /// What may be concluded, in whole sentences; `None` before the end.
    pub verdict: Option<String>,
}

/// What an experiment is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doing {
    /// The block that must show the bug before anything is compared.
    Control,
    Block,
    /// Every source port was used: it waits until the device holds nothing in TIME-WAIT.
    Settling,
    /// It waits for a device that does not answer.
    Waiting,
    Over,
}

/// One arm so far: the blocks of it that count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmProgress {
    pub arm: String,
    pub blocks: u64,
    pub planned: u64,
    /// Ports that were used again.
    pub reuses: u64,
    /// Of those, not answered.
    pub failed: u64,
    /// Of those, took longer than a second, failures among them.
    pub stalled: u64,
    /// `time-wait-collision` findings.
    pub collisions: u64,
    /// `ignored-rst` findings.
    pub ignored_rsts: u64,
    /// A word about it; `None` before the end.
    pub verdict: Option<String>,
}

/// What a device says of the connections that it holds in TIME-WAIT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub device: IpAddr,
    /// The instant lies between these two, by the packets' clock.
    pub asked: Timestamp,
    pub answered: Timestamp,
    pub held: Vec<Told>,
    /// Everything that it held is in `held`.
    pub complete: bool,
    /// Its maximum segment lifetime, where it tells one.
    pub msl: Option<Duration>,
    /// Since it started.
    pub uptime: Option<Duration>,
    /// TIME-WAITs that it ended early to make room, since it started.
    pub evicted: Option<u64>,
}

/// One connection in TIME-WAIT, as its holder tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub device: SocketAddr,
    pub peer: SocketAddr,
    /// What is left of it, and how long its timer has run; both as fine as the device counts.
    pub remaining: Option<Duration>,
    pub age: Option<Duration>,
}
