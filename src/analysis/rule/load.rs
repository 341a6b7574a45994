//! From the text of rule files to rules in force. Reads no file itself: whoever can, hands over names and texts.

use core::fmt;

use super::{
    own, own_test,
    schema::{Policy, Rule},
    scope,
    wording::{PLACEHOLDERS, unknown_placeholder},
};
use crate::analysis::detect::{Parameter, REGISTRY, Spec};

/// The rules that are built in: id and text.
pub fn built_in_sources() -> &'static [(&'static str, &'static str)] {
    &[
        ("accept-overflow", include_str!("../../../rules/accept-overflow.toml")),
        ("ack-loop", include_str!("../../../rules/ack-loop.toml")),
        ("app-stall", include_str!("../../../rules/app-stall.toml")),
        ("capture-gap", include_str!("../../../rules/capture-gap.toml")),
        ("data-stall", include_str!("../../../rules/data-stall.toml")),
        ("device-reboot", include_str!("../../../rules/device-reboot.toml")),
        ("device-silent", include_str!("../../../rules/device-silent.toml")),
        ("half-closed", include_str!("../../../rules/half-closed.toml")),
        ("half-open", include_str!("../../../rules/half-open.toml")),
        ("handshake-stall", include_str!("../../../rules/handshake-stall.toml")),
        ("ignored-rst", include_str!("../../../rules/ignored-rst.toml")),
        ("keepalive-failure", include_str!("../../../rules/keepalive-failure.toml")),
        ("ledger-mismatch", include_str!("../../../rules/ledger-mismatch.toml")),
        ("not-on-path", include_str!("../../../rules/not-on-path.toml")),
        ("reset-close", include_str!("../../../rules/reset-close.toml")),
        ("rst-storm", include_str!("../../../rules/rst-storm.toml")),
        ("stale-ack", include_str!("../../../rules/stale-ack.toml")),
        ("syn-reset-in-window", include_str!("../../../rules/syn-reset-in-window.toml")),
        ("syn-unanswered", include_str!("../../../rules/syn-unanswered.toml")),
        ("time-wait-buildup", include_str!("../../../rules/time-wait-buildup.toml")),
        ("time-wait-collision", include_str!("../../../rules/time-wait-collision.toml")),
        ("time-wait-reuse", include_str!("../../../rules/time-wait-reuse.toml")),
        ("window-shrink", include_str!("../../../rules/window-shrink.toml")),
        ("zero-window", include_str!("../../../rules/zero-window.toml")),
    ]
}

/// The rules in force: one for every detector, in the registry's order, then those of users' own, by id.
#[derive(Clone, Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

/// What is wrong with a rule file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    pub file: String,
    /// From 1; 0 where the fault is the whole file's.
    pub line: usize,
    pub column: usize,
    pub what: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}:{line}:{}: {}", self.file, self.column, self.what),
        }
    }
}

impl core::error::Error for RuleError {}

impl RuleSet {
    /// The built-in rules alone.
    pub fn built_in() -> Result<RuleSet, RuleError> {
        RuleSet::with_files(&[])
    }

    /// The built-in rules, each replaced by the file of the same id where there is one, and the further rules of
    /// `files`; the first fault otherwise.
    ///
    /// `files`: the name that a person knows a file by, and its text.
    pub fn with_files(files: &[(String, String)]) -> Result<RuleSet, RuleError> {
        RuleSet::read(files).map_err(|mut faults| faults.swap_remove(0))
    }

    /// The same; every fault of every file otherwise, and at least one. The tests of built-in rules, more than half of
    /// their text, are left out.
    pub fn read(files: &[(String, String)]) -> Result<RuleSet, Vec<RuleError>> {
        RuleSet::of(files, without_tests)
    }

    /// The same with the tests of built-in rules.
    pub fn read_with_tests(files: &[(String, String)]) -> Result<RuleSet, Vec<RuleError>> {
        RuleSet::of(files, |text| text)
    }

    fn of(
        files: &[(String, String)],
        built_in: fn(&'static str) -> &'static str,
    ) -> Result<RuleSet, Vec<RuleError>> {
        let mut faults = Vec::new();
        let mut given: Vec<(&str, Rule)> = Vec::new();
        for (name, text) in files {
            match read(name, text) {
                Err(more) => faults.extend(more),
                Ok(rule) => {
                    if let Some((other, _)) = given.iter().find(|(_, known)| known.id == rule.id) {
                        let what = format!("rule `{}` is also in {other}; remove one of the two", rule.id);
                        faults.push(located(name, text, find_key(text, "id"), what));
                    } else {
                        given.push((name, rule));
                    }
                }
            }
        }
        let mut rules = Vec::with_capacity(REGISTRY.len());
        for detector in REGISTRY {
            let id = detector.id;
            if let Some(at) = given.iter().position(|(_, rule)| rule.id == id) {
                rules.push(given.swap_remove(at).1);
            } else if let Some((_, text)) = built_in_sources().iter().find(|(known, _)| *known == id) {
                match read(&format!("built-in rules/{id}.toml"), built_in(text)) {
                    Ok(rule) => rules.push(rule),
                    Err(more) => faults.extend(more),
                }
            }
        }
        if let Some((name, _)) = given.get(own::MOST) {
            faults.push(whole(name, format!("there are more than {} rules of one's own", own::MOST)));
        }
        let mut further: Vec<Rule> = given.into_iter().map(|(_, rule)| rule).collect();
        further.sort_by(|one, other| one.id.cmp(&other.id));
        rules.extend(further);
        if faults.is_empty() { Ok(RuleSet { rules }) } else { Err(faults) }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// Every rule with the detector that serves it.
    pub fn with_detectors(&self) -> impl Iterator<Item = (&'static Spec, &Rule)> {
        REGISTRY.iter().filter_map(|detector| self.get(detector.id).map(|rule| (*detector, rule)))
    }
}

/// A built-in rule's text up to its tests, which come last.
fn without_tests(text: &str) -> &str {
    text.find("\n[[test]]").map_or(text, |at| &text[..=at])
}

/// Reads and checks one rule file; its first fault otherwise.
pub fn parse(file: &str, text: &str) -> Result<Rule, RuleError> {
    read(file, text).map_err(|mut faults| faults.swap_remove(0))
}

/// Reads and checks one rule file; all its faults otherwise, and at least one. What is no rule file in its very form
/// (not TOML, a key unknown or missing) has one.
fn read(file: &str, text: &str) -> Result<Rule, Vec<RuleError>> {
    let mut rule: Rule = toml::from_str(text).map_err(|error| {
        let key = error.span().and_then(|span| key_at(text, span.start));
        let message = error.message().trim_end();
        let what = match key {
            Some(key) if !message.contains(&format!("`{key}`")) => format!("key `{key}`: {message}"),
            _ => message.to_owned(),
        };
        vec![located(file, text, error.span().map(|span| span.start), what)]
    })?;
    let mut faults = Vec::new();
    let at = |key: &str| find_key(text, key);
    let detector = REGISTRY.iter().find(|detector| detector.id == rule.id);
    let own_key = [("when", rule.when.as_ref()), ("listens_to", rule.listens_to.as_ref())];
    let own_key = own_key.into_iter().find_map(|(key, written)| written.map(|_| key));
    match (detector, own_key) {
        (Some(detector), None) => match settings(file, text, detector, &rule) {
            Ok(settings) => rule.settings = settings,
            Err(fault) => faults.push(fault),
        },
        (Some(_), Some(key)) => {
            let what = format!(
                "key `{key}`: `{}` is found by a detector; a rule of one's own needs another id",
                rule.id
            );
            faults.push(located(file, text, at(key), what));
        }
        (None, Some(_)) => rule.own = own::check(file, text, &rule, &mut faults),
        (None, None) => {
            let known: Vec<_> = REGISTRY.iter().map(|detector| detector.id).collect();
            let what = format!(
                "key `id`: no detector is called `{}`; expected one of {}; or `listens_to` and `when`, which make \
                 it a rule of one's own",
                rule.id,
                known.join(", ")
            );
            faults.push(located(file, text, at("id"), what));
        }
    }
    if let (Some(_), Some(written)) = (detector, &rule.certainty) {
        let what = "key `certainty`: a detector knows how sure it is".to_owned();
        faults.push(located(file, text, Some(written.span().start), what));
    }
    for (key, words) in [("title", &rule.title), ("why", &rule.why)] {
        if let Some((name, _)) = unknown_placeholder(words) {
            let place = text.find(&format!("{{{name}}}")).or_else(|| at(key));
            let known: Vec<_> = PLACEHOLDERS.iter().map(|name| format!("{{{name}}}")).collect();
            let what = format!("key `{key}`: nobody fills {{{name}}}; expected one of {}", known.join(", "));
            faults.push(located(file, text, place, what));
        }
    }
    if let Some((key, what)) = policy_fault(&rule.policy) {
        faults.push(located(file, text, at(key), what));
    } else {
        // An override begins with the rule's own policy and numbers: faults of those are told once.
        let parameters = detector.map_or(&[][..], |detector| detector.parameters);
        rule.overrides = scope::check(file, text, parameters, &rule, &mut faults);
    }
    rule.tests = own_test::check(file, text, &rule.written_tests, &mut faults);
    if !faults.is_empty() {
        faults.sort_by_key(|fault| (fault.line, fault.column));
        return Err(faults);
    }
    rule.written_overrides = Vec::new();
    rule.written_tests = Vec::new();
    (rule.listens_to, rule.when, rule.certainty) = (None, None, None);
    rule.file = file.to_owned();
    Ok(rule)
}

/// What is wrong with a policy: the key, and the complaint.
pub(super) fn policy_fault(policy: &Policy) -> Option<(&'static str, String)> {
    if policy.at_least == 0 {
        return Some(("at_least", "key `at_least`: expected 1 or more".to_owned()));
    }
    let spans = [("within_s", policy.within_s), ("cooldown_s", policy.cooldown_s)];
    let (key, value) = spans.into_iter().find(|(_, value)| !(*value > 0.0 && *value <= 86_400.0))?;
    Some((key, format!("key `{key}`: {value} given; expected seconds above 0, at most 86400")))
}

/// What is wrong with a value for a detector's parameter.
pub(super) fn parameter_fault(declared: &[Parameter], name: &str, value: f64) -> Option<String> {
    let Some(parameter) = declared.iter().find(|parameter| parameter.name == name) else {
        let known: Vec<_> = declared.iter().map(|parameter| format!("`{}`", parameter.name)).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Some(format!("key `parameters.{name}`: this detector has no such parameter; it has {known}"));
    };
    (!(parameter.least..=parameter.most).contains(&value)).then(|| {
        format!(
            "key `parameters.{name}`: {value} given; expected {} to {} ({})",
            parameter.least, parameter.most, parameter.what
        )
    })
}

fn settings(file: &str, text: &str, detector: &Spec, rule: &Rule) -> Result<Vec<f64>, RuleError> {
    for (name, value) in &rule.parameters {
        if let Some(what) = parameter_fault(detector.parameters, name, *value) {
            return Err(located(file, text, find_key(text, name), what));
        }
    }
    let value = |name: &str, default| rule.parameters.get(name).copied().unwrap_or(default);
    Ok(detector.parameters.iter().map(|parameter| value(parameter.name, parameter.default)).collect())
}

fn whole(file: &str, what: String) -> RuleError {
    RuleError { file: file.to_owned(), line: 0, column: 0, what }
}

pub(super) fn located(file: &str, text: &str, offset: Option<usize>, what: String) -> RuleError {
    let Some(before) = offset.and_then(|offset| text.get(..offset)) else { return whole(file, what) };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    RuleError { file: file.to_owned(), line, column, what }
}

/// Octet offset of the line that sets `key`.
pub(super) fn find_key(text: &str, key: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        if line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('=')) {
            return Some(at + indent);
        }
        at += line.len();
    }
    None
}

/// The key that the line at `offset` sets.
fn key_at(text: &str, offset: usize) -> Option<&str> {
    let start = text.get(..offset)?.rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next()?;
    let key = line.split_once('=')?.0.trim();
    (!key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-.\"".contains(c))).then_some(key)
}
