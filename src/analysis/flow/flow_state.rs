//! One four-tuple: its present life, and what must be remembered of the one before.

use super::{
    incarnation::{Belongs, Incarnation, PastLife},
    tuple::{FourTuple, Side},
};
use crate::analysis::{
    tcp::TcpState,
    time::Timestamp,
    wire::{Note, Segment, SeqNum},
};
use core::time::Duration;

/// Two sightings of one frame (a mirror port, the `any` device) lie closer together than this.
const DUPLICATE_WITHIN: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug)]
pub struct Flow {
    pub tuple: FourTuple,
    pub life: Incarnation,
    /// Segments so far, in all its lives.
    pub segments: u64,
    past: PastLife,
    sightings: [Option<Sighting>; 2],
}

/// What makes a frame recognisable when it is captured twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sighting {
    time: Timestamp,
    seq: SeqNum,
    ack: SeqNum,
    len: u32,
    /// Without an IP identification (IPv6, and systems that leave it at zero) a window update differs from the ACK
    /// before it in this alone.
    window: u16,
    /// Zero where there is none: with an `Option` of its own it would take eight octets more.
    ip_id: u16,
    has_ip_id: bool,
    flags: u8,
}

impl Flow {
    /// A flow seen for the first time, by `segment`.
    pub fn open(tuple: FourTuple, segment: &Segment, from: Side) -> Flow {
        let mut life = Incarnation::begin(1, segment, from);
        life.take(segment, from);
        Flow { tuple, life, segments: 1, past: PastLife::default(), sightings: [None; 2] }
    }

    /// Feeds a further segment; tells where it belonged.
    pub fn take(&mut self, segment: &Segment, from: Side) -> Belongs {
        self.segments += 1;
        let place = self.life.place(segment, from, &self.past);
        match place {
            // An answer in old numbers: the SYN did not begin a life there.
            Belongs::AnotherLife if from != self.life.opener && segment.is_pure_ack() => {
                self.life.lingers(from, &self.past);
            }
            Belongs::AnotherLife => {}
            Belongs::ThisLife => self.life.take(segment, from),
            Belongs::SameSyn => {
                self.life.opening = Note::from(segment);
                self.life.take(segment, from);
            }
            Belongs::NewLife => {
                // An attempt that nobody answered leaves no numbers behind: those of the life before stay.
                if !self.life.awaits_answer() {
                    self.past = PastLife::of(&self.life);
                }
                self.life = Incarnation::begin(self.life.number.saturating_add(1), segment, from);
                self.life.take(segment, from);
            }
        }
        place
    }

    /// The same frame as the last one from this side, captured a second time?
    ///
    /// The SYN that Linux sends again after ~10 ms is not: it comes later and with another IP identification.
    pub fn is_duplicate(&mut self, segment: &Segment, from: Side) -> bool {
        let sighting = Sighting {
            time: segment.time,
            seq: segment.seq,
            ack: segment.ack,
            len: segment.len,
            window: segment.window,
            ip_id: segment.ip_id.unwrap_or_default(),
            has_ip_id: segment.ip_id.is_some(),
            flags: segment.flags.0,
        };
        let slot = &mut self.sightings[index(from)];
        let twice = slot.is_some_and(|last| {
            sighting.time.since(last.time) < DUPLICATE_WITHIN
                && Sighting { time: last.time, ..sighting } == last
        });
        if !twice {
            *slot = Some(sighting);
        }
        twice
    }

    /// Neither end can send anything more in this life, as far as was seen.
    pub fn is_closed(&self) -> bool {
        let over = |state: Option<TcpState>| matches!(state, Some(TcpState::Closed | TcpState::TimeWait));
        over(self.life.a.view.state()) && over(self.life.b.view.state())
    }

    /// `segment` stands where `from` had stopped in the life before, of which all was captured: nothing came between.
    pub fn goes_on_with_the_past(&self, segment: &Segment, from: Side) -> bool {
        self.past.continues(segment, from) && !self.past.has_hole(from)
    }

    /// Nothing but an unanswered SYN so far: what a flood consists of.
    pub fn is_embryonic(&self) -> bool {
        self.life.number == 1 && self.life.awaits_answer()
    }

    pub fn client(&self) -> core::net::SocketAddr {
        self.tuple.socket(self.life.opener)
    }

    pub fn server(&self) -> core::net::SocketAddr {
        self.tuple.socket(self.life.opener.other())
    }
}

const fn index(side: Side) -> usize {
    match side {
        Side::A => 0,
        Side::B => 1,
    }
}
