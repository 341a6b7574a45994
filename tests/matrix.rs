//! The real twin through every scenario its control offers, the real program watching, what was found held against
//! the twin's own account, and every recording replayed.
//!
//! `needs_tap_…`: these need root (or user namespaces), `/dev/net/tun`, iproute2 and the twin (`make twin`).
//! `MATRIX_ROW=words` plays the rows whose name has these words.
#![cfg(target_os = "linux")]

#[path = "matrix/mod.rs"]
mod matrix;
mod support;

#[test]
fn needs_tap_every_scenario_is_told_as_it_was() {
    if support::lab::twin("needs_tap_every_scenario_is_told_as_it_was").is_none() {
        return;
    }
    matrix::play_all(matrix::rows::quick(), 6, matrix::a_lossy_sniffer_adds_nothing);
}
