//! The `report` command: a capture, or the events of a run that was saved with `--json`, becomes a report; of a capture
//! also the packets that the report cites.
//!
//! Knows which of the two it was given by the first octet: an event is an object, and no capture begins with `{`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Seek};

use anyhow::{Context, Result, anyhow};

use super::{
    devices, evidence,
    exit::{self, usage},
    output::OutputFile,
    print::print,
    privilege,
    redaction::Redaction,
    replay, rules,
};
use crate::analysis::{
    engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
    event::{Event, Start},
    input::Input,
};
use crate::cli::{args::ReportFormat, plan::ReportPlan};
use crate::report::{
    excerpt::{self, Excerpt},
    markdown,
    model::Report,
};
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
    if plan.format == ReportFormat::Pcapng && plan.output.is_none() && io::stdout().is_terminal() {
        return Err(usage("packets are not for a terminal\n  name a file: -o evidence.pcapng"));
    }
    let invoker = privilege::invoker()?;
    let output = plan.output.as_ref().map(|path| OutputFile::open(path, invoker)).transpose()?;
    if let (Some(file), Some(output)) = (&file, &output)
        && output.is_same_as(file)
    {
        return Err(usage(format!("-o would overwrite {name}, which is read\n  give another name to -o")));
    }
    let mut redaction = Redaction::open(&plan.redact, &plan.devices, invoker)?;
    if let Some(map) = redaction.map() {
        if output.as_ref().is_some_and(|output| map.is_same_file(output)) {
            return Err(usage("--map would overwrite the report\n  give another name to --map"));
        }
        if file.as_ref().is_some_and(|file| map.is_same_as(file)) {
            return Err(usage(format!(
                "--map would overwrite {name}, which is read\n  give another name to --map"
            )));
        }
    }
    let devices = devices::resolve(&plan.devices)?;
    privilege::drop_all(invoker)?;

    let scope = replay::scope(file.as_ref(), devices);
    let mut report = Report::default();
    let again = file.as_ref().filter(|file| file.metadata().is_ok_and(|about| about.is_file()));
    // What can be read twice is: first for what is cited, then for the frames.
    let mut excerpt = (plan.format == ReportFormat::Pcapng)
        .then(|| Excerpt::new(if again.is_some() { 0 } else { excerpt::RING }));
    let mut input = BufReader::new(input);
    let first = input.fill_buf().with_context(|| format!("cannot read {name}"))?.first().copied();
    let damage = match first {
        Some(b'{') if !plan.devices.is_empty() => {
            return Err(usage(format!("{name} is a saved run and has its devices; leave -d out")));
        }
        Some(b'{') => {
            let damage = from_run(input, &name, &mut report).err();
            if excerpt.is_some() {
                return Err(damage.unwrap_or_else(|| no_packets(&name, &report)));
            }
            damage
        }
        _ => {
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
                start,
                max_flows: DEFAULT_MAX_FLOWS,
            };
            let damage = from_capture(input, &name, engine, &mut report, excerpt.as_mut(), again.is_none())?;
            if let (Some(excerpt), Some(file)) = (&mut excerpt, again) {
                cited_frames(file, &name, excerpt)?;
            }
            damage
        }
    };
    let report = redaction.report(report);
    let contents = match (plan.format, &excerpt) {
        (ReportFormat::Pcapng, Some(excerpt)) => {
            evidence::file(&report, excerpt, redaction.redactor(), "")?.octets
        }
        (ReportFormat::Markdown, _) | (ReportFormat::Pcapng, None) => markdown::render(&report).into_bytes(),
    };
    match output {
        Some(mut file) => file.write_all(contents)?,
        None => print(contents)?,
    }
    redaction.finish()?;
    // What came before the damage is told; that there is damage decides how it ends.
    damage.map_or(Ok(exit::CLEAN), Err)
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

fn no_packets(name: &str, report: &Report) -> anyhow::Error {
    let start = report.start.clone().unwrap_or_default();
    let made_of = match start.source.as_str() {
        "file" => format!("{}, the capture it was made of", crate::text::escape(&start.name)),
        _ => "the recording of that run (-w FILE.pcapng)".to_owned(),
    };
    usage(format!("{name} is a saved run and holds no packets\n  give {made_of}"))
}

/// Returns the damage that ended the capture early. `offers`: the frames will not come again.
fn from_capture(
    input: Octets,
    name: &str,
    engine: EngineConfig,
    report: &mut Report,
    mut excerpt: Option<&mut Excerpt>,
    offers: bool,
) -> Result<Option<anyhow::Error>> {
    let mut source = CaptureFile::from_reader(Box::new(input), name)?;
    let mut engine = Engine::new(engine);
    let damage = loop {
        match source.next_input() {
            Ok(Some(input)) => {
                if let (true, Some(excerpt), Input::Frame(frame)) = (offers, &mut excerpt, &input) {
                    excerpt.offer(frame);
                }
                engine.handle(input);
            }
            Ok(None) => break None,
            Err(error) => break Some(anyhow::Error::new(error)),
        }
        fold(&mut engine, report, &mut excerpt);
    };
    engine.handle(Input::End);
    fold(&mut engine, report, &mut excerpt);
    Ok(damage)
}

fn fold(engine: &mut Engine, report: &mut Report, excerpt: &mut Option<&mut Excerpt>) {
    while let Some(event) = engine.poll_event() {
        report.fold(&event);
        if let (Some(excerpt), Event::Finding(finding)) = (&mut *excerpt, &event) {
            excerpt.cite(finding);
        }
    }
}

/// The second reading. Where the capture is damaged it ends as the first one did, which has told.
fn cited_frames(mut file: &File, name: &str, excerpt: &mut Excerpt) -> Result<()> {
    file.rewind().with_context(|| format!("cannot read {name} again"))?;
    let mut source = CaptureFile::from_reader(Box::new(file.try_clone()?), name)?;
    while let Ok(Some(input)) = source.next_input() {
        if let Input::Frame(frame) = &input {
            excerpt.offer(frame);
        }
    }
    Ok(())
}
