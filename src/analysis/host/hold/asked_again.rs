//! What became of a held tuple since it was asked for again: SYNs that wait for their answer, and how the last was refused.
//!
//! Most holds end without it, so it stands apart from them.

use core::time::Duration;

use super::{CONFIRMING_CYCLES, Refusal};
use crate::analysis::{
    time::Timestamp,
    wire::{Note, SeqNum},
};

/// SYNs waiting for an answer at once; more are a flood, and the oldest is forgotten.
const AWAITING: usize = 4;
/// An answer that comes later than this belongs to a later SYN, if there is one (Linux repeats after 1 s).
const ANSWER_WITHIN: Duration = Duration::from_millis(900);

#[derive(Clone, Debug, Default)]
pub struct AskedAgain {
    /// Each with the life that it opened.
    awaiting: [Option<(Note, u32)>; AWAITING],
    pub last_stale_ack: Option<Note>,
    /// The exact RST that answered it.
    pub exact_rst: Option<Note>,
    pub withheld: Vec<Refusal>,
}

impl AskedAgain {
    /// Refusals told of only once enough cycles stand for the hold.
    pub const MOST_WITHHELD: usize = CONFIRMING_CYCLES as usize + 1;
    /// What these take, octets: a list grows to a power of two.
    pub const OCTETS_WITHHELD: usize = AskedAgain::MOST_WITHHELD.next_power_of_two() * size_of::<Refusal>();

    /// A SYN was offered to the device.
    pub fn offer_syn(&mut self, syn: Note, incarnation: u32) {
        if self.awaiting.iter().all(Option::is_some) {
            self.awaiting.rotate_left(1);
            self.awaiting[AWAITING - 1] = None;
        }
        if let Some(free) = self.awaiting.iter_mut().find(|slot| slot.is_none()) {
            *free = Some((syn, incarnation));
        }
    }

    /// No SYN waits for its answer.
    pub fn awaits_none(&self) -> bool {
        self.awaiting.iter().all(Option::is_none)
    }

    /// The newest SYN that a SYN-ACK with this acknowledgment accepts.
    pub fn accepted_by(&self, ack: SeqNum) -> Option<Note> {
        let newest_first = self.awaiting.iter().rev().flatten();
        newest_first.map(|(syn, _)| *syn).find(|syn| syn.seq.plus(1) == ack)
    }

    /// The SYN that an answer at `time` belongs to: the oldest young enough, else the newest.
    pub fn answered_syn(&mut self, time: Timestamp) -> Option<(Note, u32)> {
        let slots = &mut self.awaiting;
        let young =
            slots.iter().position(|slot| slot.is_some_and(|(syn, _)| time.since(syn.time) < ANSWER_WITHIN));
        let at = young.or_else(|| slots.iter().rposition(Option::is_some))?;
        let answered = slots[at].take();
        // Whatever stood before it got no answer.
        slots[..at].fill(None);
        slots.rotate_left(at + 1);
        answered
    }
}
