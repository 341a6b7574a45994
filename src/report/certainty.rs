//! How sure each finding is, what was ruled out, and what was not.

use super::{
    cost,
    model::Report,
    page::{Block, Table, Text, text},
    safe::shown,
    words::span,
};
use crate::{analysis::certainty::Certainty, text::counted};

/// Rules listed at most.
const LISTED: usize = 32;

/// The table of the rules, and the conclusions; empty where nothing was found.
pub fn blocks(report: &Report) -> Vec<Block> {
    if report.findings.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&["rule", ">findings", "certainty", "first seen in", "last seen in"]);
    table.rows = report
        .findings
        .iter()
        .take(LISTED)
        .map(|(rule, tally)| {
            vec![
                Text::code(shown(rule, 80)),
                text!("{}", tally.count),
                text!("{}", tally.certainty),
                Text::plain(cost::frames(&tally.first_frames)),
                Text::plain(cost::frames(&tally.last_frames)),
            ]
        })
        .collect();
    let mut blocks = vec![
        Block::Table(table),
        Block::Paragraph(text!(
            "*{}*: seen frame by frame. *{}*: follows from what was seen, unless frames were lost or reordered. *{}*: \
             fits what was seen, and so does something else. The table gives the highest of each rule.",
            Certainty::Proven,
            Certainty::Inferred,
            Certainty::Suspected
        )),
    ];
    let ruled_out = ruled_out(report);
    if !ruled_out.is_empty() {
        blocks.push(Block::Paragraph(text!("Ruled out:")));
        blocks.push(Block::Bullets(ruled_out));
        blocks.push(Block::Paragraph(text!(
            "Not ruled out by a capture from one place: a box on the way that answers in the device's name with the \
             numbers of the old connection. A second capture beyond it would tell."
        )));
    }
    blocks
}

/// Other causes that the frames exclude, where refused SYNs are what the report is about.
pub fn ruled_out(report: &Report) -> Vec<Text> {
    let Some((_, Some(episode))) = report.fault() else { return Vec::new() };
    let mut said = Vec::new();
    if episode.count("time-wait-collision") == 0 {
        return said;
    }
    if let Some(slowest) = cost::slowest_answer_s(episode) {
        said.push(text!(
            "Loss of the SYNs, and a device that is down. It answered each SYN that is cited, the slowest among those \
             shown within {}; the answer was a refusal.",
            span(slowest)
        ));
    }
    said.push(text!(
        "A full backlog, and a device out of connection blocks. lwIP then leaves a SYN without an answer; here the \
         answer is an ACK with the numbers of the old connection."
    ));
    let ignored = episode.count("ignored-rst");
    if ignored > 0 {
        said.push(text!(
            "RSTs that the device may not honour because their number is off. Each of the {} bears exactly the number \
             that the stale ACK asks for.",
            counted(ignored, "ignored RST")
        ));
    }
    said
}
