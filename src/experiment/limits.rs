//! What weakens an experiment, and what cannot be concluded from it, in whole sentences.
//!
//! Knows what was planned, what was kept of it and what was compared. Judges no arm.

use std::collections::BTreeSet;

use super::compare::{Comparison, Verdict};
use super::numbers::ArmNumbers;
use super::section::seconds;
use super::spec::Declares;
use super::store::Stored;

/// What was met first, what holds of every experiment last.
pub fn limits(stored: &Stored, compared: &Comparison) -> Vec<String> {
    let mut limits = Vec::new();
    if compared.blocks_spoilt > 0 {
        limits.push(format!(
            "{} attempts were spoilt and repeated; none of them counts.",
            compared.blocks_spoilt
        ));
    }
    limits.extend(compared.arms.iter().flat_map(of_arm));
    let firmware = firmware(stored);
    if firmware.len() > 1 {
        let named = Vec::from_iter(firmware.iter().copied()).join("; ");
        limits.push(format!("The firmware was not the same in all blocks: {named}."));
    }
    if firmware.iter().any(|firmware| is_the_twin(firmware)) {
        limits.push(
            "The device is the simulated one: the real lwIP on a wire without loss. How a chip behaves on its Wi-Fi was not \
             measured."
                .to_owned(),
        );
    }
    limits.push(format!(
        "It holds for this device, this network and this traffic: source ports that were made to be used again at once, and a \
         client that gives up after {}. How often a client of its own accord uses a port again was not measured.",
        seconds(stored.spec.traffic.patience_s)
    ));
    limits.push(
        "The p-values hold if the order of the blocks does not matter; what drifts evenly within a round weighs on all arms \
         alike, what comes and goes faster does not."
            .to_owned(),
    );
    if compared.arms.iter().any(|arm| arm.verdict == Verdict::NotShown) {
        limits.push("No difference shown is not the same as no difference.".to_owned());
    }
    limits
}

/// Of the blocks that count, as the device told it.
pub fn firmware(stored: &Stored) -> BTreeSet<&str> {
    let devices =
        stored.blocks.iter().filter(|block| block.counts()).filter_map(|block| block.device.as_ref());
    devices.map(|device| device.firmware.as_str()).filter(|firmware| !firmware.is_empty()).collect()
}

/// Whether `firmware` names the simulated device as its chip.
pub fn is_the_twin(firmware: &str) -> bool {
    firmware.contains(" on twin,")
}

fn of_arm(arm: &ArmNumbers) -> Vec<String> {
    let label = &arm.label;
    let mut limits = Vec::new();
    if arm.disagreements > 0 {
        limits.push(format!(
            "{label}: in {} of {} blocks the wire and the device counted refused SYNs differently ({} frames were lost).",
            arm.disagreements, arm.blocks, arm.frames_lost
        ));
    } else if arm.frames_lost > 0 {
        limits.push(format!("{label}: {} frames were lost by the capture.", arm.frames_lost));
    }
    if arm.firsts_failed > 0 {
        limits.push(format!(
            "{label}: {} first requests were not answered whole. A port that was not even connected was not used again.",
            arm.firsts_failed
        ));
    }
    if arm.declares == Declares::Bug && arm.verdict == Verdict::Removed {
        limits.push(format!("{label}: declares the bug, and does not show it."));
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::super::compare::compare;
    use super::*;

    const RECORDED: &str = include_str!("../../tests/data/unfixed-against-unfixed.jsonl");

    fn of(change: impl Fn(usize, &mut super::super::block::Block)) -> String {
        let mut stored = super::super::store::parse(RECORDED).unwrap().unwrap();
        stored.blocks.iter_mut().enumerate().for_each(|(nth, block)| change(nth, block));
        limits(&stored, &compare(&stored)).join("\n")
    }

    #[test]
    fn what_was_not_measured_is_said_of_every_experiment_and_what_went_wrong_where_it_did() {
        let told = of(|_, _| {});
        assert!(told.contains("How often a client of its own accord"), "{told}");
        assert!(told.contains("No difference shown is not the same"), "{told}");
        for silent in ["spoilt", "simulated", "differently", "lost by the capture", "not the same in all"] {
            assert!(!told.contains(silent), "{silent}: {told}");
        }
        let told = of(|nth, block| {
            let firmware =
                if nth == 2 { "0.2.0 on esp32c3, lwIP 2.2.0" } else { "0.1.0 on twin, lwIP 2.2.1" };
            let (wire, device) = (block.wire.as_mut().unwrap(), block.device.as_mut().unwrap());
            device.firmware = firmware.to_owned();
            wire.dropped = u64::from(nth == 3);
            device.stale_acks += u32::from(nth == 4);
        });
        assert!(told.contains("0.1.0 on twin, lwIP 2.2.1; 0.2.0 on esp32c3, lwIP 2.2.0."), "{told}");
        assert!(told.contains("simulated one"), "{told}");
        assert!(
            told.contains("counted refused SYNs differently") || told.contains("lost by the capture"),
            "{told}"
        );
    }
}
