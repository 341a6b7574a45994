//! The real twin through every scenario its control offers, the real program watching, what was found held against
//! the twin's own account, and every recording replayed.
//!
//! Where tshark is, it reads the recordings as well.
//!
//! `needs_tap_…`: these need root (or user namespaces), `/dev/net/tun`, iproute2 and the twin (`make twin`).
//! `MATRIX_ROW=words` plays the rows whose name has these words.
#![cfg(target_os = "linux")]

#[path = "differential/mod.rs"]
mod differential;
#[path = "matrix/mod.rs"]
mod matrix;
mod support;

use differential::{compare, tshark};
use matrix::stage::{Row, Run};

#[test]
fn needs_tap_every_scenario_is_told_as_it_was() {
    if support::lab::twin("needs_tap_every_scenario_is_told_as_it_was").is_none() {
        return;
    }
    let after: fn(&Row, &Run) = if tshark::is_here() {
        |row, run| {
            matrix::a_lossy_sniffer_adds_nothing(row, run);
            tshark_reads_it_alike(row, run);
        }
    } else {
        support::not_run("tshark_reads_it_alike", "there is no tshark (Debian: apt-get install tshark)");
        matrix::a_lossy_sniffer_adds_nothing
    };
    matrix::play_all(matrix::rows::quick(), 6, after);
}

/// Whatever tshark says otherwise of the recording is explained in docs/differences.md.
fn tshark_reads_it_alike(_: &Row, run: &Run) {
    let compared = compare(&run.recording);
    assert!(compared.segments > 0 && compared.faults.is_empty(), "{}", compared.faults.join("\n"));
}
