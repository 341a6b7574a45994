//! How a hold ends, and what that says of the device: TIME-WAIT over, a remedy, an eviction, or not to be told.

use core::time::Duration;

use super::Device;
use crate::analysis::{
    flow::{Flow, FourTuple},
    host::hold::{Beside, Hold},
    time::Timestamp,
    wire::{Flags, Note, Segment},
};

/// A remedy acts at once; what comes later than this may have other causes.
const AT_ONCE: Duration = Duration::from_secs(1);

impl Device {
    /// A SYN got through: what let it?
    pub(super) fn accept(&mut self, flow: &Flow, syn: Note, answered: Timestamp) {
        let Some(hold) = self.ledger.remove(flow.tuple, answered).filter(Hold::tells) else { return };
        let room = self.room_if_evicted(&hold);
        if hold.refused > 0 {
            let honoured =
                hold.exact_rst().is_some_and(|rst| hold.ignored == 0 && syn.time.since(rst.time) <= AT_ONCE);
            if let Some(room) = room.filter(|room| self.evictions.allows(*room)) {
                self.evictions.let_in_unclear();
                if self.ignores_rsts() {
                    // Whether TIME-WAIT was over shows in how long others are refused.
                    self.evictions.let_in(hold.entered, answered, room, false, &self.uptime);
                }
            } else if honoured {
                self.behaviours.honoured_a_rst = true;
            } else {
                self.bracket.expired(&hold, syn.time);
            }
            return;
        }
        let age = syn.time.seconds_after(hold.entered);
        let still_held = age <= AT_ONCE.as_secs_f64()
            || self.bracket.refused_elsewhere(flow.tuple).is_some_and(|longest| longest > age);
        // RFC 1122 §4.2.2.13 lets a SYN through only if it is newer than everything of the old life.
        let held = hold.counted && still_held && hold.rn.precedes(syn.seq);
        match room {
            Some(room) => self.evictions.let_in(hold.entered, answered, room, held, &self.uptime),
            None if held => {
                self.syns += 1;
                self.behaviours.accepted_a_syn = true;
            }
            None => {}
        }
    }

    /// SYNs accepted in TIME-WAIT although other blocks had been made meanwhile.
    pub(super) fn accepted_beside(&self) -> u64 {
        self.evictions.accepted(self.behaviours.refused_a_syn, self.behaviours.accepted_a_syn)
    }

    /// A RST ends no TIME-WAIT of this device.
    pub(super) fn ignores_rsts(&self) -> bool {
        self.behaviours.ignored_a_rst && !self.behaviours.honoured_a_rst
    }

    /// The device answered on a tuple as if it had never held it.
    pub(super) fn forgotten(&mut self, segment: &Segment, flow: &Flow) {
        let Some(hold) = self.ledger.remove(flow.tuple, segment.time).filter(Hold::tells) else { return };
        if segment.flags.has(Flags::RST)
            && hold.refused == 0
            && let Some(room) = self.room_if_evicted(&hold)
        {
            self.evictions.let_in(hold.entered, segment.time, room, false, &self.uptime);
        }
    }

    /// The device has shown that it still holds `tuple`: what could evict it is counted from here on.
    pub(super) fn is_there(&mut self, tuple: FourTuple) {
        let beside = self.ledger.get(tuple).map(|hold| self.beside(hold));
        if let (Some(beside), Some(hold)) = (beside, self.ledger.get_mut(tuple)) {
            hold.beside = beside;
            hold.may_have_restarted = false;
        }
    }

    pub(super) fn beside(&self, hold: &Hold) -> Beside {
        let live = self.blocks.live_beside(hold.tuple);
        let blocks = live.zip(self.ledger.beside(hold)).map(|(live, held)| live + held);
        Beside { blocks, made: self.blocks.made() }
    }

    /// The cap at which `hold` would have given way since it was last seen to be there: no block was made since
    /// (`None`), or the device had no more than so many with it.
    fn room_if_evicted(&self, hold: &Hold) -> Option<u32> {
        let made = u32::try_from(self.blocks.made() - hold.beside.made).unwrap_or(u32::MAX);
        let is_lossy = self.last_gap.is_some_and(|gap| gap >= hold.earliest_start);
        let blocks = hold.beside.blocks.filter(|_| !is_lossy).unwrap_or(u32::MAX);
        (made > 0).then(|| blocks.saturating_add(made))
    }
}
