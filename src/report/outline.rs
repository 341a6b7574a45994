//! The parts of a report and their order: what convinces first, what proves next, what is only looked up last.
//!
//! Knows which part says what, and which can be left out where there is no room. How it looks is the renderers'
//! business, and what the form of a project asks for is [`template`](super::template)'s.

use super::{
    advice, certainty, check, cost, device, experiment, ladder, mermaid,
    model::Report,
    opening,
    page::{Block, Page, Section, Table, Text, text},
    safe::shown,
    story, timeline, vantage,
    words::{list, span, utc},
};
use crate::text::counted;

const DEVICES: usize = 4;
const ALERTS: usize = 20;
const REFERENCES: usize = 16;
const SKIPPED: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Verdict,
    /// Of a clean run: what was put to the test.
    Observable,
    Chain,
    Frames,
    Cost,
    /// Of an experiment, as are the five that follow.
    Arms,
    Differences,
    Held,
    Accounts,
    Limits,
    SetUp,
    Devices,
    Certainty,
    Capture,
    Check,
    Remedies,
    Reproduce,
    Environment,
    /// Of an experiment's blocks.
    Recordings,
    Packets,
    Attached,
    Timeline,
    Connections,
    Alerts,
    References,
}

/// All of them, in the order that convinces.
pub const ORDER: [Part; 25] = [
    Part::Verdict,
    Part::Observable,
    Part::Chain,
    Part::Frames,
    Part::Cost,
    Part::Arms,
    Part::Differences,
    Part::Held,
    Part::Accounts,
    Part::Limits,
    Part::SetUp,
    Part::Devices,
    Part::Certainty,
    Part::Capture,
    Part::Check,
    Part::Remedies,
    Part::Reproduce,
    Part::Environment,
    Part::Recordings,
    Part::Packets,
    Part::Attached,
    Part::Timeline,
    Part::Connections,
    Part::Alerts,
    Part::References,
];

/// The report for whoever asks.
pub fn page(report: &Report) -> Page {
    let sections = ORDER.into_iter().filter_map(|part| section(report, part)).collect();
    Page { title: opening::title(report), sections }
}

/// One part; `None` where there is nothing to say. A report is of an experiment, or of a run that was watched.
pub fn section(report: &Report, part: Part) -> Option<Section> {
    match &report.experiment {
        Some(experiment) => experiment::parts::section(experiment, part),
        None => of_run(report, part),
    }
}

fn of_run(report: &Report, part: Part) -> Option<Section> {
    let section = match part {
        Part::Arms
        | Part::Differences
        | Part::Held
        | Part::Accounts
        | Part::Limits
        | Part::SetUp
        | Part::Recordings => return None,
        Part::Verdict => Section::new("", opening::blocks(report)),
        Part::Observable if report.found_fault() => return None,
        Part::Observable => Section::new(
            "What could be seen, and what could not",
            vec![Block::Bullets(opening::observable(report))],
        ),
        Part::Chain => Section::new("What happened", chain(report)),
        Part::Frames => Section::new("The frames", frames(report)),
        Part::Cost if !report.found_fault() => return None,
        Part::Cost => {
            Section::new("What it cost", bullets(cost::sentences(report))).or("what it cost the clients")
        }
        Part::Devices => devices(report),
        Part::Certainty => Section::new("How certain this is", certainty::blocks(report))
            .or(format!("the certainty of {}", counted(report.findings.len() as u64, "rule"))),
        Part::Capture => Section::new("How it was captured", bullets(vantage::sentences(report)))
            .or("where and how well this was captured"),
        Part::Check => {
            Section::new("Check it in Wireshark", checks(report)).or("how to check this in Wireshark")
        }
        Part::Remedies => Section::new("Remedies, best first", remedies(report)).or("the remedies"),
        Part::Reproduce => {
            let text = check::reproduce(report);
            Section::new("See it again", vec![Block::Code { language: "sh", text }])
                .or("commands that show it again")
        }
        Part::Environment => {
            Section::new("Environment", bullets(environment(report))).or("what this report was made with")
        }
        Part::Packets => Section::new("The packets themselves", packets(report))
            .or("under which numbers the cited frames are in the evidence file"),
        Part::Attached => Section::new("Files that belong to this", attached(report))
            .or("names and digests of the files that belong to this"),
        Part::Timeline => {
            let entries = timeline::entries(report);
            let brief = format!("a timeline of {}", counted(entries.len() as u64, "point"));
            Section::new("Timeline", bullets(entries)).or(brief)
        }
        Part::Connections => {
            let brief = format!("a table of {}", counted(report.episodes.len() as u64, "connection"));
            folded("Connections", "The connections that met trouble", cost::connections(report)).or(brief)
        }
        Part::Alerts => {
            let brief = format!("a table of {}", counted(report.alerts.len() as u64, "alert"));
            folded("Alerts", "All alerts", alerts(report)).or(brief)
        }
        Part::References => folded("References", "Where the rules are written", references(report))
            .or("references to the standards"),
    };
    (!section.blocks.is_empty()).then_some(section)
}

fn bullets(items: Vec<Text>) -> Vec<Block> {
    if items.is_empty() { Vec::new() } else { vec![Block::Bullets(items)] }
}

/// A section that opens when it is asked for.
fn folded(heading: &str, summary: &str, blocks: Vec<Block>) -> Section {
    let blocks =
        if blocks.is_empty() { blocks } else { vec![Block::Details { summary: summary.to_owned(), blocks }] };
    Section::new(heading, blocks)
}

fn chain(report: &Report) -> Vec<Block> {
    let Some((_, Some(episode))) = report.fault() else { return Vec::new() };
    let mut intro = if episode.is_of_device() {
        text!("About {} as a whole, and no single connection of it.", episode.device)
    } else {
        text!("{}.", story::pair(episode.client, episode.server))
    };
    if let Some(first) = episode.rows.iter().next() {
        intro = intro.and(text!(" Times count from frame {}, {}.", first.frame, utc(first.epoch)));
    }
    if episode.row("device closes first").is_none() && episode.count("time-wait-collision") > 0 {
        intro = intro.and(text!(" The close of the old connection was before the capture began."));
    }
    vec![Block::Paragraph(intro), Block::Steps(story::steps(episode))]
}

fn frames(report: &Report) -> Vec<Block> {
    let Some((_, Some(episode))) = report.fault() else { return Vec::new() };
    let Some(ladder) = ladder::draw(episode) else { return Vec::new() };
    let bases: Vec<String> = ladder.bases.iter().map(|(name, raw)| format!("{name} = {raw}")).collect();
    let mut blocks = vec![
        Block::Code { language: "text", text: ladder.lines },
        Block::Paragraph(text!(
            "Sequence numbers count from {}; C is the client's, D the device's, C2 or D2 those of the next connection. \
             Frames of the same connection that explain nothing are not drawn.",
            bases.join(", ")
        )),
    ];
    if let Some(diagram) = mermaid::draw(episode) {
        blocks.push(Block::Details {
            summary: "The same as a diagram".to_owned(),
            blocks: vec![Block::Mermaid(diagram)],
        });
    }
    blocks
}

fn devices(report: &Report) -> Section {
    let worst = report.worst().map(|alert| alert.device);
    let mut shown: Vec<_> = report.devices.values().collect();
    shown.sort_by_key(|facts| Some(facts.address) != worst);
    let mut blocks: Vec<Block> =
        shown.iter().take(DEVICES).map(|facts| Block::Table(device::table(facts))).collect();
    let omitted = (shown.len().saturating_sub(DEVICES) as u64).saturating_add(report.devices_omitted);
    if omitted > 0 {
        blocks.push(Block::Paragraph(text!("Not shown: {}.", counted(omitted, "more device"))));
    }
    Section::new(if shown.len() == 1 { "The device" } else { "The devices" }, blocks)
        .or(format!("the facts of {}", counted(shown.len() as u64, "device")))
}

fn checks(report: &Report) -> Vec<Block> {
    match report.fault() {
        Some((_, Some(episode))) => vec![Block::Steps(check::in_wireshark(report, episode))],
        Some((_, None)) | None => Vec::new(),
    }
}

fn remedies(report: &Report) -> Vec<Block> {
    if !report.found_fault() {
        return Vec::new();
    }
    let mut blocks = vec![Block::Steps(advice::remedies(report))];
    if advice::is_about_time_wait(report) {
        for (summary, body) in [
            ("The arithmetic: what a shorter MSL does", advice::arithmetic(report)),
            ("What is often advised and does not help", advice::no_help()),
            ("What a fix must look like in a capture", advice::looks_like()),
        ] {
            blocks.push(Block::Details { summary: summary.to_owned(), blocks: body });
        }
    }
    blocks
}

/// Where the packets are, and under which numbers.
fn packets(report: &Report) -> Vec<Block> {
    let Some(file) = &report.evidence else { return Vec::new() };
    let pairs: Vec<String> =
        file.frames.iter().map(|(capture, here)| format!("{capture} is {here}")).collect();
    vec![Block::Paragraph(text!(
        "The packets cited are in `{}`, each with a comment; this report has the capture's frame numbers. There, {}.",
        shown(&file.name, 120),
        list(&pairs, 64)
    ))]
}

fn attached(report: &Report) -> Vec<Block> {
    if report.attached.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&["file", "what it is", ">octets", "SHA-256"]);
    table.rows = report
        .attached
        .iter()
        .map(|file| {
            vec![
                Text::code(shown(&file.name, 120)),
                Text::plain(shown(&file.what, 120)),
                file.octets.map_or(Text::default(), |octets| text!("{}", octets)),
                match &file.sha256 {
                    Some(digest) => Text::code(shown(digest, 64)),
                    None => text!("not known"),
                },
            ]
        })
        .collect();
    vec![Block::Table(table)]
}

fn alerts(report: &Report) -> Vec<Block> {
    if report.alerts.is_empty() {
        return Vec::new();
    }
    let mut listed: Vec<_> = report.alerts.values().collect();
    listed.sort_by_key(|alert| (core::cmp::Reverse(alert.severity), alert.id));
    let mut table = Table::new(&[">alert", "severity", "rule", ">findings", "frames", "what"]);
    table.rows = listed
        .iter()
        .take(ALERTS)
        .map(|alert| {
            vec![
                text!("{}", alert.id),
                text!("{}", alert.severity),
                Text::code(shown(&alert.rule, 80)),
                text!("{}", alert.count),
                Text::plain(list(&alert.frames, 6)),
                Text::plain(shown(&alert.title, 200)),
            ]
        })
        .collect();
    let mut blocks = vec![Block::Table(table)];
    let omitted = listed.len().saturating_sub(ALERTS) as u64 + report.alerts_omitted;
    if omitted > 0 {
        blocks.push(Block::Paragraph(text!("Not listed: {}.", counted(omitted, "more alert"))));
    }
    blocks
}

fn references(report: &Report) -> Vec<Block> {
    let mut told: Vec<&str> = Vec::new();
    for reference in report.alerts.values().flat_map(|alert| &alert.references) {
        if told.len() < REFERENCES && !told.contains(&reference.as_str()) {
            told.push(reference);
        }
    }
    bullets(told.into_iter().map(|reference| Text::reference(&shown(reference, 300))).collect())
}

fn environment(report: &Report) -> Vec<Text> {
    let mut said = Vec::new();
    if let Some(start) = &report.start {
        said.push(text!("Seen by {}, event stream version {}.", shown(&start.tool, 120), start.schema));
    }
    if let Some(system) = &report.system {
        said.push(text!("The host that captured: {}.", shown(system, 120)));
    }
    if let Some(summary) = &report.summary {
        said.push(text!(
            "{} in {}: {}, {}, {}.",
            counted(summary.frames, "frame"),
            span(summary.duration_s),
            counted(summary.segments, "TCP segment"),
            counted(summary.flows, "flow"),
            counted(summary.incarnations, "connection")
        ));
        for (reason, count) in summary.skipped.iter().take(SKIPPED) {
            said.push(text!("Not read as TCP: {} ({}).", counted(*count, "frame"), shown(reason, 100)));
        }
    }
    said.push(text!(
        "Not on the wire: {}",
        Text::blank("board, firmware and its version, access point, client program")
    ));
    said
}
