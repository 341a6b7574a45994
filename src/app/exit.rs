//! Exit codes: the contract's five numbers, and which failure is which.
//!
//! Knows the error types that carry a meaning of their own; every other failure is an input or capture that failed.

use core::fmt;

use crate::{cli::PlanError, source::SourceError};

pub const CLEAN: u8 = 0;
/// At least one alert of severity warning or above; for `rules test`, at least one test that does not hold.
pub const ALERTED: u8 = 1;
pub const USAGE: u8 = 2;
pub const PERMISSION: u8 = 3;
pub const FAILED: u8 = 4;

/// A mistake in what was asked for that only the world could reveal: an unknown rule, a name without an address.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// The system does not let us capture, with the lines that would change that.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotPermitted(pub String);

pub fn usage(message: impl fmt::Display) -> anyhow::Error {
    anyhow::Error::new(Usage(message.to_string()))
}

pub fn code_of(error: &anyhow::Error) -> u8 {
    let source = error.downcast_ref::<SourceError>();
    // A filter that libpcap refuses was typed, like everything else on the command line.
    let mistyped = matches!(source, Some(SourceError::Filter { .. }));
    if error.is::<Usage>() || error.is::<PlanError>() || mistyped {
        USAGE
    } else if error.is::<NotPermitted>() || source.is_some_and(SourceError::is_permission) {
        PERMISSION
    } else {
        FAILED
    }
}
