//! One watch, from the first input to the exit code: who shows the events, who keeps them, and in which order it ends.
//!
//! The same for an interface, a file, a stream and the demo; what differs comes in as data. Begins after the
//! privileges are gone: it makes threads.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};

use super::{
    evidence, exit,
    output::{self, OutputFile},
    pipeline::{Finished, Pipeline, WhenStopped},
    privilege::Invoker,
    redaction::Redaction,
    screen,
    shutdown::Stop,
    terminal,
};
use crate::analysis::{
    engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
    event::{Event, Start, Summary},
    host::DeviceScope,
    input::Input,
    rule::{RuleSet, Severity},
    wire::Skip,
};
use crate::cli::plan::{DeviceName, OutputPlan, View};
use crate::report::{
    excerpt::{self, Excerpt},
    markdown,
    model::Report,
};
use crate::sink::{
    Sink,
    json::JsonLines,
    lines::{LinesOptions, PlainLines},
    record::{Recorder, RecorderInfo},
};
use crate::source::{Source, SourceError};
use crate::tui::{self, TuiOptions};

/// What shows the events, now that it is known whether there is a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Screen,
    Lines,
    Json,
}

impl Shown {
    pub fn of(view: View) -> Shown {
        let terminal =
            || io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        match view {
            View::Json => Shown::Json,
            View::Lines => Shown::Lines,
            View::Auto if terminal() => Shown::Screen,
            View::Auto => Shown::Lines,
        }
    }
}

/// The files of a run, open before the privileges went.
pub struct Files {
    record: Option<File>,
    report: Option<OutputFile>,
    /// The packets that the findings cite.
    evidence: Option<OutputFile>,
    redaction: Redaction,
    /// Where a report goes that is asked for from the screen.
    exports: PathBuf,
}

impl Files {
    /// `reads`: the capture that is read, which must not be written over. `devices`: as they were named.
    pub fn open(
        plan: &OutputPlan,
        devices: &[DeviceName],
        invoker: Option<Invoker>,
        reads: Option<&File>,
    ) -> Result<Files> {
        let mut record = None;
        if let Some(path) = &plan.record {
            let file = OutputFile::open(path, invoker)?;
            if reads.is_some_and(|read| file.is_same_as(read)) {
                let name = path.display();
                return Err(exit::usage(format!("--write would overwrite {name}, the capture that is read")));
            }
            record = Some(file.into_writer()?);
        }
        let mut report = None;
        let mut evidence = None;
        if let Some(target) = &plan.report {
            if target.extension().is_some_and(|end| end == "pcapng") && !target.is_dir() {
                evidence = Some(OutputFile::open(target, invoker)?);
            } else {
                let file = output::open_report(target, "esp-tcpwatch", invoker)?;
                if file.path != *target {
                    evidence = Some(OutputFile::open(&file.path.with_extension("pcapng"), invoker)?);
                }
                report = Some(file);
            }
        }
        let redaction = Redaction::open(&plan.redact, devices, invoker)?;
        for written in [&report, &evidence].into_iter().flatten() {
            let name = written.path.display();
            if reads.is_some_and(|read| written.is_same_as(read)) {
                return Err(exit::usage(format!(
                    "--report would overwrite {name}, the capture that is read"
                )));
            }
            if redaction.map().is_some_and(|map| map.is_same_file(written)) {
                return Err(exit::usage(format!("--map would overwrite {name}, the report")));
            }
        }
        let beside = report.as_ref().and_then(|report| report.path.parent().map(Path::to_owned));
        Ok(Files { record, report, evidence, redaction, exports: beside.unwrap_or_default() })
    }
}

/// What is watched, and how.
pub struct Session {
    /// What the screen's header calls it.
    pub title: String,
    pub shown: Shown,
    pub ascii: bool,
    pub flow_events: bool,
    pub files: Files,
    pub rules: RuleSet,
    pub devices: DeviceScope,
    pub start: Start,
    pub stop: Stop,
    pub when_stopped: WhenStopped,
}

/// A session whose engine runs.
pub struct Running {
    engine: JoinHandle<Finished>,
    events: Option<Receiver<Event>>,
    report: Arc<Mutex<Report>>,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "the demo's, which needs Linux"))]
    asides: Sender<Input<'static>>,
    files: Files,
    options: TuiOptions,
    stop: Stop,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    pub worst: Option<Severity>,
    pub summary: Option<Summary>,
    /// Where the report was written.
    pub report: Option<PathBuf>,
    /// And the packets that it cites.
    pub evidence: Option<PathBuf>,
    pub error: Option<anyhow::Error>,
}

impl Session {
    /// Starts the engine on a thread of its own.
    pub fn start<S: Source + Send + 'static>(mut self, mut source: S) -> Result<Running> {
        let (asides, received) = channel();
        let (screen, events) = match self.shown {
            Shown::Screen => {
                let (feed, events) = screen::channel();
                (Some(feed), Some(events))
            }
            Shown::Lines | Shown::Json => (None, None),
        };
        let info = RecorderInfo {
            application: self.start.tool.clone(),
            interface: self.start.name.clone(),
            filter: self.start.filter.clone(),
            snaplen: self.start.snaplen.unwrap_or(0),
            comment: None,
        };
        let report = Arc::new(Mutex::new(Report::default()));
        let options = TuiOptions {
            title: self.title.clone(),
            ascii: self.ascii,
            no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
            keep_open_at_end: true,
        };
        let pipeline = Pipeline {
            sink: self.sink(),
            sink_takes_flows: self.flow_events,
            screen,
            report: report.clone(),
            excerpt: self.files.evidence.as_ref().map(|_| Excerpt::new(excerpt::RING)),
            recorder: self.files.record.take().map(|file| Recorder::new(BufWriter::new(file), info)),
            asides: received,
            stop: self.stop.clone(),
            when_stopped: self.when_stopped,
            engine: Engine::new(EngineConfig {
                devices: self.devices,
                rules: self.rules,
                // The screen lists the flows and the report tells when one was let in at last; a stream has them
                // when it was asked to.
                flow_events: self.flow_events || self.shown == Shown::Screen || self.files.report.is_some(),
                start: self.start,
                max_flows: DEFAULT_MAX_FLOWS,
            }),
        };
        let guard = StopOnPanic(self.stop.clone());
        let engine = std::thread::Builder::new()
            .name("engine".into())
            .spawn(move || {
                let _guard = guard;
                pipeline.run(&mut source)
            })
            .context("cannot make the engine's thread")?;
        Ok(Running { engine, events, report, asides, files: self.files, options, stop: self.stop })
    }

    fn sink(&self) -> Option<Box<dyn Sink + Send>> {
        match self.shown {
            Shown::Screen => None,
            Shown::Json => Some(Box::new(JsonLines::new(io::stdout()))),
            Shown::Lines => {
                let options = LinesOptions { findings: self.flow_events };
                Some(Box::new(PlainLines::new(BufWriter::new(io::stdout()), options)))
            }
        }
    }
}

impl Running {
    #[cfg(target_os = "linux")]
    /// For what others want remembered in the stream, and what the device says of itself.
    pub fn asides(&self) -> Sender<Input<'static>> {
        self.asides.clone()
    }

    /// Shows the screen if there is one, waits for the end, writes the report.
    pub fn finish(mut self) -> Result<Outcome> {
        let mut screen_error = None;
        if let Some(events) = self.events.take() {
            let mut host = Exporter {
                report: self.report.clone(),
                directory: self.files.exports.clone(),
                redaction: &mut self.files.redaction,
            };
            terminal::screen_is_up(true);
            let ended = tui::run(events, self.options.clone(), self.stop.flag(), &mut host);
            terminal::screen_is_up(false);
            screen_error = ended.err();
            self.stop.raise();
        }
        let finished = self.engine.join().map_err(|_| {
            anyhow!("the analysis stopped with a programming error; please report it with the capture")
        })?;
        let mut outcome = Outcome {
            worst: finished.worst,
            report: None,
            evidence: None,
            error: finished
                .source
                .or_else(|| unreadable(&self.options.title, finished.summary.as_ref()))
                .map(anyhow::Error::new),
            summary: finished.summary,
        };
        let failures = [
            finished.stdout.map(|error| anyhow!(error).context("cannot write to stdout")),
            finished.recording.map(|error| anyhow!(error).context("the recording is incomplete")),
            screen_error.map(|error| anyhow!(error).context("the terminal cannot be used; try --headless")),
        ];
        outcome.error =
            failures.into_iter().flatten().fold(outcome.error, |first, next| first.or(Some(next)));
        self.files.leave(snapshot(&self.report), finished.excerpt, &mut outcome)?;
        Ok(outcome)
    }
}

impl Files {
    /// Writes what was asked for, now that the run is over.
    fn leave(self, report: Report, excerpt: Option<Excerpt>, outcome: &mut Outcome) -> Result<()> {
        let Files { record: _, report: text, evidence, mut redaction, exports: _ } = self;
        let mut report = redaction.report(report);
        if let (Some(mut file), Some(excerpt)) = (evidence, excerpt)
            // Beside a report that has nothing to cite there is no file.
            && !(text.is_some() && excerpt.is_empty())
        {
            let name =
                file.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            let evidence = evidence::file(&report, &excerpt, redaction.redactor(), &name)?;
            file.write_all(evidence.octets)?;
            report.evidence = Some(evidence.file);
            outcome.evidence = Some(file.path.clone());
        }
        if let Some(mut file) = text {
            file.write_all(markdown::render(&report))?;
            outcome.report = Some(file.path.clone());
        }
        redaction.finish()
    }
}

impl Outcome {
    /// The contract's exit code of a watch or a replay, after the report's path was told.
    pub fn exit_code(self) -> Result<u8> {
        if let Some(path) = &self.report {
            eprintln!("report: {}", path.display());
        }
        if let Some(path) = &self.evidence {
            eprintln!("evidence: {}", path.display());
        }
        match self.error {
            Some(error) => Err(error),
            None if self.worst >= Some(Severity::Warning) => Ok(exit::ALERTED),
            None => Ok(exit::CLEAN),
        }
    }
}

/// Nothing but 802.11 came: the run says nothing of any device, and must not end as if all were well.
fn unreadable(name: &str, summary: Option<&Summary>) -> Option<SourceError> {
    let summary = summary.filter(|summary| summary.segments == 0)?;
    let only = summary.skipped.get(Skip::MonitorMode.name()).is_some_and(|count| *count == summary.frames);
    only.then(|| SourceError::MonitorMode { name: name.to_owned() })
}

/// Cloned, so that the engine does not wait while the words are found.
fn snapshot(report: &Mutex<Report>) -> Report {
    report.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Writes the report that is asked for from the screen.
struct Exporter<'a> {
    report: Arc<Mutex<Report>>,
    directory: PathBuf,
    redaction: &'a mut Redaction,
}

impl tui::Host for Exporter<'_> {
    fn export_report(&mut self) -> Result<String, String> {
        let path = self.directory.join(output::timed_name("esp-tcpwatch"));
        let text = markdown::render(&self.redaction.report(snapshot(&self.report)));
        let written = OutputFile::open(&path, None).and_then(|mut file| file.write_all(text));
        written.map(|()| path.display().to_string()).map_err(|error| format!("{error:#}"))
    }
}

/// A screen must not go on showing an engine that is gone.
struct StopOnPanic(Stop);

impl Drop for StopOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.raise();
        }
    }
}
