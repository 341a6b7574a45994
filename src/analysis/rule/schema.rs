//! What a rule file holds.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::alert::Severity;

/// One rule, as written in `rules/<id>.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A detector's id.
    pub id: String,
    pub severity: Severity,
    /// One line; `{placeholders}` as in [`super::wording`].
    pub title: String,
    pub why: String,
    /// Best first.
    pub remedies: Vec<String>,
    pub references: Vec<String>,
    pub policy: Policy,
    #[serde(default)]
    pub parameters: BTreeMap<String, f64>,
    /// `parameters` in the detector's order, defaults filled in.
    #[serde(skip)]
    pub settings: Vec<f64>,
}

/// When findings become an alert, and when the alert ends.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Findings it takes.
    pub at_least: u64,
    /// Seconds in which they must lie.
    pub within_s: f64,
    /// Seconds without a finding after which the alert ends; the next finding begins another.
    pub cooldown_s: f64,
    pub group_by: GroupBy,
}

/// Findings that share this share an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupBy {
    Tuple,
    Device,
}
