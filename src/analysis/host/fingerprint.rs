//! Whose TCP stack answers, judged by habits that show on the wire.

use super::facts::Stack;
use crate::analysis::{
    certainty::Certainty,
    wire::{Flags, Segment},
};

/// Receive windows of ESP-IDF's lwIP: 4 × MSS of IDF 5.0, and of later ones (`CONFIG_LWIP_TCP_WND_DEFAULT`).
const LWIP_WINDOWS: [u16; 2] = [5744, 5760];
/// `CONFIG_LWIP_TCP_MSS`.
const ESP_IDF_MSS: u16 = 1440;

/// What is believed of the stack so far; stronger evidence replaces weaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    pub stack: Stack,
    pub certainty: Option<Certainty>,
}

impl Fingerprint {
    /// Reads a segment that the host sent; `true` when this changed the belief.
    pub fn read(&mut self, segment: &Segment) -> bool {
        let Some((stack, certainty)) = evidence(segment) else { return false };
        if self.certainty.is_some_and(|known| known >= certainty) {
            return false;
        }
        *self = Fingerprint { stack, certainty: Some(certainty) };
        true
    }
}

fn evidence(segment: &Segment) -> Option<(Stack, Certainty)> {
    let flags = segment.flags;
    if flags.has(Flags::RST) && flags.has(Flags::ACK) {
        // lwIP's tcp_rst() stores the window without htons(): 5744 arrives as 28694.
        let swapped = LWIP_WINDOWS.contains(&segment.window.swap_bytes());
        return swapped.then_some((Stack::Lwip, Certainty::Inferred));
    }
    if !flags.is_syn_ack() {
        return None;
    }
    let options = segment.options;
    let bare = options.window_scale.is_none() && !options.timestamps && !options.sack_permitted;
    match (bare, LWIP_WINDOWS.contains(&segment.window), options.mss) {
        (true, true, Some(ESP_IDF_MSS)) => Some((Stack::Lwip, Certainty::Inferred)),
        (true, true, _) => Some((Stack::Lwip, Certainty::Suspected)),
        (false, false, _) if options.window_scale.is_some() && options.sack_permitted => {
            Some((Stack::Linux, Certainty::Suspected))
        }
        _ => None,
    }
}
