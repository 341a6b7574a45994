//! The report as JSON, for programs: the whole model, and beside it the sentences that a person would read.
//!
//! Field names keep their meaning within one [`SCHEMA`]; new ones may come. `docs/report.md` describes them.

use core::fmt::Write;

use serde::Serialize;

use super::{advice, certainty, ladder, model::Report, opening, page::Text, story};
use crate::text::acts_or_hides;

/// Version of the field names.
pub const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    #[serde(rename = "type")]
    kind: &'static str,
    title: String,
    verdict: String,
    /// Something failed or waited, as the rules judge it.
    found_fault: bool,
    /// The run had ended; of an experiment, every block is there.
    complete: bool,
    /// The alert that the report is about.
    worst_alert: Option<u64>,
    chain: Vec<String>,
    ladder: Option<String>,
    ruled_out: Vec<String>,
    remedies: Vec<String>,
    #[serde(flatten)]
    model: &'a Report,
}

/// Renders the report, over several lines.
pub fn render(report: &Report) -> String {
    let fault = report.fault();
    let episode = fault.and_then(|(_, episode)| episode);
    let plain = |texts: Vec<Text>| texts.iter().map(Text::to_plain).collect();
    let document = Document {
        schema: SCHEMA,
        kind: "report",
        title: opening::title(report),
        verdict: opening::verdict(report),
        found_fault: report.found_fault(),
        complete: match &report.experiment {
            Some(experiment) => experiment.set_up.blocks_done >= experiment.set_up.blocks_planned,
            None => report.summary.is_some(),
        },
        worst_alert: fault.map(|(worst, _)| worst.id),
        chain: plain(episode.map(story::steps).unwrap_or_default()),
        ladder: episode.and_then(ladder::draw).map(|ladder| ladder.lines),
        ruled_out: plain(certainty::ruled_out(report)),
        remedies: plain(if fault.is_some() { advice::remedies(report) } else { Vec::new() }),
        model: report,
    };
    // Numbers, texts and maps with text for keys: nothing of it can fail to be written.
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    harmless(&text) + "\n"
}

/// What would act on a terminal, or hide there, as JSON's own escapes: such characters stand in strings only.
fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || !acts_or_hides(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_act_is_written_as_an_escape_and_read_back() {
        let text = "a\u{9b}2J\u{202e}\u{e0041} ж";
        let written = harmless(&serde_json::to_string(text).unwrap());
        assert_eq!(written, "\"a\\u009b2J\\u202e\\udb40\\udc41 ж\"");
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }
}
