//! What is known of a device, told: plain facts for whoever reads events, a bracket and a ledger for the detectors.

use super::Device;
use crate::analysis::host::{
    behaviour::Behaviours,
    facts::{DeviceFacts, MslBracket, PcbCap, TimeWaitFacts, rounded},
    held::{self, Held},
    remarks,
};

impl Device {
    /// Tuples believed to be in TIME-WAIT now: no more than there is room for.
    pub fn held_in_time_wait(&self) -> u64 {
        let room = self.pcb_cap().at_most.map_or(u64::MAX, u64::from);
        self.ledger.held_now().min(room)
    }

    /// The tuples that it was seen to put into TIME-WAIT, the oldest first.
    pub fn held(&self) -> Vec<Held> {
        held::of(&self.ledger, &self.bracket, self.pcb_cap())
    }

    /// How many connection blocks it has, by what it evicts.
    pub fn pcb_cap(&self) -> PcbCap {
        self.evictions.cap(self.bracket.refused_until_s())
    }

    /// How long a tuple counts as held, seconds; `true` where the wire bounds it, else it is lwIP's default.
    pub fn time_wait_s(&self) -> (f64, bool) {
        (self.bracket.assumed_time_wait_s(), self.bracket.msl().at_most.is_some())
    }

    pub fn facts(&self) -> DeviceFacts {
        let msl = self.bracket.msl();
        let behaviours = self.judged();
        DeviceFacts {
            address: self.address,
            mac: self.mac.map(written),
            formerly: self.formerly,
            stack: self.fingerprint.stack(),
            stack_certainty: self.fingerprint.certainty(),
            time_wait: TimeWaitFacts {
                entered: self.entered,
                held_now: self.held_in_time_wait(),
                refused_until_s: self.bracket.refused_until_s().map(rounded),
                accepted_from_s: self.bracket.accepted_from_s().map(rounded),
                syns: self.syns + self.accepted_beside(),
                rsts: self.rsts,
            },
            msl_s: MslBracket { at_least: msl.at_least.map(rounded), at_most: msl.at_most.map(rounded) },
            pcb_cap: self.pcb_cap(),
            rst_in_time_wait: behaviours.rst(),
            syn_in_time_wait: behaviours.syn(),
            behaves_as: behaviours.behaves_as(),
            accepted: self.accepted,
            delays: self.attempts.facts(),
            note: remarks::note(self),
            mode: self.mode.clone(),
            own_account: self.accounts.facts(),
        }
    }

    /// The behaviours, with what was let in and can have no other reason.
    fn judged(&self) -> Behaviours {
        let accepted = self.accepted_beside() > 0;
        Behaviours { accepted_a_syn: self.behaviours.accepted_a_syn || accepted, ..self.behaviours }
    }
}

/// `aa:bb:cc:dd:ee:ff`.
fn written(mac: [u8; 6]) -> String {
    let digit = |digit: u8| char::from(b"0123456789abcdef"[usize::from(digit & 0xf)]);
    let mut text = String::with_capacity(3 * mac.len());
    for octet in mac {
        if !text.is_empty() {
            text.push(':');
        }
        text.push(digit(octet >> 4));
        text.push(digit(octet));
    }
    text
}
