//! An interface that goes away and comes back, perhaps under another index or as another kind of link.

use std::os::fd::AsFd;
use std::time::Instant;

use nix::errno::Errno;

use super::{Running, away, clock::system_time};
use crate::analysis::input::{Gap, GapCause, LinkType};
use crate::source::SourceError;

impl Running {
    /// Whether the interface could be found before and is now gone, down or another one: any other failure is none that
    /// waiting mends.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.place.is_some_and(|bound| {
            away::place_of(&self.interface).is_none_or(|now| !now.is_up || now.index != bound.index)
        })
    }

    /// The interface is gone or down. What the kernel holds of before is still ours.
    pub(super) fn leave(&mut self) {
        self.away_since = Some(Instant::now());
        self.feeder.gap(Gap { at: system_time(), lost: 0, cause: GapCause::Gone });
        self.feeder.flush();
    }

    /// Goes on where the interface is now, if it is anywhere.
    pub(super) fn return_to_it(&mut self, since: Instant) -> Result<(), SourceError> {
        // The last block before it went is closed by a timer; libpcap's complaint is known already.
        let _known = self.take();
        let Some((bound, now)) = self.place.zip(away::place_of(&self.interface)) else { return Ok(()) };
        let interface = self.interface.clone();
        let vanished = |what: &str| SourceError::Vanished { interface, what: what.to_owned() };
        if now.index != bound.index {
            match away::rejoin(self.capture.as_fd(), now.index) {
                Ok(()) => {}
                // It went again in the same moment.
                Err(error) if error.raw_os_error() == Some(Errno::ENODEV as i32) => return Ok(()),
                Err(error) => return Err(vanished(&error.to_string())),
            }
            let Some(hardware) = away::hardware_of(self.capture.as_fd()) else { return Ok(()) };
            if self.hardware != Some(hardware) && !self.change_link(hardware)? {
                return Err(vanished(
                    "what came back under its name is a kind of link that a capture cannot change to",
                ));
            }
            (self.hardware, self.place) = (Some(hardware), Some(now));
        }
        // The kernel hooks a socket that is bound to an interface when that is set up.
        if now.is_up {
            self.away_since = None;
            let cause = GapCause::Back(since.elapsed());
            self.feeder.gap(Gap { at: system_time(), lost: 0, cause });
            self.feeder.flush();
        }
        Ok(())
    }

    /// What comes back is of another kind, ARPHRD_ `hardware`. `false`: the socket would give its frames another form
    /// than they are read in.
    fn change_link(&mut self, hardware: u16) -> Result<bool, SourceError> {
        // The kernel puts the same header of its own before whatever link it is.
        if matches!(self.opened_on, LinkType::LINUX_SLL | LinkType::LINUX_SLL2) {
            return Ok(true);
        }
        let Some(link) = away::link_of(hardware) else { return Ok(false) };
        if link == self.link {
            return Ok(true);
        }
        let sifted =
            self.sieve.change_link(&mut self.capture, Some(link).filter(|link| *link != self.opened_on));
        self.sifted(sifted)?;
        let cause = GapCause::Link { before: self.link, now: link };
        self.feeder.gap(Gap { at: system_time(), lost: 0, cause });
        self.link = link;
        Ok(true)
    }
}
