//! What the experiment's room concludes, as the report's room tells it.
//!
//! Knows both, and the command line that repeats an experiment. Adds nothing of its own.

use core::fmt::Write as _;
use std::io::{self, BufRead};

use serde::Serialize;

use super::super::TOOL;
use super::compared;
use crate::experiment::{
    block::Block,
    compare::{Comparison, Control, Difference},
    limits::{firmware, is_the_twin},
    numbers::{ArmNumbers, Share},
    section::Section,
    series::{Series, series},
    spec::{Spec, Traffic, least_rounds},
    store::Stored,
};
use crate::report::{
    experiment::{self as told, Experiment, SetUp},
    model::Report,
};

/// Whether `input` begins as results do, and not as the events of a run.
pub fn begins(input: &mut dyn BufRead) -> io::Result<bool> {
    let first = input.fill_buf()?;
    let kind = first.strip_prefix(b"{\"type\":\"");
    Ok(kind.is_some_and(|kind| {
        [&b"experiment\""[..], b"begin\"", b"block\""].iter().any(|begins| kind.starts_with(begins))
    }))
}

/// A report of what is in `stored`, also where not all of it is there yet.
pub fn report(stored: &Stored) -> Report {
    let (compared, section) = compared(stored);
    Report { experiment: Some(experiment(stored, &compared, section)), ..Report::default() }
}

fn experiment(stored: &Stored, compared: &Comparison, section: Section) -> Experiment {
    let Section { title, verdict, head: _, rows: _, method, limits } = section;
    let series = series(stored);
    let label = |arm: usize| compared.arms.get(arm).map_or(String::new(), |arm| arm.label.clone());
    let recorded: Vec<told::Recording> = stored.blocks.iter().filter_map(recording).collect();
    Experiment {
        title,
        conclusion: word(&compared.conclusion),
        verdict,
        control: compared.control.map(control),
        baseline: label(compared.baseline),
        arms: compared
            .arms
            .iter()
            .zip(series)
            .take(told::ARMS)
            .map(|(arm, series)| self::arm(arm, series))
            .collect(),
        arms_omitted: compared.arms.len().saturating_sub(told::ARMS),
        differences: compared
            .differences
            .iter()
            .take(told::ARMS)
            .map(|difference| self::difference(difference, label(difference.arm)))
            .collect(),
        set_up: set_up(stored, compared, method),
        limits,
        recordings_omitted: recorded.len().saturating_sub(told::RECORDINGS),
        recordings: recorded.into_iter().take(told::RECORDINGS).collect(),
    }
}

fn set_up(stored: &Stored, compared: &Comparison, method: Vec<String>) -> SetUp {
    let spec = &stored.spec;
    let firmware: Vec<String> = firmware(stored).into_iter().map(str::to_owned).collect();
    SetUp {
        tool: TOOL.to_owned(),
        device: spec.device.clone(),
        seed: spec.seed,
        rounds: spec.rounds,
        blocks_planned: compared.blocks_planned,
        blocks_done: (0..compared.blocks_planned).filter(|slot| stored.of_slot(*slot).is_some()).count(),
        blocks_spoilt: compared.blocks_spoilt,
        began: stored.blocks.first().map(|block| block.began.clone()),
        last: stored.blocks.last().map(|block| block.began.clone()),
        ports: (spec.traffic.first_port, spec.traffic.last_port),
        method,
        command: command(spec, firmware.iter().any(|firmware| is_the_twin(firmware))),
        firmware,
    }
}

/// What is typed to do it again; what is left out there is left out here.
fn command(spec: &Spec, on_the_twin: bool) -> String {
    let Spec { device, arms, rounds, seed, traffic } = spec;
    let Traffic { reused, between, patience_s, first_port, last_port } = *traffic;
    let labels: Vec<&str> = arms.iter().map(|arm| arm.label.as_str()).collect();
    let mut words = String::new();
    // Writing to a String cannot fail.
    let mut add = |is_told: bool, option: core::fmt::Arguments<'_>| {
        if is_told {
            let _written = words.write_fmt(option);
        }
    };
    let (lab, network) = (on_the_twin, !on_the_twin);
    add(lab, format_args!("esp-tcpwatch demo --experiment"));
    add(network, format_args!("sudo esp-tcpwatch experiment -d {device} --key-file FILE"));
    add(labels != ["unfixed", "fixed"], format_args!(" --arms {}", labels.join(",")));
    add(*rounds != least_rounds(arms.len()), format_args!(" --rounds {rounds}"));
    add(*seed != 1, format_args!(" --seed {seed}"));
    add(lab && patience_s != 20.0, format_args!(" --duration {}ms", patience_s * 1e3));
    add(network && patience_s != 20.0, format_args!(" --patience {}ms", patience_s * 1e3));
    add(network && reused != 5, format_args!(" --reuse {reused}"));
    add(network && between != 10, format_args!(" --between {between}"));
    let are_usual = (first_port, last_port) == (20_000, 59_999);
    add(network && !are_usual, format_args!(" --source-ports {first_port}-{last_port}"));
    words
}

fn control(control: Control) -> told::Control {
    let shows_the_bug = control.shows_the_bug();
    let Control { reuses, suffered, collisions, stale_acks } = control;
    told::Control { reuses, suffered, collisions, stale_acks, shows_the_bug }
}

fn arm(arm: &ArmNumbers, series: Series) -> told::Arm {
    let share = |share: Share| (share.suffered, share.of);
    told::Arm {
        label: arm.label.clone(),
        declares: word(&arm.declares),
        verdict: arm.verdict.words().to_owned(),
        blocks: arm.blocks,
        spoilt: arm.spoilt,
        firsts: arm.firsts,
        reuses: arm.reuses,
        held_here: arm.held_here,
        kept: arm.kept,
        failed: arm.failed,
        stalled: arm.stalled,
        oldest: share(arm.oldest),
        newest: share(arm.newest),
        connect_s: arm.connect_s.map(|connect| told::Quantiles {
            p50: connect.p50,
            p99: connect.p99,
            max: connect.max,
        }),
        collisions: arm.collisions,
        ignored_rsts: arm.ignored_rsts,
        stale_acks: arm.stale_acks,
        disagreements: arm.disagreements,
        suffered_otherwise: arm.suffered_otherwise,
        frames_lost: arm.frames_lost,
        lost_s: arm.lost_s,
        connects: series
            .connects
            .iter()
            .map(|connect| told::Connect {
                block: connect.block,
                took_s: connect.took_s,
                let_in: connect.let_in,
            })
            .collect(),
        connects_all: series.connects_all,
        held: series
            .held
            .iter()
            .map(|point| told::HeldAt { at_s: point.at_s, wire: point.wire, device: point.device })
            .collect(),
    }
}

fn difference(difference: &Difference, arm: String) -> told::Difference {
    // Fisher's of the ports is told in the results, and decides nothing.
    let Difference { arm: _, suffered, interval, p_took, p_corrected, p_suffered, p_ports: _, smallest } =
        *difference;
    told::Difference { arm, suffered, interval, p_took, p_corrected, p_suffered, smallest }
}

fn recording(block: &Block) -> Option<told::Recording> {
    Some(told::Recording {
        name: block.recording.clone()?,
        arm: block.arm.clone(),
        block: block.slot.map(|slot| slot + 1),
        frames: block.wire.as_ref().map_or(0, |wire| wire.frames),
        spoilt: block.spoilt.clone(),
    })
}

/// As the results write it.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}
