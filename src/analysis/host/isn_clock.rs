//! The clock in a device's initial sequence numbers (RFC 6528): a secret for each four-tuple, plus 250 a millisecond.
//!
//! Secret and clock are born when the stack starts. So where the numbers of one tuple have kept step with time, and do
//! so no longer, the stack has started anew. Only a stack that was seen to keep step says this: many draw at random or
//! count otherwise, and then nothing follows. A number that RFC 1122 lifts above the old connection's is no step.

use std::collections::VecDeque;

use crate::analysis::{
    flow::{ByTuple, FourTuple, Place},
    wire::{Note, SeqNum},
};

/// RFC 9293 §3.4.1: one every four microseconds.
const PER_SECOND: f64 = 250_000.0;
/// In step: within 20 ms, and what two clocks drift apart.
const STEP: f64 = 0.02 * PER_SECOND;
const DRIFT: f64 = 0.0005;
/// Out of step: more than a minute. What lies between is a SYN-ACK that was sent again, or lifted.
const OUT_OF_STEP: f64 = 67.0 * PER_SECOND;
/// Times apart further than this say little: the clock goes round in 4.8 hours.
const FURTHEST_S: f64 = 3_600.0;
/// Tuples remembered: those answered last.
const REMEMBERED: usize = 256;
/// Steps that make a habit: one by chance is one in hundreds of thousands.
const HABIT: u32 = 2;

#[derive(Debug)]
pub struct IsnClock {
    /// The SYN-ACK of each tuple's last life, and when in the order of answers it came.
    last: ByTuple<(u64, Note)>,
    /// The tuples in that order, the latest at the end; one that was answered again since is skipped.
    order: VecDeque<(u64, Place)>,
    answers: u64,
    in_step: u32,
}

impl Default for IsnClock {
    fn default() -> IsnClock {
        // The new one is there before the oldest is forgotten.
        IsnClock { last: ByTuple::of(REMEMBERED + 1), order: VecDeque::new(), answers: 0, in_step: 0 }
    }
}

impl IsnClock {
    /// The device answered a SYN. Returns the SYN-ACK of the life before, if the clock has started anew since.
    pub fn answered(&mut self, tuple: FourTuple, syn_ack: Note) -> Option<Note> {
        let before = self.last.get(&tuple).map(|(_, before)| *before);
        if let Some(before) = before.filter(|before| before.seq == syn_ack.seq) {
            // Sent again: its time is that of the first.
            self.remember(tuple, before);
            return None;
        }
        let restarted = before.filter(|before| self.is_restarted_since(before, &syn_ack));
        if restarted.is_some() {
            self.last.clear();
            self.order.clear();
            self.in_step = 0;
        }
        self.remember(tuple, syn_ack);
        restarted
    }

    fn remember(&mut self, tuple: FourTuple, syn_ack: Note) {
        self.answers += 1;
        let place = self.last.put(tuple, (self.answers, syn_ack));
        self.order.push_back((self.answers, place));
        while self.last.len() > REMEMBERED
            && let Some((answer, oldest)) = self.order.pop_front()
        {
            if is_last(&self.last, answer, oldest)
                && let Some(tuple) = self.last.tuple_at(oldest)
            {
                self.last.remove(&tuple);
            }
        }
        if self.order.len() > 2 * REMEMBERED {
            let last = &self.last;
            self.order.retain(|(answer, place)| is_last(last, *answer, *place));
        }
    }

    fn is_restarted_since(&mut self, before: &Note, now: &Note) -> bool {
        let span = now.time.seconds_after(before.time);
        if !(0.0..=FURTHEST_S).contains(&span) {
            return false;
        }
        let advance = (span * PER_SECOND) as u32;
        let off = f64::from(SeqNum(before.seq.0.wrapping_add(advance)).distance_to(now.seq)).abs();
        if off <= STEP + DRIFT * span * PER_SECOND {
            self.in_step = self.in_step.saturating_add(1);
        }
        off > OUT_OF_STEP && self.in_step >= HABIT
    }
}

/// What stands at `place` is still that of `answer`.
fn is_last(last: &ByTuple<(u64, Note)>, answer: u64, place: Place) -> bool {
    last.at(place).is_some_and(|(known, _)| *known == answer)
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use super::*;
    use crate::analysis::{
        time::Timestamp,
        wire::{Flags, Segment, SynOptions},
    };

    /// A SYN-ACK to `port`.
    fn answer(clock: &mut IsnClock, port: u16, ms: u64, isn: u32) -> bool {
        let segment = Segment {
            frame: ms,
            time: Timestamp::from_micros(ms * 1_000),
            source: SocketAddr::from(([10, 77, 0, 2], 80)),
            destination: SocketAddr::from(([10, 77, 0, 1], port)),
            seq: SeqNum(isn),
            ack: SeqNum(1),
            flags: Flags(Flags::SYN.0 | Flags::ACK.0),
            window: 5744,
            len: 0,
            options: SynOptions::default(),
            ip_id: None,
            source_mac: None,
            destination_mac: None,
        };
        clock.answered(FourTuple::of(&segment).0, Note::from(&segment)).is_some()
    }

    #[test]
    fn numbers_as_the_twin_draws_them_and_a_restart() {
        // 102.407 ms later the twin's number was 25,750 further on; the numbers go round.
        let mut clock = IsnClock::default();
        for (port, isn) in [(1, 7_000), (2, 4_294_960_000), (3, 2_000_000_000)] {
            assert!(!answer(&mut clock, port, 1_000, isn));
        }
        for (port, isn) in [(1, 32_750_u32), (2, 4_294_960_000_u32.wrapping_add(25_500))] {
            assert!(!answer(&mut clock, port, 1_102, isn));
        }
        // Another secret.
        assert!(answer(&mut clock, 3, 3_000, 77));
        assert!(!answer(&mut clock, 1, 3_100, 3_000_000_000), "told once: what was known is forgotten");
    }

    #[test]
    fn without_a_habit_nothing_follows() {
        let mut random = IsnClock::default();
        for (nth, isn) in [5, 3_000_000_000, 17, 2_500_000_000, 99].into_iter().enumerate() {
            assert!(!answer(&mut random, 1, 1_000 * nth as u64, isn));
        }
        // One step may be chance.
        let mut once = IsnClock::default();
        answer(&mut once, 1, 0, 0);
        answer(&mut once, 1, 100, 25_000);
        assert!(!answer(&mut once, 1, 200, 3_000_000_000));
    }

    #[test]
    fn a_syn_ack_sent_again_or_lifted_is_no_restart() {
        let mut clock = IsnClock::default();
        for ms in [0, 1_000, 2_000] {
            answer(&mut clock, 1, ms, ms as u32 * 250);
        }
        assert!(!answer(&mut clock, 1, 5_000, 2_000 * 250), "the same number again");
        // The first SYN-ACK was not captured, and the second came three seconds later.
        assert!(!answer(&mut clock, 1, 9_000, 6_000 * 250));
        // Above the old connection's numbers, which ran ahead of the clock.
        assert!(!answer(&mut clock, 1, 10_000, 9_000 * 250 + 3_000_000));
    }
}
