//! `rules test`: the tests that rule files bring along, each a line.
//!
//! Knows where a capture lies and how an outcome is told; what a test means is the analysis' business.

use core::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use super::{exit, print::print, privilege, replay};
use crate::analysis::{
    engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
    event::Start,
    input::Input,
    play::{self, Played},
    rule::{Rule, RuleSet, Scene},
};
use crate::source::{Source, file::CaptureFile};
use crate::text::escape;

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
                    let fault = fault.replace('\n', "\n        ");
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
        flow_events: false,
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
