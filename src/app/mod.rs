//! The only room that wires the others together: a plan goes in, an exit code comes out.

use anyhow::Result;

use crate::cli::{Plan, args::Cli};

pub mod exit;

pub mod account;
mod attachment;
mod beside;
mod config;
pub mod control;
#[cfg(target_os = "linux")]
mod demo;
mod devices;
mod drive;
mod duty;
mod evidence;
mod experiment;
pub mod files;
mod firmware;
mod flight;
pub mod host;
mod interfaces;
mod key;
mod log;
mod look;
mod metrics;
mod mode;
pub mod moves;
mod output;
mod pages;
mod pieces;
mod pipeline;
mod print;
mod privilege;
mod redaction;
mod replay;
mod report;
mod rule_docs;
mod rule_fields;
mod rule_test;
mod rules;
pub mod sandbox;
mod saved_run;
mod screen;
mod service;
mod session;
pub mod shutdown;
mod socket;
mod successor;
mod terminal;
#[cfg(target_os = "linux")]
mod twin_key;
mod waiter;
mod watch;

/// Program and version, as the `start` event tells it.
const TOOL: &str = concat!("esp-tcpwatch ", env!("CARGO_PKG_VERSION"));

/// What `cli` means, with what the configuration file and the environment set for what was left out.
pub fn plan(cli: Cli) -> Result<Plan> {
    let cli = if cli.takes_settings() {
        let settings = config::settings(cli.config.as_deref())?;
        cli.filled(&settings)
    } else {
        cli
    };
    Ok(Plan::try_from(cli)?)
}

/// Carries `plan` out; the exit code, or the error that [`exit::code_of`] gives one.
pub fn run(plan: Plan) -> Result<u8> {
    match plan {
        Plan::Watch(plan) => watch::run(plan),
        Plan::Attach(plan) => socket::onlook::run(plan),
        Plan::Report(plan) => report::run(plan),
        Plan::Demo(plan) => demo(plan),
        Plan::Drive(plan) => drive::run(plan),
        Plan::Mode(plan) => mode::run(plan),
        Plan::Experiment(plan) => experiment::run(plan),
        Plan::Rules(plan) => rules::run(plan),
        Plan::Firmware(plan) => firmware::run(plan),
        Plan::Config(plan) => config::run(plan),
        Plan::Interfaces => interfaces::run(),
        Plan::Completions(shell) => pages::completions(shell),
        Plan::Man => pages::man(),
    }
}

#[cfg(target_os = "linux")]
fn demo(plan: crate::cli::plan::DemoPlan) -> Result<u8> {
    demo::run(plan)
}

#[cfg(not(target_os = "linux"))]
fn demo(_: crate::cli::plan::DemoPlan) -> Result<u8> {
    anyhow::bail!("the demo needs Linux: its device lives on a TAP in a network namespace")
}
