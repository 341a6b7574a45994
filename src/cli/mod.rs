//! The command line: what was typed ([`args`], [`rules`]) and what it means ([`plan`]).
//!
//! Plain data. This room opens no file, resolves no name and asks no terminal: `app` does, when it carries a plan out.

pub mod args;
pub mod drive;
pub mod mode;
pub mod plan;
pub mod rules;
pub mod size;
pub mod span;

pub use plan::{Plan, PlanError};
