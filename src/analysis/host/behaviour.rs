//! Which remedy the device behaves as having, judged life by life.

use super::facts::{Behaviour, RstInTimeWait, SynInTimeWait};

/// What the device did with the tuples it held, since the last change of its mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behaviours {
    pub refused_a_syn: bool,
    pub accepted_a_syn: bool,
    pub ignored_a_rst: bool,
    pub honoured_a_rst: bool,
}

impl Behaviours {
    /// What the same device did under another address.
    pub fn take_in(&mut self, other: Behaviours) {
        self.refused_a_syn |= other.refused_a_syn;
        self.accepted_a_syn |= other.accepted_a_syn;
        self.ignored_a_rst |= other.ignored_a_rst;
        self.honoured_a_rst |= other.honoured_a_rst;
    }

    pub fn behaves_as(self) -> Behaviour {
        match (self.ignored_a_rst, self.honoured_a_rst, self.accepted_a_syn) {
            (false, false, false) => Behaviour::Unknown,
            (true, false, false) => Behaviour::Unfixed,
            (false, true, false) => Behaviour::HonoursRst,
            (false, false, true) => Behaviour::AcceptsSyn,
            (true, true, _) | (true, _, true) | (_, true, true) => Behaviour::Mixed,
        }
    }

    pub fn rst(self) -> RstInTimeWait {
        match (self.ignored_a_rst, self.honoured_a_rst) {
            (true, false) => RstInTimeWait::Ignored,
            (false, true) => RstInTimeWait::Honoured,
            (false, false) | (true, true) => RstInTimeWait::Unknown,
        }
    }

    pub fn syn(self) -> SynInTimeWait {
        match (self.refused_a_syn, self.accepted_a_syn) {
            (true, false) => SynInTimeWait::Refused,
            (false, true) => SynInTimeWait::Accepted,
            (false, false) | (true, true) => SynInTimeWait::Unknown,
        }
    }
}
