//! What a life was before the segment at hand: what a segment means hangs on what had come before it.

use super::{
    incarnation::{Incarnation, awaits_answer},
    tuple::Side,
};
use crate::analysis::{tcp::Endpoint, wire::Note};

/// A life as it was before a segment. Made for every segment, so it is kept as who sent it and who did not: then nobody has
/// to ask again which end is which.
#[derive(Debug, Default)]
pub struct Before {
    /// See [`Incarnation`] for these four.
    pub number: u32,
    pub opening: Note,
    pub opener: Side,
    pub saw_open: bool,
    /// Who sent the segment.
    from: Side,
    pub sender: Endpoint,
    pub receiver: Endpoint,
}

impl Before {
    /// Of `life`, which is about to take a segment that `from` sent.
    // In place: what is returned whole is made elsewhere and copied to where it is kept.
    #[inline]
    pub fn remember(&mut self, life: &Incarnation, from: Side) {
        (self.number, self.opener, self.saw_open) = (life.number, life.opener, life.saw_open);
        (self.opening, self.from) = (life.opening, from);
        self.sender = *life.endpoint(from);
        self.receiver = *life.endpoint(from.other());
    }

    #[inline]
    pub fn endpoint(&self, side: Side) -> &Endpoint {
        if side == self.from { &self.sender } else { &self.receiver }
    }

    /// See [`Incarnation::awaits_answer`].
    pub fn awaits_answer(&self) -> bool {
        awaits_answer(self.saw_open, self.endpoint(self.opener.other()))
    }
}
