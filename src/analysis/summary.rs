//! The last event of a run, and its verdict in plain words.

use std::collections::BTreeMap;

use super::{
    event::{CaptureQuality, Summary},
    host::{Behaviour, Blocked, Delay, DelayFacts, DeviceFacts, Hosts, Outcome},
    rule::Severity,
    time::{Timestamp, When},
    wire::{Skip, SkipCounts, WHERE_TO_STAND},
};

/// Rules, beside refusals, that a verdict tells in full.
const IN_FULL: usize = 2;

/// What the first alert of a rule was about.
#[derive(Clone, Debug)]
pub struct Raised {
    pub severity: Severity,
    /// The words of the finding that raised it.
    pub text: String,
}

/// What the summary counts.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub frames: u64,
    pub segments: u64,
    pub skipped: SkipCounts,
    pub flows: u64,
    pub incarnations: u64,
    pub findings: BTreeMap<String, u64>,
    pub alerts: BTreeMap<String, u64>,
    /// By rule.
    pub raised: BTreeMap<String, Raised>,
    pub quality: CaptureQuality,
    pub first: Option<Timestamp>,
    pub now: Timestamp,
    pub findings_told: u64,
    /// Conditions of users' rules that could not be evaluated, by rule id.
    pub unevaluated: BTreeMap<String, u64>,
}

pub fn of(counts: &Counts, hosts: &Hosts) -> Summary {
    let (devices, devices_omitted) = hosts.summary();
    Summary {
        when: When(counts.now),
        frames: counts.frames,
        segments: counts.segments,
        skipped: counts.skipped.named(),
        flows: counts.flows,
        incarnations: counts.incarnations,
        findings: counts.findings.clone(),
        alerts: counts.alerts.clone(),
        unevaluated: counts.unevaluated.clone(),
        verdict: verdict(counts, hosts, &devices),
        devices,
        devices_omitted,
        capture: counts.quality,
        duration_s: counts.first.map_or(0.0, |first| (counts.now.seconds_after(first) * 1e6).round() / 1e6),
    }
}

fn verdict(counts: &Counts, hosts: &Hosts, listed: &[DeviceFacts]) -> String {
    let refusing: Vec<_> = hosts.iter().filter(|device| device.refusals > 0).collect();
    let mut sentences: Vec<String> = refusing
        .iter()
        .take(3)
        .map(|device| refusal_sentence(device.refusals, device.ignored_rsts, &device.facts()))
        .collect();
    if refusing.len() > 3 {
        sentences.push(format!("{} more devices refused connections in the same way.", refusing.len() - 3));
    }
    sentences.extend(other_sentences(counts));
    if refusing.is_empty() {
        sentences.push(healthy_sentence(counts, listed));
    }
    if counts.skipped.of(Skip::MonitorMode) > 0 {
        sentences.push(format!(
            "{} could not be read. {WHERE_TO_STAND}",
            counted(counts.skipped.of(Skip::MonitorMode), "frame")
        ));
    }
    if counts.quality.dropped > 0 {
        sentences.push(format!(
            "{} frames were lost before they could be seen, so this may not be all.",
            counts.quality.dropped
        ));
    }
    sentences.join(" ")
}

/// What else was alerted: the gravest in the words of its first finding, the rest by name. A finding that no rule makes an
/// alert of is no part of a verdict.
fn other_sentences(counts: &Counts) -> Vec<String> {
    // The two rules that the refusals are about are told already.
    let told = |rule: &str| rule == "time-wait-collision" || rule == "ignored-rst";
    let mut others: Vec<(&String, &Raised)> = counts.raised.iter().filter(|(rule, _)| !told(rule)).collect();
    others.sort_by_key(|(_, raised)| core::cmp::Reverse(raised.severity));
    let number = |rule: &String| counts.findings.get(rule).copied().unwrap_or_default();
    let mut sentences = Vec::new();
    for (rule, raised) in others.iter().take(IN_FULL) {
        let first = if number(rule) == 1 { "" } else { ", the first" };
        sentences.push(format!("{rule} ({}{first}): {}", number(rule), raised.text));
    }
    let rest: Vec<String> =
        others.iter().skip(IN_FULL).map(|(rule, _)| format!("{rule} ({})", number(rule))).collect();
    if !rest.is_empty() {
        sentences.push(format!("Also found: {}.", rest.join(", ")));
    }
    sentences
}

fn refusal_sentence(refusals: u64, ignored: u64, facts: &DeviceFacts) -> String {
    let device = facts.address;
    let mut text = format!(
        "{device} refused {} with stale ACKs: it had closed the old connection on the same ports first and still \
         held it in TIME-WAIT",
        counted(refusals, "SYN")
    );
    if ignored > 0 {
        text.push_str(&format!(
            ", and it ignored {} that would have freed it",
            counted(ignored, "exact RST")
        ));
    }
    text.push('.');
    match (facts.msl_s.at_least, facts.msl_s.at_most) {
        (Some(least), Some(most)) => text.push_str(&format!(
            " Its TIME-WAIT (2·MSL) lasts between {:.1} and {:.1} s.",
            2.0 * least,
            2.0 * most
        )),
        (Some(least), None) if least >= 0.5 => {
            text.push_str(&format!(" Its TIME-WAIT (2·MSL) lasts at least {:.1} s.", 2.0 * least));
        }
        (Some(_), None) | (None, _) => {}
    }
    text.push_str(match facts.behaves_as {
        Behaviour::Unfixed => " It behaves as unfixed lwIP does.",
        Behaviour::HonoursRst => {
            " It honours the client's RST: the SYN that follows is accepted, so each refusal cost milliseconds."
        }
        Behaviour::AcceptsSyn => " It also accepted newer SYNs in TIME-WAIT.",
        Behaviour::Mixed => " Its behaviour changed during the capture.",
        Behaviour::Unknown => "",
    });
    if let Some(longest) = facts.delays.longest {
        text.push(' ');
        text.push_str(&delay_sentence(&facts.delays, &longest));
    }
    text
}

/// What it cost, and what stood in the way of the client that waited longest.
fn delay_sentence(delays: &DelayFacts, longest: &Delay) -> String {
    let attempts = delays.delayed + delays.reset + delays.unfinished;
    let mut text = if attempts == 1 {
        "One connect()".to_owned()
    } else {
        format!("{attempts} connect()s waited {} in all. The longest,", span(delays.waited_s))
    };
    text.push_str(&format!(
        " from {client}{comma} waited {waited} over {syns} (frames {first} to {last}) {end}",
        client = longest.client,
        comma = if attempts == 1 { "" } else { "," },
        waited = span(longest.waited_s),
        syns = counted(longest.syns.into(), "SYN"),
        first = longest.first_frame,
        last = longest.last_frame,
        end = match longest.outcome {
            Outcome::Accepted => "until it was let in",
            Outcome::Reset => "until a RST refused it for good",
            Outcome::Unfinished => "and was not seen to get in",
        },
    ));
    if let Some(Blocked { incarnation, closed_in }) = longest.blocked_by {
        text.push_str(&format!(
            ", blocked by incarnation {incarnation} of the same four-tuple, which the device closed first in frame \
             {closed_in}"
        ));
    }
    text.push('.');
    text
}

fn span(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1e3) } else { format!("{seconds:.1} s") }
}

fn healthy_sentence(counts: &Counts, listed: &[DeviceFacts]) -> String {
    let accepted: u64 = listed.iter().map(|device| device.accepted).sum();
    if counts.frames == 0 {
        return "No frame was seen, so nothing can be said.".to_owned();
    }
    if counts.segments == 0 {
        return "No TCP segment was seen, so nothing can be said about connections.".to_owned();
    }
    if counts.flows == 0 {
        return format!(
            "None of the {} belongs to the device: check its address, and where the capture was taken.",
            counted(counts.segments, "TCP segment")
        );
    }
    if accepted == 0 {
        return format!(
            "No SYN was refused by a stale ACK, but no connection was seen to be accepted either, in {} on {}.",
            counted(counts.segments, "segment"),
            counted(counts.flows, "four-tuple")
        );
    }
    let accepts = listed.iter().any(|device| device.behaves_as == Behaviour::AcceptsSyn);
    let reuse = if accepts { " Reused ports were accepted in TIME-WAIT at once." } else { "" };
    format!(
        "No SYN was refused and no RST ignored; the device accepted {}.{reuse}",
        counted(accepted, "connection")
    )
}

fn counted(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
