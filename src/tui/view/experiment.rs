//! How far an experiment on the device is: what it does now, each arm so far, and at the end what may be concluded.
//!
//! Knows the latest progress that the stream told. Refuses to compare arms before the experiment is over.

use ratatui::style::Style;
use ratatui::text::Line;

use super::{detail::heading, fit};
use crate::analysis::{
    event::ProgressEvent,
    input::{ArmProgress, Doing, Progress},
};
use crate::tui::model::Model;
use crate::tui::words;

/// Cells of the bar of blocks.
const BAR: usize = 20;
/// The least that an arm's name gets.
const ARM: usize = 10;
/// Before the table, and behind it.
const EDGES: usize = 3 + 1;
/// Between two columns, at least.
const APART: usize = 2;

/// A column of the table of arms: its name, its width, and what stands in it.
type Column = (&'static str, usize, fn(&ArmProgress) -> String);

/// Where there is no room for all, the last are left out.
const COLUMNS: [Column; 5] = [
    ("blocks", 11, |arm| format!("{}/{}", arm.blocks, arm.planned)),
    ("failed", 14, |arm| format!("{} of {}", arm.failed, arm.reuses)),
    ("collisions", 12, |arm| arm.collisions.to_string()),
    ("ignored RSTs", 14, |arm| arm.ignored_rsts.to_string()),
    ("stalls", 8, |arm| arm.stalled.to_string()),
];
/// A verdict stands beside its arm from here on; the sentences below say it too.
const VERDICT: usize = 26;

pub fn lines(model: &Model, told: &ProgressEvent, width: u16) -> Vec<Line<'static>> {
    let theme = model.theme;
    let glyphs = theme.glyphs();
    let progress = &told.progress;
    let room = width.saturating_sub(1);
    let mut lines = heading(theme, "Experiment");
    let said = format!("{}  {}", bar(model, progress), theme.show(&now(model, told)));
    lines.extend(fit::paragraph(&said, room, 3, "", Style::new()));
    let columns = columns(usize::from(width));
    let used: usize = columns.iter().map(|(_, wide, _)| wide).sum();
    let has_verdicts = usize::from(width) >= EDGES + ARM + used + VERDICT && progress.verdict.is_some();
    let beside = if has_verdicts { VERDICT } else { 0 };
    let longest = progress.arms.iter().map(|arm| fit::width(&theme.show(&arm.arm))).max().unwrap_or_default();
    let arm_room =
        (longest + 1).clamp(ARM, usize::from(width).saturating_sub(EDGES + used + beside).max(ARM));
    let mut head = format!("   {}", fit::left("arm", arm_room, glyphs.ellipsis));
    for (name, wide, _) in &columns {
        head.push_str(&placed(name, *wide, glyphs.ellipsis));
    }
    lines.push(Line::styled(fit::cut(&head, room.into(), glyphs.ellipsis), theme.quiet()));
    for arm in &progress.arms {
        let is_now = progress.arm.as_ref() == Some(&arm.arm) && progress.doing == Doing::Block;
        let mark = if is_now { glyphs.selected } else { " " };
        let mut text = format!(" {mark} {}", fit::left(&theme.show(&arm.arm), arm_room, glyphs.ellipsis));
        for (_, wide, value) in &columns {
            text.push_str(&placed(&value(arm), *wide, glyphs.ellipsis));
        }
        if let Some(verdict) = arm.verdict.as_ref().filter(|_| has_verdicts) {
            text.push_str(&format!("  {}", theme.show(verdict)));
        }
        let style = if is_now { theme.strong() } else { Style::new() };
        lines.push(Line::styled(fit::cut(&text, room.into(), glyphs.ellipsis), style));
    }
    if let Some(last) = &progress.last {
        lines.extend(fit::paragraph(
            &format!("Last block: {}", theme.show(last)),
            room,
            3,
            "",
            theme.quiet(),
        ));
    }
    if let Some(verdict) = &progress.verdict {
        lines.extend(fit::paragraph(&theme.show(verdict), room, 3, "", theme.strong()));
    }
    lines
}

fn placed(text: &str, wide: usize, ellipsis: &str) -> String {
    " ".repeat(APART) + &fit::right(text, wide - APART, ellipsis)
}

/// The same in a few words, for a title.
pub fn briefly(model: &Model, told: &ProgressEvent) -> String {
    let progress = &told.progress;
    let arm = progress.arm.as_deref().map_or_else(String::new, |arm| format!(" {arm}"));
    let doing = match progress.doing {
        Doing::Control => "the positive control".to_owned(),
        Doing::Block => format!("block {} of {}{arm}", progress.block, progress.blocks),
        Doing::Settling => "waits until nothing is held".to_owned(),
        Doing::Waiting => "the device does not answer".to_owned(),
        Doing::Over => return "experiment is over".to_owned(),
    };
    model.theme.show(&format!("experiment: {doing}{}", left(model, told)))
}

/// What it does, in a sentence.
fn now(model: &Model, told: &ProgressEvent) -> String {
    let progress = &told.progress;
    let arm = progress.arm.as_deref().map_or_else(String::new, |arm| format!(" ({arm})"));
    let requests = crate::text::counted(progress.requests, "request");
    let doing = match progress.doing {
        Doing::Control => format!("Positive control{arm}: it must show the bug first; {requests}"),
        Doing::Block => {
            format!("Block {} of {}{arm}, {requests}", progress.block, progress.blocks)
        }
        Doing::Settling => {
            "Every source port was used once: waiting until the device holds none in TIME-WAIT".to_owned()
        }
        Doing::Waiting => "Waiting for the device, which does not answer".to_owned(),
        Doing::Over => "Over".to_owned(),
    };
    format!("{doing}{}.", left(model, told))
}

fn left(model: &Model, told: &ProgressEvent) -> String {
    let passed = model.now().since(told.when.0).as_secs_f64();
    match told.progress.left_s {
        Some(left) if told.progress.doing != Doing::Over => {
            format!(", about {} left", words::roughly((left - passed).max(0.0)))
        }
        Some(_) | None => String::new(),
    }
}

fn bar(model: &Model, progress: &Progress) -> String {
    let glyphs = model.theme.glyphs();
    let done: u64 = progress.arms.iter().fold(0, |sum, arm| sum.saturating_add(arm.blocks));
    let share = done as f64 / progress.blocks.max(1) as f64;
    let full = ((share * BAR as f64) as usize).min(BAR);
    let whole = glyphs.bars.last().copied().unwrap_or_default();
    whole.repeat(full) + &glyphs.no_bar.repeat(BAR - full)
}

fn columns(width: usize) -> Vec<Column> {
    let mut left = width.saturating_sub(EDGES + ARM);
    let fits = |column: &Column| {
        let fits = column.1 <= left;
        left = left.saturating_sub(column.1);
        fits
    };
    COLUMNS.into_iter().take_while(fits).collect()
}
