//! The files of a run: what is recorded, what is reported, and what belongs to a report.
//!
//! Opened before the privileges go, written when the run is over; a report can be asked for at any time in between.
//! Knows nothing of what is in them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use super::{
    attach::{self, ReadFile},
    exit,
    output::{self, Existing, OutputFile, ReportFile},
    privilege::Invoker,
    report::format,
};
use crate::cli::plan::OutputPlan;
use crate::report::{self, Format, model::Report, template::Template};

/// The files of a run, open before the privileges went.
#[derive(Default)]
pub struct Files {
    pub(super) record: Option<File>,
    report: Option<(ReportFile, Format)>,
    /// Where a report goes that is asked for from the screen.
    exports: PathBuf,
    belonging: Belonging,
}

/// What is named in a report with its digest.
#[derive(Default)]
struct Belonging {
    read: Option<ReadFile>,
    record: Option<PathBuf>,
}

impl Files {
    /// `reads`: the capture that is read, which must not be written over.
    pub fn open(plan: &OutputPlan, invoker: Option<Invoker>, reads: Option<ReadFile>) -> Result<Files> {
        let mut record = None;
        if let Some(path) = &plan.record {
            let file = OutputFile::open(path, invoker)?;
            if reads.as_ref().is_some_and(|read| file.is_same_as(&read.file)) {
                let name = path.display();
                return Err(exit::usage(format!("--write would overwrite {name}, the capture that is read")));
            }
            record = Some(file.into_writer()?);
        }
        let existing = if plan.force { Existing::Replace } else { Existing::Ask };
        let report = plan
            .report
            .as_ref()
            .map(|target| ReportFile::open_in(target, "esp-tcpwatch", existing, invoker))
            .transpose()?;
        if let (Some(report), Some(read)) = (&report, &reads)
            && report.is_same_as(&read.file)
        {
            let name = report.path.display();
            return Err(exit::usage(format!("--report would overwrite {name}, the capture that is read")));
        }
        let beside = report.as_ref().and_then(|report| report.path.parent().map(Path::to_owned));
        Ok(Files {
            record,
            report: report.map(|file| (file, format(plan.report_format))),
            exports: beside.unwrap_or_default(),
            belonging: Belonging { read: reads, record: plan.record.clone() },
        })
    }

    /// A report was asked for on the command line.
    pub fn want_a_report(&self) -> bool {
        self.report.is_some()
    }

    /// Writes the report that was asked for on the command line; where it is.
    pub fn write_report(&mut self, report: &Mutex<Report>) -> Result<Option<PathBuf>> {
        let Some((file, format)) = self.report.take() else { return Ok(None) };
        file.write(&self.rendered(report, format, true)).map(Some)
    }

    /// Writes the report that is asked for from the screen; where it is, or why it is not.
    pub fn export(&self, report: &Mutex<Report>) -> Result<String, String> {
        let path = output::timed_name(&self.exports, "esp-tcpwatch");
        let text = self.rendered(report, Format::Markdown, false);
        let written = ReportFile::open(&path, Existing::Ask, None).and_then(|file| file.write(&text));
        written.map(|path| path.display().to_string()).map_err(|error| format!("{error:#}"))
    }

    /// `ended`: nothing more will be recorded.
    fn rendered(&self, report: &Mutex<Report>, format: Format, ended: bool) -> String {
        // Cloned, so that the engine does not wait while the words are found.
        let mut report = report.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.belonging.attach_to(&mut report, ended);
        report::render(&report, format, Template::Generic)
    }
}

impl Belonging {
    fn attach_to(&self, report: &mut Report, ended: bool) {
        let read = self.read.as_ref().map(|read| read.attached("the capture that was read"));
        let record = self
            .record
            .as_deref()
            .map(|path| if ended { attach::recording(path) } else { attach::growing_recording(path) });
        report.attached = read.into_iter().chain(record).collect();
        let is_live = report.start.as_ref().is_some_and(|start| start.source == "live");
        report.system = is_live.then(attach::system);
    }
}
