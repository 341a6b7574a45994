//! The tests that a rule file brings along: a trace, or a capture beside the file, and how often the rule must fire.
//!
//! Knows how they are written and judged. It plays nothing: the engine is above, and a capture is a file.

use serde::Deserialize;
use toml::Spanned;

use super::load::{RuleError, located};
use crate::analysis::{
    detect::Finding,
    wire::notation::{self, Step},
};

/// Findings that a failed test names; a long capture may hold thousands.
const MOST_TOLD: usize = 16;

/// One `[[test]]`, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnTest {
    pub name: String,
    /// Where it stands in its file, from 1.
    pub line: usize,
    pub scene: Scene,
    /// How many findings of the rule; 0 for `silent = true`.
    pub fires: u64,
}

/// What a test shows the rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Scene {
    Script(Vec<Step>),
    /// A capture's path, relative to the rule file.
    Capture(String),
}

/// One `[[test]]`, as written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    name: Spanned<String>,
    script: Option<Spanned<String>>,
    capture: Option<Spanned<String>>,
    fires: Option<Spanned<u64>>,
    silent: Option<Spanned<bool>>,
}

impl OwnTest {
    /// What is expected and what came instead, with the frames that fired.
    pub fn judge(&self, rule: &str, findings: &[Finding]) -> Result<(), String> {
        let (own, others): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| finding.rule == rule);
        if own.len() as u64 == self.fires {
            return Ok(());
        }
        let expected = match self.fires {
            0 => format!("expected silence of {rule}"),
            1 => format!("expected 1 finding of {rule}"),
            count => format!("expected {count} findings of {rule}"),
        };
        let mut message = format!("{expected}, got {}", own.len());
        let of_own = own.iter().map(|finding| format!("{} in frames {}", finding.certainty, frames(finding)));
        let of_others = others
            .iter()
            .map(|finding| format!("(another rule: {} in frames {})", finding.rule, frames(finding)));
        for line in of_own.chain(of_others).take(MOST_TOLD) {
            message.push_str("\n  ");
            message.push_str(&line);
        }
        if findings.len() > MOST_TOLD {
            message.push_str(&format!("\n  and {} more", findings.len() - MOST_TOLD));
        }
        Err(message)
    }
}

fn frames(finding: &Finding) -> String {
    finding.frames.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

/// Checks the tests of `file`, whose text is `text`.
///
/// Wherever one is faulty, `faults` gets it.
pub(super) fn check(
    file: &str,
    text: &str,
    written: &[Written],
    faults: &mut Vec<RuleError>,
) -> Vec<OwnTest> {
    let checked = written.iter().map(|test| check_one(file, text, test));
    checked.filter_map(|test| test.map_err(|fault| faults.push(fault)).ok()).collect()
}

fn check_one(file: &str, text: &str, written: &Written) -> Result<OwnTest, RuleError> {
    let name = written.name.get_ref().trim().to_owned();
    let fault = |at: usize, what: String| located(file, text, Some(at), what);
    let here = written.name.span().start;
    if name.is_empty() {
        return Err(fault(here, "key `name`: a test needs a name, to be told by when it fails".into()));
    }
    let scene = match (&written.script, &written.capture) {
        (Some(script), None) => Scene::Script(steps(file, text, script)?),
        (None, Some(capture)) => {
            let path = capture.get_ref();
            if path.is_empty() || path.starts_with('/') {
                let what = format!("key `capture`: `{path}` given; expected a path relative to this file");
                return Err(fault(capture.span().start, what));
            }
            Scene::Capture(path.clone())
        }
        _ => return Err(fault(here, format!("test `{name}`: expected one of `script` and `capture`"))),
    };
    let fires = match (&written.fires, &written.silent) {
        (Some(count), None) if *count.get_ref() > 0 => *count.get_ref(),
        (Some(count), None) => {
            return Err(fault(count.span().start, "key `fires`: 0 is written `silent = true`".into()));
        }
        (None, Some(silent)) if *silent.get_ref() => 0,
        (None, Some(silent)) => {
            return Err(fault(silent.span().start, "key `silent`: expected true, or `fires = N`".into()));
        }
        _ => return Err(fault(here, format!("test `{name}`: expected one of `fires` and `silent`"))),
    };
    Ok(OwnTest { name, line: line_of(text, here), scene, fires })
}

fn steps(file: &str, text: &str, script: &Spanned<String>) -> Result<Vec<Step>, RuleError> {
    let span = script.span();
    let at = |line: usize| {
        // The text of a """string""" begins on the line after its quotes.
        let opens = text.get(span.clone()).unwrap_or_default().lines().next().unwrap_or_default();
        let skipped = usize::from(matches!(opens.trim_end(), "\"\"\"" | "'''"));
        line_of(text, span.start) + line - 1 + skipped
    };
    let fault = |line: usize, what: String| RuleError {
        file: file.to_owned(),
        line: at(line),
        column: 1,
        what: format!("key `script`: {what}"),
    };
    let traces = notation::parse(script.get_ref()).map_err(|error| fault(error.line, error.what))?;
    if let Some(expectation) = traces.iter().flat_map(|trace| &trace.expectations).next() {
        let what = "`expect` stands in the test's own keys here: `fires = N` or `silent = true`";
        return Err(fault(expectation.line, what.to_owned()));
    }
    match <[_; 1]>::try_from(traces) {
        Ok([trace]) if trace.steps.iter().any(|step| matches!(step, Step::Frame { .. })) => Ok(trace.steps),
        Ok(_) => Err(fault(1, "it holds no segment".to_owned())),
        Err(traces) if traces.is_empty() => Err(fault(1, "it holds no segment".to_owned())),
        Err(traces) => {
            let what = format!("it holds {} traces; write a [[test]] for each", traces.len());
            Err(fault(1, what))
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.get(..offset).map_or(0, |before| before.matches('\n').count() + 1)
}
