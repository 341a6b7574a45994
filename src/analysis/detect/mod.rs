//! Facts that the wire supports, one file a detector. Code proves; the rule's TOML judges.
//!
//! To add one: its file here, `rules/<id>.toml`, and the two lines below (`mod` and the registry).

pub mod evidence;
pub mod finding;
mod ignored_rst;
mod time_wait_collision;

pub use finding::{EvidenceSegment, Finding};

use super::host::HostEvent;

/// All detectors, by rule id.
pub static REGISTRY: &[&dyn Detector] = &[&ignored_rst::IgnoredRst, &time_wait_collision::TimeWaitCollision];

/// Turns what happened into findings of one rule. Holds no state: what must be remembered is the host's to know.
pub trait Detector: Sync + core::fmt::Debug {
    /// The rule id, also the name of the file in `rules/`.
    fn id(&self) -> &'static str;

    /// What a rule file may set, in the order in which [`Detector::observe`] gets the values.
    fn parameters(&self) -> &'static [Parameter] {
        &[]
    }

    /// The finding that `event` is for this rule, if it is one; its `id` is set by the engine.
    fn observe(&self, event: &HostEvent, settings: &[f64]) -> Option<Finding>;
}

/// A threshold that a rule file may set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    pub name: &'static str,
    pub default: f64,
    pub least: f64,
    pub most: f64,
    /// What it means, for `rules show` and for the error that refuses a value.
    pub what: &'static str,
}
