//! How sure a statement is: the word that travels with every finding.

use core::fmt;

use serde::{Deserialize, Serialize};

/// How sure a statement is; travels with it to every screen and report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// Fits what was seen, and so does something else.
    Suspected,
    /// Follows from what was seen, unless frames were lost or reordered.
    Inferred,
    /// Seen, frame by frame.
    Proven,
}

impl fmt::Display for Certainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Certainty::Suspected => "suspected",
            Certainty::Inferred => "inferred",
            Certainty::Proven => "proven",
        })
    }
}
