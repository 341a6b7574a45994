//! Which frames a capture takes: those that its filter lets through.
//!
//! The kernel's filter is the one that counts, and libpcap compiles it for the kind of link that the capture was opened on. Where the
//! interface has come back as another kind, the kernel is told to take everything, and the same words, compiled for what is there
//! now, are applied here. Knows the devices where the filter was made for them, and takes in another address of theirs.

use core::net::IpAddr;
use std::sync::mpsc::Receiver;

use pcap::{Active, BpfProgram, Capture, Error, Linktype};

use crate::analysis::input::LinkType;
use crate::source::filter;

/// Addresses in one filter beyond those that were asked for; the one that came first gives way.
const MAX_FOLLOWED: usize = 64;

#[derive(Default)]
pub(super) struct Sieve {
    /// In the words of pcap-filter(7); empty: everything.
    words: String,
    followed: Option<Followed>,
    /// The kernel filters nothing.
    own: Option<BpfProgram>,
    /// The link that frames are of, where it is another than the capture was opened on.
    link: Option<LinkType>,
}

/// The filter is made of these.
struct Followed {
    asked_for: usize,
    addresses: Vec<IpAddr>,
    /// Where those of them are that have moved.
    moves: Receiver<IpAddr>,
}

impl Sieve {
    /// `words` is what the capture was opened with.
    pub fn new(words: Option<&str>) -> Sieve {
        Sieve { words: words.unwrap_or_default().trim().to_owned(), ..Sieve::default() }
    }

    pub fn words(&self) -> &str {
        &self.words
    }

    /// The filter is that of [`filter::for_devices`]; what comes from `moves` is taken in.
    pub fn follow(&mut self, devices: &[IpAddr], moves: Receiver<IpAddr>) {
        let addresses = devices.to_vec();
        self.followed = Some(Followed { asked_for: addresses.len(), addresses, moves });
    }

    /// Whether a frame that the kernel handed over is taken.
    pub fn takes(&self, data: &[u8]) -> bool {
        self.own.as_ref().is_none_or(|program| program.filter(data))
    }

    /// Takes in the addresses that devices have moved to since.
    pub fn look_for_moves(&mut self, capture: &mut Capture<Active>) -> Result<(), Error> {
        let Some(followed) = &mut self.followed else { return Ok(()) };
        let mut is_new = false;
        while let Ok(address) = followed.moves.try_recv() {
            if followed.addresses.contains(&address) {
                continue;
            }
            is_new = true;
            followed.addresses.push(address);
            if followed.addresses.len() > followed.asked_for + MAX_FOLLOWED {
                followed.addresses.remove(followed.asked_for);
            }
        }
        if !is_new {
            return Ok(());
        }
        self.words = filter::for_devices(&followed.addresses);
        self.apply(capture)
    }

    /// Frames are of `link` from here on; `None`: of that which the capture was opened on.
    pub fn change_link(
        &mut self,
        capture: &mut Capture<Active>,
        link: Option<LinkType>,
    ) -> Result<(), Error> {
        self.link = link;
        self.apply(capture)
    }

    fn apply(&mut self, capture: &mut Capture<Active>) -> Result<(), Error> {
        let Some(link) = self.link else {
            set(capture, &self.words)?;
            self.own = None;
            return Ok(());
        };
        let dead = Capture::dead(in_memory(link))?;
        let program = or_untagged(&self.words, |words| dead.compile(words, true))?;
        // An empty filter lets everything through.
        exchange(capture, "")?;
        self.own = Some(program);
        Ok(())
    }
}

/// The number that libpcap has for a link in memory (DLT_), which is not always that of files.
fn in_memory(link: LinkType) -> Linktype {
    const DLT_RAW: i32 = 12;
    match link {
        LinkType::RAW => Linktype(DLT_RAW),
        LinkType(other) => Linktype(i32::try_from(other).unwrap_or(i32::MAX)),
    }
}

/// Gives the kernel the filter `words`, compiled for the link that `capture` was opened on.
pub(super) fn set(capture: &mut Capture<Active>, words: &str) -> Result<(), Error> {
    or_untagged(words, |words| exchange(capture, words))
}

/// libpcap empties the socket first, and may meet there what the kernel has still to say of an interface that is down: once, for
/// reading it takes it away.
fn exchange(capture: &mut Capture<Active>, words: &str) -> Result<(), Error> {
    capture.filter(words, true).or_else(|error| match super::said(&error).contains("when changing filter") {
        true => capture.filter(words, true),
        false => Err(error),
    })
}

/// A link that cannot carry a VLAN tag refuses the tagged half of a filter; the other half is all it needs.
fn or_untagged<T>(words: &str, mut compile: impl FnMut(&str) -> Result<T, Error>) -> Result<T, Error> {
    compile(words).or_else(|error| match filter::untagged(words) {
        Some(untagged) if super::said(&error).contains("VLAN") => compile(&untagged),
        Some(_) | None => Err(error),
    })
}
