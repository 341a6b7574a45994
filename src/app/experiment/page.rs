//! The report of an experiment: its name is taken while it can be given to the user, and it is written when all is known.
//!
//! Knows files and redaction. What it says is `telling`'s and the report room's.

use std::path::PathBuf;

use anyhow::Result;

use super::super::{
    output::{Existing, OutputFile, ReportFile},
    privilege::Invoker,
    redaction::Redaction,
    report::format,
};
use super::telling;
use crate::cli::{experiment::PagePlan, plan::DeviceName};
use crate::experiment::store::Stored;
use crate::report::{self, Format, template::Template};

/// Whatever was asked for; nothing is a page too.
pub struct Page {
    file: Option<(ReportFile, Format)>,
    redaction: Redaction,
}

impl Page {
    pub fn open(plan: &PagePlan, device: &DeviceName, invoker: Option<Invoker>) -> Result<Page> {
        let existing = if plan.force { Existing::Replace } else { Existing::Ask };
        let open = |target: &PathBuf| -> Result<_> {
            let file = ReportFile::open_in(target, "esp-tcpwatch-experiment", existing, invoker)?;
            Ok((file, format(plan.format()).unwrap_or(Format::Markdown)))
        };
        let file = plan.report.as_ref().map(open).transpose()?;
        let redaction = Redaction::open(&plan.redact, core::slice::from_ref(device), invoker)?;
        if let (Some((file, _)), Some(map)) = (&file, redaction.map())
            && file.is_same_file(map)
        {
            return Err(super::usage(format!("--map would overwrite {}, the report", file.path.display())));
        }
        Ok(Page { file, redaction })
    }

    /// Where it and its map are made.
    pub fn folders(&self) -> Vec<PathBuf> {
        let report = self.file.iter().flat_map(|(file, _)| file.folders());
        report.chain(self.redaction.map().map(OutputFile::folder)).collect()
    }

    /// Where it is now; `None` where none was asked for.
    pub fn write(mut self, stored: &Stored) -> Result<Option<PathBuf>> {
        let Some((file, format)) = self.file else { return Ok(None) };
        let report = self.redaction.report(telling::report(stored));
        let path = file.write(report::render(&report, format, Template::Generic))?;
        self.redaction.finish()?;
        Ok(Some(path))
    }
}
