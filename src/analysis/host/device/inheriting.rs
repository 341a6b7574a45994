//! What a device keeps when its address changes: what is known of its stack.
//!
//! Its connections do not go along: a four-tuple has the address that it has, and what is held of the old ones stays with the
//! old address. Nor does its number of connection blocks: that is bounded by what else was held, which stays there too.

use super::Device;
use crate::analysis::{
    host::{behaviour::Behaviours, bracket::Bracket},
    time::Timestamp,
};

impl Device {
    /// Its host, since `at`, is the one that `old` was: what was learned of that holds here.
    pub fn take_over(&mut self, old: &Device, at: Timestamp) {
        if self.left_for.take().is_some() {
            // It comes back: what was known here went along then, and may have changed since.
            (self.behaviours, self.bracket) = (Behaviours::default(), Bracket::default());
        }
        self.formerly = Some(old.address);
        self.whereabouts.taken(old.whereabouts.mac, at);
        self.mac = self.whereabouts.mac.or(self.mac);
        self.mode = old.mode.clone().or(self.mode.take());
        self.spoke_tcp |= old.spoke_tcp;
        self.fingerprint.take_in(&old.fingerprint);
        self.behaviours.take_in(old.behaviours);
        self.bracket.take_in(&old.bracket);
    }
}
