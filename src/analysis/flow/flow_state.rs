//! One four-tuple: its present life, and what must be remembered of the one before.

use super::{
    incarnation::{Belongs, Incarnation, PastLife},
    tuple::{FourTuple, Side},
};
use crate::analysis::{
    tcp::TcpState,
    time::Timestamp,
    wire::{Note, Segment},
};
use core::time::Duration;

/// Two sightings of one frame (a mirror port, the `any` device) lie closer together than this.
const DUPLICATE_WITHIN: Duration = Duration::from_millis(1);

/// What every segment looks at comes first.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Flow {
    pub tuple: FourTuple,
    sightings: [Sighting; 2],
    /// Segments so far, in all its lives.
    pub segments: u64,
    pub life: Incarnation,
    past: PastLife,
}

/// What makes a frame recognisable when it is captured twice.
#[derive(Clone, Copy, Debug, Default)]
struct Sighting {
    time: Timestamp,
    /// Of what the frame says; 0 before the first one.
    mark: u64,
}

impl Sighting {
    fn of(segment: &Segment) -> Sighting {
        Sighting { time: segment.time, mark: mark(segment) }
    }

    fn is_again(self, last: Sighting) -> bool {
        self.mark == last.mark && self.time.since(last.time) < DUPLICATE_WITHIN
    }
}

impl Flow {
    /// A flow seen for the first time, by `segment`.
    pub fn open(tuple: FourTuple, segment: &Segment, from: Side) -> Flow {
        let mut flow = Flow::begin(tuple, segment, from);
        flow.life.take(segment, from);
        flow
    }

    /// The same before its life has taken `segment`.
    // A call writes the flow to where it is kept; inlined, it is made elsewhere and copied there.
    #[inline(never)]
    pub fn begin(tuple: FourTuple, segment: &Segment, from: Side) -> Flow {
        let (seen, none) = (Sighting::of(segment), Sighting::default());
        Flow {
            tuple,
            life: Incarnation::begin(1, segment, from),
            segments: 1,
            past: PastLife::default(),
            sightings: match from {
                Side::A => [seen, none],
                Side::B => [none, seen],
            },
        }
    }

    /// Feeds a further segment; tells where it belonged.
    #[inline]
    pub fn take(&mut self, segment: &Segment, from: Side) -> Belongs {
        self.segments += 1;
        let place = self.life.place(segment, from, &self.past);
        match place {
            Belongs::ThisLife => {}
            Belongs::AnotherLife => {
                // An answer in old numbers: the SYN did not begin a life there.
                if from != self.life.opener && segment.is_pure_ack() {
                    self.life.lingers(from, &self.past);
                }
                return place;
            }
            Belongs::SameSyn => self.life.opening = Note::from(segment),
            Belongs::NewLife => {
                // An attempt that nobody answered leaves no numbers behind: those of the life before stay.
                if !self.life.awaits_answer() {
                    self.past = PastLife::of(&self.life);
                }
                self.life = Incarnation::begin(self.life.number.saturating_add(1), segment, from);
            }
        }
        self.life.take(segment, from);
        place
    }

    /// The same frame as the last one from this side, captured a second time?
    ///
    /// The SYN that Linux sends again after ~10 ms is not: it comes later and with another IP identification.
    pub fn is_duplicate(&mut self, segment: &Segment, from: Side) -> bool {
        let (sighting, last) = (Sighting::of(segment), &mut self.sightings[index(from)]);
        let twice = sighting.is_again(*last);
        if !twice {
            *last = sighting;
        }
        twice
    }

    /// Nothing about its present is proven any more: frames were lost.
    pub fn weaken(&mut self) {
        self.life.a.weaken();
        self.life.b.weaken();
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

/// One number, never 0, of all that tells a segment from the others of its side; two that differ agree in it by chance only.
/// Without an IP identification (IPv6, and systems that leave it at zero) a window update differs from the ACK before it in
/// the window alone.
fn mark(segment: &Segment) -> u64 {
    let Segment { seq, ack, len, window, flags, ip_id, .. } = *segment;
    let numbers = u64::from(seq.0) << 32 | u64::from(ack.0);
    let others = u64::from(len) << 32 | u64::from(window) << 16 | u64::from(ip_id.unwrap_or_default());
    // Digits of pi keep both factors from zero; each octet of them has its part in every one of the folded product.
    let flags = (u64::from(flags.0) + 1) << 56;
    let product =
        u128::from(numbers ^ 0x243f_6a88_85a3_08d3) * u128::from(others ^ flags ^ 0x0013_198a_2e03_7073);
    (product >> 64) as u64 ^ product as u64 | 1
}

const fn index(side: Side) -> usize {
    match side {
        Side::A => 0,
        Side::B => 1,
    }
}
