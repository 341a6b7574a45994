//! The files of a run: what is recorded, what is reported, and what belongs to a report.
//!
//! Opened before the privileges go, written when the run is over; a report can be asked for at any time in between.
//! Knows nothing of what is in them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use super::{
    attachment::{self, ReadFile},
    evidence, exit,
    output::{self, Existing, OutputFile, ReportFile},
    privilege::Invoker,
    redaction::Redaction,
    report::format,
    sandbox::{Needs, Sockets},
    session::Shown,
};
use crate::cli::plan::{DeviceName, OutputPlan};
use crate::report::{self, Format, excerpt::Excerpt, model::Report, template::Template};

/// The files of a run, open before the privileges went.
#[derive(Default)]
pub struct Files {
    pub(super) record: Option<File>,
    report: Option<(ReportFile, Format)>,
    /// The packets that the findings cite.
    evidence: Option<ReportFile>,
    redaction: Redaction,
    /// Where a report goes that is asked for while the run goes on.
    exports: PathBuf,
    belonging: Belonging,
}

/// What is named in a report with its digest.
#[derive(Default)]
struct Belonging {
    read: Option<ReadFile>,
    record: Option<(PathBuf, Option<File>)>,
}

/// Where what was asked for was written.
#[derive(Debug, Default)]
pub struct Left {
    pub report: Option<PathBuf>,
    /// The packets that it cites.
    pub evidence: Option<PathBuf>,
}

impl Files {
    /// `reads`: the capture that is read, which must not be written over. `devices`: as they were named.
    pub fn open(
        plan: &OutputPlan,
        devices: &[DeviceName],
        successor: Option<Invoker>,
        reads: Option<ReadFile>,
    ) -> Result<Files> {
        let (mut record, mut recorded) = (None, None);
        if let Some(path) = &plan.record {
            let file = OutputFile::open(path, successor)?;
            if reads.as_ref().is_some_and(|read| file.is_same_as(&read.file)) {
                let name = path.display();
                return Err(exit::usage(format!("--write would overwrite {name}, the capture that is read")));
            }
            recorded = Some((path.clone(), file.reader()));
            record = Some(file.into_writer()?);
        }
        let existing = if plan.force { Existing::Replace } else { Existing::Ask };
        let (mut report, mut evidence) = (None, None);
        if let Some(target) = &plan.report {
            let file = ReportFile::open_in(target, "esp-tcpwatch", existing, successor)?;
            match format(plan.report_format) {
                None if file.path == *target => evidence = Some(file),
                format => {
                    if file.path != *target {
                        let beside = file.path.with_extension("pcapng");
                        evidence = Some(ReportFile::open(&beside, existing, successor)?);
                    }
                    report = Some((file, format.unwrap_or(Format::Markdown)));
                }
            }
        }
        let redaction = Redaction::open(&plan.redact, devices, successor)?;
        for written in report.iter().map(|(file, _)| file).chain(&evidence) {
            let name = written.path.display();
            if reads.as_ref().is_some_and(|read| written.is_same_as(&read.file)) {
                return Err(exit::usage(format!(
                    "--report would overwrite {name}, the capture that is read"
                )));
            }
            if redaction.map().is_some_and(|map| written.is_same_file(map)) {
                return Err(exit::usage(format!("--map would overwrite {name}, the report")));
            }
        }
        let beside = report.as_ref().map(|(file, _)| file).or(evidence.as_ref());
        let exports = beside.and_then(|file| file.path.parent().map(Path::to_owned));
        Ok(Files {
            record,
            report,
            evidence,
            redaction,
            exports: output::writable(exports.unwrap_or_default(), successor)?,
            belonging: Belonging { read: reads, record: recorded },
        })
    }

    /// What is still opened by name once all of these are open: reports are put in the place of what was there, and what came
    /// to nothing is taken back. `is_asked`: one report more may be asked for while the run goes on.
    pub fn needs(&self, shown: Shown, is_asked: bool) -> Needs {
        let reports = self.report.iter().map(|(file, _)| file).chain(&self.evidence);
        let folders =
            reports.flat_map(ReportFile::folders).chain(self.redaction.map().map(OutputFile::folder));
        Needs {
            reads: Vec::new(),
            removes: Vec::new(),
            writes: folders.chain(is_asked.then(|| self.exports.clone())).collect(),
            terminal: shown == Shown::Screen,
            sockets: Sockets::None,
        }
    }

    /// A report was asked for on the command line.
    pub fn want_a_report(&self) -> bool {
        self.report.is_some()
    }

    /// And the packets that it cites.
    pub fn want_evidence(&self) -> bool {
        self.evidence.is_some()
    }

    /// Writes what was asked for on the command line, now that the run is over.
    pub fn write(&mut self, report: &Mutex<Report>, excerpt: Option<Excerpt>) -> Result<Left> {
        let mut left = Left::default();
        if self.report.is_none() && self.evidence.is_none() {
            return Ok(left);
        }
        let mut report = self.shown(report, true);
        if let (Some(file), Some(excerpt)) = (self.evidence.take(), excerpt)
            // Beside a report that has nothing to cite there is no file.
            && !(self.report.is_some() && excerpt.is_empty())
        {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let evidence = evidence::file(&report, &excerpt, self.redaction.redactor(), &name)?;
            left.evidence = Some(file.write(evidence.octets)?);
            report.evidence = Some(evidence.file);
        }
        if let Some((file, format)) = self.report.take() {
            left.report = Some(file.write(report::render(&report, format, Template::Generic))?);
        }
        self.redaction.finish()?;
        Ok(left)
    }

    /// Writes the report that is asked for from the screen or by a signal; where it is, or why it is not.
    pub fn export(&mut self, report: &Mutex<Report>) -> Result<String, String> {
        let path = output::timed_name(&self.exports, "esp-tcpwatch");
        let text = report::render(&self.shown(report, false), Format::Markdown, Template::Generic);
        let written = ReportFile::open(&path, Existing::Ask, None).and_then(|file| file.write(text));
        written.map(|path| path.display().to_string()).map_err(|error| format!("{error:#}"))
    }

    /// The report as it may leave. `ended`: nothing more will be recorded.
    fn shown(&mut self, report: &Mutex<Report>, ended: bool) -> Report {
        // Cloned, so that the engine does not wait while the words are found.
        let mut report = report.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.belonging.attach_to(&mut report, ended);
        self.redaction.report(report)
    }
}

impl Belonging {
    fn attach_to(&self, report: &mut Report, ended: bool) {
        let read = self.read.as_ref().map(|read| read.attached("the capture that was read"));
        let record = self.record.as_ref().map(|(path, file)| match ended {
            true => attachment::recording(path, file.as_ref()),
            false => attachment::growing_recording(path),
        });
        report.attached = read.into_iter().chain(record).collect();
        let is_live = report.start.as_ref().is_some_and(|start| start.source == "live");
        report.system = is_live.then(attachment::system);
    }
}
