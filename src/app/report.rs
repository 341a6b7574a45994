//! The `report` command: a capture, or the events of a run that was saved with `--json`, becomes a report.
//!
//! Knows which of the two it was given by the first octet: an event is an object, and no capture begins with `{`.

use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, Result, anyhow};

use super::{
    devices,
    exit::{self, usage},
    output::OutputFile,
    print::print,
    replay, rules,
    sandbox::{self, Needs},
    successor::successor,
};
use crate::analysis::{
    engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
    event::{Event, Start},
    host::DeviceScope,
    input::Input,
    rule::RuleSet,
};
use crate::cli::{args::ReportFormat, plan::ReportPlan};
use crate::report::{markdown, model::Report};
use crate::source::{Source, file::CaptureFile};

type Octets = BufReader<Box<dyn Read + Send>>;

pub fn run(plan: ReportPlan) -> Result<u8> {
    let rules = rules::load(plan.rules.as_deref())?;
    let name = plan.input.as_ref().map_or("stdin".to_owned(), |path| path.display().to_string());
    let file = plan.input.as_ref().map(|path| replay::open(path)).transpose()?;
    let input: Box<dyn Read + Send> = match &file {
        Some(file) => Box::new(file.try_clone()?),
        None if io::stdin().is_terminal() => {
            return Err(usage("stdin is a terminal\n  pipe a capture or a saved run in, or name the file"));
        }
        None => Box::new(io::stdin()),
    };
    let successor = successor(plan.confinement.user.as_deref())?;
    let output = plan.output.as_ref().map(|path| OutputFile::open(path, successor)).transpose()?;
    if let (Some(file), Some(output)) = (&file, &output)
        && output.is_same_as(file)
    {
        return Err(usage(format!("-o would overwrite {name}, which is read\n  give another name to -o")));
    }
    let devices = devices::resolve(&plan.devices)?;
    sandbox::enter(successor, &plan.confinement, &needs(output.as_ref()))?;

    let scope = replay::scope(file.as_ref(), devices);
    let mut report = Report::default();
    let mut input = BufReader::new(input);
    let first = input.fill_buf().with_context(|| format!("cannot read {name}"))?.first().copied();
    let damage = match first {
        Some(b'{') if !plan.devices.is_empty() => {
            return Err(usage(format!("{name} is a saved run and has its devices; leave -d out")));
        }
        Some(b'{') => from_run(input, &name, &mut report).err(),
        _ => {
            let start = Start {
                tool: super::TOOL.to_owned(),
                source: if plan.input.is_some() { "file" } else { "stream" }.to_owned(),
                name,
                ..Start::default()
            };
            from_capture(input, start, scope, rules, &mut report)?
        }
    };
    let text = match plan.format {
        ReportFormat::Markdown => markdown::render(&report),
    };
    match output {
        Some(mut file) => file.write_all(&text)?,
        None => print(text)?,
    }
    // What came before the damage is told; that there is damage decides how it ends.
    damage.map_or(Ok(exit::CLEAN), Err)
}

/// A report that comes to nothing is taken back, out of the folder that it is in.
fn needs(output: Option<&OutputFile>) -> Needs {
    let folder = output.and_then(|output| output.path.parent());
    Needs { writes: folder.map(Path::to_owned).into_iter().collect(), ..Needs::default() }
}

fn from_run(input: Octets, name: &str, report: &mut Report) -> Result<()> {
    for (index, line) in input.lines().enumerate() {
        let place = || format!("{name}, line {}", index + 1);
        let line = line.with_context(place)?;
        if line.trim().is_empty() {
            continue;
        }
        let event: Event = serde_json::from_str(&line)
            .map_err(|error| anyhow!("{error}: not an event of esp-tcpwatch --json"))
            .with_context(place)?;
        report.fold(&event);
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
    let mut engine =
        Engine::new(EngineConfig { devices, rules, flow_events: true, start, max_flows: DEFAULT_MAX_FLOWS });
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
