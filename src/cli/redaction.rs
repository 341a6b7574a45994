//! What a report may tell of people and places: its options, and what they mean.
//!
//! Knows no address and no name; how stand-ins are made is the report's.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::plan::{PlanError, error};

/// What a report may tell of people and places.
#[derive(Debug, Default, Args)]
pub struct RedactArgs {
    /// Keep addresses, names and payload in the report, which has stand-ins for them and no payload otherwise
    #[arg(long, help_heading = "Redaction")]
    pub no_redact: bool,
    /// Write the stand-ins and what they stand for, for yourself alone
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Redaction")]
    pub map: Option<PathBuf>,
}

/// What a report may tell of people and places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedactPlan {
    Keep,
    /// Stand-ins, and where the map of them goes.
    Redact {
        map: Option<PathBuf>,
    },
}

pub(super) fn redact(args: RedactArgs) -> Result<RedactPlan, PlanError> {
    match (args.no_redact, args.map) {
        (true, Some(_)) => Err(error(
            "--no-redact makes no stand-ins, so there is no map of them",
            "leave --map or --no-redact out",
        )),
        (true, None) => Ok(RedactPlan::Keep),
        (false, map) => Ok(RedactPlan::Redact { map }),
    }
}
