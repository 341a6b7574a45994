//! Proof by experiment: which remedy keeps a reused port from being refused, and by how much.
//!
//! Knows what an arm is, in which order blocks are run, what is kept of each, and what may be concluded from them.
//! Pure: it opens no file and no socket, asks no clock, and knows no other room; who switches, drives and watches is `app`.

pub mod block;
pub mod compare;
pub mod limits;
pub mod numbers;
pub mod schedule;
pub mod section;
pub mod series;
pub mod spec;
pub mod statistics;
pub mod store;
