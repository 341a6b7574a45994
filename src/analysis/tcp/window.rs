//! What an endpoint lets the other side send: the scale of its windows, and the window as a range of numbers.
//!
//! A window field means nothing without its scale, and the scale stands in the SYNs alone (RFC 7323 §2.2). A capture
//! that holds only one of them, or neither, or one whose options were cut off, leaves the scale unknown.

use crate::analysis::wire::{SeqNum, SynOptions};

/// RFC 7323 §2.3: a larger shift is to be taken for this one.
const MOST: u8 = 14;

/// What the SYNs that one endpoint sent say of window scaling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scaling {
    /// No SYN was seen.
    #[default]
    Unseen,
    /// A SYN without the option.
    NotOffered,
    /// A SYN with the option: the shift, at most 14.
    Offered(u8),
    /// A SYN that could not be read to its end, or two that differ: which one counts is not known.
    Unclear,
}

impl Scaling {
    /// After a SYN with these options.
    pub fn after(self, options: &SynOptions) -> Scaling {
        let this = match options.window_scale {
            Some(shift) => Scaling::Offered(if shift > MOST { MOST } else { shift }),
            None if options.whole => Scaling::NotOffered,
            None => Scaling::Unclear,
        };
        if self == Scaling::Unseen || self == this { this } else { Scaling::Unclear }
    }

    /// Options of a SYN of which no more than this is said.
    pub fn options(self) -> SynOptions {
        let (window_scale, whole) = match self {
            Scaling::Offered(shift) => (Some(shift), true),
            Scaling::NotOffered => (None, true),
            Scaling::Unseen | Scaling::Unclear => (None, false),
        };
        SynOptions { window_scale, whole, ..SynOptions::default() }
    }

    /// How far this endpoint's windows are shifted, when `peer` is what the other side's SYNs say.
    ///
    /// Scaling is in use only if both SYNs bore the option; one without it switches it off for both.
    pub fn shift(self, peer: Scaling) -> Option<u8> {
        match (self, peer) {
            (Scaling::Offered(shift), Scaling::Offered(_)) => Some(shift),
            (Scaling::NotOffered, Scaling::Offered(_) | Scaling::NotOffered)
            | (Scaling::Offered(_), Scaling::NotOffered) => Some(0),
            (Scaling::Unseen | Scaling::Unclear, _) | (_, Scaling::Unseen | Scaling::Unclear) => None,
        }
    }
}

/// The numbers that an endpoint would take: RCV.NXT, and how many from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveWindow {
    pub next: SeqNum,
    pub octets: u32,
}

impl ReceiveWindow {
    /// From `next` up to the right edge; nothing where the edge lies behind.
    pub fn up_to(next: SeqNum, edge: SeqNum) -> ReceiveWindow {
        ReceiveWindow { next, octets: next.distance_to(edge).max(0) as u32 }
    }

    pub const fn contains(self, at: SeqNum) -> bool {
        at.0.wrapping_sub(self.next.0) < self.octets
    }

    /// The table of RFC 9293 §3.10.7.4: is a segment of `len` numbers from `seq` on acceptable?
    pub const fn accepts(self, seq: SeqNum, len: u32) -> bool {
        match (len, self.octets) {
            (0, 0) => seq.0 == self.next.0,
            (0, _) => self.contains(seq),
            (_, 0) => false,
            (len, _) => self.contains(seq) || self.contains(seq.plus(len - 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ReceiveWindow, Scaling, SeqNum, SynOptions};
    use proptest::prelude::*;

    fn options(window_scale: Option<u8>, whole: bool) -> SynOptions {
        SynOptions { window_scale, whole, ..SynOptions::default() }
    }

    #[test]
    fn a_scale_counts_only_if_both_syns_bore_it() {
        use Scaling::*;
        for (own, peer, shift) in [
            (Offered(7), Offered(0), Some(7)),
            (Offered(0), Offered(7), Some(0)),
            (Offered(7), NotOffered, Some(0)),
            (NotOffered, Offered(7), Some(0)),
            (NotOffered, NotOffered, Some(0)),
            (Offered(7), Unseen, None),
            (Unseen, Offered(7), None),
            (NotOffered, Unseen, None),
            (Unclear, Offered(7), None),
            (Offered(7), Unclear, None),
            (Unseen, Unseen, None),
        ] {
            assert_eq!(own.shift(peer), shift, "{own:?} {peer:?}");
        }
    }

    #[test]
    fn syns_add_up_to_what_is_known_of_the_scale() {
        use Scaling::*;
        for (before, syn, after) in [
            (Unseen, options(Some(7), true), Offered(7)),
            (Unseen, options(Some(14), true), Offered(14)),
            (Unseen, options(Some(15), true), Offered(14)),
            (Unseen, options(Some(255), true), Offered(14)),
            (Unseen, options(None, true), NotOffered),
            (Unseen, options(None, false), Unclear),
            (Unseen, options(Some(3), false), Offered(3)),
            (Offered(7), options(Some(7), true), Offered(7)),
            // Some systems leave options out of a SYN that they repeat: the one that was answered is not known.
            (Offered(7), options(None, true), Unclear),
            (NotOffered, options(Some(7), true), Unclear),
            (Unclear, options(Some(7), true), Unclear),
        ] {
            assert_eq!(before.after(&syn), after, "{before:?} {syn:?}");
        }
    }

    #[test]
    fn the_four_cases_of_acceptability() {
        let (closed, open) = (0, 10);
        for (window, seq, len, accepted) in [
            // No octets, window zero: the next number alone.
            (closed, 100, 0, true),
            (closed, 99, 0, false),
            (closed, 101, 0, false),
            // No octets, window open: inside it. A keep-alive stands one before it, so that it is answered.
            (open, 99, 0, false),
            (open, 100, 0, true),
            (open, 109, 0, true),
            (open, 110, 0, false),
            // Octets, window zero: never.
            (closed, 100, 1, false),
            (closed, 99, 2, false),
            // Octets, window open: the first or the last one inside.
            (open, 95, 5, false),
            (open, 95, 6, true),
            (open, 100, 10, true),
            (open, 109, 50, true),
            (open, 110, 1, false),
        ] {
            for base in [0u32, u32::MAX - 104] {
                let window = ReceiveWindow { next: SeqNum(base.wrapping_add(100)), octets: window };
                let seq = SeqNum(base.wrapping_add(seq));
                assert_eq!(window.accepts(seq, len), accepted, "{window:?} {seq} {len}");
            }
        }
    }

    #[test]
    fn an_edge_that_lies_behind_lets_nothing_in() {
        let next = SeqNum(3);
        assert_eq!(ReceiveWindow::up_to(next, SeqNum(u32::MAX)), ReceiveWindow { next, octets: 0 });
        let across = ReceiveWindow::up_to(SeqNum(u32::MAX), SeqNum(3));
        assert_eq!(across, ReceiveWindow { next: SeqNum(u32::MAX), octets: 4 });
    }

    proptest! {
        /// The naive oracle: unwrapped numbers in 64 bits, the table written down as the RFC has it.
        #[test]
        fn acceptability_agrees_with_unwrapped_numbers(
            next in (1i64 << 32)..(1 << 33), octets in prop_oneof![Just(0u32), 0u32..20, 0u32..=65_535 << 14],
            ahead in prop_oneof![-20i64..20, -(1i64 << 30)..(1 << 30)], at_edge in any::<bool>(),
            len in prop_oneof![Just(0u32), 0u32..20, 0u32..70_000],
        ) {
            let seq = next + ahead + if at_edge { i64::from(octets) } else { 0 };
            let inside = |number: i64| next <= number && number < next + i64::from(octets);
            let expected = match (len, octets) {
                (0, 0) => seq == next,
                (0, _) => inside(seq),
                (_, 0) => false,
                (_, _) => inside(seq) || inside(seq + i64::from(len) - 1),
            };
            let window = ReceiveWindow { next: SeqNum(next as u32), octets };
            prop_assert_eq!(window.accepts(SeqNum(seq as u32), len), expected);
        }
    }
}
