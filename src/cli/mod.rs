//! The command line: what was typed ([`args`], [`rules`]), what stands beneath it ([`settings`]), and what that means
//! ([`plan`]).
//!
//! Plain data. This room opens no file, resolves no name and asks no terminal: `app` does, when it carries a plan out.

pub mod args;
pub mod attach;
pub mod config;
pub mod config_file;
pub mod confine;
pub mod demo;
pub mod drive;
pub mod endpoint;
pub mod events_file;
pub mod experiment;
pub mod firmware;
pub mod mode;
pub mod plan;
pub mod recorder;
mod redaction;
pub mod rules;
pub mod settings;
pub mod size;
pub mod span;

pub use plan::{Plan, PlanError};
