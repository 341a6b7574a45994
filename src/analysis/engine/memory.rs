//! What an engine may keep at once, made from what it may take.
//!
//! Everything that grows with traffic is bounded by a number of its own; here the numbers that a flood could fill are made of
//! one. They are counted as if all of them were full: flows, what detectors wait for, and closed connections. Not counted is
//! what grows with devices and not with packets (each of at most 1,024 has some tables of its own), and what reads the events.

use crate::analysis::{
    detect::Detectors,
    flow::FlowTable,
    host::{hosts::Ends, ledger::Ledger},
};

/// The program, its rules and its buffers, whatever is watched.
const FIXED: u64 = 16 << 20;
/// One tuple of so many flows may be waited for by each detector, and as many be held in TIME-WAIT by each device.
const FLOWS_A_TUPLE: usize = 32;
/// However little memory there is: the tuples of a small device must fit.
const LEAST_TUPLES: usize = 256;

/// Four-tuples that an engine may hold at once where it may take `octets`.
pub const fn flows_within(octets: u64) -> usize {
    let tuple = Detectors::OCTETS_A_TUPLE + DEVICES * Ledger::OCTETS_A_TUPLE;
    let flow = FlowTable::<Ends>::OCTETS_A_FLOW + tuple / FLOWS_A_TUPLE;
    let flows = octets.saturating_sub(FIXED) / flow as u64;
    if flows > MOST { MOST as usize } else { flows as usize }
}

/// Devices whose ledgers are reckoned to be full at once.
const DEVICES: usize = 4;
/// More flows than this no network has.
const MOST: u64 = 1 << 24;

/// Tuples that each detector may wait for, and each device hold, beside `flows`.
pub(super) fn tuples_beside(flows: usize) -> usize {
    (flows / FLOWS_A_TUPLE).max(LEAST_TUPLES)
}
