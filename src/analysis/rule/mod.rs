//! Judgement: severities, wording, remedies and the policy that turns findings into alerts.

pub mod alert;

pub use alert::{Alert, AlertPhase, Severity};

/// The rules in force.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {}

impl RuleSet {
    /// The rules that are built in.
    pub fn built_in() -> RuleSet {
        RuleSet {}
    }

    /// `files`: (path as a person would name it, contents) of every `*.toml` of a rules directory.
    /// A rule given here replaces the built-in one of the same id.
    pub fn with_files(_files: &[(String, String)]) -> Result<RuleSet, String> {
        Ok(RuleSet {})
    }
}
