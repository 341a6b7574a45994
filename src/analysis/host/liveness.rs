//! Whether a device shows that it lives: when it was heard last, and who asked it since without an answer.
//!
//! Only what asks for an answer that every host must give counts as asking (ARP, neighbour solicitation), and only
//! from a host that was seen to get the device's frames: of anybody else's answers this place may see none. A ping is
//! no such question, many hosts answer none; it is told beside the others and never counts alone.

use core::net::IpAddr;

use crate::analysis::{
    input::FrameNo,
    time::Timestamp,
    wire::{Sign, SignKind},
};

/// Hosts remembered as having been answered; more than these talk to no small device.
const ANSWERED: usize = 8;
/// Frames kept of those that asked.
const CITED: usize = 8;

#[derive(Debug, Default)]
pub struct Liveness {
    heard: Option<(FrameNo, Timestamp)>,
    asked: Option<Unanswered>,
    answered: [Option<IpAddr>; ANSWERED],
    /// Whose place the next of them takes: that of the one remembered first.
    oldest: usize,
}

/// Questions since the device was heard last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered {
    pub by: IpAddr,
    pub since: Timestamp,
    pub times: u32,
    /// Echo requests left unanswered since the first of them.
    pub pings: u32,
    frames: [FrameNo; CITED],
}

impl Liveness {
    /// The device sent something, to `to`.
    pub fn heard(&mut self, frame: FrameNo, time: Timestamp, to: IpAddr) {
        self.heard = Some((frame, time));
        self.asked = None;
        if self.answered.contains(&Some(to)) || to.is_multicast() {
            return;
        }
        self.answered[self.oldest] = Some(to);
        self.oldest = (self.oldest + 1) % ANSWERED;
    }

    /// Something that is not TCP asked it for an answer.
    pub fn asked(&mut self, sign: &Sign) {
        let Some(by) = sign.from.filter(|by| self.answered.contains(&Some(*by))) else { return };
        if sign.kind == SignKind::EchoRequest
            && let Some(asked) = &mut self.asked
        {
            asked.pings = asked.pings.saturating_add(1);
        }
        if sign.kind != SignKind::WhoHas {
            return;
        }
        let first = Unanswered { by, since: sign.time, times: 0, pings: 0, frames: [0; CITED] };
        let asked = self.asked.get_or_insert(first);
        if let Some(free) = asked.frames.get_mut(asked.times as usize) {
            *free = sign.frame;
        }
        asked.times = asked.times.saturating_add(1);
    }

    /// Frames were lost, and answers perhaps with them.
    pub fn note_gap(&mut self) {
        self.forget_questions();
    }

    /// What was asked so far says nothing.
    pub fn forget_questions(&mut self) {
        self.asked = None;
    }

    pub fn last_heard(&self) -> Option<(FrameNo, Timestamp)> {
        self.heard
    }

    pub fn unanswered(&self) -> Option<Unanswered> {
        self.asked
    }
}

impl Unanswered {
    /// The frames that asked: the first few.
    pub fn frames(&self) -> impl Iterator<Item = FrameNo> {
        self.frames.into_iter().filter(|frame| *frame > 0)
    }
}
