//! Which lists of a device may hold a tuple: kept with the flow, so that a segment is looked up only where it may be found.
//!
//! The lists are the device's own and outlive the flow. Of a flow that is met anew, or that passes to another device,
//! nothing is known: it may be in all of them. To say that it may be where it is not costs a look; never the other way.

use super::{attempt::Attempts, blocks::Blocks, hold::Hold, ledger::Ledger};
use crate::analysis::flow::{FourTuple, Place};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// [`Device::number`](super::Device::number) of the device of which this is said.
    device: u32,
    pub(super) held: Held,
    /// An attempt to connect may be followed on it.
    pub(super) is_attempt: bool,
    pub(super) block: Block,
}

/// Where the ledger holds a tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    Unknown,
    No,
    /// There, unless it was let go since.
    At(Place),
}

/// Whether a connection block is counted for the tuple's present life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    Unknown,
    No,
    Counted,
}

impl Listed {
    /// Nothing is known.
    pub const UNKNOWN: Listed =
        Listed { device: u32::MAX, held: Held::Unknown, is_attempt: true, block: Block::Unknown };

    /// Whether this is said of the device with that number.
    #[inline]
    pub(super) fn is_by(self, device: usize) -> bool {
        self.device as usize == device
    }

    /// Of a flow that a device meets anew: it is in no list in which nothing is.
    pub(super) fn met_by(device: usize, ledger: &Ledger, attempts: &Attempts, blocks: &Blocks) -> Listed {
        Listed {
            device: u32::try_from(device).unwrap_or(u32::MAX),
            held: if ledger.is_empty() { Held::No } else { Held::Unknown },
            is_attempt: !attempts.is_empty(),
            block: if blocks.is_empty() { Block::No } else { Block::Unknown },
        }
    }

    /// A new life of the tuple begins; what was counted is of the one before.
    #[inline]
    pub(super) fn of_new_life(&mut self) {
        if self.block == Block::Counted {
            self.block = Block::Unknown;
        }
    }

    /// What `ledger` holds of `tuple`.
    #[inline]
    pub(super) fn hold<'l>(&mut self, ledger: &'l mut Ledger, tuple: FourTuple) -> Option<&'l mut Hold> {
        let place = match self.held {
            Held::No => None,
            Held::At(place) => Some(place),
            Held::Unknown => ledger.find(tuple),
        };
        let hold = place.and_then(|place| ledger.at_mut(place, tuple));
        self.held = place.filter(|_| hold.is_some()).map_or(Held::No, Held::At);
        hold
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use super::*;
    use crate::analysis::{time::Timestamp, wire::SeqNum};

    fn hold(port: u16) -> Hold {
        let [client, device] = [([10, 77, 0, 1], port), ([10, 77, 0, 2], 80)].map(SocketAddr::from);
        let (tuple, side) = FourTuple::between(device, client);
        Hold::presumed(tuple, side, SeqNum(1), SeqNum(2), Timestamp::ZERO)
    }

    #[test]
    fn a_tuple_is_found_in_the_ledger_however_much_is_known_of_it_and_not_after_it_was_let_go() {
        let (attempts, blocks) = (Attempts::default(), Blocks::default());
        let mut ledger = Ledger::of(4);
        let met = |ledger: &Ledger| Listed::met_by(0, ledger, &attempts, &blocks);
        assert_eq!(met(&ledger).held, Held::No, "nothing is in it");
        let (one, other) = (hold(1).tuple, hold(2).tuple);
        let place = ledger.insert(hold(1));
        for (known, tuple, found) in [
            (met(&ledger), one, Held::At(place)),
            (met(&ledger), other, Held::No),
            (Listed::UNKNOWN, one, Held::At(place)),
            (Listed { held: Held::At(place), ..met(&ledger) }, one, Held::At(place)),
        ] {
            let mut listed = known;
            let hold = listed.hold(&mut ledger, tuple).map(|hold| hold.tuple);
            assert_eq!((hold, listed.held), ((found != Held::No).then_some(tuple), found), "{known:?}");
        }
        // Another one takes its place.
        let mut listed = Listed { held: Held::At(place), ..met(&ledger) };
        ledger.remove(one, Timestamp::ZERO);
        assert_eq!(ledger.insert(hold(2)), place);
        assert!(listed.hold(&mut ledger, one).is_none());
        assert_eq!(listed.held, Held::No);
    }

    #[test]
    fn what_is_said_of_one_device_is_not_said_of_another() {
        let listed = Listed::met_by(3, &Ledger::of(4), &Attempts::default(), &Blocks::default());
        assert!(listed.is_by(3) && !listed.is_by(4) && !Listed::UNKNOWN.is_by(3));
        assert_eq!((listed.is_attempt, listed.block), (false, Block::No));
    }
}
