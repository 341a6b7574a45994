//! The report: what a maintainer needs to be convinced, folded from the event stream and rendered.
//!
//! Knows the events, and nothing of where they came from: a live run half-way through, a capture file
//! and a saved run give the same report.

pub mod markdown;
pub mod model;
