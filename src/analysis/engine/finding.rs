//! What the engine tells of findings, and of the alerts that they come to.

use std::collections::BTreeMap;

use super::Engine;
use crate::analysis::{
    detect::Finding,
    event::Event,
    rule::{AlertPhase, Heard},
    summary::Raised,
};

impl Engine {
    pub(super) fn tell_findings(&mut self) {
        if self.found.is_empty() {
            return;
        }
        let mut found = core::mem::take(&mut self.found);
        for mut finding in found.drain(..) {
            finding.id = self.counts.findings_told + 1;
            self.own.hear(Heard::Finding(&finding));
            self.tell_finding(finding);
            self.tell_own();
        }
        self.found = found;
    }

    /// Tells what users' rules found in the event just told.
    pub(super) fn tell_own(&mut self) {
        while let Some(finding) = self.own.next_finding() {
            self.tell_finding(finding);
        }
    }

    fn tell_finding(&mut self, mut finding: Finding) {
        self.counts.findings_told += 1;
        finding.id = self.counts.findings_told;
        self.chain.link(&mut finding);
        count(&mut self.counts.findings, &finding.rule);
        let alert = self.alerts.add(&finding, self.hosts.at(finding.device));
        if let Some(alert) = alert.as_ref().filter(|alert| alert.phase == AlertPhase::Raised) {
            count(&mut self.counts.alerts, &alert.rule);
            let raised = || Raised { severity: alert.severity, text: finding.text.clone() };
            self.counts.raised.entry(alert.rule.clone()).or_insert_with(raised);
        }
        self.events.push_back(Event::Finding(finding));
        if let Some(alert) = alert {
            self.events.push_back(Event::Alert(alert));
        }
    }
}

fn count(counters: &mut BTreeMap<String, u64>, key: &str) {
    match counters.get_mut(key) {
        Some(counter) => *counter += 1,
        None => drop(counters.insert(key.to_owned(), 1)),
    }
}
