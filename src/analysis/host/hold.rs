//! One tuple that the device holds in TIME-WAIT, from its entry to the SYN that gets through.
//!
//! SN and RN are the device's SND.NXT and RCV.NXT of the closed life: a stale ACK bears both, and nothing else
//! does, so no guess of the MSL is needed to recognise a refusal.

mod asked_again;

use core::net::IpAddr;

use super::event::{Close, Story};
use crate::analysis::{
    certainty::Certainty,
    flow::{FourTuple, Side},
    time::Timestamp,
    wire::{Flags, Note, Segment, SeqNum},
};
use asked_again::AskedAgain;

/// Cycles of stale ACK, exact RST and the same stale ACK that prove a TIME-WAIT whose close was not seen:
/// an ESTABLISHED peer would have died at the first RST; two RSTs lost in a row are unlikely enough.
pub const CONFIRMING_CYCLES: u32 = 2;

/// One SYN that was answered by a stale ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub syn: Note,
    pub stale_ack: Note,
    /// The exact RST before this SYN, and the stale ACK that it had answered.
    pub ignored: Option<(Note, Note)>,
    pub incarnation: u32,
    pub nth: u32,
    pub nth_ignored: u32,
}

/// What an answer of the device, other than a pure ACK, means for the hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A segment of the closed life, sent again: nothing changed.
    OfOldLife,
    /// A SYN inside the window is answered by a RST, and the hold survives (lwIP tcp_timewait_input).
    ResetInWindow { syn: Note, incarnation: u32 },
    /// A SYN was answered by SYN-ACK: the hold is over.
    Accepted { syn: Note },
    /// The device answered as if it knew nothing of the tuple: the hold is over.
    Unknowing,
}

/// The device's other blocks at the last moment at which a hold was seen to be there: its entry, or a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Those that would not give way before it; `None` where they could not be counted.
    pub blocks: Option<u32>,
    /// Blocks that had been made in all.
    pub made: u64,
}

#[derive(Clone, Debug)]
pub struct Hold {
    pub tuple: FourTuple,
    pub device: Side,
    pub sn: SeqNum,
    pub rn: SeqNum,
    /// `None`: concluded from refusals alone.
    pub close: Option<Close>,
    /// Time that the device's ACK of the client's FIN was seen, or that FIN where the ACK was not.
    pub entered: Timestamp,
    /// The entry was counted: the device's ACK, or a refusal, showed that it took place.
    pub counted: bool,
    /// The 2·MSL timer cannot have started earlier than this, nor later than that.
    pub earliest_start: Timestamp,
    pub latest_start: Timestamp,
    pub certainty: Certainty,
    /// The device's behaviour was changed on purpose meanwhile: nothing is learned from how this ends.
    pub mode_changed: bool,
    /// It may have restarted meanwhile, by its own announcement; a refusal shows that it has not.
    pub may_have_restarted: bool,
    /// What could have evicted it since it was last seen to be there.
    pub beside: Beside,
    /// A RST was offered since the device last showed that it holds the tuple: some devices let go then.
    pub is_in_doubt: bool,
    /// The connection was seen from its SYN, or a payload before the close: `earliest_start` is one.
    pub start_is_known: bool,
    pub refused: u32,
    pub ignored: u32,
    /// Since the first SYN that came while it was held.
    asked_again: Option<Box<AskedAgain>>,
}

impl Hold {
    /// What one takes at the most beside itself, octets.
    pub const OCTETS_BESIDE: usize = size_of::<AskedAgain>() + AskedAgain::OCTETS_WITHHELD;

    /// A hold whose close was seen, up to the client's FIN at least.
    pub fn closed(tuple: FourTuple, device: Side, rn: SeqNum, close: Close, certainty: Certainty) -> Hold {
        let entered = close.entered.map_or(close.client_fin.time, |note| note.time);
        let last_data = close.request.map_or(close.device_fin.time, |note| note.time);
        Hold {
            tuple,
            device,
            sn: close.device_fin.seq_end(),
            rn,
            entered,
            counted: close.entered.is_some(),
            earliest_start: last_data.min(close.device_fin.time),
            latest_start: close.client_fin.time,
            certainty,
            ..Hold::presumed(tuple, device, close.device_fin.seq_end(), rn, entered).with_close(close)
        }
    }

    /// A hold that a stale ACK alone suggests.
    pub fn presumed(tuple: FourTuple, device: Side, sn: SeqNum, rn: SeqNum, at: Timestamp) -> Hold {
        Hold {
            tuple,
            device,
            sn,
            rn,
            close: None,
            entered: at,
            counted: false,
            earliest_start: at,
            latest_start: at,
            certainty: Certainty::Suspected,
            mode_changed: false,
            may_have_restarted: false,
            beside: Beside::default(),
            is_in_doubt: false,
            start_is_known: false,
            refused: 0,
            ignored: 0,
            asked_again: None,
        }
    }

    /// The connection was opened at `opened`, where that was seen: where no payload came before the close, the timer
    /// may have been started as early as that.
    pub fn since(mut self, opened: Option<Timestamp>) -> Hold {
        let has_request = self.close.is_some_and(|close| close.request.is_some());
        if let (false, Some(opened)) = (has_request, opened) {
            self.earliest_start = self.earliest_start.min(opened);
        }
        self.start_is_known = has_request || opened.is_some();
        self
    }

    fn with_close(mut self, close: Close) -> Hold {
        self.close = Some(close);
        self
    }

    /// The close was seen, or enough cycles stand for it.
    pub fn is_established(&self) -> bool {
        is_established(self.close.as_ref(), self.ignored)
    }

    /// When TIME-WAIT may have begun: the client's FIN where it was seen.
    pub fn begun(&self) -> Timestamp {
        self.close.map_or(self.entered, |close| close.client_fin.time.min(self.entered))
    }

    /// Every step of the close was seen, and nothing since waits for an answer.
    pub fn is_proven(&self) -> bool {
        self.close.is_some()
            && self.counted
            && self.certainty == Certainty::Proven
            && self.asked_again.as_ref().is_none_or(|asked| asked.awaits_none())
    }

    /// Who and when, for what happens to this hold in the life `incarnation`.
    pub fn story(&self, device: IpAddr, incarnation: u32, last_gap: Option<Timestamp>) -> Story {
        let lossy = last_gap.is_some_and(|gap| gap >= self.earliest_start);
        Story {
            device,
            client: self.tuple.socket(self.device.other()),
            server: self.tuple.socket(self.device),
            incarnation,
            close: self.close,
            entered: self.close.map(|_| self.entered),
            certainty: if lossy { self.certainty.min(Certainty::Inferred) } else { self.certainty },
        }
    }

    /// A SYN was offered to the device.
    pub fn offer_syn(&mut self, syn: Note, incarnation: u32) {
        self.asked_again.get_or_insert_default().offer_syn(syn, incarnation);
    }

    /// A RST was offered to the device.
    pub fn offer_rst(&mut self, rst: Note) {
        self.is_in_doubt = true;
        if rst.seq == self.rn
            && let Some(asked) = &mut self.asked_again
            && asked.last_stale_ack.is_some()
        {
            asked.exact_rst.get_or_insert(rst);
        }
    }

    /// The exact RST that answered the last stale ACK.
    pub fn exact_rst(&self) -> Option<Note> {
        self.asked_again.as_ref()?.exact_rst
    }

    /// A FIN was offered once more: if it arrived, it restarted the timer, whatever its numbers (lwIP
    /// tcp_timewait_input looks at none). Returns whether it may have.
    pub fn offer_fin(&mut self, segment: &Segment) -> bool {
        let restarts = segment.time > self.latest_start;
        if restarts {
            self.latest_start = segment.time;
        }
        restarts
    }

    /// Its timer started before that of `other`, whatever the uncertainty of both: it gives way first.
    ///
    /// lwIP takes the one idle for longest, in ticks of half a second, and of equals the one that entered first: where
    /// both orders agree, rounding to ticks changes nothing.
    pub fn is_older_than(&self, other: &Hold) -> bool {
        self.latest_start <= other.earliest_start && self.entered <= other.entered
    }

    /// How it ends says something of the device.
    pub fn tells(&self) -> bool {
        self.close.is_some() && !self.mode_changed && !self.may_have_restarted
    }

    /// Nothing is known that may have ended it early: no change, no restart, no RST but one that the device ignores.
    pub fn is_undisturbed(&self, ignores_rsts: bool) -> bool {
        self.counted && self.tells() && (ignores_rsts || self.exact_rst().is_none())
    }

    /// The device sent a pure ACK. Returns the refusals that it makes certain enough to tell.
    pub fn device_acked(&mut self, ack: Note) -> Vec<Refusal> {
        if ack.seq != self.sn || ack.ack != self.rn {
            return Vec::new();
        }
        self.is_in_doubt = false;
        let asked = self.asked_again.as_mut();
        let answered = asked.and_then(|asked| Some((asked.answered_syn(ack.time)?, asked)));
        let Some(((syn, incarnation), asked)) = answered else {
            self.confirm_entry(ack);
            return Vec::new();
        };
        self.refused += 1;
        let ignored = asked.exact_rst.take().zip(asked.last_stale_ack);
        self.ignored += u32::from(ignored.is_some());
        asked.last_stale_ack = Some(ack);
        let refusal = Refusal {
            syn,
            stale_ack: ack,
            ignored,
            incarnation,
            nth: self.refused,
            nth_ignored: self.ignored,
        };
        if is_established(self.close.as_ref(), self.ignored) {
            let mut told = core::mem::take(&mut asked.withheld);
            told.push(refusal);
            if self.close.is_none() {
                self.certainty = Certainty::Inferred;
            }
            return told;
        }
        // Bounded: a chain that never confirms is a peer that never resets.
        if asked.withheld.len() < AskedAgain::MOST_WITHHELD {
            asked.withheld.push(refusal);
        }
        Vec::new()
    }

    /// The device sent anything but a pure ACK.
    pub fn device_answered(&mut self, segment: &Segment) -> Answer {
        if segment.flags.is_syn_ack() {
            let asked = self.asked_again.as_ref();
            let syn = asked.and_then(|asked| asked.accepted_by(segment.ack));
            return syn.map_or(Answer::Unknowing, |syn| Answer::Accepted { syn });
        }
        if segment.flags.has(Flags::RST) {
            // One octet more than was announced last: lwIP gives the FIN's back afterwards.
            let window = 0..=i32::from(self.window()) + 1;
            let answered = self.asked_again.as_mut().and_then(|asked| asked.answered_syn(segment.time));
            let Some((syn, incarnation)) = answered else { return Answer::Unknowing };
            let answers = segment.acknowledges() == Some(syn.seq.plus(1));
            let in_window = window.contains(&self.rn.distance_to(syn.seq));
            return if answers && in_window {
                Answer::ResetInWindow { syn, incarnation }
            } else {
                Answer::Unknowing
            };
        }
        let old_life = segment.seq_end() == self.sn || segment.seq.precedes(self.sn);
        if old_life { Answer::OfOldLife } else { Answer::Unknowing }
    }

    fn window(&self) -> u16 {
        let stale_ack = self.asked_again.as_ref().and_then(|asked| asked.last_stale_ack);
        let of_close = |close: Close| close.entered.unwrap_or(close.device_fin);
        let seen = stale_ack.or_else(|| self.close.map(of_close));
        seen.map_or(u16::MAX, |note| note.window)
    }

    /// The ACK of the client's FIN, or of that FIN sent again.
    fn confirm_entry(&mut self, ack: Note) {
        let Some(close) = &mut self.close else { return };
        if close.entered.is_none() {
            close.entered = Some(ack);
            self.entered = ack.time;
        } else if self.latest_start > self.entered {
            // The restart was answered: the timer runs from there, for certain.
            self.earliest_start = self.latest_start;
        }
    }
}

/// A close that was seen, or so many cycles, stand for a hold.
fn is_established(close: Option<&Close>, ignored: u32) -> bool {
    close.is_some() || ignored >= CONFIRMING_CYCLES
}
