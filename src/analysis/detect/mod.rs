//! Facts that the wire supports, one file a detector. Code proves; the rule's TOML judges.

pub mod finding;

pub use finding::{EvidenceSegment, Finding};
