//! The file that a run's events go to, piece by piece: its options, and what they mean.
//!
//! Knows sizes and numbers. Whether the file can be made is found out by whoever makes it.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use super::plan::{PlanError, error};

const ROTATE: u64 = 64 << 20;
const KEEP: u32 = 8;

#[derive(Debug, Default, Args)]
pub struct EventsFileArgs {
    /// Write the events to FILE, one JSON object a line, and to stdout only with --json
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub events_to: Option<PathBuf>,
    /// Where FILE would get larger than this it becomes FILE.1, what was FILE.1 becomes FILE.2 and so on, and a new FILE is
    /// begun [default: 64M]
    #[arg(long, value_name = "SIZE", requires = "events_to", value_parser = super::size::piece, help_heading = "Output")]
    pub rotate: Option<u64>,
    /// How many of those stay beside FILE; the oldest is removed [default: 8]
    #[arg(long, value_name = "N", requires = "events_to", value_parser = clap::value_parser!(u32).range(1..=9999), help_heading = "Output")]
    pub keep: Option<u32>,
}

/// Where the events go, and how much of them is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsFile {
    pub path: PathBuf,
    /// A piece has no more octets than this.
    pub piece: u64,
    /// Full pieces that stay beside the one that is being written.
    pub keep: u32,
}

/// `others`: what else the run writes, each by its option.
pub fn events_file(
    args: EventsFileArgs,
    others: &[(&str, Option<&Path>)],
) -> Result<Option<EventsFile>, PlanError> {
    let Some(path) = args.events_to else { return Ok(None) };
    if path.as_os_str().is_empty() || path.as_os_str() == "-" {
        return Err(error("--events-to needs the name of a file", "events go to stdout without it"));
    }
    if let Some((option, _)) = others.iter().find(|(_, other)| *other == Some(&path)) {
        return Err(error(
            format!("--events-to and {option} name the same file, {}", path.display()),
            "give one of them another name",
        ));
    }
    let (piece, keep) = (args.rotate.unwrap_or(ROTATE), args.keep.unwrap_or(KEEP));
    Ok(Some(EventsFile { path, piece, keep }))
}
