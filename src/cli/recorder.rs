//! The flight recorder: what was typed of it, and what that means.
//!
//! Knows names, defaults and bounds. Whether there is such a folder, and who may write there, is for `app` to find out.

use core::time::Duration;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::plan::{PlanError, error};
use super::{size, span};

const SIZE: u64 = 64 << 20;
const AGE: Duration = Duration::from_secs(600);
const BUDGET: u64 = 512 << 20;

#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct RecorderArgs {
    /// Keep the last frames in memory, and at each alert write them, and those of the next seconds, as a pcapng file
    /// into this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Flight recorder")]
    pub recorder: Option<PathBuf>,
    /// Memory for those frames [default: 64M]
    #[arg(long, value_name = "SIZE", value_parser = size::of_files, help_heading = "Flight recorder")]
    pub recorder_size: Option<u64>,
    /// Forget frames that are older than this [default: 10m]
    #[arg(long, value_name = "TIME", value_parser = span::parse, help_heading = "Flight recorder")]
    pub recorder_age: Option<Duration>,
    /// What all recordings in the folder may take together: the oldest are removed first [default: 512M]
    #[arg(long, value_name = "SIZE", value_parser = size::of_files, help_heading = "Flight recorder")]
    pub disk_budget: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecorderPlan {
    pub folder: PathBuf,
    /// Octets of frames that wait in memory.
    pub size: usize,
    /// How old they may get.
    pub age: Duration,
    /// Octets of all recordings in the folder.
    pub budget: u64,
}

/// `None`: none was asked for.
pub(super) fn recorder(args: RecorderArgs) -> Result<Option<RecorderPlan>, PlanError> {
    let Some(folder) = args.recorder else {
        let of_it = [
            ("--recorder-size", args.recorder_size.is_some()),
            ("--recorder-age", args.recorder_age.is_some()),
            ("--disk-budget", args.disk_budget.is_some()),
        ];
        return match of_it.iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(error(
                format!("{option} is for the flight recorder, and none is asked for"),
                "add --recorder DIR",
            )),
            None => Ok(None),
        };
    };
    if folder.as_os_str().is_empty() {
        return Err(error("--recorder is empty", "name a folder: --recorder recordings/"));
    }
    let budget = args.disk_budget.unwrap_or(BUDGET);
    // Who sets a small budget and says nothing of memory means both.
    let size = args.recorder_size.unwrap_or(SIZE.min(budget));
    if size > budget {
        return Err(error(
            "--disk-budget is smaller than --recorder-size: not one recording would find its place",
            "give a larger --disk-budget, or a smaller --recorder-size",
        ));
    }
    let size = usize::try_from(size).map_err(|_| {
        error("--recorder-size is more than this processor can address", "give a smaller one")
    })?;
    Ok(Some(RecorderPlan { folder, size, age: args.recorder_age.unwrap_or(AGE), budget }))
}

pub(super) fn over_a_file() -> PlanError {
    error(
        "--recorder is for live capture and streams: a file holds its frames already",
        "leave it out; `esp-tcpwatch report FILE --format pcapng` takes those that matter",
    )
}
