//! Judgement: severities, wording, remedies and the policy that turns findings into alerts.

pub mod alert;
pub mod load;
pub mod own;
pub mod own_test;
pub mod policy;
pub mod remedy;
pub mod schema;
pub mod scope;
pub mod wording;

pub use alert::{Alert, AlertPhase, Severity};
pub use load::{RuleError, RuleSet, built_in_sources};
pub use own::{Heard, Listeners};
pub use own_test::{OwnTest, Scene};
pub use policy::AlertBook;
pub use remedy::Remedy;
pub use schema::{GroupBy, Policy, Rule};
