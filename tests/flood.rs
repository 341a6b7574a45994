//! The live program in a flood while the real lwIP shows the bug: the bug is told, and what was lost is told as well.
//!
//! `needs_tap_…`: these need root (or user namespaces), `/dev/net/tun`, iproute2 and the twin (`make twin`).
#![cfg(target_os = "linux")]

#[path = "matrix/mod.rs"]
mod matrix;
mod support;

use matrix::{a_lossy_sniffer_adds_nothing, flood, play_all, stage};

#[test]
fn needs_tap_a_flood_hides_nothing() {
    if support::lab::twin("needs_tap_a_flood_hides_nothing").is_none() {
        return;
    }
    play_all(vec![flood::bearable()], 1, a_lossy_sniffer_adds_nothing);
}

#[test]
fn needs_tap_where_a_flood_is_too_much_the_loss_is_told_and_the_bug_too() {
    if support::lab::twin("needs_tap_where_a_flood_is_too_much_the_loss_is_told_and_the_bug_too").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = stage::perform(&flood::unbearable(), 1, folder.path());
    let told = |name: &str| run.summary["capture"][name].as_u64().unwrap();
    println!("{} in the flood; {}", run.flooded, run.summary["capture"]);
    // Every frame was seen, or is told as lost. (There are others than the flood's, so it is not an equality.)
    assert_eq!(told("received"), run.summary["frames"].as_u64().unwrap());
    assert!(told("received") + told("dropped") >= run.flooded, "{} of {}", run.summary, run.flooded);
    assert!(told("dropped") > 0 && told("gaps") > 0, "nothing was lost of {}", run.flooded);
    assert!(!run.of("capture-gap").is_empty(), "{}", run.summary);
    // Refused afterwards, as each port was before the flood.
    assert!(run.account.time_wait.syns > 0, "the device refused nothing: {:?}", run.account);
    assert!(!run.of("time-wait-collision").is_empty(), "{}", run.summary);
}
