//! The `report` command: a capture, the events of a run that was saved with `--json`, or the results of an experiment become
//! a report; of a capture also the packets that the report cites.
//!
//! Knows which of the three it was given by how it begins.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Read, Seek};
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{
    attachment::ReadFile,
    devices, evidence,
    exit::{self, usage},
    experiment::{results, telling},
    output::{Existing, OutputFile, ReportFile},
    print::print,
    redaction::Redaction,
    replay, rules,
    sandbox::{self, Needs},
    saved_run,
    successor::successor,
};
use crate::analysis::{
    engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
    event::{Event, Start},
    input::Input,
};
use crate::cli::{
    args::{ReportFormat, ReportTemplate},
    plan::ReportPlan,
};
use crate::report::{
    self, Format,
    excerpt::{Excerpt, Order},
    model::Report,
    ring::{self, Ring},
    template::Template,
};
use crate::source::{Source, file::CaptureFile};

type Octets = BufReader<Box<dyn Read + Send>>;

pub fn run(plan: ReportPlan) -> Result<u8> {
    let rules = rules::load(plan.rules.as_deref())?;
    let name = plan.input.as_ref().map_or("stdin".to_owned(), |path| path.display().to_string());
    let open = |path: &PathBuf| -> Result<ReadFile> {
        Ok(ReadFile { file: replay::open(path)?, path: path.clone() })
    };
    let file = plan.input.as_ref().map(open).transpose()?;
    let input: Box<dyn Read + Send> = match &file {
        Some(read) => Box::new(read.file.try_clone()?),
        None if io::stdin().is_terminal() => {
            return Err(usage("stdin is a terminal\n  pipe a capture or a saved run in, or name the file"));
        }
        None => Box::new(io::stdin()),
    };
    if plan.format == ReportFormat::Pcapng && plan.output.is_none() && io::stdout().is_terminal() {
        return Err(usage("packets are not for a terminal\n  name a file: -o evidence.pcapng"));
    }
    let successor = successor(plan.confinement.user.as_deref())?;
    let existing = if plan.force { Existing::Replace } else { Existing::Ask };
    let output = plan.output.as_ref().map(|path| ReportFile::open(path, existing, successor)).transpose()?;
    if let (Some(read), Some(output)) = (&file, &output)
        && output.is_same_as(&read.file)
    {
        return Err(usage(format!("-o would overwrite {name}, which is read\n  give another name to -o")));
    }
    let mut redaction = Redaction::open(&plan.redact, &plan.devices, successor)?;
    if let Some(map) = redaction.map() {
        if output.as_ref().is_some_and(|output| output.is_same_file(map)) {
            return Err(usage("--map would overwrite the report\n  give another name to --map"));
        }
        if file.as_ref().is_some_and(|read| map.is_same_as(&read.file)) {
            return Err(usage(format!(
                "--map would overwrite {name}, which is read\n  give another name to --map"
            )));
        }
    }
    let devices = devices::resolve(&plan.devices)?;
    let folders = output.iter().flat_map(ReportFile::folders).chain(redaction.map().map(OutputFile::folder));
    let needs = Needs { writes: folders.collect(), ..Needs::default() };
    sandbox::enter(successor, &plan.confinement, &needs)?;

    let scope = replay::scope(file.as_ref().map(|read| &read.file), devices);
    let mut report = Report::default();
    let again = file.as_ref().filter(|read| read.file.metadata().is_ok_and(|about| about.is_file()));
    // What can be read twice is: first for what is cited, then for the frames.
    let order = if again.is_some() { Order::FindingsFirst } else { Order::FramesFirst };
    let mut excerpt = (plan.format == ReportFormat::Pcapng).then(|| Excerpt::new(order));
    let mut ring = (excerpt.is_some() && order == Order::FramesFirst).then(|| Ring::new(ring::OCTETS, None));
    let mut input = BufReader::new(input);
    let is_run = saved_run::begins(&mut input).with_context(|| format!("cannot read {name}"))?;
    let is_experiment =
        is_run && telling::begins(&mut input).with_context(|| format!("cannot read {name}"))?;
    let (damage, what) = match is_run {
        true if !plan.devices.is_empty() => {
            return Err(usage(format!("{name} is a saved run and has its devices; leave -d out")));
        }
        true if is_experiment && excerpt.is_some() => {
            return Err(usage(format!(
                "{name} has the results of an experiment and holds no packets\n  \
                 give a recording of a block (experiment --keep DIR)"
            )));
        }
        true if is_experiment => {
            let stored =
                results::read(input, &name)?.ok_or_else(|| usage(format!("{name} holds no results yet")))?;
            redaction.name_host(&stored.spec.device);
            report = telling::report(&stored);
            (None, "the results that were read")
        }
        true => {
            let damage = from_run(input, &name, &mut report).err();
            if excerpt.is_some() {
                return Err(damage.unwrap_or_else(|| no_packets(&name, &report)));
            }
            (damage, "the events of the run that was read")
        }
        false => {
            let start = Start {
                tool: super::TOOL.to_owned(),
                source: if plan.input.is_some() { "file" } else { "stream" }.to_owned(),
                name: name.clone(),
                ..Start::default()
            };
            let engine = EngineConfig {
                devices: scope,
                rules,
                flow_events: true,
                segment_events: false,
                start,
                max_flows: DEFAULT_MAX_FLOWS,
            };
            let damage = from_capture(input, &name, engine, &mut report, excerpt.as_mut(), ring.as_mut())?;
            if let (Some(excerpt), Some(read)) = (&mut excerpt, again) {
                cited_frames(&read.file, &name, excerpt)?;
            }
            (damage, "the capture that was read")
        }
    };
    // Packets are no text, and name no file with its digest.
    let format = format(plan.format);
    if format.is_some() {
        report.attached = file.iter().map(|read| read.attached(what)).collect();
    }
    let report = redaction.report(report);
    let contents = match (format, &excerpt) {
        (None, Some(excerpt)) => evidence::file(&report, excerpt, redaction.redactor(), "")?.octets,
        (format, _) => {
            let format = format.unwrap_or(Format::Markdown);
            report::render(&report, format, template(plan.template)).into_bytes()
        }
    };
    match output {
        Some(file) => drop(file.write(contents)?),
        None => print(contents)?,
    }
    redaction.finish()?;
    // What came before the damage is told; that there is damage decides how it ends.
    damage.map_or(Ok(exit::CLEAN), Err)
}

/// What was typed, in the report's own words; `None`: packets, which are no text.
pub fn format(typed: ReportFormat) -> Option<Format> {
    match typed {
        ReportFormat::Markdown => Some(Format::Markdown),
        ReportFormat::Html => Some(Format::Html),
        ReportFormat::Json => Some(Format::Json),
        ReportFormat::Pcapng => None,
    }
}

fn template(typed: ReportTemplate) -> Template {
    match typed {
        ReportTemplate::Generic => Template::Generic,
        ReportTemplate::Micropython => Template::Micropython,
        ReportTemplate::EspIdf => Template::EspIdf,
    }
}

fn from_run(input: Octets, name: &str, report: &mut Report) -> Result<()> {
    for event in saved_run::events(input, name) {
        report.fold(&event?);
    }
    Ok(())
}

fn no_packets(name: &str, report: &Report) -> anyhow::Error {
    let start = report.start.clone().unwrap_or_default();
    let made_of = match start.source.as_str() {
        "file" => format!("{}, the capture it was made of", crate::text::escape(&start.name)),
        _ => "the recording of that run (-w FILE.pcapng)".to_owned(),
    };
    usage(format!("{name} is a saved run and holds no packets\n  give {made_of}"))
}

/// Returns the damage that ended the capture early. `ring`: for frames that will not come again.
fn from_capture(
    input: Octets,
    name: &str,
    engine: EngineConfig,
    report: &mut Report,
    mut excerpt: Option<&mut Excerpt>,
    mut ring: Option<&mut Ring>,
) -> Result<Option<anyhow::Error>> {
    let mut source = CaptureFile::from_reader(Box::new(input), name)?;
    let mut engine = Engine::new(engine);
    engine.tell_milestones_alone();
    let damage = loop {
        match source.next_input() {
            Ok(Some(input)) => {
                if let (Some(ring), Some(excerpt), Input::Frame(frame)) = (&mut ring, &mut excerpt, &input) {
                    let tuple = ring::tuple_of(frame);
                    ring.push(frame, tuple);
                    excerpt.offer(frame, tuple);
                }
                engine.handle(input);
            }
            Ok(None) => break None,
            Err(error) => break Some(anyhow::Error::new(error)),
        }
        fold(&mut engine, report, &mut excerpt, ring.as_deref());
    };
    engine.handle(Input::End);
    fold(&mut engine, report, &mut excerpt, ring.as_deref());
    Ok(damage)
}

fn fold(engine: &mut Engine, report: &mut Report, excerpt: &mut Option<&mut Excerpt>, ring: Option<&Ring>) {
    while let Some(event) = engine.poll_event() {
        report.fold(&event);
        if let (Some(excerpt), Event::Finding(finding)) = (&mut *excerpt, &event) {
            excerpt.cite(finding, ring);
        }
    }
}

/// The second reading. Where the capture is damaged it ends as the first one did, which has told.
fn cited_frames(mut file: &File, name: &str, excerpt: &mut Excerpt) -> Result<()> {
    file.rewind().with_context(|| format!("cannot read {name} again"))?;
    let mut source = CaptureFile::from_reader(Box::new(file.try_clone()?), name)?;
    while let Ok(Some(input)) = source.next_input() {
        if let Input::Frame(frame) = &input {
            excerpt.offer(frame, ring::tuple_of(frame));
        }
    }
    Ok(())
}
