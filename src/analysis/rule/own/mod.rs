//! A rule of a user's own: no detector stands behind it, but a condition over what others found.
//!
//! It knows the events, their fields, and how to hold a condition against them. It proves nothing: a finding of such
//! a rule is as sure as the finding it listened to, and one about a flow or a device is inferred at most.

pub mod check;
pub mod condition;
pub mod field;
pub mod fields;
pub mod heard;
pub mod listeners;
pub mod quantity;
pub mod sample;
pub mod scan;

mod known;
mod place;

use std::sync::Arc;

pub use self::{
    condition::Condition,
    heard::{Heard, HeardDevice, Kind},
    listeners::Listeners,
};

use super::{
    load::{RuleError, find_key, located},
    schema::Rule,
};
use crate::analysis::certainty::Certainty;

/// Rules of this kind in force at once: each looks at every event of its kind.
pub const MOST: usize = 64;
/// Letters of an id.
const ID_LENGTH: usize = 64;

/// What a rule has in the place of a detector.
#[derive(Debug)]
pub struct Own {
    pub condition: Condition,
    /// Of its findings, where it does not listen to findings.
    pub certainty: Certainty,
}

/// Equal where the same was written.
impl PartialEq for Own {
    fn eq(&self, other: &Own) -> bool {
        let written = |own: &Own| (own.condition.kind, own.condition.source.clone(), own.certainty);
        written(self) == written(other)
    }
}

/// What is wrong with a condition, and at which octet of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub at: usize,
    pub what: String,
}

impl Fault {
    fn new(at: usize, what: impl Into<String>) -> Fault {
        Fault { at, what: what.into() }
    }
}

/// Checks what makes `rule` a user's own. Wherever that is faulty, `faults` gets it.
pub(super) fn check(file: &str, text: &str, rule: &Rule, faults: &mut Vec<RuleError>) -> Option<Arc<Own>> {
    let before = faults.len();
    let mut fault = |at: Option<usize>, what: String| faults.push(located(file, text, at, what));
    if let Some(what) = id_fault(&rule.id) {
        fault(find_key(text, "id"), what);
    }
    if let Some(name) = rule.parameters.keys().next() {
        let what = "key `parameters`: a rule of one's own has none; write the number into `when`".to_owned();
        fault(find_key(text, name).or_else(|| text.find("[parameters]")), what);
    }
    let kind = match &rule.listens_to {
        None => {
            let what = "key `listens_to` is missing; expected `finding`, `flow` or `device`";
            fault(find_key(text, "when"), what.to_owned());
            None
        }
        Some(written) => {
            let kind = Kind::ALL.into_iter().find(|kind| kind.to_string() == *written.get_ref());
            if kind.is_none() {
                let hint = match written.get_ref().as_str() {
                    "alert" => {
                        "; an alert is findings and a policy: listen to the finding, with a policy of your own"
                    }
                    _ => "",
                };
                let what = format!(
                    "key `listens_to`: `{}` given; expected `finding`, `flow` or `device`{hint}",
                    written.get_ref().escape_debug()
                );
                fault(Some(written.span().start), what);
            }
            kind
        }
    };
    let certainty = rule.certainty.as_ref().map(|written| (*written.get_ref(), written.span().start));
    if let (Some(Kind::Finding), Some((_, at))) = (kind, certainty) {
        let what = "key `certainty`: a rule that listens to findings is as sure as the finding; leave it out";
        fault(Some(at), what.to_owned());
    } else if let Some((Certainty::Proven, at)) = certainty {
        let what = "key `certainty`: a rule of one's own proves nothing; expected `suspected` or `inferred`";
        fault(Some(at), what.to_owned());
    }
    if kind == Some(Kind::Device) {
        for (key, words) in [("title", &rule.title), ("why", &rule.why)] {
            if let Some(name) = ["{client}", "{server}"].into_iter().find(|name| words.contains(name)) {
                let what = format!("key `{key}`: what is known of a device has no {name}; use {{device}}");
                fault(text.find(name).or_else(|| find_key(text, key)), what);
            }
        }
        if let Some(at) = rule.written_overrides.iter().find_map(|other| other.get_ref().port_at()) {
            let what = "key `port`: what is known of a device has no port; expected `device` alone";
            fault(Some(at), what.to_owned());
        }
    }
    let Some(when) = &rule.when else {
        let what = "key `when` is missing; expected a condition, for example \"server_port == 80\"";
        fault(rule.listens_to.as_ref().map(|written| written.span().start), what.to_owned());
        return None;
    };
    let condition = match Condition::read(kind?, when.get_ref()) {
        Ok(condition) => condition,
        Err(complaints) => {
            for complaint in complaints {
                let at = place::in_file(text, when.span(), complaint.at);
                fault(Some(at), format!("key `when`: {}", complaint.what));
            }
            return None;
        }
    };
    let certainty = certainty.map_or(Certainty::Suspected, |(certainty, _)| certainty);
    (faults.len() == before).then(|| Arc::new(Own { condition, certainty }))
}

/// What is wrong with an id of a user's choosing.
fn id_fault(id: &str) -> Option<String> {
    if id.len() > ID_LENGTH {
        return Some(format!("key `id`: {} letters; expected at most {ID_LENGTH}", id.len()));
    }
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit())
    };
    let is_kebab = id.split('-').all(is_word) && id.starts_with(|first: char| first.is_ascii_lowercase());
    (!is_kebab).then(|| {
        format!(
            "key `id`: `{}` given; expected small letters, digits and hyphens, as in `slow-heater`",
            id.escape_debug()
        )
    })
}
