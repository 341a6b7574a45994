//! A run that was saved with `--json`, opened again: its events go to the screen, or out as lines, as they once did.
//!
//! Knows the file's lines and where its events go. Refuses to judge them anew: what was alerted stays alerted, and the
//! exit code is that of the run.

use std::io::{self, BufRead, ErrorKind, Read as _};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};

use super::{
    exit::{self, usage},
    files::Files,
    host::ScreenHost,
    look,
    session::{self, Shown},
    shutdown::Stop,
    terminal,
};
use crate::analysis::{event::Event, rule::Severity};
use crate::cli::{
    args::ReportFormat,
    plan::{OutputPlan, WatchPlan},
};
use crate::report::model::Report;
use crate::sink::Wanted;
use crate::tui::{self, TuiOptions};

/// No event of ours comes near it; a file without line ends is no run.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;
/// Events on their way to the screen. A file can wait for it.
const IN_FLIGHT: usize = 2_048;

/// Whether `input` begins as a saved run does: an event is an object, and no capture begins with `{`.
pub fn begins(input: &mut dyn BufRead) -> io::Result<bool> {
    Ok(input.fill_buf()?.first() == Some(&b'{'))
}

/// What was asked for and cannot be had from events alone.
pub fn check(plan: &WatchPlan, name: &str) -> Result<()> {
    let wrong = |what: &str| Err(usage(format!("{name} is a saved run {what}")));
    if !plan.devices.is_empty() {
        return wrong("and has its devices\n  leave -d out");
    }
    if plan.output.record.is_some() {
        return wrong("and holds no frames that --write could record\n  leave --write out");
    }
    let wants_packets = plan.output.report_format == ReportFormat::Pcapng;
    if wants_packets && plan.output.report.as_ref().is_some_and(|report| !report.is_dir()) {
        return wrong(
            "and holds no packets\n  give the capture it was made of, or ask for a report of another kind",
        );
    }
    if plan.output.rules.is_some() {
        return wrong(
            "that was judged when it was made\n  leave --rules out, or read the capture it was made from",
        );
    }
    Ok(())
}

/// The events of a saved run, in order; after an error there are no more.
///
/// `name` is the file's, for the errors, which name the line.
pub fn events<R: BufRead>(mut input: R, name: &str) -> impl Iterator<Item = Result<Event>> {
    let mut number = 0;
    let mut line = Vec::new();
    let mut damaged = false;
    core::iter::from_fn(move || {
        loop {
            if damaged {
                return None;
            }
            number += 1;
            let event = next(&mut input, &mut line).with_context(|| format!("{name}, line {number}"));
            damaged = event.is_err();
            match event {
                Ok(Line::End) => return None,
                Ok(Line::Empty) => {}
                Ok(Line::Event(event)) => return Some(Ok(*event)),
                Err(error) => return Some(Err(error)),
            }
        }
    })
}

enum Line {
    Event(Box<Event>),
    Empty,
    End,
}

fn next<R: BufRead>(input: &mut R, line: &mut Vec<u8>) -> Result<Line> {
    line.clear();
    if input.take(LONGEST_LINE).read_until(b'\n', line)? == 0 {
        return Ok(Line::End);
    }
    if line.len() as u64 == LONGEST_LINE && !line.ends_with(b"\n") {
        return Err(anyhow!("longer than any event of esp-tcpwatch --json"));
    }
    if line.trim_ascii().is_empty() {
        return Ok(Line::Empty);
    }
    let event = serde_json::from_slice(line)
        .map_err(|error| anyhow!("{error}: not an event of esp-tcpwatch --json"))?;
    Ok(Line::Event(event))
}

/// Shows the run as `plan` wants it; the exit code that the run itself had.
pub fn run<R: BufRead + Send + 'static>(
    input: R,
    name: String,
    plan: &WatchPlan,
    mut files: Files,
    stop: &Stop,
) -> Result<u8> {
    let report = Arc::new(Mutex::new(Report::default()));
    let reading = Reading { report: Arc::clone(&report), stop: stop.clone(), worst: None };
    let came = match Shown::of(plan.output.view) {
        Shown::Screen => on_screen(input, name, look::of(&plan.output)?, reading, &mut files)?,
        shown @ (Shown::Lines | Shown::Json) => {
            let Some(mut sink) = session::sink(shown, plan.output.flow_events) else {
                return Err(anyhow!("nothing would show the run"));
            };
            let mut came = reading.through(events(input, &name), |event| {
                if wanted(&plan.output).takes(event) { printed(sink.on_event(event)) } else { Ok(true) }
            });
            came.error = came.error.or(printed(sink.flush()).err());
            came
        }
    };
    let report = files.write(&report, None)?.report;
    if let Some(path) = report {
        eprintln!("report: {}", path.display());
    }
    match came.error {
        Some(error) => Err(error),
        None if came.worst >= Some(Severity::Warning) => Ok(exit::ALERTED),
        None => Ok(exit::CLEAN),
    }
}

/// What `plan` asks for.
pub fn wanted(plan: &OutputPlan) -> Wanted {
    Wanted { flows: plan.flow_events, segments: plan.segment_events }
}

/// Returns whether anybody reads on.
pub fn printed(outcome: io::Result<()>) -> Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(anyhow!(error).context("cannot write to stdout")),
    }
}

/// What came of the reading.
struct Came {
    worst: Option<Severity>,
    /// What ended it early.
    error: Option<anyhow::Error>,
}

struct Reading {
    report: Arc<Mutex<Report>>,
    stop: Stop,
    worst: Option<Severity>,
}

impl Reading {
    /// Hands every event on until the end, an error, or until `show` says that nobody reads any more.
    fn through(
        mut self,
        events: impl Iterator<Item = Result<Event>>,
        mut show: impl FnMut(&Event) -> Result<bool>,
    ) -> Came {
        for event in events {
            let shown = event.and_then(|event| {
                self.report.lock().unwrap_or_else(PoisonError::into_inner).fold(&event);
                if let Event::Alert(alert) = &event {
                    self.worst = self.worst.max(Some(alert.severity));
                }
                show(&event)
            });
            match shown {
                Ok(true) if !self.stop.is_raised() => {}
                Ok(_) => break,
                Err(error) => return Came { worst: self.worst, error: Some(error) },
            }
        }
        Came { worst: self.worst, error: None }
    }
}

fn on_screen<R: BufRead + Send + 'static>(
    input: R,
    name: String,
    look: TuiOptions,
    reading: Reading,
    files: &mut Files,
) -> Result<Came> {
    let report = Arc::clone(&reading.report);
    // Of a run that is over it may ask for its report alone.
    let stop = reading.stop.clone();
    let mut host = ScreenHost { report: &report, files, stop: &stop, notes: None, control: None };
    let options = TuiOptions { title: name.clone(), ..look };
    let (to_screen, received): (SyncSender<Event>, _) = sync_channel(IN_FLIGHT);
    let thread = std::thread::Builder::new()
        .name("saved run".into())
        .spawn(move || {
            // A closed screen is no error; the rest is read for the exit code, which is the whole run's.
            reading.through(events(input, &name), |event| {
                let _ = to_screen.send(event.clone());
                Ok(true)
            })
        })
        .context("cannot make the thread that reads the run")?;
    terminal::screen_is_up(true);
    let shown = tui::run(received, options, stop.flag(), &mut host);
    terminal::screen_is_up(false);
    let mut came = thread.join().map_err(|_| anyhow!("reading the run stopped with a programming error"))?;
    if let Err(error) = shown {
        let error = anyhow!(error).context("the terminal cannot be used; try --headless");
        came.error = came.error.or(Some(error));
    }
    Ok(came)
}
