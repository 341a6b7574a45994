//! An experiment with stand-ins: who the device is, and whatever words came from it or were typed.

use super::stand_ins::Redactor;
use crate::report::{
    check::file_name,
    experiment::{Arm, Difference, Experiment, Recording, SetUp},
};

/// `experiment` for the public. Its numbers and its source ports stay.
pub fn experiment(experiment: &Experiment, redactor: &mut Redactor) -> Experiment {
    let Experiment {
        title,
        conclusion,
        verdict,
        control,
        baseline,
        arms,
        arms_omitted,
        differences,
        set_up,
        limits,
        recordings,
        recordings_omitted,
    } = experiment;
    Experiment {
        // The device first: it gets the first stand-in.
        set_up: self::set_up(set_up, redactor),
        title: redactor.text(title),
        conclusion: redactor.text(conclusion),
        verdict: texts(verdict, redactor),
        control: *control,
        baseline: redactor.text(baseline),
        arms: arms.iter().map(|arm| self::arm(arm, redactor)).collect(),
        arms_omitted: *arms_omitted,
        differences: differences.iter().map(|difference| self::difference(difference, redactor)).collect(),
        limits: texts(limits, redactor),
        recordings: recordings.iter().map(|recording| self::recording(recording, redactor)).collect(),
        recordings_omitted: *recordings_omitted,
    }
}

fn set_up(set_up: &SetUp, redactor: &mut Redactor) -> SetUp {
    let SetUp {
        tool,
        device,
        firmware,
        seed,
        rounds,
        blocks_planned,
        blocks_done,
        blocks_spoilt,
        began,
        last,
        ports,
        method,
        command,
    } = set_up;
    SetUp {
        tool: redactor.text(tool),
        device: redactor.text(device),
        firmware: texts(firmware, redactor),
        seed: *seed,
        rounds: *rounds,
        blocks_planned: *blocks_planned,
        blocks_done: *blocks_done,
        blocks_spoilt: *blocks_spoilt,
        began: began.as_ref().map(|began| redactor.text(began)),
        last: last.as_ref().map(|last| redactor.text(last)),
        ports: *ports,
        method: texts(method, redactor),
        command: redactor.text(command),
    }
}

fn arm(arm: &Arm, redactor: &mut Redactor) -> Arm {
    let Arm {
        label,
        declares,
        verdict,
        blocks,
        spoilt,
        firsts,
        reuses,
        held_here,
        kept,
        failed,
        stalled,
        oldest,
        newest,
        connect_s,
        collisions,
        ignored_rsts,
        stale_acks,
        disagreements,
        suffered_otherwise,
        frames_lost,
        lost_s,
        connects,
        connects_all,
        held,
    } = arm;
    Arm {
        label: redactor.text(label),
        declares: redactor.text(declares),
        verdict: redactor.text(verdict),
        blocks: *blocks,
        spoilt: *spoilt,
        firsts: *firsts,
        reuses: *reuses,
        held_here: *held_here,
        kept: *kept,
        failed: *failed,
        stalled: *stalled,
        oldest: *oldest,
        newest: *newest,
        connect_s: *connect_s,
        collisions: *collisions,
        ignored_rsts: *ignored_rsts,
        stale_acks: *stale_acks,
        disagreements: *disagreements,
        suffered_otherwise: *suffered_otherwise,
        frames_lost: *frames_lost,
        lost_s: *lost_s,
        connects: connects.clone(),
        connects_all: *connects_all,
        held: held.clone(),
    }
}

fn difference(difference: &Difference, redactor: &mut Redactor) -> Difference {
    let Difference { arm, suffered, interval, p_took, p_corrected, p_suffered, smallest } = difference;
    Difference {
        arm: redactor.text(arm),
        suffered: *suffered,
        interval: *interval,
        p_took: *p_took,
        p_corrected: *p_corrected,
        p_suffered: *p_suffered,
        smallest: *smallest,
    }
}

fn recording(recording: &Recording, redactor: &mut Redactor) -> Recording {
    let Recording { name, arm, block, frames, spoilt } = recording;
    Recording {
        name: redactor.text(file_name(name)),
        arm: redactor.text(arm),
        block: *block,
        frames: *frames,
        spoilt: spoilt.as_ref().map(|spoilt| redactor.text(spoilt)),
    }
}

fn texts(texts: &[String], redactor: &mut Redactor) -> Vec<String> {
    texts.iter().map(|text| redactor.text(text)).collect()
}
