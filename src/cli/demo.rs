//! The `demo` command: what was typed, and what it means to the twin.

use core::time::Duration;
use std::path::PathBuf;

use super::args::{DemoArgs, DemoMode};
use super::confine::Confinement;
use super::experiment::{PagePlan, Shape, shape};
use super::plan::{OutputPlan, PlanError, RedactPlan, error, output};
use super::recorder::{RecorderPlan, recorder};

#[derive(Clone, Debug, PartialEq)]
pub struct DemoPlan {
    pub ports: u16,
    pub mode: DemoMode,
    /// Name and value, as the twin takes them.
    pub remedies: Vec<(&'static str, String)>,
    pub patience: Option<Duration>,
    pub seed: u64,
    pub twin: Option<PathBuf>,
    pub recorder: Option<RecorderPlan>,
    pub output: OutputPlan,
    pub confinement: Confinement,
    /// In the place of all that is above, but for the twin, its seed and the confinement.
    pub experiment: Option<Shape>,
}

pub(super) fn demo(args: DemoArgs) -> Result<DemoPlan, PlanError> {
    if let Some(patience) = args.duration
        && patience < Duration::from_millis(1500)
    {
        return Err(error(
            "--duration is too short: the client's second try comes after one second",
            "give at least 1500ms",
        ));
    }
    if !args.experiment && !args.shape.is_empty() {
        return Err(error(
            "--arms, --rounds, --keep and -o are of an experiment",
            "add --experiment, or leave them out",
        ));
    }
    // The addresses of the lab are the same everywhere and name nobody.
    let output = output(args.output, RedactPlan::Keep)?;
    let page = PagePlan { report: output.report.clone(), force: output.force, redact: output.redact.clone() };
    let experiment = args.experiment.then(|| shape(args.shape, page)).transpose()?.map(|shape| Shape {
        seed: args.seed,
        patience: args.duration.unwrap_or(Duration::from_secs(20)),
        ..shape
    });
    Ok(DemoPlan {
        experiment,
        ports: args.ports,
        mode: args.mode,
        remedies: args.remedy.iter().map(|word| remedy(word)).collect::<Result<_, _>>()?,
        patience: args.duration,
        seed: args.seed,
        twin: args.twin,
        recorder: recorder(args.recorder)?,
        // The addresses of the lab are the same everywhere and name nobody.
        output,
        confinement: args.confine.into(),
    })
}

/// The remedies of the test firmware, each with the twin's option for it.
const REMEDIES: [(&str, &str); 5] = [
    ("msl_ms", "--msl-ms"),
    ("rst_in_time_wait", "--rst-in-time-wait"),
    ("syn_in_time_wait", "--syn-in-time-wait"),
    ("close", "--close"),
    ("pcb_cap", "--pcb-cap"),
];

fn remedy(word: &str) -> Result<(&'static str, String), PlanError> {
    let known = word.split_once('=').and_then(|(name, value)| {
        let (_, option) = REMEDIES.iter().find(|(known, _)| *known == name)?;
        Some((*option, value.to_owned()))
    });
    known.ok_or_else(|| {
        let names: Vec<_> = REMEDIES.iter().map(|(name, _)| *name).collect();
        error(format!("--remedy {word}: expected REMEDY=VALUE"), format!("there are: {}", names.join(", ")))
    })
}
