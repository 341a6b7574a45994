//! Who must know that a device has another address: the capture, whose filter names addresses, and whoever asks the device itself.
//!
//! Knows from where to where. That it is so, the engine says, on its thread; the others look when it suits them.

use core::net::IpAddr;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Moves remembered; the oldest is forgotten.
const MAX_MOVES: usize = 1_024;

/// The moves of one run. All copies are one.
#[derive(Clone, Debug, Default)]
pub struct Moves {
    /// From where to where, in the order of telling.
    told: Arc<Mutex<Vec<(IpAddr, IpAddr)>>>,
    /// Where the capture takes what else it is to let through.
    capture: Option<Sender<IpAddr>>,
}

impl Moves {
    /// The capture is told of new addresses too.
    pub fn to_capture(capture: Sender<IpAddr>) -> Moves {
        Moves { capture: Some(capture), ..Moves::default() }
    }

    /// The device at `from` is at `to`.
    pub fn tell(&self, from: IpAddr, to: IpAddr) {
        let mut told = self.told();
        if told.len() >= MAX_MOVES {
            told.remove(0);
        }
        told.push((from, to));
        if let Some(capture) = &self.capture {
            // A capture that has ended needs no filter.
            let _ = capture.send(to);
        }
    }

    /// Where the device is that was at `address` when the run began.
    pub fn latest(&self, address: IpAddr) -> IpAddr {
        let moves = self.told();
        moves.iter().fold(address, |at, (from, to)| if at == *from { *to } else { at })
    }

    fn told(&self) -> MutexGuard<'_, Vec<(IpAddr, IpAddr)>> {
        // Each change is one step.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_found_through_all_of_its_moves() {
        let ip = |last: u8| IpAddr::from([10, 0, 0, last]);
        let (send, capture) = std::sync::mpsc::channel();
        let moves = Moves::to_capture(send);
        assert_eq!(moves.latest(ip(1)), ip(1));
        for (from, to) in [(1, 2), (5, 6), (2, 3), (3, 1), (1, 4)] {
            moves.clone().tell(ip(from), ip(to));
        }
        assert_eq!((moves.latest(ip(1)), moves.latest(ip(5)), moves.latest(ip(7))), (ip(4), ip(6), ip(7)));
        assert_eq!(capture.try_iter().collect::<Vec<_>>(), [2, 6, 3, 1, 4].map(ip));
    }
}
