//! The `interfaces` command: what can be captured on, one line each.

use core::fmt::Write;

use anyhow::Result;

use super::{exit, print::print};
use crate::source::interfaces;

pub fn run() -> Result<u8> {
    let found = interfaces::list()?;
    let width = found.iter().map(|interface| interface.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for interface in &found {
        let addresses: Vec<_> = interface.addresses.iter().map(ToString::to_string).collect();
        writeln!(text, "{:<width$}  {}", interface.name, addresses.join(" "))?;
    }
    print(text)?;
    Ok(exit::CLEAN)
}
