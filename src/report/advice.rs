//! Remedies, and what is often advised, with the arithmetic done.
//!
//! Knows lwIP's TIME-WAIT and the retries of a Linux client. The rules' own remedies come first: they are written
//! for the rule that fired; what stands here corrects what a reader will find elsewhere.

use super::{
    model::Report,
    page::{Block, Table, Text, text},
    safe::shown,
    words::span,
};
use crate::analysis::rule::Alert;

/// Rules whose cause is a connection that the device still holds in TIME-WAIT.
const TIME_WAIT_RULES: [&str; 4] =
    ["time-wait-collision", "ignored-rst", "time-wait-reuse", "syn-reset-in-window"];
const REMEDIES: usize = 10;

/// The remedies of the alerts that matter, gravest alert first, each once.
pub fn remedies(report: &Report) -> Vec<Text> {
    let mut alerts: Vec<&Alert> = report.alerts.values().collect();
    alerts.sort_by_key(|alert| (core::cmp::Reverse(alert.severity), alert.id));
    let mut told: Vec<&str> = Vec::new();
    // One rule's list is ranked as a whole; another rule's would only repeat it in other words.
    let mut rules: Vec<&str> = Vec::new();
    let is_time_wait = |rule: &str| TIME_WAIT_RULES.contains(&rule);
    for alert in alerts {
        let covered =
            rules.iter().any(|rule| *rule == alert.rule || (is_time_wait(rule) && is_time_wait(&alert.rule)));
        if covered {
            continue;
        }
        rules.push(&alert.rule);
        for remedy in &alert.remedies {
            if told.len() < REMEDIES && !told.contains(&remedy.as_str()) {
                told.push(remedy);
            }
        }
    }
    told.into_iter().map(|remedy| Text::plain(shown(remedy, 900))).collect()
}

/// Whether TIME-WAIT is what this report is about.
pub fn is_about_time_wait(report: &Report) -> bool {
    report.findings.keys().any(|rule| TIME_WAIT_RULES.contains(&rule.as_str()))
}

/// What the retries of a Linux client make of a shorter MSL.
pub fn arithmetic(report: &Report) -> Vec<Block> {
    let mut table =
        Table::new(&[">CONFIG_LWIP_TCP_MSL", ">TIME-WAIT", ">first SYN after it", "connect() takes"]);
    table.rows = vec![
        vec![text!("60000 (as shipped)"), text!("120 s"), text!("none"), text!("fails after about 134 s")],
        vec![text!("30000"), text!("60 s"), text!("68 s"), text!("about 68 s")],
        vec![text!("6000"), text!("**12 s**, not 60 s"), text!("18 s"), text!("18.5 s, measured")],
        vec![text!("1000"), text!("2 s"), text!("2 or 3 s"), text!("2 to 3 s")],
    ];
    let mut blocks = vec![
        Block::Paragraph(text!(
            "`CONFIG_LWIP_TCP_MSL` is in milliseconds and is the MSL; TIME-WAIT lasts **twice** as long. A Linux client \
             sends its SYN again about 0.01, 1, 2, 3, 4, 6, 10, 18, 34 and 68 s after the first, so a client that reuses \
             a port at once gets through only with the first of these that comes after TIME-WAIT has ended:"
        )),
        Block::Table(table),
        Block::Paragraph(text!(
            "The 18.5 s were measured with lwIP 2.1.3 and Linux 6.18; the other rows follow from the same retries. A \
             shorter MSL shortens the stall and does not remove it."
        )),
    ];
    let bounded = report.devices.values().find_map(|device| device.msl_s.at_least);
    if let Some(least) = bounded {
        blocks.push(Block::Paragraph(text!(
            "What was seen here bounds this device's MSL to at least {}: TIME-WAIT of at least {}.",
            span(least),
            span(2.0 * least)
        )));
    }
    blocks
}

/// What is often advised, and does not help.
pub fn no_help() -> Vec<Block> {
    vec![Block::Bullets(vec![
        text!(
            "`{}` on the device: lwIP sends a RST on close only while data is unsent or unacknowledged, otherwise FIN \
             and TIME-WAIT as usual; ESP-IDF compiles the option out by default.",
            "SO_LINGER {1, 0}"
        ),
        text!(
            "`net.ipv4.tcp_tw_reuse` on the client: it is the device that is in TIME-WAIT, and the option needs TCP \
             timestamps, which ESP-IDF leaves switched off."
        ),
        text!(
            "A cap on the number of connections (MicroPython 1.24 has one of 12): it throws out the oldest ones; the \
             newest, which a client is likeliest to reuse, are refused as before."
        ),
    ])]
}

/// How to recognise each remedy in a capture, for whoever tests a fix.
pub fn looks_like() -> Vec<Block> {
    let mut table = Table::new(&["remedy on trial", "what a new capture of a reused port must show"]);
    table.rows = [
        ("accept a newer SYN in TIME-WAIT (RFC 1122 4.2.2.13, RFC 6191)", "SYN, SYN ACK at once"),
        ("honour an exact RST in TIME-WAIT", "SYN, stale ACK, RST, about 10 ms later SYN, SYN ACK"),
        ("HTTP keep-alive", "one connection, no FIN, no TIME-WAIT"),
        (
            "the client closes first",
            "the client sends the first FIN; the client, not the device, holds TIME-WAIT",
        ),
        ("shorter MSL", "the same refusals, ended by the first SYN after TIME-WAIT"),
        ("a cap on connections", "the newest connections are refused as before"),
    ]
    .into_iter()
    .map(|(remedy, sight)| vec![Text::plain(remedy), Text::plain(sight)])
    .collect();
    vec![Block::Table(table)]
}
