//! The connection blocks (lwIP: PCBs) that a device is seen to have: which connections it has now, and how many it made.
//!
//! What passes elsewhere is not counted: whoever concludes from these numbers says so. A connection that the device
//! dropped in silence still counts; so the numbers err towards more.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::listed::{Block, Listed};
use crate::analysis::{
    flow::{Flow, FourTuple, Side},
    tcp::TcpState,
};

/// Connections counted at once; a small device has far fewer.
const CAPACITY: usize = 4_096;

#[derive(Debug, Default)]
pub struct Blocks {
    /// Connections that are not closed, with the number of their life.
    live: HashMap<FourTuple, u32, RandomState>,
    made: u64,
    overflowed: bool,
}

impl Blocks {
    /// The device sent a segment of the present life of `flow`, which has taken it.
    #[inline]
    pub fn sent(&mut self, flow: &Flow, device: Side, listed: &mut Listed) {
        match flow.life.endpoint(device).view.state() {
            Some(TcpState::Closed | TcpState::TimeWait) => self.gone(&flow.tuple, listed),
            // A listener comes from a pool of its own.
            None | Some(TcpState::Listen) => {}
            Some(_) => self.has(flow, listed),
        }
    }

    /// The connection is over, or is in TIME-WAIT, which the ledger counts.
    #[inline]
    pub fn gone(&mut self, tuple: &FourTuple, listed: &mut Listed) {
        if listed.block != Block::No {
            self.live.remove(tuple);
            listed.block = Block::No;
        }
    }

    /// No connection is counted.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Blocks made since the beginning, for connections that were seen to begin.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// Connections other than `tuple`; `None` where they are too many to be counted.
    pub fn live_beside(&self, tuple: FourTuple) -> Option<u32> {
        let beside = self.live.len() - usize::from(self.live.contains_key(&tuple));
        (!self.overflowed).then(|| u32::try_from(beside).ok()).flatten()
    }

    #[inline]
    fn has(&mut self, flow: &Flow, listed: &mut Listed) {
        if listed.block != Block::Counted {
            self.count(flow, listed);
        }
    }

    fn count(&mut self, flow: &Flow, listed: &mut Listed) {
        let number = flow.life.number;
        if listed.block == Block::Unknown && self.live.get(&flow.tuple) == Some(&number) {
            listed.block = Block::Counted;
            return;
        }
        self.made += u64::from(flow.life.saw_open);
        if self.live.len() < CAPACITY {
            self.live.insert(flow.tuple, number);
            listed.block = Block::Counted;
        } else {
            self.overflowed = true;
        }
    }
}
