//! One life of a four-tuple. Lives are told apart by their initial sequence numbers (ISN), never by how
//! the last one looked: a device that rebooted opens a new life on a tuple that seems established.

use serde::{Deserialize, Serialize};

use super::tuple::Side;
use crate::analysis::{
    tcp::{Endpoint, Known, StateView},
    wire::{Flags, Note, Segment, SeqNum},
};

/// What a segment is to the present life of its tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Belongs {
    /// It opens a life: a SYN with an ISN not seen in this life or the last.
    NewLife,
    /// The opening SYN once more, with the same ISN.
    SameSyn,
    /// Part of this life.
    ThisLife,
    /// Its numbers are not this life's: a late segment of an earlier one, or the answer of a host that still
    /// lives in it. It moves no state here.
    AnotherLife,
}

/// What every segment looks at comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Incarnation {
    /// From 1.
    pub number: u32,
    /// Who sent the first SYN; a guess where none was seen.
    pub opener: Side,
    /// The opening SYN was seen.
    pub saw_open: bool,
    pub a: Endpoint,
    pub b: Endpoint,
    /// The segment that opened it, or the first one seen; a SYN that is sent again takes its place.
    pub opening: Note,
}

impl Incarnation {
    /// The life that `segment` opens, or the first that is seen of one already under way.
    pub fn begin(number: u32, segment: &Segment, from: Side) -> Incarnation {
        let saw_open = segment.flags.is_opening();
        let opener = if saw_open || (!segment.flags.is_syn_ack() && looks_like_client(segment)) {
            from
        } else {
            from.other()
        };
        Incarnation {
            number,
            opening: Note::from(segment),
            opener,
            saw_open,
            a: Endpoint::default(),
            b: Endpoint::default(),
        }
    }

    #[inline]
    pub fn endpoint(&self, side: Side) -> &Endpoint {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    /// Where `segment` from `from` belongs, given what the life before left behind.
    #[inline]
    pub fn place(&self, segment: &Segment, from: Side, past: &PastLife) -> Belongs {
        let sender = self.endpoint(from);
        if segment.flags.is_opening() {
            return match sender.iss() {
                Some(iss) if iss == segment.seq => Belongs::SameSyn,
                _ if past.iss(from) == Some(segment.seq) => Belongs::AnotherLife,
                // Both sides' first SYNs crossed (RFC 9293 §3.5, figure 7).
                None if self.saw_open && self.awaits_answer() => Belongs::ThisLife,
                _ => Belongs::NewLife,
            };
        }
        if self.awaits_answer() && (past.continues(segment, from) || self.contradicts_open(segment, from)) {
            return Belongs::AnotherLife;
        }
        Belongs::ThisLife
    }

    /// Feeds a segment of this life: proven on one side, offered to the other.
    pub fn take(&mut self, segment: &Segment, from: Side) {
        let (sender, receiver) = match from {
            Side::A => (&mut self.a, &mut self.b),
            Side::B => (&mut self.b, &mut self.a),
        };
        sender.sent(segment, receiver);
        receiver.offered(segment, sender);
    }

    /// `side`, which was asked for this life, has shown that it still lives in the one before.
    pub fn lingers(&mut self, side: Side, past: &PastLife) {
        match side {
            Side::A => self.a.view = past.view(side),
            Side::B => self.b.view = past.view(side),
        }
    }

    /// Only the opening SYN was seen: nothing of this life came back yet.
    #[inline]
    pub fn awaits_answer(&self) -> bool {
        awaits_answer(self.saw_open, self.endpoint(self.opener.other()))
    }

    /// While a SYN waits for its answer: do the numbers of `segment` rule out that it is one?
    fn contradicts_open(&self, segment: &Segment, from: Side) -> bool {
        let opener = self.endpoint(self.opener);
        let Some(iss) = opener.iss() else { return false };
        // A SYN may carry payload (RFC 7413), and its answer may acknowledge that too, or not.
        let ends_syn = |number: SeqNum| number == iss.plus(1) || Some(number) == opener.snd_nxt();
        if from == self.opener {
            // The client's RST against a stale ACK bears that ACK's number, not its own next one.
            return segment.flags.has(Flags::RST) && segment.seq != iss && !ends_syn(segment.seq);
        }
        match segment.acknowledges() {
            Some(ack) if segment.flags.has(Flags::SYN) || segment.flags.has(Flags::RST) => !ends_syn(ack),
            // Anything but SYN-ACK or RST cannot be the first answer to a SYN, unless that answer was not captured:
            // then it acknowledges something at or after the SYN, and not far away.
            Some(ack) => !(ack.reaches(iss.plus(1)) && iss.distance_to(ack) < 1 << 20),
            None => true,
        }
    }
}

/// Of a life whose opening SYN was seen, or was not; `asked` is whom it was sent to.
#[inline]
pub(super) fn awaits_answer(saw_open: bool, asked: &Endpoint) -> bool {
    saw_open && asked.snd_nxt().is_none()
}

/// What the life before left behind: its late segments are known by their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PastLife {
    a: PastEnd,
    b: PastEnd,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct PastEnd {
    iss: SeqNum,
    snd_nxt: SeqNum,
    known: Known,
    has_hole: bool,
    view: StateView,
}

impl PastEnd {
    fn of(end: &Endpoint) -> PastEnd {
        let Endpoint { view, .. } = *end;
        let mut past = PastEnd { view, has_hole: end.has_hole(), ..PastEnd::default() };
        if let Some(iss) = end.iss() {
            past.iss = iss;
            past.known.add(Known::ISS);
        }
        if let Some(next) = end.snd_nxt() {
            past.snd_nxt = next;
            past.known.add(Known::SND_NXT);
        }
        past
    }
}

impl PastLife {
    pub fn of(life: &Incarnation) -> PastLife {
        PastLife { a: PastEnd::of(&life.a), b: PastEnd::of(&life.b) }
    }

    fn end(&self, side: Side) -> &PastEnd {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    fn iss(&self, side: Side) -> Option<SeqNum> {
        let end = self.end(side);
        end.known.of(Known::ISS, end.iss)
    }

    /// The state in which that life left this side.
    pub fn view(&self, side: Side) -> StateView {
        self.end(side).view
    }

    /// Something that this side sent in that life was not captured, its FIN perhaps.
    pub(super) fn has_hole(&self, side: Side) -> bool {
        self.end(side).has_hole
    }

    /// `segment` stands exactly where `from` had stopped in the life before.
    pub(super) fn continues(&self, segment: &Segment, from: Side) -> bool {
        let end = self.end(from);
        !segment.flags.has(Flags::SYN) && end.known.has(Known::SND_NXT) && end.snd_nxt == segment.seq
    }
}

/// Mid-stream, the higher port is taken for the client's.
fn looks_like_client(segment: &Segment) -> bool {
    segment.source.port() > segment.destination.port()
}
