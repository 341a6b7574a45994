//! The parts of an experiment's report, each as a section of the page.
//!
//! Knows which part says what. Numbers and sentences are the experiment's own.

use super::{Arm, Difference, Experiment, Quantiles, Recording};
use crate::report::{
    outline::Part,
    page::{Block, Section, Table, Text, text},
    safe::shown,
    words::{list, span},
};
use crate::text::counted;

/// Rows of a table of recordings.
const RECORDINGS: usize = 200;

/// One part; `None` where an experiment has nothing to say of it.
pub fn section(experiment: &Experiment, part: Part) -> Option<Section> {
    let section = match part {
        Part::Verdict => Section::new("", verdict(experiment)),
        Part::Arms => Section::new("What came of each arm", arms(experiment)),
        Part::Differences => Section::new("How sure the differences are", differences(experiment))
            .or("differences, their intervals and p-values"),
        Part::Accounts => Section::new("Three accounts of it", accounts(experiment))
            .or("the positive control, and what client, wire and device counted"),
        Part::Held => Section::new("Connects and TIME-WAIT", held(experiment))
            .or("how long connects took, and what was held in TIME-WAIT"),
        Part::SetUp => Section::new("How it was done", bullets(set_up(experiment))).or("the set-up"),
        Part::Limits => Section::new("What cannot be concluded", bullets(plain(&experiment.limits))),
        Part::Recordings => {
            let brief = format!("a table of {}", counted(experiment.recordings.len() as u64, "recording"));
            Section::new("Packets of each block", recordings(experiment)).or(brief)
        }
        Part::Reproduce => {
            let text = format!("{}\n", shown(&experiment.set_up.command, 4_000));
            Section::new("See it again", vec![Block::Code { language: "sh", text }])
                .or("the command that does it again")
        }
        Part::Environment => Section::new("Environment", bullets(environment(experiment))),
        // Of a run that was watched, and of what was attached to it.
        Part::Observable
        | Part::Chain
        | Part::Frames
        | Part::Cost
        | Part::Devices
        | Part::Certainty
        | Part::Capture
        | Part::Check
        | Part::Remedies
        | Part::Packets
        | Part::Attached
        | Part::Timeline
        | Part::Connections
        | Part::Alerts
        | Part::References => return None,
    };
    (!section.blocks.is_empty()).then_some(section)
}

fn bullets(items: Vec<Text>) -> Vec<Block> {
    if items.is_empty() { Vec::new() } else { vec![Block::Bullets(items)] }
}

fn plain(sentences: &[String]) -> Vec<Text> {
    sentences.iter().map(|sentence| Text::plain(shown(sentence, 2_000))).collect()
}

fn verdict(experiment: &Experiment) -> Vec<Block> {
    let Some((conclusion, of_arms)) = experiment.verdict.split_first() else { return Vec::new() };
    let mut blocks = vec![Block::Paragraph(text!("**{}**", shown(conclusion, 2_000)))];
    blocks.extend(bullets(plain(of_arms)));
    blocks
}

fn label(label: &str) -> Text {
    Text::code(shown(label, 80))
}

fn arms(experiment: &Experiment) -> Vec<Block> {
    if experiment.arms.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&[
        "arm",
        "verdict",
        ">blocks",
        ">requests",
        ">oldest refused",
        ">newest refused",
        ">failed",
        ">over 1 s",
        ">connect p50 / p99 / max",
        ">refused SYNs",
        ">RSTs ignored",
        ">lost",
    ]);
    let share = |(suffered, of): (u64, u64)| text!("{} of {}", suffered, of);
    let row = |arm: &Arm| {
        vec![
            label(&arm.label),
            Text::plain(shown(&arm.verdict, 80)),
            match arm.spoilt {
                0 => text!("{}", arm.blocks),
                spoilt => text!("{} (+ {} spoilt)", arm.blocks, spoilt),
            },
            text!("{} + {}", arm.firsts, arm.reuses),
            share(arm.oldest),
            share(arm.newest),
            text!("{}", arm.failed),
            text!("{}", arm.stalled),
            arm.connect_s.map_or(text!("none"), quantiles),
            text!("{}", arm.collisions),
            text!("{}", arm.ignored_rsts),
            text!("{}", span(arm.lost_s)),
        ]
    };
    table.rows = experiment.arms.iter().map(row).collect();
    let mut blocks = vec![
        Block::Table(table),
        Block::Paragraph(text!(
            "Requests: ports used once + ports used again. Refused: of ports used again, those that failed or took longer \
             than a second where wire or device saw a refused SYN. Lost: what those took that failed or stalled."
        )),
    ];
    if experiment.arms_omitted > 0 {
        blocks.push(Block::Paragraph(text!(
            "Not shown: {}.",
            counted(experiment.arms_omitted as u64, "more arm")
        )));
    }
    blocks
}

fn quantiles(Quantiles { p50, p99, max }: Quantiles) -> Text {
    text!("{} / {} / {}", span(p50), span(p99), span(max))
}

fn differences(experiment: &Experiment) -> Vec<Block> {
    if experiment.differences.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&[
        "arm",
        ">refused, less the baseline",
        "95 % interval",
        ">p, time",
        ">p, corrected",
        ">p, refused",
        ">least that would show",
    ]);
    let points = |share: f64| format!("{:+.0} points", share * 100.0);
    let row = |difference: &Difference| {
        let (low, high) = difference.interval;
        vec![
            label(&difference.arm),
            text!("{}", points(difference.suffered)),
            text!("{} to {}", format!("{:+.0}", low * 100.0), points(high)),
            text!("{}", p_value(difference.p_took)),
            text!("{}", p_value(difference.p_corrected)),
            text!("{}", p_value(difference.p_suffered)),
            difference.smallest.map_or(text!("none"), |smallest| text!("{}", points(-smallest))),
        ]
    };
    table.rows = experiment.differences.iter().map(row).collect();
    vec![
        Block::Table(table),
        Block::Paragraph(text!(
            "Against `{}`. Points are of 100 reused ports. Time: how long reuses took, by rank of the blocks; corrected for \
             the number of comparisons, this one decides (0.05). Refused: the share that was. The last column is the \
             smallest reduction that so many blocks would have shown in four runs of five.",
            shown(&experiment.baseline, 80)
        )),
    ]
}

fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

fn accounts(experiment: &Experiment) -> Vec<Block> {
    let mut blocks = vec![Block::Paragraph(control(experiment))];
    if experiment.arms.is_empty() {
        return blocks;
    }
    let mut table = Table::new(&[
        "arm",
        ">client: suffered",
        ">wire: refused SYNs",
        ">device: refused SYNs",
        ">blocks that differ",
        ">suffered, refused by nobody",
        ">frames lost",
    ]);
    let row = |arm: &Arm| {
        vec![
            label(&arm.label),
            text!("{}", arm.oldest.0 + arm.newest.0 + arm.suffered_otherwise),
            text!("{}", arm.collisions),
            arm.stale_acks.map_or(text!("not told"), |acks| text!("{}", acks)),
            text!("{}", arm.disagreements),
            text!("{}", arm.suffered_otherwise),
            text!("{}", arm.frames_lost),
        ]
    };
    table.rows = experiment.arms.iter().map(row).collect();
    blocks.push(Block::Table(table));
    let differing: u64 = experiment.arms.iter().map(|arm| arm.disagreements).sum();
    blocks.push(Block::Paragraph(match differing {
        _ if experiment.arms.iter().all(|arm| arm.stale_acks.is_none()) => {
            text!("The device gave no count of its own, so the wire's stands alone.")
        }
        0 => text!("Wherever both counted, the wire and the device counted the same refused SYNs."),
        blocks => text!(
            "**In {} the wire and the device counted different numbers of refused SYNs.**",
            counted(blocks, "block")
        ),
    }));
    blocks
}

fn control(experiment: &Experiment) -> Text {
    let Some(control) = &experiment.control else {
        return text!("**The positive control did not come about.** Nothing was compared.");
    };
    let device = control.stale_acks.map_or(text!("gave no count"), |acks| text!("counted {}", acks));
    let seen = text!(
        "{} of {} reused ports suffered; the wire shows {}, the device {}",
        control.suffered,
        control.reuses,
        counted(control.collisions, "refused SYN"),
        device
    );
    if control.shows_the_bug {
        text!(
            "Positive control, unfixed, before anything else: {}. This set-up shows the bug where it is.",
            seen
        )
    } else {
        text!(
            "**The positive control failed**, unfixed, before anything else: {}. This set-up cannot show that the bug is \
             gone.",
            seen
        )
    }
}

/// What the pictures show, in words.
fn held(experiment: &Experiment) -> Vec<Block> {
    if experiment.arms.iter().all(|arm| arm.connects.is_empty() && arm.held.is_empty()) {
        return Vec::new();
    }
    let mut table = Table::new(&[
        "arm",
        ">let in, of connects",
        ">half within",
        ">slowest",
        ">most held, by the wire",
        ">by the device's own list",
        ">watched for",
    ]);
    let most = |most: Option<f64>| most.map_or(text!("not told"), |most| text!("{}", number(most)));
    let row = |arm: &Arm| {
        let let_in = arm.connects.iter().filter(|connect| connect.let_in).count();
        let (wire, device) = arm.most_held();
        vec![
            label(&arm.label),
            text!("{} of {}", let_in, arm.connects.len()),
            arm.connect_s.map_or(text!("none"), |connect| text!("{}", span(connect.p50))),
            arm.connect_s.map_or(text!("none"), |connect| text!("{}", span(connect.max))),
            most(wire),
            most(device),
            arm.held.last().map_or(text!("not told"), |last| text!("{}", span(last.at_s))),
        ]
    };
    table.rows = experiment.arms.iter().map(row).collect();
    vec![
        Block::Table(table),
        Block::Paragraph(text!(
            "Connects of ports that were used again; a request over a connection that was kept needs none. Held: connections \
             from the block's own ports in TIME-WAIT on the device, the most at one time of the average block. The wire \
             shows what entered, and neither that its time ended nor what a device's cap let go of."
        )),
    ]
}

/// Whole where it is whole.
pub(super) fn number(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:.1}") }
}

fn set_up(experiment: &Experiment) -> Vec<Text> {
    let set_up = &experiment.set_up;
    let (first, last) = set_up.ports;
    let firmware: Vec<String> = set_up.firmware.iter().map(|firmware| shown(firmware, 200)).collect();
    let mut said = vec![
        text!("Device: {}.", shown(&set_up.device, 200)),
        match firmware.is_empty() {
            true => text!("Its firmware was not told."),
            false => text!("Firmware: {}.", list(&firmware, 8)),
        },
        text!(
            "{} of {} planned, in {}; {} spoilt and repeated. Seed {}.",
            counted(set_up.blocks_done as u64, "block"),
            set_up.blocks_planned,
            counted(set_up.rounds.into(), "round"),
            set_up.blocks_spoilt,
            set_up.seed
        ),
        text!("Source ports {} to {}.", first, last),
    ];
    if let (Some(began), Some(last)) = (&set_up.began, &set_up.last) {
        said.push(text!("The first block began at {}, the last at {}.", shown(began, 40), shown(last, 40)));
    }
    said.extend(plain(&set_up.method));
    said
}

fn recordings(experiment: &Experiment) -> Vec<Block> {
    if experiment.recordings.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&["file", "block", "arm", ">frames", "counts"]);
    let row = |recording: &Recording| {
        vec![
            Text::code(shown(&recording.name, 120)),
            recording.block.map_or(text!("control"), |block| text!("{}", block)),
            label(&recording.arm),
            text!("{}", recording.frames),
            match &recording.spoilt {
                None => text!("yes"),
                Some(why) => text!("no: {}", shown(why, 200)),
            },
        ]
    };
    table.rows = experiment.recordings.iter().take(RECORDINGS).map(row).collect();
    let summary = counted(experiment.recordings.len() as u64, "recording");
    let mut blocks = vec![Block::Table(table)];
    let omitted = experiment.recordings.len().saturating_sub(RECORDINGS) + experiment.recordings_omitted;
    if omitted > 0 {
        blocks.push(Block::Paragraph(text!("Not listed: {}.", counted(omitted as u64, "more recording"))));
    }
    vec![Block::Details { summary, blocks }]
}

fn environment(experiment: &Experiment) -> Vec<Text> {
    vec![
        text!("Report by {}.", shown(&experiment.set_up.tool, 120)),
        text!(
            "Not in the results: {}",
            Text::blank("board, access point, distance, and what else used the network meanwhile")
        ),
    ]
}
