//! The rules of users' own at work: they hear what happens, and their findings follow.
//!
//! With no such rule nothing is evaluated and nothing allocated. Only what detectors found is heard, so an event sets
//! off each rule once at most, and the number of rules is bounded.

use core::fmt::Write;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{
    Own,
    heard::{Heard, Kind},
};
use crate::analysis::{
    certainty::Certainty,
    detect::Finding,
    rule::{load::RuleSet, schema::Rule, wording},
};

/// All of a run, in the order of the rule set.
#[derive(Debug, Default)]
pub struct Listeners {
    all: Vec<Listener>,
    found: VecDeque<Finding>,
}

#[derive(Debug)]
struct Listener {
    rule: String,
    title: String,
    own: Arc<Own>,
    /// Times at which its condition could not be evaluated.
    failed: u64,
}

impl Listeners {
    pub fn of(rules: &RuleSet) -> Listeners {
        let listener = |rule: &Rule| {
            let own = Arc::clone(rule.own.as_ref()?);
            Some(Listener { rule: rule.id.clone(), title: rule.title.clone(), own, failed: 0 })
        };
        Listeners { all: rules.iter().filter_map(listener).collect(), found: VecDeque::new() }
    }

    /// Whether any rule listens to flows: their events need not be made otherwise.
    pub fn hear_flows(&self) -> bool {
        self.all.iter().any(|listener| listener.own.condition.kind == Kind::Flow)
    }

    /// A finding that followed from what was heard, its id still to be set. Take them all after each `hear`.
    pub fn next_finding(&mut self) -> Option<Finding> {
        self.found.pop_front()
    }

    /// Lets every rule hear an event.
    pub fn hear(&mut self, heard: Heard<'_>) {
        for listener in &mut self.all {
            if listener.own.condition.kind != heard.kind() {
                continue;
            }
            match listener.own.condition.holds(heard) {
                Ok(true) => self.found.extend(listener.finding(heard)),
                Ok(false) => {}
                Err(_) => listener.failed = listener.failed.saturating_add(1),
            }
        }
    }

    /// How often the condition of each rule could not be evaluated, where that happened at all.
    pub fn unevaluated(&self) -> BTreeMap<String, u64> {
        let failed = self.all.iter().filter(|listener| listener.failed > 0);
        failed.map(|listener| (listener.rule.clone(), listener.failed)).collect()
    }
}

impl Listener {
    /// `None` for a flow without a device: a finding is about one.
    fn finding(&self, heard: Heard<'_>) -> Option<Finding> {
        let of_device = |certainty: Certainty, device| {
            Finding::of_device(
                self.rule.clone(),
                certainty,
                heard.when(),
                device,
                heard.frames(),
                String::new(),
            )
        };
        let mut finding = match heard {
            Heard::Finding(cause) => Finding {
                id: 0,
                rule: self.rule.clone().into(),
                text: String::new(),
                caused_by: vec![cause.id],
                ..cause.clone()
            },
            Heard::Flow(flow) => Finding {
                client: flow.client,
                server: flow.server,
                incarnation: flow.incarnation,
                ..of_device(self.own.certainty, flow.device?)
            },
            Heard::Device(device) => of_device(self.own.certainty, device.facts.address),
        };
        if heard.kind() != Kind::Finding {
            let numbers = self.own.condition.read_of(heard);
            let numbers =
                numbers.filter_map(|(name, datum)| Some((name.to_owned().into(), datum?.number()?)));
            finding.quantities = numbers.collect();
        }
        finding.text = self.words(heard, &finding);
        Some(finding)
    }

    /// The rule's title, what was heard, and the values that made the condition hold.
    fn words(&self, heard: Heard<'_>, finding: &Finding) -> String {
        let mut text = wording::fill(&self.title, finding, 1);
        // Writing to a String cannot fail.
        let _ = match heard {
            Heard::Finding(cause) => write!(text, " ({} in finding {}", cause.rule, cause.id),
            Heard::Flow(flow) => write!(text, " (connection in frame {}", flow.frame),
            Heard::Device(_) => write!(text, " (what is known of the device"),
        };
        let mut comma = ": ";
        for (name, datum) in self.own.condition.read_of(heard) {
            // The rule was named, and a sentence within the sentence says nothing new.
            let is_told = matches!(name, "rule" | "text" | "note");
            if let Some(datum) = datum.filter(|_| !is_told) {
                let _ = write!(text, "{comma}{name} {datum}");
                comma = ", ";
            }
        }
        text.push(')');
        text
    }
}
