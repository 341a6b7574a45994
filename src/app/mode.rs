//! What a device's test firmware says of itself, and a switch of its remedies.
//!
//! Knows how both are shown. The protocol is the firmware room's.

use core::net::SocketAddr;
use std::fmt::Write as _;

use anyhow::Result;
use serde_json::json;

use super::{
    devices,
    exit::{self, usage},
    key,
    print::print,
    sandbox::{self, Needs, Sockets},
    successor::successor,
};
use crate::cli::mode::ModePlan;
use crate::firmware::{
    change::Change,
    change_blocking,
    protocol::{Status, word},
    status_blocking,
};

pub fn run(plan: ModePlan) -> Result<u8> {
    let change = Change::from_words(&plan.change).map_err(usage)?;
    let address = devices::address_of(&plan.device)?.ok_or_else(|| usage("--device has no address"))?;
    let device = SocketAddr::new(address, plan.port);
    let key = plan.key_file.as_deref().map(key::read).transpose()?;
    // Whoever typed sudo out of habit: nothing here needs it, and answers of strangers are about to be read.
    let needs = Needs { sockets: Sockets::Network, ..Needs::default() };
    sandbox::enter(successor(plan.confinement.user.as_deref())?, &plan.confinement, &needs)?;
    let status = match key.filter(|_| !change.is_empty()) {
        Some(key) => change_blocking(device, &key, &change)?.status,
        None => status_blocking(device)?,
    };
    print(if plan.json { as_json(device, &change, &status)? } else { as_text(device, &change, &status)? })?;
    Ok(exit::CLEAN)
}

fn as_json(device: SocketAddr, change: &Change, status: &Status) -> Result<String> {
    let told = json!({ "type": "mode", "device": device, "changed": change.in_words(), "status": status });
    Ok(serde_json::to_string(&told)? + "\n")
}

fn as_text(device: SocketAddr, change: &Change, status: &Status) -> Result<String> {
    let mut text = String::new();
    if !change.is_empty() {
        writeln!(text, "{} switched: {}; it confirms:", device.ip(), change.in_words())?;
    }
    let remedies = &status.remedies;
    let unknown = || "not known to this firmware".to_owned();
    let named = |word: Option<String>| word.unwrap_or_else(unknown);
    let met = &status.time_wait;
    let rows = [
        ("device", format!("{}, test firmware {} on {}", status.chip, status.firmware, status.stack)),
        ("up", {
            let count = status.boots.map(|boots| format!(", start {boots}")).unwrap_or_default();
            format!("{:.1} s{count}", status.uptime_ms as f64 / 1e3)
        }),
        ("mode", status.mode.clone()),
        (
            "msl_ms",
            named(remedies.msl_ms.map(|msl| format!("{msl} (TIME-WAIT: {} s)", 2.0 * f64::from(msl) / 1e3))),
        ),
        ("rst_in_time_wait", named(remedies.rst_in_time_wait.map(|rst| word(&rst)))),
        ("syn_in_time_wait", named(remedies.syn_in_time_wait.map(|syn| word(&syn)))),
        ("close", word(&remedies.close)),
        (
            "pcb_cap",
            named(remedies.pcb_cap.map(|cap| if cap == 0 { "0 (none)".to_owned() } else { cap.to_string() })),
        ),
        (
            "served",
            format!(
                "{} of {} connections, {} errors",
                status.http.served, status.http.accepted, status.http.errors
            ),
        ),
        (
            "in TIME-WAIT",
            format!(
                "{} now; met there: {} SYNs ({} accepted), {} RSTs ({} honoured); {} evicted",
                status.pcbs.time_wait, met.syns, met.syns_accepted, met.rsts, met.rsts_honoured, met.evicted
            ),
        ),
    ];
    for (name, value) in rows {
        writeln!(text, "{name:<17} {value}")?;
    }
    Ok(text)
}
