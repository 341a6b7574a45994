//! Findings become alerts: grouped, counted, told when they begin, when their number doubles, and when they end.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::VecDeque;

use super::{
    alert::{Alert, AlertPhase, Severity},
    load::RuleSet,
    remedy::{self, Evidence},
    schema::{GroupBy, Policy, Rule},
    scope, wording,
};
use crate::analysis::{
    detect::Finding,
    host::{Device, Hosts},
    time::{Timestamp, When},
};

/// Findings and frames that an alert cites; the rest is counted.
const CITED: usize = 64;
/// Groups followed at once; the one that has been quiet longest ends early.
const MAX_GROUPS: usize = 4_096;

/// All alerts of a run.
#[derive(Debug)]
pub struct AlertBook {
    rules: RuleSet,
    /// In order of appearance.
    groups: Vec<Group>,
    next_id: u64,
    worst: Option<Severity>,
}

/// Findings of one rule that share what the rule groups by.
#[derive(Debug)]
struct Group {
    rule: usize,
    /// The override of the rule that judges them.
    place: Option<usize>,
    key: (IpAddr, Option<(SocketAddr, SocketAddr)>),
    /// Times of findings while there are too few for an alert.
    waiting: VecDeque<Timestamp>,
    early: Vec<Finding>,
    last: Timestamp,
    alert: Option<Open>,
}

#[derive(Debug)]
struct Open {
    alert: Alert,
    first_finding: Finding,
    told_at: u64,
    /// What its findings say about remedies.
    evidence: Evidence,
}

impl AlertBook {
    pub fn new(rules: RuleSet) -> AlertBook {
        AlertBook { rules, groups: Vec::new(), next_id: 1, worst: None }
    }

    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// The gravest severity alerted so far.
    pub fn worst(&self) -> Option<Severity> {
        self.worst
    }

    /// Counts `finding` about `device`; the alert to tell, if this makes one or doubles one.
    pub fn add(&mut self, finding: &Finding, device: Option<&Device>) -> Option<Alert> {
        let (rule_index, rule) = self.rules.iter().enumerate().find(|(_, rule)| rule.id == finding.rule)?;
        let place = scope::place_of(&rule.overrides, finding);
        let policy = rule.policy_at(place);
        let key = match policy.group_by {
            GroupBy::Device => (finding.device, None),
            GroupBy::Tuple => (finding.device, Some((finding.client, finding.server))),
        };
        let known = self
            .groups
            .iter()
            .position(|group| (group.rule, group.place) == (rule_index, place) && group.key == key);
        let index = known.unwrap_or_else(|| {
            self.groups.push(Group {
                rule: rule_index,
                place,
                key,
                waiting: VecDeque::new(),
                early: Vec::new(),
                last: finding.when.0,
                alert: None,
            });
            self.groups.len() - 1
        });
        let group = &mut self.groups[index];
        group.last = finding.when.0;
        if let Some(open) = &mut group.alert {
            return open.count(rule, finding, device);
        }
        group.wait(policy, finding);
        if (group.waiting.len() as u64) < policy.at_least {
            return None;
        }
        group.waiting.clear();
        let findings = core::mem::take(&mut group.early);
        let open = Open::raise(self.next_id, rule, rule.severity_at(place), &findings, device);
        self.next_id += 1;
        self.worst = self.worst.max(Some(open.alert.severity));
        let told = open.alert.clone();
        group.alert = Some(open);
        Some(told)
    }

    /// Alerts that end by `now` because nothing was added for their cooldown.
    pub fn advance(&mut self, now: Timestamp, hosts: &Hosts) -> Vec<Alert> {
        let rules: Vec<&Rule> = self.rules.iter().collect();
        let crowded = self.groups.len() > MAX_GROUPS;
        let mut ended = Vec::new();
        self.groups.retain_mut(|group| {
            let quiet = now.since(group.last)
                > Duration::from_secs_f64(rules[group.rule].policy_at(group.place).cooldown_s);
            if quiet || crowded {
                ended.extend(group.end(rules[group.rule], now, hosts));
            }
            !(quiet || crowded)
        });
        ended
    }

    /// The mode of `device` (`None`: of every device) was changed: its open alerts end, and what waits for more findings
    /// waits no longer.
    pub fn end_of(&mut self, device: Option<IpAddr>, now: Timestamp, hosts: &Hosts) -> Vec<Alert> {
        let rules: Vec<&Rule> = self.rules.iter().collect();
        let meant = |group: &Group| device.is_none_or(|device| device == group.key.0);
        let mut ended = Vec::new();
        self.groups.retain_mut(|group| {
            let is_over = meant(group);
            if is_over {
                ended.extend(group.end(rules[group.rule], now, hosts));
            }
            !is_over
        });
        ended
    }

    /// Judges by `rules` from here on. Where a rule is not as it was, what was open of it ends: what goes on is raised
    /// anew, by the new words.
    pub fn replace_rules(&mut self, rules: RuleSet, now: Timestamp, hosts: &Hosts) -> Vec<Alert> {
        let before = core::mem::replace(&mut self.rules, rules);
        let before: Vec<&Rule> = before.iter().collect();
        let mut ended = Vec::new();
        self.groups.retain_mut(|group| {
            let was = before[group.rule];
            match self.rules.iter().position(|rule| rule == was) {
                Some(place) => group.rule = place,
                None => {
                    ended.extend(group.end(was, now, hosts));
                    return false;
                }
            }
            true
        });
        ended
    }

    /// The run is over: every open alert ends.
    pub fn finish(&mut self, now: Timestamp, hosts: &Hosts) -> Vec<Alert> {
        let rules: Vec<&Rule> = self.rules.iter().collect();
        self.groups.drain(..).filter_map(|mut group| group.end(rules[group.rule], now, hosts)).collect()
    }
}

impl Group {
    fn wait(&mut self, policy: &Policy, finding: &Finding) {
        let within = Duration::from_secs_f64(policy.within_s);
        while self.waiting.front().is_some_and(|first| finding.when.0.since(*first) > within) {
            self.waiting.pop_front();
            if !self.early.is_empty() {
                self.early.remove(0);
            }
        }
        self.waiting.push_back(finding.when.0);
        if self.early.len() < CITED {
            self.early.push(finding.clone());
        }
    }

    fn end(&mut self, rule: &Rule, now: Timestamp, hosts: &Hosts) -> Option<Alert> {
        let mut open = self.alert.take()?;
        open.alert.phase = AlertPhase::Ended;
        open.alert.when = When(now.max(open.alert.last));
        open.word(rule, hosts.at(open.alert.device));
        Some(open.alert)
    }
}

impl Open {
    fn raise(
        id: u64,
        rule: &Rule,
        severity: Severity,
        findings: &[Finding],
        device: Option<&Device>,
    ) -> Open {
        let first = &findings[0];
        let alert = Alert {
            id,
            rule: rule.id.clone(),
            severity,
            phase: AlertPhase::Raised,
            certainty: first.certainty,
            count: 0,
            when: first.when,
            first: first.when.0,
            last: first.when.0,
            device: first.device,
            mode: device.and_then(|device| device.mode.clone()),
            client: Some(first.client),
            server: first.server,
            findings: Vec::new(),
            frames: Vec::new(),
            frames_omitted: 0,
            title: String::new(),
            why: String::new(),
            remedies: Vec::new(),
            references: rule.references.clone(),
        };
        let evidence = Evidence::default();
        let mut open = Open { alert, first_finding: first.clone(), told_at: 0, evidence };
        for finding in findings {
            open.cite(finding);
        }
        open.told_at = open.alert.count;
        open.word(rule, device);
        open
    }

    /// Adds a finding; the alert to tell again where the count has doubled.
    fn count(&mut self, rule: &Rule, finding: &Finding, device: Option<&Device>) -> Option<Alert> {
        self.cite(finding);
        if self.alert.count < self.told_at.saturating_mul(2) {
            return None;
        }
        self.told_at = self.alert.count;
        self.alert.phase = AlertPhase::Grown;
        self.word(rule, device);
        Some(self.alert.clone())
    }

    fn cite(&mut self, finding: &Finding) {
        self.evidence.add(finding);
        let alert = &mut self.alert;
        alert.count += 1;
        alert.certainty = alert.certainty.max(finding.certainty);
        alert.when = finding.when;
        alert.last = finding.when.0;
        if alert.client.is_some_and(|client| client != finding.client) {
            alert.client = None;
        }
        if alert.findings.len() < CITED {
            alert.findings.push(finding.id);
        }
        for frame in &finding.frames {
            // Frames come in order, or nearly so: a repeat is near the end.
            if alert.frames[alert.frames.len().saturating_sub(8)..].contains(frame) {
                continue;
            }
            if alert.frames.len() < CITED {
                alert.frames.push(*frame);
            } else {
                alert.frames_omitted += 1;
            }
        }
    }

    fn word(&mut self, rule: &Rule, device: Option<&Device>) {
        let facts = device.map(Device::facts);
        self.alert.remedies = remedy::ranked(&rule.remedies, &self.evidence, facts.as_ref());
        self.alert.title = wording::fill(&rule.title, &self.first_finding, self.alert.count);
        self.alert.why = wording::fill(&rule.why, &self.first_finding, self.alert.count);
    }
}
