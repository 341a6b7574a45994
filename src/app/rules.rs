//! Rule files from a directory, and the `rules` commands.
//!
//! Knows where the texts come from; what a rule means is the analysis' business.

use core::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{
    exit::{self, usage},
    print::print,
    privilege, rule_docs, rule_fields, rule_test,
};
use crate::analysis::rule::{RuleError, RuleSet, built_in_sources, load::parse};
use crate::cli::plan::RulesPlan;

/// The rules in force: the built-in ones, those of `dir` in the place of theirs, and those that are a user's own.
pub fn load(dir: Option<&Path>) -> Result<RuleSet> {
    of(dir.map(files).transpose()?, RuleSet::read)
}

/// The same with the tests of the built-in ones.
fn with_tests(dir: Option<&Path>) -> Result<RuleSet> {
    of(dir.map(files).transpose()?, RuleSet::read_with_tests)
}

/// The same from `dir`, where the privileges are gone already: with the rights that are left.
pub fn reload(dir: &Path) -> Result<RuleSet> {
    of(Some(read(dir)?), RuleSet::read)
}

type Texts = [(String, String)];

fn of(
    files: Option<Vec<(String, String)>>,
    read: fn(&Texts) -> Result<RuleSet, Vec<RuleError>>,
) -> Result<RuleSet> {
    // A rule file is part of what was asked for: a slip in it is answered like a slip on the command line.
    // Every fault of every file is told, so that one round of corrections is enough.
    let tell = |faults: Vec<RuleError>| {
        usage(faults.iter().map(RuleError::to_string).collect::<Vec<_>>().join("\n"))
    };
    read(&files.unwrap_or_default()).map_err(tell)
}

pub fn run(plan: RulesPlan) -> Result<u8> {
    match plan {
        RulesPlan::List { rules } => list(rules.as_deref())?,
        RulesPlan::Show { id, rules } => show(&id, rules.as_deref())?,
        RulesPlan::Fields { event } => rule_fields::run(event)?,
        RulesPlan::Check { dir } => check(dir.as_deref())?,
        RulesPlan::Test { dir } => return rule_test::run(&with_tests(dir.as_deref())?),
        RulesPlan::Docs { dir, fields } => {
            return rule_docs::run(&dir, fields.as_deref(), &with_tests(None)?);
        }
    }
    Ok(exit::CLEAN)
}

fn list(dir: Option<&Path>) -> Result<()> {
    let rules = load(dir)?;
    let width = rules.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    let mut text = String::new();
    for rule in rules.iter() {
        // Which device it will be is not known yet: the placeholders stay visible as such.
        let title = rule.title.replace('{', "<").replace('}', ">");
        let own = if rule.own.is_some() { "(own) " } else { "" };
        writeln!(text, "{:<8}  {:<width$}  {own}{title}", rule.severity.to_string(), rule.id)?;
    }
    print(text)
}

fn show(id: &str, dir: Option<&Path>) -> Result<()> {
    if let Some(dir) = dir {
        load(Some(dir))?;
        for (name, text) in files(dir)? {
            let Some(rule) = parse(&name, &text).ok().filter(|rule| rule.id == id) else { continue };
            return match rule.own {
                None => print(text),
                // Still a rule file: what is added are comments.
                Some(own) => print(text + &rule_fields::comments(own.condition.kind, &own.condition.source)?),
            };
        }
    }
    match built_in_sources().iter().find(|(known, _)| *known == id) {
        Some((_, text)) => print(text),
        None => {
            let rules = load(dir)?;
            let known: Vec<_> = rules.iter().map(|rule| rule.id.as_str()).collect();
            Err(usage(format!("no rule is called `{id}`\n  there are: {}", known.join(", "))))
        }
    }
}

fn check(dir: Option<&Path>) -> Result<()> {
    with_tests(dir)?;
    match dir {
        None => print(format!("{} built-in rules are sound\n", built_in_sources().len())),
        Some(dir) => print(format!("{}: {} rule files are sound\n", dir.display(), files(dir)?.len())),
    }
}

/// Every `*.toml` of `dir`, by name, so that the same directory always gives the same first error.
///
/// Read with the rights of the person who asked, never with root's: a fault is told with the words that it is in.
fn files(dir: &Path) -> Result<Vec<(String, String)>> {
    privilege::as_invoker(privilege::invoker()?, || read(dir))?
}

fn read(dir: &Path) -> Result<Vec<(String, String)>> {
    let cannot = || format!("cannot read the rules directory {}", dir.display());
    let mut paths = Vec::<PathBuf>::new();
    for entry in fs::read_dir(dir).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(usage(format!("{} holds no rule files (*.toml)", dir.display())));
    }
    paths.sort();
    let read = |path: PathBuf| -> Result<(String, String)> {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((path.display().to_string(), text))
    };
    paths.into_iter().map(read).collect()
}
