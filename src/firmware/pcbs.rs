//! The device's list of connection blocks as data: pages, and the whole list that they make.
//!
//! Knows: which pages belong together and when all have come. Refuses to know: how they are asked for, and what the
//! list means.

use core::net::SocketAddr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Blocks taken from one device at most. The twin keeps 4096, a chip 64; more is somebody else's talk.
pub const BLOCKS_MAX: u32 = 8_192;

/// One page: as many blocks as one datagram holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PcbPage {
    /// All pages with this number are one instant.
    pub snapshot: u32,
    /// That instant, since the device started.
    pub uptime_ms: u64,
    /// How finely the device counts `left_ms` and `age_ms`.
    pub tick_ms: u32,
    /// The MSL, the PCB cap and the TIME-WAITs that it ended early, at that instant.
    pub msl_ms: u32,
    #[serde(default)]
    pub pcb_cap: u32,
    #[serde(default)]
    pub evicted: u32,
    /// Blocks there were.
    pub total: u32,
    /// Blocks in the snapshot; fewer than `total` where the device had no memory for all.
    pub kept: u32,
    /// The first block of this page, from 0.
    pub from: u32,
    pub list: Vec<Pcb>,
    /// Where the next page begins; `None` on the last.
    #[serde(default)]
    pub next: Option<u32>,
}

/// One connection block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pcb {
    pub state: PcbState,
    pub local: SocketAddr,
    /// Absent while it listens or is only bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<SocketAddr>,
    /// What is left of TIME-WAIT, in whole ticks: the block goes between this and one tick later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<u32>,
    /// Whole ticks since the timer of TIME-WAIT was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PcbState {
    Bound,
    Listen,
    SynSent,
    SynReceived,
    Established,
    #[serde(rename = "fin_wait_1")]
    FinWait1,
    #[serde(rename = "fin_wait_2")]
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
    #[serde(other)]
    Other,
}

/// The list of one instant, whole as far as the device kept it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcbList {
    pub uptime_ms: u64,
    pub tick_ms: u32,
    pub msl_ms: u32,
    pub pcb_cap: u32,
    pub evicted: u32,
    pub total: u32,
    pub blocks: Vec<Pcb>,
}

impl PcbList {
    /// Every block that there was is in it.
    pub fn is_complete(&self) -> bool {
        self.blocks.len() as u64 == u64::from(self.total)
    }
}

/// Why pages do not make a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PagesError {
    #[error("the page is of snapshot {got}, not of {wanted}")]
    OtherSnapshot { wanted: u32, got: u32 },
    #[error("the page begins at block {got}, not at {wanted}")]
    OtherPlace { wanted: u32, got: u32 },
    #[error("the page says that the next begins at {next}, but it ends at {end}")]
    Gap { end: u32, next: u32 },
    #[error("the list ends at block {end} of {kept}")]
    CutShort { end: u32, kept: u32 },
    #[error("a list of {kept} blocks out of {total}; {BLOCKS_MAX} at most are believed")]
    Unbelievable { kept: u32, total: u32 },
}

/// A list whose pages are coming in.
#[derive(Debug)]
pub struct Collecting {
    snapshot: u32,
    kept: u32,
    list: PcbList,
    next: Option<u32>,
}

impl Collecting {
    /// From the first page.
    ///
    /// # Errors
    /// [`PagesError`]: it is not a first page, or of a list that cannot be.
    pub fn begin(page: PcbPage) -> Result<Collecting, PagesError> {
        let PcbPage { snapshot, kept, total, .. } = page;
        if kept > BLOCKS_MAX || kept > total {
            return Err(PagesError::Unbelievable { kept, total });
        }
        let mut collecting = Collecting {
            snapshot,
            kept,
            list: PcbList {
                uptime_ms: page.uptime_ms,
                tick_ms: page.tick_ms,
                msl_ms: page.msl_ms,
                pcb_cap: page.pcb_cap,
                evicted: page.evicted,
                total,
                blocks: Vec::new(),
            },
            next: Some(0),
        };
        collecting.add(page)?;
        Ok(collecting)
    }

    /// The page that was asked for next. Each brings at least one block or ends the list: so it does end.
    ///
    /// # Errors
    /// [`PagesError`]: it does not continue what is there.
    pub fn add(&mut self, page: PcbPage) -> Result<(), PagesError> {
        let begin = self.list.blocks.len() as u32;
        if page.snapshot != self.snapshot {
            return Err(PagesError::OtherSnapshot { wanted: self.snapshot, got: page.snapshot });
        }
        if page.from != begin {
            return Err(PagesError::OtherPlace { wanted: begin, got: page.from });
        }
        let end = begin.saturating_add(page.list.len() as u32);
        match page.next {
            Some(next) if next != end || page.list.is_empty() || end >= self.kept => {
                return Err(PagesError::Gap { end, next });
            }
            None if end != self.kept => return Err(PagesError::CutShort { end, kept: self.kept }),
            Some(_) | None => {}
        }
        self.list.blocks.extend(page.list);
        self.next = page.next;
        Ok(())
    }

    pub fn snapshot(&self) -> u32 {
        self.snapshot
    }

    /// Where the page begins that is to be asked for; `None`: all have come.
    pub fn next(&self) -> Option<u32> {
        self.next
    }

    pub fn finish(self) -> PcbList {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(port: u16) -> Pcb {
        Pcb {
            state: PcbState::TimeWait,
            local: ([10, 77, 0, 2], 80).into(),
            remote: Some(([10, 77, 0, 1], port).into()),
            left_ms: Some(119_500),
            age_ms: Some(500),
        }
    }

    fn page(from: u32, ports: core::ops::Range<u16>, next: Option<u32>, kept: u32) -> PcbPage {
        PcbPage {
            snapshot: 7,
            uptime_ms: 1,
            tick_ms: 500,
            msl_ms: 60_000,
            pcb_cap: 0,
            evicted: 0,
            total: kept,
            kept,
            from,
            list: ports.map(block).collect(),
            next,
        }
    }

    #[test]
    fn pages_make_a_list() {
        let mut list = Collecting::begin(page(0, 0..3, Some(3), 5)).unwrap();
        assert_eq!(list.next(), Some(3));
        list.add(page(3, 3..5, None, 5)).unwrap();
        assert_eq!(list.next(), None);
        let list = list.finish();
        assert!(list.is_complete());
        assert_eq!(list.blocks, (0..5).map(block).collect::<Vec<_>>());
        let empty = Collecting::begin(page(0, 0..0, None, 0)).unwrap();
        assert_eq!((empty.next(), empty.finish().blocks.len()), (None, 0));
    }

    #[test]
    fn a_list_that_the_device_cut_says_so() {
        let cut = PcbPage { total: 9, ..page(0, 0..2, None, 2) };
        assert!(!Collecting::begin(cut).unwrap().finish().is_complete());
    }

    #[test]
    fn pages_that_do_not_fit_are_refused() {
        let mut list = Collecting::begin(page(0, 0..3, Some(3), 5)).unwrap();
        let other = PcbPage { snapshot: 8, ..page(3, 3..5, None, 5) };
        assert_eq!(list.add(other), Err(PagesError::OtherSnapshot { wanted: 7, got: 8 }));
        assert_eq!(list.add(page(2, 3..5, None, 5)), Err(PagesError::OtherPlace { wanted: 3, got: 2 }));
        assert_eq!(list.add(page(3, 3..4, None, 5)), Err(PagesError::CutShort { end: 4, kept: 5 }));
        // Nothing came, and it says to go on at the same place: for ever.
        assert_eq!(list.add(page(3, 0..0, Some(3), 5)), Err(PagesError::Gap { end: 3, next: 3 }));
        assert_eq!(list.add(page(3, 3..5, Some(5), 5)), Err(PagesError::Gap { end: 5, next: 5 }));
        assert!(Collecting::begin(page(0, 0..1, Some(1), BLOCKS_MAX + 1)).is_err());
        assert!(Collecting::begin(page(1, 0..1, None, 2)).is_err());
    }

    proptest! {
        /// However the pages lie, the list ends, is bounded, and holds what was sent and nothing else.
        #[test]
        fn any_pages_end_and_stay_bounded(
            pages in proptest::collection::vec(
                (0u32..3, 0u32..12, 0u16..6, proptest::option::of(0u32..12), 0u32..12), 1..40
            )
        ) {
            let mut pages = pages.into_iter().map(|(snapshot, from, blocks, next, kept)| PcbPage {
                snapshot, ..page(from, 0..blocks, next, kept)
            });
            let Ok(mut list) = Collecting::begin(pages.next().unwrap()) else { return Ok(()) };
            let mut taken = 0;
            for page in pages {
                if list.next().is_none() {
                    break;
                }
                let before = list.list.blocks.len();
                let brings = page.list.len();
                let added = list.add(page).is_ok();
                prop_assert_eq!(list.list.blocks.len(), before + if added { brings } else { 0 });
                taken += usize::from(added);
            }
            prop_assert!(list.list.blocks.len() <= list.kept as usize);
            prop_assert!(taken <= list.kept as usize + 1, "each page brings a block or ends it");
        }
    }
}
