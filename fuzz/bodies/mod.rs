//! What each fuzz target does with its octets, and what must hold whatever they are.
//!
//! Plain functions: `fuzz/targets` has libFuzzer call them, `tests/corpus.rs` calls them with what was found and kept.
//! A panic is a finding, an assertion is an invariant. They know no fuzzer and no clock, and open no file.

mod capture;
mod condition;
mod configuration;
mod decode;
mod engine;
mod events;
pub mod memory;
mod notation;
mod octets;
mod redaction;
mod replies;
mod report;
mod results;
mod rules;
mod screen;

/// What a target does with its octets.
pub type Body = fn(&[u8]);

/// Every target by its name, which is also that of its file in `targets` and of its folder in `corpus`.
pub const TARGETS: &[(&str, Body)] = &[
    ("capture", capture::run),
    ("condition", condition::run),
    ("configuration", configuration::run),
    ("decode", decode::run),
    ("engine", engine::run),
    ("notation", notation::run),
    ("redaction", redaction::run),
    ("replies", replies::run),
    ("report", report::run),
    ("results", results::run),
    ("rules", rules::run),
    ("screen", screen::run),
];

/// The body of the target of this name.
///
/// # Panics
/// Where there is none: a target without a body would find nothing for ever.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, body) = target.unwrap_or_else(|| panic!("no target is called {name}"));
    body(data);
}
