//! Where a rule judges otherwise: for one port, for one device, for one port of one device.
//!
//! The first `[[override]]` that fits a finding speaks; what it does not set stays as the rule has it. A detector
//! gets its numbers once, so one with other numbers is another detector, and each keeps to its own findings.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::{
    alert::Severity,
    load::{RuleError, RuleSet, located, parameter_fault, policy_fault},
    schema::{GroupBy, Policy, Rule},
};
use crate::analysis::{
    detect::{Detector, Detectors, Finding, LastSegments, Listening, Occasions, Parameter, Seen, Spec},
    flow::FourTuple,
    host::{Comparison, Device, HostEvent},
    input::Gap,
    time::Timestamp,
    wire::Sign,
};

/// Overrides a rule may have: each may mean a detector more.
const MOST: usize = 64;

/// One `[[override]]`, checked, with what it leaves alone filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// The port that the connection was opened to.
    pub port: Option<u16>,
    pub device: Option<IpAddr>,
    pub severity: Severity,
    pub policy: Policy,
    /// The detector's numbers, where they are others than the rule's.
    pub settings: Option<Vec<f64>>,
}

/// One `[[override]]`, as written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    port: Option<Spanned<u16>>,
    device: Option<Spanned<IpAddr>>,
    severity: Option<Severity>,
    #[serde(default)]
    policy: WrittenPolicy,
    #[serde(default)]
    parameters: BTreeMap<String, Spanned<f64>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPolicy {
    at_least: Option<Spanned<u64>>,
    within_s: Option<Spanned<f64>>,
    cooldown_s: Option<Spanned<f64>>,
    group_by: Option<GroupBy>,
}

impl Written {
    /// Where it sets a port.
    pub(super) fn port_at(&self) -> Option<usize> {
        self.port.as_ref().map(|port| port.span().start)
    }
}

impl Override {
    fn fits(&self, finding: &Finding) -> bool {
        self.port.is_none_or(|port| port == finding.server.port())
            && self.device.is_none_or(|device| device == finding.device)
    }

    /// Whether nothing is left for `later`, should it come after this one.
    fn covers(&self, later: &Override) -> bool {
        (self.port.is_none() || self.port == later.port)
            && (self.device.is_none() || self.device == later.device)
    }
}

/// The override that `finding` falls under: the first that fits.
pub fn place_of(overrides: &[Override], finding: &Finding) -> Option<usize> {
    overrides.iter().position(|place| place.fits(finding))
}

impl Rule {
    /// How grave a finding is in the override at `place`, or outside of all.
    pub fn severity_at(&self, place: Option<usize>) -> Severity {
        place.and_then(|place| self.overrides.get(place)).map_or(self.severity, |place| place.severity)
    }

    /// What makes an alert of findings in the override at `place`, or outside of all.
    pub fn policy_at(&self, place: Option<usize>) -> &Policy {
        place.and_then(|place| self.overrides.get(place)).map_or(&self.policy, |place| &place.policy)
    }
}

/// The detectors that serve `rules`, in the registry's order; each may wait for so many tuples.
pub fn detectors(rules: &RuleSet, tuples: usize) -> Detectors {
    let detectors = rules.with_detectors().flat_map(|(detector, rule)| serving(detector, rule));
    Detectors::new(detectors.collect(), tuples)
}

/// What serves `rule`: one detector, and one more for each override with numbers of its own.
fn serving(detector: &Spec, rule: &Rule) -> Vec<Box<dyn Detector>> {
    let others: Vec<_> = numbered(rule).collect();
    if others.is_empty() {
        return vec![(detector.new)(&rule.settings)];
    }
    let overrides = Arc::new(rule.overrides.clone());
    let all = core::iter::once((None, &rule.settings)).chain(others);
    let scoped = all.map(|(place, settings)| -> Box<dyn Detector> {
        let inner = (detector.new)(settings);
        Box::new(Scoped { inner, place, overrides: Arc::clone(&overrides) })
    });
    scoped.collect()
}

/// The overrides of `rule` that have numbers of their own.
fn numbered(rule: &Rule) -> impl Iterator<Item = (Option<usize>, &Vec<f64>)> {
    let places = rule.overrides.iter().enumerate();
    places.filter_map(|(place, other)| other.settings.as_ref().map(|settings| (Some(place), settings)))
}

/// The detectors that serve `rules` where `before` served `old`. One whose numbers are as they were goes on with what it
/// knows; the others begin anew.
pub fn detectors_after(
    old: &RuleSet,
    before: &mut Detectors,
    rules: &RuleSet,
    tuples: usize,
) -> (Detectors, Moved) {
    let (all, last) = before.take();
    let mut left = all.into_iter();
    let mut first = 0;
    let (mut detectors, mut moved) = (Vec::new(), Moved(Vec::new()));
    for (detector, rule) in rules.with_detectors() {
        let was = old.get(detector.id);
        let count = was.map_or(0, |was| 1 + numbered(was).count());
        let theirs: Vec<_> = left.by_ref().take(count).collect();
        if was.is_some_and(|was| has_numbers_of(rule, was)) {
            detectors.extend(theirs);
            moved.0.extend((first..first + count).map(Some));
        } else {
            detectors.extend(serving(detector, rule));
            moved.0.resize(detectors.len(), None);
        }
        first += count;
    }
    (Detectors::new(detectors, tuples).after(last), moved)
}

fn has_numbers_of(rule: &Rule, was: &Rule) -> bool {
    let has_none = |rule: &Rule| numbered(rule).next().is_none();
    rule.settings == was.settings && (rule.overrides == was.overrides || has_none(rule) && has_none(was))
}

/// For each detector, the place that it had before; `None`: it began anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved(Vec<Option<usize>>);

impl Moved {
    /// Who listens now, where these listened before.
    pub fn listening(&self, before: Listening) -> Listening {
        let places = self.0.iter().enumerate().take(Listening::BITS as usize);
        places.fold(0, |listening, (place, was)| {
            let did = match was {
                None => false,
                // Those beyond the last bit heard everything.
                Some(was) => *was >= Listening::BITS as usize || before >> was & 1 == 1,
            };
            listening | Listening::from(did) << place
        })
    }
}

/// A detector that is heard only where its numbers are the ones in force.
#[derive(Debug)]
struct Scoped {
    inner: Box<dyn Detector>,
    place: Option<usize>,
    overrides: Arc<Vec<Override>>,
}

impl Scoped {
    fn keep_own(&self, findings: &mut Vec<Finding>, from: usize) {
        let has_numbers = |place: &usize| self.overrides[*place].settings.is_some();
        let is_own = |finding: &Finding| place_of(&self.overrides, finding).filter(has_numbers) == self.place;
        findings.extract_if(from.., |finding| !is_own(finding)).for_each(drop);
    }
}

impl Detector for Scoped {
    fn hears(&self) -> Occasions {
        self.inner.hears()
    }

    fn hears_vary(&self) -> bool {
        self.inner.hears_vary()
    }

    fn waits_for(&self, tuple: FourTuple) -> bool {
        self.inner.waits_for(tuple)
    }

    fn keep_to(&mut self, tuples: usize) {
        self.inner.keep_to(tuples);
    }

    fn on_segment(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        let from = findings.len();
        self.inner.on_segment(seen, findings);
        self.keep_own(findings, from);
    }

    fn on_host(&mut self, event: &HostEvent, findings: &mut Vec<Finding>) {
        let from = findings.len();
        self.inner.on_host(event, findings);
        self.keep_own(findings, from);
    }

    fn on_sign(&mut self, sign: &Sign, device: &Device, findings: &mut Vec<Finding>) {
        let from = findings.len();
        self.inner.on_sign(sign, device, findings);
        self.keep_own(findings, from);
    }

    fn on_account(&mut self, comparison: &Comparison, findings: &mut Vec<Finding>) {
        let from = findings.len();
        self.inner.on_account(comparison, findings);
        self.keep_own(findings, from);
    }

    fn due(&self) -> Timestamp {
        self.inner.due()
    }

    fn on_time(&mut self, now: Timestamp, last: &LastSegments, findings: &mut Vec<Finding>) {
        let from = findings.len();
        self.inner.on_time(now, last, findings);
        self.keep_own(findings, from);
    }

    fn on_gap(&mut self, gap: &Gap, last: &LastSegments) {
        self.inner.on_gap(gap, last);
    }
}

/// Checks the overrides of `rule`, whose file and text these are; its own settings must be there already.
///
/// Wherever one is faulty, `faults` gets it.
pub(super) fn check(
    file: &str,
    text: &str,
    parameters: &[Parameter],
    rule: &Rule,
    faults: &mut Vec<RuleError>,
) -> Vec<Override> {
    let mut checked: Vec<Override> = Vec::with_capacity(rule.written_overrides.len());
    for written in &rule.written_overrides {
        let here = written.span().start;
        let mut fault = |at: usize, what: String| faults.push(located(file, text, Some(at), what));
        let it = match check_one(file, text, parameters, rule, written) {
            Ok(it) => it,
            Err(error) => {
                faults.push(error);
                continue;
            }
        };
        if let Some(earlier) = checked.iter().position(|earlier| earlier.covers(&it)) {
            let what = format!(
                "this override never applies: number {} before it already fits all that it fits",
                earlier + 1
            );
            fault(here, what);
            continue;
        }
        if checked.len() == MOST {
            fault(here, format!("a rule has at most {MOST} overrides"));
            break;
        }
        checked.push(it);
    }
    checked
}

fn check_one(
    file: &str,
    text: &str,
    parameters: &[Parameter],
    rule: &Rule,
    whole: &Spanned<Written>,
) -> Result<Override, RuleError> {
    let written = whole.get_ref();
    let fault = |at: usize, what: String| located(file, text, Some(at), what);
    let here = whole.span().start;
    if written.port.is_none() && written.device.is_none() {
        let what = "an override needs `port`, `device` or both, to say where it applies";
        return Err(fault(here, what.to_owned()));
    }
    if let Some(port) = written.port.as_ref().filter(|port| *port.get_ref() == 0) {
        return Err(fault(port.span().start, "key `port`: 0 given; expected 1 to 65535".to_owned()));
    }
    let WrittenPolicy { at_least, within_s, cooldown_s, group_by } = &written.policy;
    let sets_policy = at_least.is_some() || within_s.is_some() || cooldown_s.is_some() || group_by.is_some();
    if written.severity.is_none() && !sets_policy && written.parameters.is_empty() {
        let what = "this override changes nothing; expected `severity`, `policy.…` or `parameters.…`";
        return Err(fault(here, what.to_owned()));
    }
    let mut policy = rule.policy.clone();
    if let Some(count) = at_least {
        policy.at_least = *count.get_ref();
    }
    for (own, given) in [(&mut policy.within_s, within_s), (&mut policy.cooldown_s, cooldown_s)] {
        if let Some(seconds) = given {
            *own = *seconds.get_ref();
        }
    }
    policy.group_by = group_by.unwrap_or(policy.group_by);
    if let Some((key, what)) = policy_fault(&policy) {
        let at = match key {
            "at_least" => at_least.as_ref().map(Spanned::span),
            "within_s" => within_s.as_ref().map(Spanned::span),
            _ => cooldown_s.as_ref().map(Spanned::span),
        };
        return Err(fault(at.map_or(here, |span| span.start), what));
    }
    let mut settings = rule.settings.clone();
    for (name, value) in &written.parameters {
        if let Some(what) = parameter_fault(parameters, name, *value.get_ref()) {
            return Err(fault(value.span().start, what));
        }
        if let Some(index) = parameters.iter().position(|parameter| parameter.name == name) {
            // The rule's own settings are missing where they are faulty themselves.
            if let Some(setting) = settings.get_mut(index) {
                *setting = *value.get_ref();
            }
        }
    }
    Ok(Override {
        port: written.port.as_ref().map(|port| *port.get_ref()),
        device: written.device.as_ref().map(|device| *device.get_ref()),
        severity: written.severity.unwrap_or(rule.severity),
        policy,
        settings: (!written.parameters.is_empty()).then_some(settings),
    })
}
