//! `rules test`: the tests that rule files bring along, each a line.
//!
//! Knows where a capture lies and how an outcome is told; what a test means is the analysis' business.

use core::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use super::{exit, print::print, privilege, replay};
use crate::analysis::{
    engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
    event::{DeviceEvent, Start},
    input::Input,
    play::{self, Played},
    rule::{
        Heard, Rule, RuleSet, Scene, built_in_sources,
        own::{Kind, Own},
    },
};
use crate::source::{Source, file::CaptureFile};
use crate::text::escape;

/// Events that a failed test names.
const MOST_TOLD: usize = 16;

/// Runs every test of `rules`; 1 where one does not hold.
pub fn run(rules: &RuleSet) -> Result<u8> {
    // A capture that somebody sent along is as little to be trusted as a network.
    privilege::drop_all(privilege::invoker()?)?;
    let mut text = String::new();
    let (mut held, mut failed) = (0, 0);
    for rule in rules.iter() {
        for test in &rule.tests {
            let place = format!("{}:{}", rule.file, test.line);
            let name = escape(&test.name);
            let played = show(&test.scene, rule, rules).with_context(|| format!("{place}: {name}"))?;
            match test.judge(&rule.id, &played.findings) {
                Ok(()) => {
                    held += 1;
                    writeln!(text, "ok      {}: {name}", rule.id)?;
                }
                Err(fault) => {
                    failed += 1;
                    let heard = heard(rule, &played);
                    let fault = format!("{fault}{heard}").replace('\n', "\n        ");
                    writeln!(text, "FAILED  {}: {name}\n        {place}: {fault}", rule.id)?;
                }
            }
        }
    }
    let bare: Vec<&str> =
        rules.iter().filter(|rule| rule.tests.is_empty()).map(|rule| rule.id.as_str()).collect();
    if !bare.is_empty() {
        writeln!(text, "without a test in the file: {}", bare.join(", "))?;
    }
    match failed {
        0 => writeln!(text, "all {held} tests hold")?,
        _ => writeln!(text, "{failed} of {} tests do not hold", held + failed)?,
    }
    print(text)?;
    Ok(if failed == 0 { exit::CLEAN } else { exit::ALERTED })
}

/// What a rule of a user's own heard, with the values that its condition looked at: each on a line after a newline.
fn heard(rule: &Rule, played: &Played) -> String {
    let Some(own) = &rule.own else { return String::new() };
    let mut lines = match own.condition.kind {
        // What other rules of this kind found is not heard.
        Kind::Finding => {
            let findings = played.findings.iter().filter(|finding| is_built_in(&finding.rule));
            findings.map(|finding| looked_at(own, &finding.rule, Heard::Finding(finding))).collect::<Vec<_>>()
        }
        Kind::Flow => {
            played.flows.iter().map(|flow| looked_at(own, "flow", Heard::Flow(flow))).collect::<Vec<_>>()
        }
        Kind::Device => {
            let heard =
                |told: &DeviceEvent| looked_at(own, "device", Heard::device(told.when, &told.facts, None));
            played.devices.iter().map(heard).collect()
        }
    };
    if lines.is_empty() {
        lines.push(format!("there was no {} to hear", own.condition.kind));
    }
    let more = lines.len().saturating_sub(MOST_TOLD);
    lines.truncate(MOST_TOLD);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    let failed = played.summary.as_ref().and_then(|summary| summary.unevaluated.get(&rule.id));
    if let Some(times) = failed {
        lines.push(format!("its condition could not be evaluated on {times} of them"));
    }
    lines.iter().map(|line| format!("\n  heard: {line}")).collect()
}

fn is_built_in(rule: &str) -> bool {
    built_in_sources().iter().any(|(id, _)| *id == rule)
}

fn looked_at(own: &Own, what: &str, event: Heard<'_>) -> String {
    let frames = event.frames().iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let place = if frames.is_empty() { String::new() } else { format!(" in frames {frames}") };
    let values: Vec<String> = own
        .condition
        .read_of(event)
        .map(|(name, datum)| {
            format!("{name} is {}", datum.map_or("absent".to_owned(), |datum| datum.to_string()))
        })
        .collect();
    let holds = match own.condition.holds(event) {
        Ok(true) => "it holds",
        Ok(false) => "it does not hold",
        Err(_) => "it cannot be evaluated",
    };
    escape(&format!("{what}{place}: {holds}; {}", values.join(", "))).into_owned()
}

fn show(scene: &Scene, rule: &Rule, rules: &RuleSet) -> Result<Played> {
    match scene {
        Scene::Script(steps) => Ok(play::play(steps, rules.clone())),
        Scene::Capture(name) => {
            let beside = Path::new(&rule.file).parent().unwrap_or(Path::new(""));
            read(&beside.join(name), rules.clone())
        }
    }
}

fn read(path: &Path, rules: RuleSet) -> Result<Played> {
    let file = replay::open(path)?;
    let devices = replay::scope(Some(&file), Vec::new());
    let mut source = CaptureFile::from_reader(Box::new(file), &path.display().to_string())?;
    let mut engine = Engine::new(EngineConfig {
        devices,
        rules,
        flow_events: true,
        segment_events: false,
        start: Start::default(),
        max_flows: DEFAULT_MAX_FLOWS,
    });
    let mut played = Played::default();
    while let Some(input) = source.next_input()? {
        engine.handle(input);
        played.drain(&mut engine);
    }
    engine.handle(Input::End);
    played.drain(&mut engine);
    Ok(played)
}
