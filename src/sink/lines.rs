//! Plain lines: the event stream as a person reads it in a log.
//!
//! Knows the words. Refuses to know a terminal: no colour, no cursor, no width; every text that came from outside
//! is escaped. Each line names the rule, so that `grep` finds what belongs together.

use core::fmt::{self, Write as _};
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Write};

use self::words::{facts, frames, list, prose, quality, span};
use super::Sink;
use crate::analysis::{
    detect::Finding,
    event::{DeviceEvent, Event, FlowChange, FlowEvent, MarkerEvent, SegmentEvent, Start, Summary},
    host::{DeviceFacts, Stack},
    input::Progress,
    rule::{Alert, AlertPhase},
    time::Timestamp,
};
use crate::text::{counted, escape, times};

mod words;

/// Findings remembered so that an alert can quote the one that raised it.
const REMEMBERED: usize = 64;
/// Devices and rules remembered so that nothing is told twice; past it, twice is better than growing without end.
const KNOWN: usize = 256;

/// What else is written beside alerts, changes of devices, losses, markers and the summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinesOptions {
    /// Every finding, and every flow event the stream carries, on a line of its own. Segments, which the stream
    /// carries only where they were asked for, always have theirs.
    pub findings: bool,
}

/// Writes readable lines.
#[derive(Debug)]
pub struct PlainLines<W: Write> {
    out: W,
    options: LinesOptions,
    memory: Memory,
}

/// What was already said.
#[derive(Debug, Default)]
struct Memory {
    /// The UTC day of the last line: times of day mean nothing without it.
    day: String,
    findings: VecDeque<(u64, String)>,
    devices: BTreeMap<IpAddr, DeviceFacts>,
    explained: BTreeSet<String>,
    /// What was said of an experiment last.
    progress: Option<(Option<String>, Option<String>)>,
}

impl<W: Write> PlainLines<W> {
    pub fn new(out: W, options: LinesOptions) -> Self {
        PlainLines { out, options, memory: Memory::default() }
    }

    pub fn into_inner(mut self) -> io::Result<W> {
        self.flush()?;
        Ok(self.out)
    }
}

impl<W: Write> Sink for PlainLines<W> {
    fn on_event(&mut self, event: &Event) -> io::Result<()> {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = say(&mut text, &mut self.memory, self.options, event);
        self.out.write_all(text.as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn say(out: &mut String, memory: &mut Memory, options: LinesOptions, event: &Event) -> fmt::Result {
    match event {
        Event::Start(start) => say_start(out, start),
        Event::Segment(segment) => {
            let at = clock(out, memory, segment.when.0)?;
            say_segment(out, &at, segment)
        }
        Event::Flow(flow) => {
            if options.findings {
                let at = clock(out, memory, flow.when.0)?;
                say_flow(out, &at, flow)?;
            }
            Ok(())
        }
        Event::Finding(finding) => {
            if options.findings {
                let at = clock(out, memory, finding.when.0)?;
                writeln!(
                    out,
                    "{at} finding {} ({}) {}{} [frames {}]",
                    escape(&finding.rule),
                    finding.certainty,
                    if finding.is_of_device() {
                        whole_device(finding.device, Some(&finding.text))
                    } else {
                        format!("{} -> {}: ", finding.client, finding.server)
                    },
                    prose(&finding.text),
                    frames(&finding.frames, 0),
                )?;
            }
            memory.remember(finding);
            Ok(())
        }
        Event::Alert(alert) => {
            let at = clock(out, memory, alert.when.0)?;
            say_alert(out, memory, &at, alert)
        }
        Event::Device(device) => {
            if memory.is_news(&device.facts) {
                let at = clock(out, memory, device.when.0)?;
                say_device(out, &at, device)?;
            }
            Ok(())
        }
        Event::Capture(capture) => {
            let at = clock(out, memory, capture.when.0)?;
            writeln!(out, "{at} CAPTURE {}: {}", prose(&capture.text), quality(&capture.quality))
        }
        Event::Marker(marker) => {
            let at = clock(out, memory, marker.when.0)?;
            say_marker(out, &at, marker)
        }
        Event::Progress(event) => {
            if memory.is_news_of_an_experiment(&event.progress) {
                let at = clock(out, memory, event.when.0)?;
                say_progress(out, &at, &event.progress)?;
            }
            Ok(())
        }
        Event::Summary(summary) => {
            let at = clock(out, memory, summary.when.0)?;
            say_summary(out, &at, summary)
        }
    }
}

fn say_start(out: &mut String, start: &Start) -> fmt::Result {
    let doing = match start.source.as_str() {
        "live" => "watching interface",
        "file" => "reading",
        "stream" => "reading the stream",
        _ => "reading from",
    };
    write!(out, "{}: {doing} {}", escape(&start.tool), escape(&start.name))?;
    if let Some(filter) = &start.filter {
        write!(out, ", filter \"{}\"", escape(filter))?;
    }
    match start.devices.as_slice() {
        [] => write!(out, "; devices: recognised by what they send")?,
        [one] => write!(out, "; device {one}")?,
        many => write!(out, "; devices {}", list(many))?,
    }
    let rules: Vec<_> = start.rules.iter().map(|rule| escape(rule)).collect();
    writeln!(out, "; rules: {}", if rules.is_empty() { "none".to_owned() } else { rules.join(", ") })
}

/// The numbers are the wire's own.
fn say_segment(out: &mut String, at: &str, segment: &SegmentEvent) -> fmt::Result {
    let SegmentEvent { client, server, flags, seq, .. } = segment;
    let arrow = if segment.from_client { "->" } else { "<-" };
    write!(
        out,
        "{at} segment {client} {arrow} {server} (life {}, frame {}): ",
        segment.incarnation, segment.frame
    )?;
    write!(out, "{flags} seq {seq}")?;
    if let Some(ack) = segment.ack {
        write!(out, " ack {ack}")?;
    }
    write!(out, " len {} win {}", segment.len, segment.window)?;
    if let Some(what) = segment.what() {
        write!(out, ", {what}")?;
    }
    writeln!(out, "; client {}, server {}", segment.client_state, segment.server_state)
}

fn say_flow(out: &mut String, at: &str, flow: &FlowEvent) -> fmt::Result {
    let change = match flow.change {
        FlowChange::Opened => "opened",
        FlowChange::State => "state",
        FlowChange::Closed => "closed",
    };
    writeln!(
        out,
        "{at} flow {change} {} -> {} (life {}, frame {}): client {}, server {}; {} and {} octets",
        flow.client,
        flow.server,
        flow.incarnation,
        flow.frame,
        escape(&flow.client_state),
        escape(&flow.server_state),
        flow.client_bytes,
        flow.server_bytes,
    )
}

/// The first line stands alone; the explanation follows the first alert of each rule only.
fn say_alert(out: &mut String, memory: &mut Memory, at: &str, alert: &Alert) -> fmt::Result {
    let severity = alert.severity.to_string().to_uppercase();
    let rule = escape(&alert.rule);
    write!(out, "{at} {severity} {rule} ({}) ", alert.certainty)?;
    match alert.client {
        _ if alert.is_of_device() => {
            let quote = memory.quote(alert).filter(|_| alert.phase == AlertPhase::Raised);
            out.push_str(&whole_device(alert.device, quote));
        }
        Some(client) => write!(out, "{client} -> {}: ", alert.server)?,
        None => write!(out, "several connections -> {}: ", alert.server)?,
    }
    let span = span(alert.last.since(alert.first).as_secs_f64());
    match alert.phase {
        AlertPhase::Raised => match memory.quote(alert) {
            Some(quote) => writeln!(out, "{quote} [alert {}]", alert.id)?,
            None => writeln!(
                out,
                "{} [alert {}, frames {}]",
                prose(&alert.title),
                alert.id,
                frames(&alert.frames, alert.frames_omitted)
            )?,
        },
        AlertPhase::Grown => {
            writeln!(out, "{} so far, within {span} [alert {}]", times(alert.count), alert.id)?;
        }
        AlertPhase::Ended => writeln!(
            out,
            "over; {} within {span} [alert {}, frames {}]",
            times(alert.count),
            alert.id,
            frames(&alert.frames, alert.frames_omitted)
        )?,
    }
    if alert.phase == AlertPhase::Raised && memory.explain(&alert.rule) {
        writeln!(out, "{INDENT}{rule}: {}", prose(&alert.title))?;
        writeln!(out, "{INDENT}{rule}, why: {}", prose(&alert.why))?;
        if let Some(remedy) = alert.remedies.first() {
            writeln!(out, "{INDENT}{rule}, remedy: {}", prose(remedy))?;
        }
    }
    Ok(())
}

/// Whom a line is about that is about no connection; nothing where `text` begins with it.
fn whole_device(device: IpAddr, text: Option<&str>) -> String {
    let name = device.to_string();
    if text.is_some_and(|text| text.starts_with(&name)) { String::new() } else { format!("{name}: ") }
}

fn say_device(out: &mut String, at: &str, device: &DeviceEvent) -> fmt::Result {
    writeln!(out, "{at} DEVICE {}", facts(&device.facts))
}

fn say_marker(out: &mut String, at: &str, marker: &MarkerEvent) -> fmt::Result {
    let consequence = if marker.mode_changed {
        " (the device was changed here: what was learned of it before no longer binds)"
    } else {
        ""
    };
    writeln!(out, "{at} MARKER {}{consequence}", prose(&marker.text))
}

/// What the last block came to, and at the end what may be concluded.
fn say_progress(out: &mut String, at: &str, progress: &Progress) -> fmt::Result {
    let Progress { device, block, blocks, last, verdict, .. } = progress;
    if let Some(verdict) = verdict {
        return writeln!(out, "{at} EXPERIMENT {device}: {}", prose(verdict));
    }
    let last = last.as_deref().unwrap_or("it begins");
    writeln!(out, "{at} EXPERIMENT {device} (at block {block} of {blocks}): {}", prose(last))
}

fn say_summary(out: &mut String, at: &str, summary: &Summary) -> fmt::Result {
    writeln!(out, "{at} SUMMARY {}", prose(&summary.verdict))?;
    writeln!(
        out,
        "{INDENT}{} in {}: {}, {}, {}",
        counted(summary.frames, "frame"),
        span(summary.duration_s),
        counted(summary.segments, "TCP segment"),
        counted(summary.flows, "flow"),
        counted(summary.incarnations, "connection")
    )?;
    for (reason, count) in &summary.skipped {
        writeln!(out, "{INDENT}not TCP or not readable: {count} × {}", escape(reason))?;
    }
    for (rule, count) in &summary.findings {
        let alerts = summary.alerts.get(rule).copied().unwrap_or(0);
        writeln!(
            out,
            "{INDENT}{}: {}, {}",
            escape(rule),
            counted(*count, "finding"),
            counted(alerts, "alert")
        )?;
    }
    for device in &summary.devices {
        writeln!(out, "{INDENT}device {}", facts(device))?;
    }
    if summary.devices_omitted > 0 {
        writeln!(out, "{INDENT}and {} more", counted(summary.devices_omitted, "device"))?;
    }
    writeln!(out, "{INDENT}capture: {}", quality(&summary.capture))
}

const INDENT: &str = "             ";

impl Memory {
    fn remember(&mut self, finding: &Finding) {
        if self.findings.len() >= REMEMBERED {
            self.findings.pop_front();
        }
        let quote = format!("{} [frames {}]", prose(&finding.text), frames(&finding.frames, 0));
        self.findings.push_back((finding.id, quote));
    }

    /// The words of the newest finding that `alert` names.
    fn quote(&self, alert: &Alert) -> Option<&str> {
        let newest = alert.findings.last()?;
        self.findings.iter().rev().find(|(id, _)| id == newest).map(|(_, text)| text.as_str())
    }

    /// Whether `rule` is still to be explained.
    fn explain(&mut self, rule: &str) -> bool {
        if self.explained.contains(rule) {
            return false;
        }
        if self.explained.len() < KNOWN {
            self.explained.insert(rule.to_owned());
        }
        true
    }

    /// Whether a block ended, or the experiment did.
    fn is_news_of_an_experiment(&mut self, progress: &Progress) -> bool {
        let said = Some((progress.last.clone(), progress.verdict.clone()));
        let news = self.progress != said;
        self.progress = said;
        news
    }

    /// Whether a line on this device would tell something. Counters and growing bounds alone do not: the summary has them.
    fn is_news(&mut self, facts: &DeviceFacts) -> bool {
        let known = self.devices.get(&facts.address);
        let news = known.map_or(facts.stack != Stack::Unknown || facts.time_wait.entered > 0, |known| {
            known.stack != facts.stack
                || known.rst_in_time_wait != facts.rst_in_time_wait
                || known.syn_in_time_wait != facts.syn_in_time_wait
                || known.behaves_as != facts.behaves_as
                || known.note != facts.note
                || known.pcb_cap.at_most.is_some() != facts.pcb_cap.at_most.is_some()
                || known.time_wait.accepted_from_s.is_some() != facts.time_wait.accepted_from_s.is_some()
                || (known.time_wait.entered == 0) != (facts.time_wait.entered == 0)
        });
        if known.is_some() || self.devices.len() < KNOWN {
            self.devices.insert(facts.address, facts.clone());
        }
        news
    }
}

/// The time of day, after a line that says which day, where that is new.
fn clock(out: &mut String, memory: &mut Memory, time: Timestamp) -> Result<String, fmt::Error> {
    let full = time.to_string();
    // 2026-11-22T23:43:48.323001Z; a time outside the calendar is written as it is.
    let (Some(day), Some(of_day)) = (full.get(..10), full.get(11..23)) else {
        return Ok(full);
    };
    if memory.day != day {
        writeln!(out, "--- {day}, times are UTC ---")?;
        memory.day = day.to_owned();
    }
    Ok(of_day.to_owned())
}
