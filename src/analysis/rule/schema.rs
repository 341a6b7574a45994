//! What a rule file holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::{
    alert::Severity,
    own::Own,
    own_test::{self, OwnTest},
    remedy::Remedy,
    scope::{self, Override},
};
use crate::analysis::certainty::Certainty;

/// One rule, as written in `rules/<id>.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A detector's id, or a new one for a rule of a user's own.
    pub id: String,
    pub severity: Severity,
    /// One line; `{placeholders}` as in [`super::wording`].
    pub title: String,
    pub why: String,
    /// Best first.
    pub remedies: Vec<Remedy>,
    pub references: Vec<String>,
    pub policy: Policy,
    #[serde(default)]
    pub parameters: BTreeMap<String, f64>,
    /// `parameters` in the detector's order, defaults filled in.
    #[serde(skip)]
    pub settings: Vec<f64>,
    /// `[[override]]` as written; `overrides` is what it means.
    #[serde(default, rename = "override")]
    pub(super) written_overrides: Vec<Spanned<scope::Written>>,
    /// The first that fits a finding speaks.
    #[serde(skip)]
    pub overrides: Vec<Override>,
    /// `[[test]]` as written; `tests` is what it means.
    #[serde(default, rename = "test")]
    pub(super) written_tests: Vec<own_test::Written>,
    /// For `rules test` alone; the engine never looks at them.
    #[serde(skip)]
    pub tests: Vec<OwnTest>,
    /// What a rule of a user's own listens to, when it holds, and how sure it is, as written; `own` is what it means.
    pub(super) listens_to: Option<Spanned<String>>,
    pub(super) when: Option<Spanned<String>>,
    pub(super) certainty: Option<Spanned<Certainty>>,
    /// Present in a rule of a user's own, which has no detector.
    #[serde(skip)]
    pub own: Option<Arc<Own>>,
    /// The file's name, as a person knows it.
    #[serde(skip)]
    pub file: String,
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
