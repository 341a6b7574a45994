//! Other rules from here on, between two frames, and nothing forgotten that they do not change.
//!
//! Knows what becomes of detectors, alerts and users' rules. Flows and devices are as they were. Refuses to know where rules
//! come from, and when somebody wants others.

use super::Engine;
use crate::analysis::{
    event::{Event, MarkerEvent},
    rule::{Listeners, Rule, RuleSet, scope},
};

impl Engine {
    /// Judges by `rules` from here on, and tells so by a marker. A detector whose numbers changed begins anew; alerts of a
    /// rule that changed or is gone end, and what goes on is raised anew.
    pub fn reload(&mut self, rules: RuleSet) {
        if self.ended {
            return;
        }
        let text = changes(self.alerts.rules(), &rules);
        let old = self.alerts.rules();
        let (detectors, moved) = scope::detectors_after(old, &mut self.detectors, &rules, self.tuples);
        self.detectors = detectors;
        self.table.move_waiting(|waiting| moved.listening(waiting));
        self.count_unevaluated();
        self.own = Listeners::of(&rules);
        for alert in self.alerts.replace_rules(rules, self.counts.now, &self.hosts) {
            self.events.push_back(Event::Alert(alert));
        }
        self.events.push_back(Event::Marker(MarkerEvent::note(self.counts.now, text)));
    }

    /// Adds up what the users' rules in force could not evaluate, before others come or none any more.
    pub(super) fn count_unevaluated(&mut self) {
        for (rule, times) in self.own.unevaluated() {
            *self.counts.unevaluated.entry(rule).or_default() += times;
        }
    }
}

/// What is other in `now` than in `before`, in a person's words.
fn changes(before: &RuleSet, now: &RuleSet) -> String {
    let ids = |of: &RuleSet, holds: &dyn Fn(&Rule) -> bool| -> Vec<String> {
        of.iter().filter(|rule| holds(rule)).map(|rule| rule.id.clone()).collect()
    };
    let told = [
        ("changed", ids(now, &|rule| before.get(&rule.id).is_some_and(|was| was != rule))),
        ("new", ids(now, &|rule| before.get(&rule.id).is_none())),
        ("gone", ids(before, &|rule| now.get(&rule.id).is_none())),
    ];
    let told: Vec<_> = told
        .iter()
        .filter(|(_, ids)| !ids.is_empty())
        .map(|(what, ids)| format!("{what}: {}", ids.join(", ")))
        .collect();
    match told.is_empty() {
        true => "The rules were read again and are as they were.".to_owned(),
        false => format!("The rules were read again. {}.", told.join("; ")),
    }
}
