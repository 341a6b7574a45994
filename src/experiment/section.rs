//! What an experiment has to say, as rows and sentences: for a terminal, and for a report.
//!
//! Knows words. Every number in it is the comparison's.

use core::fmt::Write as _;

use serde::Serialize;

use super::compare::{Comparison, Conclusion, Difference, Verdict};
use super::limits::limits;
use super::numbers::{ArmNumbers, Share};
use super::spec::Spec;
use super::statistics::ALPHA;
use super::store::Stored;

/// Plain data: whoever shows it escapes it for where it goes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Section {
    pub title: String,
    /// The verdict in whole sentences, the weightiest first.
    pub verdict: Vec<String>,
    pub head: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
    /// How it was measured.
    pub method: Vec<String>,
    /// What weakens it, and what cannot be concluded from it.
    pub limits: Vec<String>,
}

const HEAD: [&str; 10] = [
    "arm",
    "verdict",
    "oldest refused",
    "newest refused",
    "failed",
    "over 1 s",
    "connect p50 / p99 / max",
    "refused SYNs",
    "RSTs ignored",
    "lost",
];

/// Columns of a terminal that a table may take.
const WIDTH: usize = 100;

/// The section of what was stored and compared.
pub fn section(stored: &Stored, compared: &Comparison) -> Section {
    let spec = &stored.spec;
    Section {
        title: title(spec),
        verdict: verdict(spec, compared, stored),
        head: HEAD.to_vec(),
        rows: compared.arms.iter().map(row).collect(),
        method: method(spec, compared),
        limits: limits(stored, compared),
    }
}

fn title(spec: &Spec) -> String {
    match spec.arms.as_slice() {
        [one, other] => format!("Experiment: {} against {}", one.label, other.label),
        arms => format!("Experiment: {} arms", arms.len()),
    }
}

fn row(arm: &ArmNumbers) -> Vec<String> {
    let share = |share: Share| format!("{} of {}", share.suffered, share.of);
    let connect = arm.connect_s.map_or("none".to_owned(), |connect| {
        [connect.p50, connect.p99, connect.max].map(seconds).join(" / ")
    });
    vec![
        arm.label.clone(),
        arm.verdict.words().to_owned(),
        share(arm.oldest),
        share(arm.newest),
        arm.failed.to_string(),
        arm.stalled.to_string(),
        connect,
        arm.collisions.to_string(),
        arm.ignored_rsts.to_string(),
        seconds(arm.lost_s),
    ]
}

pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        0.0 => "0 s".to_owned(),
        _ if seconds < 0.995 => format!("{:.0} ms", (seconds * 1e3).max(1.0)),
        _ if seconds < 100.0 => format!("{seconds:.1} s"),
        _ => format!("{seconds:.0} s"),
    }
}

fn verdict(spec: &Spec, compared: &Comparison, stored: &Stored) -> Vec<String> {
    let mut sentences = vec![conclusion(compared, stored)];
    for difference in &compared.differences {
        if let (Some(arm), Some(base)) =
            (compared.arms.get(difference.arm), compared.arms.get(compared.baseline))
        {
            sentences.push(of_arm(spec, arm, base, difference));
        }
    }
    sentences
}

fn conclusion(compared: &Comparison, stored: &Stored) -> String {
    let done = stored.blocks.iter().filter(|block| block.slot.is_some() && block.counts()).count();
    let baseline = compared.arms.get(compared.baseline).map_or("", |arm| arm.label.as_str());
    match (compared.conclusion, compared.control) {
        (Conclusion::AsDeclared, _) => "Every arm behaves as it declares.".to_owned(),
        (Conclusion::FixedShowsTheBug, _) => {
            "An arm that declares the bug gone shows it: reused ports were refused.".to_owned()
        }
        (Conclusion::NotMeasurable, None) => {
            "Not measurable: the positive control did not come about.".to_owned()
        }
        (Conclusion::NotMeasurable, Some(control)) if !control.shows_the_bug() => format!(
            "Not measurable: unfixed, and with {} ports used again, {} suffered and {} refused SYNs were seen. This set-up \
             does not show the bug, so it cannot show that it is gone. Is that the device's own port, does the client's \
             own address reach it unchanged (no NAT), and does the interface see their frames?",
            control.reuses, control.suffered, control.collisions
        ),
        (Conclusion::NotMeasurable, Some(_)) if done < compared.blocks_planned => {
            format!("Not finished: {done} of {} blocks are there. --resume goes on.", compared.blocks_planned)
        }
        (Conclusion::NotMeasurable, Some(_)) => format!(
            "Not measurable: the blocks of {baseline} and of the arms that declare the bug gone are too alike, or too few, \
             to tell one from the other."
        ),
    }
}

fn of_arm(spec: &Spec, arm: &ArmNumbers, base: &ArmNumbers, difference: &Difference) -> String {
    let share = |arm: &ArmNumbers| {
        let (suffered, of) = (arm.oldest.suffered + arm.newest.suffered, arm.oldest.of + arm.newest.of);
        format!("{suffered} of {of}")
    };
    let mut text = format!("{}: {}. ", arm.label, arm.verdict.words());
    let _written = match arm.verdict {
        Verdict::NotMeasurable => write!(
            text,
            "{} of {} ports could not be used again by this computer, and nothing else was tried",
            arm.held_here, arm.reuses
        ),
        Verdict::Shortened => write!(
            text,
            "Reused ports stalled as in {}, but {} failed instead of {} within {}",
            base.label,
            arm.failed,
            base.failed,
            seconds(spec.traffic.patience_s)
        ),
        Verdict::OlderPortsFreed => write!(
            text,
            "Of ports that {} others followed, {} of {} suffered; of the newest, which a client is likeliest to use \
             again, {} of {}",
            spec.traffic.between + spec.traffic.reused,
            arm.oldest.suffered,
            arm.oldest.of,
            arm.newest.suffered,
            arm.newest.of
        ),
        Verdict::ShowsTheBug | Verdict::Removed | Verdict::Rarer | Verdict::Worse | Verdict::NotShown => {
            write!(text, "{} reused ports suffered, against {} of {}", share(arm), share(base), base.label)
        }
    };
    if arm.verdict == Verdict::NotMeasurable {
        return text + ".";
    }
    let (low, high) = difference.interval;
    let _written = write!(
        text,
        " (difference {:+.0} points, 95 % interval {:+.0} to {:+.0}; p = {} by how long reuses took, {} by how many suffered).",
        difference.suffered * 100.0,
        low * 100.0,
        high * 100.0,
        p(difference.p_corrected),
        p(difference.p_suffered)
    );
    if arm.verdict == Verdict::NotShown {
        let _written = match difference.smallest {
            Some(smallest) => write!(
                text,
                " So many blocks would have shown a reduction of {:.0} points or more.",
                smallest * 100.0
            ),
            None => write!(text, " So few blocks show no reduction, however large: give more --rounds."),
        };
    }
    for addition in additions(arm) {
        text.push(' ');
        text.push_str(&addition);
    }
    text
}

/// What the word alone would hide.
fn additions(arm: &ArmNumbers) -> Vec<String> {
    let mut texts = Vec::new();
    let suffered = arm.oldest.suffered + arm.newest.suffered;
    if arm.kept > 0 {
        texts.push(format!(
            "{} of {} second requests went over the connection that was still open.",
            arm.kept, arm.reuses
        ));
    }
    if arm.held_here > 0 {
        texts.push(format!(
            "{} of {} ports were held by this computer: it closed first, and it is the one in TIME-WAIT.",
            arm.held_here, arm.reuses
        ));
    }
    if arm.collisions > 0 && suffered == 0 {
        texts.push("A first SYN was still refused, and the next one let in.".to_owned());
    }
    if suffered == 0 && (arm.failed > 0 || arm.stalled > 0) {
        texts.push(format!(
            "{} failed and {} took longer than a second without any refusal{}: not this bug, and no good service either.",
            arm.failed,
            arm.stalled,
            named(&arm.failures)
        ));
    }
    if let (Some(least), Some(most)) = (arm.msl_at_least_s, arm.msl_at_most_s)
        && least <= most
    {
        texts.push(format!("Its TIME-WAIT lasts {:.1} to {:.1} s, by the wire.", 2.0 * least, 2.0 * most));
    }
    texts
}

/// ` (receive-failed ECONNRESET 40)`
fn named(failures: &[(String, u64)]) -> String {
    let each: Vec<String> = failures.iter().map(|(name, count)| format!("{name} {count}")).collect();
    if each.is_empty() { String::new() } else { format!(" ({})", each.join(", ")) }
}

fn p(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

fn method(spec: &Spec, compared: &Comparison) -> Vec<String> {
    let traffic = &spec.traffic;
    let comparisons = match compared.differences.len() {
        1 => "".to_owned(),
        many => format!("; the first is corrected for {many} comparisons (Holm), the others are not"),
    };
    vec![
        format!(
            "A block: {} source ports that no earlier block used, each fetching one page; then the {} newest and the {} \
             oldest of them at once again, with {} of patience. Refused: failed, or took longer than 1 s, where wire or \
             device saw a refused SYN.",
            traffic.ports(),
            traffic.reused,
            traffic.reused,
            seconds(traffic.patience_s)
        ),
        format!(
            "{} blocks of each arm, in an order drawn by seed {} and mirrored. Whether an arm differs is decided by how long \
             reuses took (one that failed: all of the patience). A block is one observation: p-values are \
             exact over all ways to deal the blocks out (drawn where those are too many), two-sided, against {ALPHA}{comparisons}.",
            spec.blocks() / spec.arms.len().max(1),
            spec.seed
        ),
    ]
}
impl Section {
    /// For a terminal: the table, then a sentence a line.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for columns in self.column_groups() {
            let head: Vec<String> = self.head.iter().map(|word| (*word).to_owned()).collect();
            for line in core::iter::once(&head).chain(&self.rows) {
                let cells = columns
                    .iter()
                    .filter_map(|&(column, width)| line.get(column).map(|cell| format!("{cell:<width$}")));
                text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
                text.push('\n');
            }
            text.push('\n');
        }
        for sentence in &self.verdict {
            text.push_str(sentence);
            text.push('\n');
        }
        text.push('\n');
        for sentence in self.method.iter().chain(&self.limits) {
            text.push_str(sentence);
            text.push('\n');
        }
        text
    }

    /// Columns with their widths, in as many tables as a terminal is too narrow for one; each begins with the arm.
    fn column_groups(&self) -> Vec<Vec<(usize, usize)>> {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(String::as_str);
            cells
                .chain(self.head.get(column).copied())
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        };
        let arm = (0, width(0));
        let mut groups = vec![vec![arm]];
        let mut used = arm.1;
        for column in 1..self.head.len() {
            let width = width(column);
            if used + 2 + width > WIDTH {
                groups.push(vec![arm]);
                used = arm.1;
            }
            used += 2 + width;
            if let Some(group) = groups.last_mut() {
                group.push((column, width));
            }
        }
        groups
    }
}
