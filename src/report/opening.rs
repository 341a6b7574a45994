//! What is read first: the title and the verdict; for a clean run, what was put to the test and what was not.

use super::{
    advice,
    model::Report,
    page::{Block, Text, text},
    safe::shown,
    words::{span, total, utc},
};
use crate::analysis::host::{Behaviour, SynInTimeWait};
use crate::text::{counted, times};

pub fn title(report: &Report) -> String {
    if let Some(experiment) = &report.experiment {
        return shown(&experiment.title, 300);
    }
    match report.fault() {
        Some((worst, _)) => shown(&worst.title, 300),
        None if nothing_seen(report) => "Nothing was seen".to_owned(),
        None => "Nothing wrong was seen".to_owned(),
    }
}

fn nothing_seen(report: &Report) -> bool {
    let segments = report.summary.as_ref().map_or(0, |summary| summary.segments);
    segments == 0 && report.devices.is_empty() && report.findings.is_empty()
}

/// One sentence or two, without markup.
pub fn verdict(report: &Report) -> String {
    if let Some(experiment) = &report.experiment {
        return experiment.verdict.first().map_or(String::new(), |conclusion| shown(conclusion, 2_000));
    }
    match &report.summary {
        Some(summary) => shown(&summary.verdict, 2_000),
        None => {
            let found = total(report.findings.values().map(|tally| tally.count));
            let so_far = match report.fault() {
                Some((worst, _)) => format!("So far: {}, {}.", counted(found, "finding"), worst.severity),
                None => "So far nothing wrong was seen.".to_owned(),
            };
            format!("The run had not ended when this report was written. {so_far}")
        }
    }
}

/// The verdict, and why it came to that.
pub fn blocks(report: &Report) -> Vec<Block> {
    let mut blocks = vec![Block::Paragraph(text!("**{}**", verdict(report)))];
    if let Some((worst, _)) = report.fault() {
        blocks.push(Block::Paragraph(Text::plain(shown(&worst.why, 2_000))));
        let mode = match &worst.mode {
            Some(mode) => text!(" The device's test firmware was in mode `{}` then.", shown(mode, 100)),
            None => Text::default(),
        };
        blocks.push(Block::Paragraph(text!(
            "Rule `{}`, severity {}, certainty {}: {}, from {} to {}.{}",
            shown(&worst.rule, 80),
            worst.severity,
            worst.certainty,
            counted(worst.count, "finding"),
            utc(worst.first),
            utc(worst.last),
            mode
        )));
    }
    blocks
}

/// What would have been right; `None` where the report is about something else than reused ports.
pub fn expected(report: &Report) -> Option<Text> {
    let is_about_it = report.found_fault() && advice::is_about_time_wait(report);
    (is_about_it || report.experiment.is_some()).then(|| {
        text!(
            "A new connection from a port that was used before is let in at once, or after one RST. RFC 1122 4.2.2.13 \
             lets a TCP accept a newer SYN in TIME-WAIT, and Linux does."
        )
    })
}

/// For a clean run: what could be seen and what could not.
pub fn observable(report: &Report) -> Vec<Text> {
    let mut said = Vec::new();
    let accepted = total(report.devices.values().map(|device| device.accepted));
    let entered = total(report.devices.values().map(|device| device.time_wait.entered));
    let met = total(report.devices.values().map(|device| device.time_wait.syns));
    if let Some(summary) = &report.summary {
        said.push(text!(
            "{} in {}, of which {} on {}.",
            counted(summary.frames, "frame"),
            span(summary.duration_s),
            counted(summary.segments, "TCP segment"),
            counted(summary.flows, "flow")
        ));
    }
    said.push(text!(
        "The device accepted {} and was seen to enter TIME-WAIT {}.",
        counted(accepted, "connection"),
        times(entered)
    ));
    let accepts = report.devices.values().any(|device| {
        device.syn_in_time_wait == SynInTimeWait::Accepted || device.behaves_as == Behaviour::AcceptsSyn
    });
    said.push(if met == 0 {
        text!(
            "**No client came back from a port that the device still held in TIME-WAIT.** How the device treats a \
             reused port was therefore not put to the test: this report does not show that it is free of that fault."
        )
    } else if accepts {
        text!(
            "{} met a connection in TIME-WAIT, and a newer SYN was accepted: a reused port did no harm.",
            counted(met, "SYN")
        )
    } else {
        text!("{} met a connection in TIME-WAIT, and no rule found fault with what followed.", counted(met, "SYN"))
    });
    if let Some(start) = &report.start
        && !start.rules.is_empty()
    {
        let mut rules = Text::default();
        for (at, rule) in start.rules.iter().take(32).enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            rules = rules.and(text!("{}`{}`", comma, shown(rule, 80)));
        }
        said.push(text!("Only what these rules look for was judged: {}.", rules));
    }
    if report.capture.dropped > 0 {
        said.push(text!(
            "{} were lost, so what was not seen may still have happened.",
            counted(report.capture.dropped, "frame")
        ));
    }
    said.push(text!("It holds for the time of the capture and for no other."));
    said
}
