//! One watch, from the first input to the exit code: who shows the events, who keeps them, and in which order it ends.
//!
//! The same for an interface, a file, a stream and the demo; what differs comes in as data. Begins after the
//! privileges are gone: it makes threads.

use core::net::{IpAddr, SocketAddr};
use std::io::{self, BufWriter, IsTerminal};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};

use super::{
    control::Control,
    duty::Duty,
    exit,
    files::Files,
    flight::{Flight, FlightRecorder},
    host::ScreenHost,
    metrics::{Listening, Serving},
    moves::Moves,
    pieces::Pieces,
    pipeline::{Finished, Pipeline, WhenStopped},
    screen,
    shutdown::Stop,
    socket, terminal,
};
use crate::analysis::{
    engine::{DEFAULT_MEMORY, Engine, EngineConfig, flows_within},
    event::{Event, Start, Summary},
    host::DeviceScope,
    input::{Input, Marker},
    rule::{RuleSet, Severity},
    wire::Skip,
};
use crate::cli::plan::View;
use crate::firmware::Key;
use crate::report::{
    excerpt::{Excerpt, Order},
    model::Report,
    ring::{self, Ring},
};
use crate::sink::{
    Sink, Wanted,
    json::JsonLines,
    lines::{LinesOptions, PlainLines},
    metrics::Metrics,
    record::{self, Recorder, RecorderInfo},
};
use crate::source::{Source, SourceError};
use crate::text::{counted, escape};
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

/// What writes the events to stdout, where they are not shown on a screen.
pub fn sink(shown: Shown, flow_events: bool) -> Option<Box<dyn Sink + Send>> {
    match shown {
        Shown::Screen => None,
        Shown::Json => Some(Box::new(JsonLines::new(io::stdout()))),
        Shown::Lines => {
            let options = LinesOptions { findings: flow_events };
            Some(Box::new(PlainLines::new(BufWriter::new(io::stdout()), options)))
        }
    }
}

/// What is watched, and how.
pub struct Session {
    /// What the screen's header calls it.
    pub title: String,
    pub shown: Shown,
    /// How the screen is to look ([`look::of`](super::look::of)).
    pub look: TuiOptions,
    pub flow_events: bool,
    pub segment_events: bool,
    /// What the analysis may take, octets.
    pub memory: Option<u64>,
    pub files: Files,
    /// Where the run's numbers are served.
    pub metrics: Option<Listening>,
    /// Where others attach to the run.
    pub socket: Option<socket::Listening>,
    /// A file for the events; stdout has them only as JSON then.
    pub events: Option<Pieces>,
    /// What is done while it goes on without a screen; `None` where nothing can be asked of it.
    pub duty: Option<Duty>,
    pub recorder: Option<FlightRecorder>,
    pub rules: RuleSet,
    pub devices: DeviceScope,
    pub start: Start,
    /// Who is told where devices are that have another address.
    pub moves: Moves,
    pub stop: Stop,
    pub when_stopped: WhenStopped,
    /// What everybody who looks at the run must know from its start: it goes without its sandbox, say.
    pub remarks: Vec<String>,
}

/// A session whose engine runs.
pub struct Running {
    engine: JoinHandle<Finished>,
    events: Option<Receiver<Event>>,
    report: Arc<Mutex<Report>>,
    asides: Sender<Input<'static>>,
    control: Option<Control>,
    metrics: Option<Serving>,
    attached: Option<socket::Serving>,
    duty: Option<Duty>,
    files: Files,
    options: TuiOptions,
    moves: Moves,
    stop: Stop,
    when_stopped: WhenStopped,
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
        for text in core::mem::take(&mut self.remarks) {
            // Its other end is in this hand.
            let _ = asides.send(Input::from(Marker::note(text)));
        }
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
        let options = TuiOptions { title: self.title.clone(), ..self.look };
        // Written at the end, or asked for in between.
        let is_asked = self.shown == Shown::Screen || self.duty.is_some();
        let wants_report = self.files.want_a_report() || self.files.want_evidence() || is_asked;
        let (metrics, serving) = match self.metrics {
            Some(listening) => {
                let metrics =
                    Metrics::new(env!("CARGO_PKG_VERSION")).context("cannot count for the metrics")?;
                let serving = listening.serve(metrics.exposition())?;
                (Some(metrics), Some(serving))
            }
            None => (None, None),
        };
        // Who attaches has the screens too, and those list the flows.
        let tells_flows = self.flow_events || self.shown == Shown::Screen || self.socket.is_some();
        let (attached, serving_attached) = self.socket.map(socket::Listening::serve).transpose()?.unzip();
        let stdout_is_wanted = self.shown == Shown::Json || self.events.is_none();
        let wants_evidence = self.files.want_evidence();
        let ring = match &self.recorder {
            Some(recorder) => Some(Ring::new(recorder.size, Some(recorder.age))),
            None => wants_evidence.then(|| Ring::new(ring::OCTETS, None)),
        };
        let flight =
            self.recorder.map(|recorder| Flight::begin(recorder.folder, info.clone())).transpose()?;
        let mut engine = Engine::new(EngineConfig {
            devices: self.devices,
            rules: self.rules,
            flow_events: tells_flows || wants_report,
            segment_events: self.segment_events || self.shown == Shown::Screen,
            start: self.start,
            max_flows: flows_within(self.memory.unwrap_or(DEFAULT_MEMORY)),
        });
        if !tells_flows {
            // Only a report hears of them.
            engine.tell_milestones_alone();
        }
        let pipeline = Pipeline {
            metrics,
            attached,
            ring,
            flight,
            sink: sink(self.shown, self.flow_events).filter(|_| stdout_is_wanted),
            events: self.events.map(JsonLines::new),
            wanted: Wanted { flows: self.flow_events, segments: self.segment_events },
            screen,
            report: wants_report.then(|| report.clone()),
            excerpt: wants_evidence.then(|| Excerpt::new(Order::FramesFirst)),
            recorder: self
                .files
                .record
                .take()
                .map(|file| Recorder::new(BufWriter::with_capacity(record::BUFFER, file), info)),
            asides: received,
            orders: self.duty.as_mut().map(Duty::orders),
            moves: self.moves.clone(),
            stop: self.stop.clone(),
            when_stopped: self.when_stopped,
            engine,
        };
        let guard = StopOnPanic(self.stop.clone());
        let when_stopped = self.when_stopped;
        let engine = std::thread::Builder::new()
            .name("engine".into())
            .spawn(move || {
                let _guard = guard;
                pipeline.run(&mut source)
            })
            .context("cannot make the engine's thread")?;
        Ok(Running {
            engine,
            events,
            report,
            asides,
            control: None,
            metrics: serving,
            attached: serving_attached,
            duty: self.duty,
            files: self.files,
            options,
            moves: self.moves,
            stop: self.stop,
            when_stopped,
        })
    }
}

impl Running {
    /// For what others want remembered in the stream, and what the device says of itself.
    pub fn asides(&self) -> Sender<Input<'static>> {
        self.asides.clone()
    }

    /// Asks the test firmware of `devices`, an address and its control channel, until the end; with `key` the screen can
    /// switch them.
    pub fn ask(&mut self, devices: &[(IpAddr, SocketAddr)], key: Option<Key>) -> Result<()> {
        self.control = Some(Control::begin(devices, key, &self.asides, &self.moves)?);
        Ok(())
    }

    /// Shows the screen if there is one, waits for the end, writes the report.
    pub fn finish(mut self) -> Result<Outcome> {
        let mut screen_error = None;
        if let Some(events) = self.events.take() {
            let mut host = ScreenHost {
                report: &self.report,
                files: &mut self.files,
                stop: &self.stop,
                notes: (self.when_stopped == WhenStopped::AtEnd).then(|| self.asides.clone()),
                control: self.control.as_ref(),
            };
            terminal::screen_is_up(true);
            let ended = tui::run(events, self.options.clone(), self.stop.flag(), &mut host);
            terminal::screen_is_up(false);
            screen_error = ended.err();
            self.stop.raise();
        }
        if let Some(duty) = &mut self.duty {
            duty.serve(&self.options.title, &mut self.files, &self.report, &self.asides);
        }
        let finished = self.engine.join().map_err(|_| {
            anyhow!("the analysis stopped with a programming error; please report it with the capture")
        })?;
        if let Some(control) = self.control.take() {
            control.finish()?;
        }
        if let Some(serving) = self.metrics.take() {
            serving.finish()?;
        }
        if let Some(attached) = self.attached.take() {
            attached.finish()?;
        }
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
            (finished.events_lost > 0).then(|| {
                anyhow!("{} events could not be written to the file of --events-to", finished.events_lost)
            }),
            finished.flight.and_then(|landed| {
                if landed.written > 0 {
                    let folder = escape(&landed.folder.to_string_lossy()).into_owned();
                    eprintln!("recorder: {} in {folder}", counted(landed.written, "recording"));
                }
                if let Some(what) = landed.cut {
                    eprintln!("esp-tcpwatch: recorder: {what}");
                }
                landed.error.map(|error| anyhow!(error).context("the flight recorder lost something"))
            }),
            screen_error.map(|error| anyhow!(error).context("the terminal cannot be used; try --headless")),
        ];
        outcome.error =
            failures.into_iter().flatten().fold(outcome.error, |first, next| first.or(Some(next)));
        let left = self.files.write(&self.report, finished.excerpt)?;
        if self.duty.is_some()
            && let Some(Summary { frames, alerts, .. }) = &outcome.summary
        {
            tracing::info!("stopped after {frames} frames, with {} alerts", alerts.values().sum::<u64>());
        }
        (outcome.report, outcome.evidence) = (left.report, left.evidence);
        Ok(outcome)
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

/// A screen must not go on showing an engine that is gone.
struct StopOnPanic(Stop);

impl Drop for StopOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.raise();
        }
    }
}
