//! Reading a capture instead of an interface: a file, or a stream on stdin that may go on for days. A file may also be
//! a saved run.
//!
//! Needs no privilege and therefore keeps none: what others captured is as little to be trusted as a network.

use core::net::IpAddr;
use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::{
    attachment::ReadFile,
    beside::Beside,
    devices,
    exit::usage,
    files::Files,
    look,
    moves::Moves,
    pipeline::WhenStopped,
    rules, sandbox, saved_run,
    session::{Session, Shown},
    shutdown::{self, Stop},
    successor::successor,
    terminal, watch,
};
use crate::analysis::{event::Start, host::DeviceScope};
use crate::cli::plan::{From, WatchPlan};
use crate::source::{
    SourceError, feed,
    file::{self, CaptureFile},
    stream,
};

pub fn run(plan: WatchPlan) -> Result<u8> {
    match &plan.from {
        From::File(path) => read_file(&path.clone(), plan),
        From::Stdin => read_stdin(plan),
        From::Live { .. } => watch::run(plan),
    }
}

fn read_file(path: &Path, plan: WatchPlan) -> Result<u8> {
    let rules = rules::load(plan.output.rules.as_deref())?;
    let devices = devices::resolve(&plan.devices)?;
    let mut file = open(path)?;
    let name = path.display().to_string();
    // One octet, which nobody decodes, tells what may be asked for, before any file is made.
    let mut input = BufReader::new(file.try_clone().with_context(|| format!("cannot read {name}"))?);
    let is_run = saved_run::begins(&mut input).with_context(|| format!("cannot read {name}"))?;
    if is_run {
        saved_run::check(&plan, &name)?;
    }
    let reads = ReadFile { path: path.to_owned(), file: file.try_clone()? };
    let successor = successor(plan.confinement.user.as_deref())?;
    let files = Files::open(&plan.output, &plan.devices, successor, Some(reads))?;
    let shown = Shown::of(plan.output.view);
    let remarks = sandbox::enter(successor, &plan.confinement, &files.needs(shown, shown == Shown::Screen))?;
    let stop = Stop::default();
    if is_run {
        shutdown::listen(&stop, None, terminal::restore)?;
        return saved_run::run(input, name, &plan, files, &stop);
    }
    // What was looked at is to be read again; from a pipe that is not possible, and not needed.
    let reader: Box<dyn Read + Send> = match file.rewind() {
        Ok(()) => Box::new(file.try_clone().with_context(|| format!("cannot read {name}"))?),
        Err(_) => Box::new(input),
    };
    let scope = scope(Some(&file), devices);
    let source = CaptureFile::from_reader(reader, &name)?;
    shutdown::listen(&stop, None, terminal::restore)?;
    let session = Session { remarks, ..session(&plan, files, rules, scope, &stop, name)? };
    session.start(source)?.finish()?.exit_code()
}

/// Opens what is to be read; done early, while we may still be root.
pub fn open(path: &Path) -> Result<File, SourceError> {
    let name = path.display().to_string();
    File::open(path).map_err(|error| SourceError::Open { name, error: Arc::new(error) })
}

fn read_stdin(plan: WatchPlan) -> Result<u8> {
    if io::stdin().is_terminal() {
        return Err(usage(
            "stdin is a terminal, not a capture\n  pipe one in: tcpdump -U -w - … | esp-tcpwatch -r -",
        ));
    }
    let rules = rules::load(plan.output.rules.as_deref())?;
    let devices = devices::resolve(&plan.devices)?;
    let successor = successor(plan.confinement.user.as_deref())?;
    let beside = Beside::open(&plan, successor)?;
    let remarks = sandbox::enter(successor, &plan.confinement, &beside.needs(&plan))?;
    let scope = scope(None, devices);
    let stop = Stop::default();
    beside.listen(&plan, &stop)?;
    let (feeder, feed) = feed::feed(watch::FEED_BATCHES);
    let reading = stop.clone();
    let thread = std::thread::Builder::new()
        .name("stdin".into())
        .spawn(move || stream::run(Box::new(io::stdin()), "stdin", feeder, reading.flag()))
        .context("cannot make the thread that reads stdin")?;
    let Beside { files, metrics, socket, recorder, events, duty, has_terminal: _ } = beside;
    let session = session(&plan, files, rules, scope, &stop, "stdin".to_owned())?;
    let session = Session { metrics, socket, events, recorder, duty, remarks, ..session };
    let mut outcome = session.start(feed)?.finish()?;
    stop.raise();
    outcome.error = watch::joined(thread)?.err().map(anyhow::Error::new).or(outcome.error);
    outcome.exit_code()
}

/// Espressif's devices where there are any; in a capture without, whoever is asked for connections.
///
/// Looks through `file` by the handle that is open already: by its path we may no longer be allowed to. A stream
/// (`None`, or a pipe with a name) cannot be looked through beforehand.
pub fn scope(file: Option<&File>, devices: Vec<IpAddr>) -> DeviceScope {
    if !devices.is_empty() {
        return DeviceScope::Named(devices);
    }
    match file.map(looked_through) {
        Some(Ok(true)) => DeviceScope::Espressif,
        // What is no capture, or a damaged one, is judged when it is read.
        Some(Ok(false) | Err(_)) | None => DeviceScope::Auto,
    }
}

fn looked_through(mut file: &File) -> Result<bool> {
    if !file.metadata()?.is_file() {
        return Ok(false);
    }
    let shows = CaptureFile::from_reader(Box::new(file.try_clone()?), "").map(file::shows_espressif);
    file.rewind()?;
    Ok(shows?)
}

fn session(
    plan: &WatchPlan,
    files: Files,
    rules: crate::analysis::rule::RuleSet,
    devices: DeviceScope,
    stop: &Stop,
    name: String,
) -> Result<Session> {
    let is_file = matches!(plan.from, From::File(_));
    Ok(Session {
        title: name.clone(),
        shown: Shown::of(plan.output.view),
        look: look::of(&plan.output)?,
        flow_events: plan.output.flow_events,
        segment_events: plan.output.segment_events,
        memory: plan.output.memory,
        files,
        metrics: None,
        socket: None,
        events: None,
        duty: None,
        recorder: None,
        rules,
        devices,
        start: Start {
            tool: super::TOOL.to_owned(),
            source: if is_file { "file" } else { "stream" }.to_owned(),
            name,
            ..Start::default()
        },
        moves: Moves::default(),
        stop: stop.clone(),
        when_stopped: if is_file { WhenStopped::AtOnce } else { WhenStopped::AtEnd },
        remarks: Vec::new(),
    })
}
