//! The `mode` command: what was typed, and what it means.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::confine::{ConfineArgs, Confinement};
use super::plan::{DeviceName, PlanError, error, one_device};

const NOTES: &str = "\
Without a change it shows what the device says of itself. With one it switches
the test firmware and shows what is in force then:

  esp-tcpwatch mode -d 192.168.4.1
  esp-tcpwatch mode fixed -d 192.168.4.1 --key-file key
  esp-tcpwatch mode unfixed msl_ms=3000 -d 192.168.4.1 --key-file key

modes      unfixed, fixed, fixed-app (keep-alive alone), fixed-all (both)
remedies   msl_ms=250…600000, rst_in_time_wait=ignore|honour,
           syn_in_time_wait=refuse|accept,
           close=server-first|client-first|keep-alive|reset, pcb_cap=0…255

The key file holds the 64 hexadecimal digits that the firmware was built or
started with (openssl rand -hex 32 > key; chmod 600 key). The key itself is
never sent, and never typed.

Exit code 0: it did its work. 2: the command line or the key file is wrong.
4: the device did not answer, or did not take the change; it kept its remedies.";

/// The UDP port of the control channel unless another is named (docs/control-protocol.md).
pub(super) const PORT: u16 = 7777;

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub struct ModeArgs {
    /// A mode, single remedies as REMEDY=VALUE, or both; left out, nothing is changed
    #[arg(value_name = "MODE|REMEDY=VALUE")]
    pub change: Vec<String>,
    /// The device, by address or name
    #[arg(short, long, value_name = "IP")]
    pub device: Option<String>,
    /// UDP port of its control channel [default: 7777]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// The key that its firmware was built or started with
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub key_file: Option<PathBuf>,
    /// One JSON object on stdout, and nothing else there
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub confine: ConfineArgs,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ModePlan {
    /// Empty: show only.
    pub change: Vec<String>,
    pub device: DeviceName,
    pub port: u16,
    /// Present wherever there is a change.
    pub key_file: Option<PathBuf>,
    pub json: bool,
    pub confinement: Confinement,
}

pub fn mode(args: ModeArgs) -> Result<ModePlan, PlanError> {
    let device = one_device(args.device.as_deref(), "mode")?;
    if !args.change.is_empty() && args.key_file.is_none() {
        return Err(error(
            "a change needs the device's key",
            "--key-file FILE, with the key that its firmware was built or started with",
        ));
    }
    Ok(ModePlan {
        change: args.change,
        device,
        port: args.port.unwrap_or(PORT),
        key_file: args.key_file,
        json: args.json,
        confinement: args.confine.into(),
    })
}
