//! An interface, through libpcap.
//!
//! Knows how the kernel hands frames over: in blocks that are given to us when they are full or a little old. Waits
//! in a poll() of its own, so that an idle link holds up neither a stop nor the reading of the loss counters, and
//! never waits for the engine: what does not fit the feed is lost there, and said to be. An interface that goes away is
//! waited for.

mod away;
mod clock;
mod returning;
mod sieve;

use core::net::IpAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::os::fd::AsFd;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pcap::{Active, Capture, Error, Linktype, Packet, Stat};

use super::{SourceError, feed::Feeder, record::link_type};
use crate::analysis::input::{Gap, GapCause, LinkType};
use crate::analysis::time::Timestamp;
use crate::analysis::wire::link::is_monitor_mode;

use self::{
    away::Place,
    clock::{Clock, stamp, system_time},
    sieve::Sieve,
};

/// Headers and options, and the first octets of a payload.
pub const SNAPLEN: i32 = 192;
/// Octets of kernel buffer. libpcap makes blocks of 256 KiB of it, and one goes with each [`Delay`] however little is in
/// it: so many of them are how long this process may stand still and lose nothing.
pub const BUFFER: i32 = 32 * 1024 * 1024;

/// How old a frame may get before the kernel hands over the block that it is in, where that is not full sooner. The
/// sooner, the more often we are woken.
///
/// Never 0, which may mean never, nor libpcap's immediate mode, which costs twenty times the CPU a packet and so loses
/// frames. Well below the lag of the feed's ticks, or a tick overtakes frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// 1 ms: an alert is on stdout within 5 ms of its packet.
    ForLines,
    /// 10 ms: a screen shows nothing sooner than that.
    ForAScreen,
}

impl Delay {
    const fn millis(self) -> i32 {
        match self {
            Delay::ForLines => 1,
            Delay::ForAScreen => 10,
        }
    }
}

/// How long one wait is at most: a stop is noticed so soon.
const TICK: Duration = Duration::from_millis(20);
/// Frames taken from the kernel before the clock is looked at.
const BURST: usize = 1024;
/// How soon the feed is tried again while it is full.
const RETRY: Duration = Duration::from_millis(2);
/// How often the loss counters are read.
const COUNT: Duration = Duration::from_millis(250);
/// How long the kernel may keep frames back after a stop: the delay above is a wish, and a busy host's timer has been
/// seen 10 ms later.
const DRAIN: Duration = Duration::from_millis(120);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveConfig {
    pub interface: String,
    /// In the words of pcap-filter(7).
    pub filter: Option<String>,
    /// Octets kept of each frame.
    pub snaplen: i32,
    /// Octets of kernel buffer.
    pub buffer: i32,
    pub delay: Delay,
}

impl LiveConfig {
    pub fn on(interface: &str) -> LiveConfig {
        LiveConfig {
            interface: interface.to_owned(),
            filter: None,
            snaplen: SNAPLEN,
            buffer: BUFFER,
            delay: Delay::ForLines,
        }
    }
}

pub struct LiveCapture {
    capture: Capture<Active>,
    interface: String,
    link: LinkType,
    place: Option<Place>,
    sieve: Sieve,
}

/// Opens an interface. This needs privilege; nothing after it does.
pub fn open(config: &LiveConfig) -> Result<LiveCapture, SourceError> {
    let interface = config.interface.as_str();
    let opening = |error| opening_failed(interface, &error);
    let inactive = Capture::from_device(interface)
        .map_err(opening)?
        .snaplen(config.snaplen)
        .buffer_size(config.buffer)
        .timeout(config.delay.millis())
        .immediate_mode(false)
        .promisc(false);
    // Elsewhere libpcap refuses nanoseconds without our noticing, and the times would be a thousand times too small.
    #[cfg(target_os = "linux")]
    let inactive = inactive.precision(pcap::Precision::Nano);
    let mut capture = inactive.open().map_err(opening)?.setnonblock().map_err(opening)?;
    // The interface `any`: the second version of the cooked header also names the interface.
    let cooked2 = Linktype(LinkType::LINUX_SLL2.0 as i32);
    if capture.list_datalinks().is_ok_and(|links| links.contains(&cooked2)) {
        capture.set_datalink(cooked2).map_err(opening)?;
    }
    let link = link_type(capture.get_datalink().0 as u32);
    if is_monitor_mode(link) {
        return Err(SourceError::MonitorMode { name: interface.to_owned() });
    }
    let sieve = Sieve::new(config.filter.as_deref());
    if !sieve.words().is_empty() {
        sieve::set(&mut capture, sieve.words()).map_err(|error| refused(interface, sieve.words(), &error))?;
    }
    let place = away::place_of(interface);
    Ok(LiveCapture { capture, interface: interface.to_owned(), link, place, sieve })
}

impl LiveCapture {
    pub fn link_type(&self) -> LinkType {
        self.link
    }

    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Its filter is that of [`for_devices`](super::filter::for_devices), and takes in what comes from `moves`: other addresses
    /// of these devices.
    pub fn following(mut self, devices: &[IpAddr], moves: Receiver<IpAddr>) -> LiveCapture {
        self.sieve.follow(devices, moves);
        self
    }

    /// Feeds frames until `stop` is set or nobody reads any more. An interface that goes away is told of as a gap and
    /// waited for; the capture fails where it cannot be found again.
    ///
    /// After a stop, what the kernel still holds is fed first: no frame from before it is lost. An error is told to
    /// the feed as well.
    pub fn run(self, mut feeder: Feeder, stop: &AtomicBool) -> Result<(), SourceError> {
        feeder.follow_system_clock();
        let hardware = away::hardware_of(self.capture.as_fd());
        let mut running = Running {
            last: Timestamp::ZERO,
            seen: 0,
            counted: Instant::now(),
            counts: Stat { received: 0, dropped: 0, if_dropped: 0 },
            capture: self.capture,
            interface: self.interface,
            link: self.link,
            opened_on: self.link,
            hardware,
            place: self.place,
            sieve: self.sieve,
            away_since: None,
            clock: Clock::new(system_time(), Instant::now()),
            feeder,
        };
        let outcome = running.run(stop);
        running.feeder.finish(&outcome);
        outcome
    }
}

struct Running {
    capture: Capture<Active>,
    interface: String,
    /// What frames are of now, and what the capture was opened on.
    link: LinkType,
    opened_on: LinkType,
    /// The kind of link, as the kernel numbers them.
    hardware: Option<u16>,
    sieve: Sieve,
    /// Where the capture is bound to; `None` where it could not be bound again.
    place: Option<Place>,
    away_since: Option<Instant>,
    clock: Clock,
    feeder: Feeder,
    /// The last frame's time.
    last: Timestamp,
    /// Frames handed over by the kernel.
    seen: u32,
    /// When the counters were read, and what they said.
    counted: Instant,
    counts: Stat,
}

impl Running {
    fn run(&mut self, stop: &AtomicBool) -> Result<(), SourceError> {
        // Counters may have run since the interface was opened; that much was lost before the first frame.
        while !stop.load(Ordering::Relaxed) {
            if self.feeder.is_abandoned() {
                return Ok(());
            }
            if let Some(since) = self.away_since {
                std::thread::sleep(TICK);
                self.return_to_it(since)?;
                continue;
            }
            let sifted = self.sieve.look_for_moves(&mut self.capture);
            self.sifted(sifted)?;
            let is_down = self.wait(if self.feeder.is_holding() { RETRY } else { TICK })?;
            let taken = self.take();
            if is_down && self.place.is_some() || taken.is_err() && self.is_elsewhere() {
                self.leave();
            } else {
                taken?;
            }
            if self.counted.elapsed() >= COUNT {
                self.count();
            }
        }
        self.drain()
    }

    /// The kernel's open block is ours only when its timer has closed it.
    fn drain(&mut self) -> Result<(), SourceError> {
        let deadline = Instant::now() + DRAIN;
        loop {
            let taken = self.take();
            self.count();
            if self.away_since.is_some() {
                return Ok(());
            }
            taken?;
            // All that was ever captured has been seen. (Never so on a loopback interface, where libpcap leaves out
            // the sent half: there the deadline decides.)
            let captured = self.counts.received.wrapping_sub(self.counts.dropped);
            let left = deadline.saturating_duration_since(Instant::now());
            if captured == self.seen || left.is_zero() || self.feeder.is_abandoned() {
                return Ok(());
            }
            self.wait(left.min(RETRY))?;
        }
    }

    fn sifted(&self, outcome: Result<(), Error>) -> Result<(), SourceError> {
        outcome.map_err(|error| refused(&self.interface, self.sieve.words(), &error))
    }

    /// Until frames are there, or `most` is over. Returns whether the kernel says that the interface is gone or down.
    fn wait(&self, most: Duration) -> Result<bool, SourceError> {
        let timeout = PollTimeout::try_from(most).unwrap_or(PollTimeout::ZERO);
        let mut fds = [PollFd::new(self.capture.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            // libpcap names a device that is gone when it is read from, and some versions keep silent of one that is down.
            Ok(_) => Ok(fds.iter().any(|fd| fd.revents().is_some_and(|is| is.contains(PollFlags::POLLERR)))),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => {
                Err(SourceError::Capture { interface: self.interface.clone(), what: errno.desc().to_owned() })
            }
        }
    }

    /// Everything that the kernel has handed over, but in a flood no longer than a tick: there is a stop to look at.
    fn take(&mut self) -> Result<(), SourceError> {
        let Running { capture, feeder, link, sieve, clock, last, seen, .. } = self;
        let since = Instant::now();
        let outcome = loop {
            let mut add = |packet: Packet<'_>| {
                let time = stamp(packet.header.ts.tv_sec, packet.header.ts.tv_usec);
                if time.since(*last).max(last.since(time)) > clock::STEP {
                    let (system, monotonic) = (system_time(), Instant::now());
                    if let Some(cause) = clock.look(system, monotonic) {
                        feeder.gap(Gap { at: time, lost: 0, cause });
                        clock.accept(system, monotonic);
                    }
                }
                *last = time;
                *seen = seen.wrapping_add(1);
                if !sieve.takes(packet.data) {
                    return;
                }
                feeder.offer(time, *link, packet.header.len.max(packet.header.caplen), packet.data);
            };
            match capture.dispatch(Some(BURST), &mut add) {
                Ok(0) => break Ok(()),
                Ok(_) if since.elapsed() >= TICK => break Ok(()),
                Ok(_) => feeder.flush(),
                Err(error) => break Err(error),
            }
        };
        feeder.flush();
        outcome
            .map_err(|error| SourceError::Vanished { interface: self.interface.clone(), what: said(&error) })
    }

    /// Reads the loss counters and tells what is new.
    fn count(&mut self) {
        self.counted = Instant::now();
        let (system, monotonic) = (system_time(), self.counted);
        if let Some(cause) = self.clock.look_idly(system, monotonic) {
            self.feeder.gap(Gap { at: system, lost: 0, cause });
            self.feeder.flush();
            self.clock.accept(system, monotonic);
        }
        // Without counters there is nothing to tell; a lost interface is noticed by reading.
        let Ok(now) = self.capture.stats() else { return };
        let before = core::mem::replace(&mut self.counts, now);
        for (now, before, cause) in [
            (now.dropped, before.dropped, GapCause::Kernel),
            (now.if_dropped, before.if_dropped, GapCause::Interface),
        ] {
            // libpcap reads the interface's counter from /sys, and takes a file that it may no longer open for a
            // zero: the sum then jumps back. A jump back is no loss.
            let lost = now.wrapping_sub(before) as i32;
            if lost > 0 {
                self.feeder.gap(Gap { at: self.last, lost: lost as u64, cause });
            }
        }
        self.feeder.flush();
    }
}

fn refused(interface: &str, filter: &str, error: &Error) -> SourceError {
    SourceError::Filter { interface: interface.to_owned(), filter: filter.to_owned(), what: said(error) }
}

fn opening_failed(interface: &str, error: &Error) -> SourceError {
    let interface = interface.to_owned();
    let what = said(error);
    let says = |words: &[&str]| words.iter().any(|word| what.contains(word));
    if says(&["ermission", "CAP_NET_RAW", "not permitted"]) {
        SourceError::Permission { interface, what }
    } else if says(&["No such device", "not configured"]) {
        SourceError::NoSuchInterface { interface, what }
    } else {
        SourceError::Capture { interface, what }
    }
}

/// libpcap's own words, without the crate's.
fn said(error: &Error) -> String {
    match error {
        Error::PcapError(what) if !what.is_empty() => what.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libpcaps_words_are_sorted_by_what_to_do() {
        let error = |what: &str| opening_failed("eth7", &Error::PcapError(what.to_owned()));
        for what in [
            "eth7: You don't have permission to capture on that device",
            "socket: Operation not permitted",
            "Attempt to create packet socket failed - CAP_NET_RAW may be required",
        ] {
            assert!(error(what).is_permission(), "{what}");
        }
        for what in [
            "eth7: No such device exists",
            "SIOCGIFHWADDR: No such device",
            "BIOCSETIF: Device not configured",
        ] {
            assert!(matches!(error(what), SourceError::NoSuchInterface { .. }), "{what}");
        }
        assert!(matches!(error("That device is not up"), SourceError::Capture { .. }));
        assert!(error("x").to_string().starts_with("eth7: "));
    }
}
