//! The `report` command: a capture, or the events of a run that was saved with `--json`, becomes a report.
//!
//! Knows which of the two it was given by its first octet.

use std::io::{self, BufReader, IsTerminal, Read};
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{
    attach::ReadFile,
    devices,
    exit::{self, usage},
    output::{Existing, ReportFile},
    print::print,
    privilege, replay, rules, saved_run,
};
use crate::analysis::{
    engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
    event::Start,
    host::DeviceScope,
    input::Input,
    rule::RuleSet,
};
use crate::cli::{
    args::{ReportFormat, ReportTemplate},
    plan::ReportPlan,
};
use crate::report::{self, Format, model::Report, template::Template};
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
    let invoker = privilege::invoker()?;
    let existing = if plan.force { Existing::Replace } else { Existing::Ask };
    let output = plan.output.as_ref().map(|path| ReportFile::open(path, existing, invoker)).transpose()?;
    if let (Some(read), Some(output)) = (&file, &output)
        && output.is_same_as(&read.file)
    {
        return Err(usage(format!("-o would overwrite {name}, which is read\n  give another name to -o")));
    }
    let devices = devices::resolve(&plan.devices)?;
    privilege::drop_all(invoker)?;

    let scope = replay::scope(file.as_ref().map(|read| &read.file), devices);
    let mut report = Report::default();
    let mut input = BufReader::new(input);
    let is_run = saved_run::begins(&mut input).with_context(|| format!("cannot read {name}"))?;
    let (damage, what) = match is_run {
        true if !plan.devices.is_empty() => {
            return Err(usage(format!("{name} is a saved run and has its devices; leave -d out")));
        }
        true => (from_run(input, &name, &mut report).err(), "the events of the run that was read"),
        false => {
            let start = Start {
                tool: super::TOOL.to_owned(),
                source: if plan.input.is_some() { "file" } else { "stream" }.to_owned(),
                name,
                ..Start::default()
            };
            (from_capture(input, start, scope, rules, &mut report)?, "the capture that was read")
        }
    };
    report.attached = file.iter().map(|read| read.attached(what)).collect();
    let text = report::render(&report, format(plan.format), template(plan.template));
    match output {
        Some(file) => drop(file.write(&text)?),
        None => print(text)?,
    }
    // What came before the damage is told; that there is damage decides how it ends.
    damage.map_or(Ok(exit::CLEAN), Err)
}

/// What was typed, in the report's own words.
pub fn format(typed: ReportFormat) -> Format {
    match typed {
        ReportFormat::Markdown => Format::Markdown,
        ReportFormat::Html => Format::Html,
        ReportFormat::Json => Format::Json,
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

/// Returns the damage that ended the capture early.
fn from_capture(
    input: Octets,
    start: Start,
    devices: DeviceScope,
    rules: RuleSet,
    report: &mut Report,
) -> Result<Option<anyhow::Error>> {
    let mut source = CaptureFile::from_reader(Box::new(input), &start.name)?;
    let mut engine = Engine::new(EngineConfig {
        devices,
        rules,
        flow_events: true,
        segment_events: false,
        start,
        max_flows: DEFAULT_MAX_FLOWS,
    });
    let damage = loop {
        match source.next_input() {
            Ok(Some(input)) => engine.handle(input),
            Ok(None) => break None,
            Err(error) => break Some(anyhow::Error::new(error)),
        }
        fold(&mut engine, report);
    };
    engine.handle(Input::End);
    fold(&mut engine, report);
    Ok(damage)
}

fn fold(engine: &mut Engine, report: &mut Report) {
    while let Some(event) = engine.poll_event() {
        report.fold(&event);
    }
}
