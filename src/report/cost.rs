//! What it cost: refused SYNs, connections delayed or failed, seconds lost, retries. Only what was counted; estimates say
//! that they are.

use super::{
    episode::Episode,
    model::Report,
    page::{Block, Table, Text, text},
    words::{span, total},
};
use crate::{analysis::host::Outcome, text::counted};

/// Connections listed at most.
const LISTED: usize = 12;

/// Sentences for a list; empty where nobody waited.
pub fn sentences(report: &Report) -> Vec<Text> {
    let mut sentences = Vec::new();
    let refused = report.findings.get("time-wait-collision").map_or(0, |tally| tally.count);
    let waiting: Vec<&Episode> = refusals(report).collect();
    if refused > 0 {
        let known: u64 = waiting.iter().map(|episode| episode.count("time-wait-collision")).sum();
        // Connections past the limit of memory are counted by their findings only.
        let more = if known < refused { "more than " } else { "" };
        let attempts = counted(waiting.len() as u64, "connection attempt");
        sentences.push(text!("**{}** in {}{}.", counted(refused, "refused SYN"), more, attempts));
        let retries = known.saturating_sub(waiting.len() as u64);
        if retries > 0 {
            let of_which = if retries == 1 { "was a retry" } else { "were retries" };
            sentences.push(text!(
                "{} of them {}: the client's system tried again by itself.",
                retries,
                of_which
            ));
        }
    }
    sentences.extend(outcomes(report));
    sentences.extend(longest_wait(report, &waiting));
    sentences
}

/// Connections delayed and failed, and the seconds lost.
fn outcomes(report: &Report) -> Option<Text> {
    let of_all = |count: fn(&crate::analysis::host::DelayFacts) -> u64| {
        total(report.devices.values().map(|facts| count(&facts.delays)))
    };
    let (delayed, reset) = (of_all(|delays| delays.delayed), of_all(|delays| delays.reset));
    let (unfinished, waiting) = (of_all(|delays| delays.unfinished), of_all(|delays| delays.waiting));
    let over = total([delayed, reset, unfinished].into_iter());
    if total([over, waiting].into_iter()) < 2 {
        return None;
    }
    let mut parts = Vec::new();
    for (count, what) in [
        (delayed, "let in late"),
        (reset, "ended by a RST of the device"),
        (unfinished, "not seen to get in"),
        (waiting, "still waiting"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    let waited: f64 = report.devices.values().map(|facts| facts.delays.waited_s).sum();
    let calls = total([over, waiting].into_iter());
    let lost =
        if over > 0 { format!(" Those that are over lost {} in all.", span(waited)) } else { String::new() };
    Some(text!("{} calls of connect() did not get in at once: {}.{}", calls, parts.join(", "), lost))
}

/// How long the client waited that waited longest, and what stood in its way.
fn longest_wait(report: &Report, waiting: &[&Episode]) -> Vec<Text> {
    let over = report.devices.values().filter_map(|facts| facts.delays.longest);
    let Some(longest) = over.max_by(|a, b| a.waited_s.total_cmp(&b.waited_s)) else {
        return longest_so_far(waiting).into_iter().collect();
    };
    let over = format!(
        "{} (frames {} to {})",
        counted(longest.syns.into(), "SYN"),
        longest.first_frame,
        longest.last_frame
    );
    let took = match longest.outcome {
        Outcome::Accepted => "connect() took",
        Outcome::Reset => "connect() waited",
        Outcome::Unfinished => "connect() on the client waited at least",
    };
    let end = match longest.outcome {
        Outcome::Accepted => ".",
        Outcome::Reset => ", and a RST of the device ended it.",
        Outcome::Unfinished => "; it was not seen to get in.",
    };
    let blocked = longest.blocked_by.map_or(String::new(), |blocked| {
        format!(
            " It was blocked by incarnation {} of the same four-tuple, which the device closed first in frame {}.",
            blocked.incarnation, blocked.closed_in
        )
    });
    let mut sentences = vec![text!(
        "{} **{}** in the longest attempt, from {}, over {}{}{}",
        took,
        span(longest.waited_s),
        longest.client,
        over,
        end,
        blocked
    )];
    if longest.outcome == Outcome::Unfinished && longest.waited_s > 60.0 {
        sentences.push(text!(
            "A Linux client with default settings sends its last SYN about 68 s after the first and reports ETIMEDOUT \
             after about 134 s."
        ));
    }
    sentences
}

/// While none is over yet.
fn longest_so_far(waiting: &[&Episode]) -> Option<Text> {
    let longest = waiting.iter().max_by(|a, b| a.waited_s().total_cmp(&b.waited_s()))?;
    (longest.waited_s() > 0.0).then(|| {
        text!(
            "connect() on the client has waited **at least {}** in the longest attempt so far (from {}): its last \
             refusal came that long after its first.",
            span(longest.waited_s()),
            longest.client,
        )
    })
}

/// The connections that met trouble; empty where there are less than two, and the story says it all.
pub fn connections(report: &Report) -> Vec<Block> {
    let episodes: Vec<&Episode> = report.episodes.iter().filter(|episode| !episode.is_of_device()).collect();
    if episodes.len() < 2 {
        return Vec::new();
    }
    let mut table = Table::new(&[
        "client → device",
        ">life",
        ">refused SYNs",
        ">ignored RSTs",
        "first finding",
        ">lasted",
        "certainty",
    ]);
    for episode in episodes.iter().take(LISTED) {
        let first = episode.rules.values().min_by_key(|tally| tally.first);
        table.rows.push(vec![
            text!("{} → {}", episode.client, episode.server),
            text!("{}", episode.incarnation),
            text!("{}", episode.count("time-wait-collision")),
            text!("{}", episode.count("ignored-rst")),
            Text::plain(first.map_or(String::new(), |tally| frames(&tally.first_frames))),
            Text::plain(span(episode.span_s())),
            text!("{}", episode.certainty),
        ]);
    }
    let mut blocks = vec![Block::Table(table)];
    let more = episodes.len().saturating_sub(LISTED);
    if more > 0 || report.findings_elsewhere > 0 {
        let elsewhere = match report.findings_elsewhere {
            0 => String::new(),
            count => {
                format!(" and {} on connections that were not kept one by one", counted(count, "finding"))
            }
        };
        let more = counted(more as u64, "more connection");
        blocks.push(Block::Paragraph(text!("Not listed: {}{}.", more, elsewhere)));
    }
    blocks
}

/// The slowest answer to a SYN among the frames shown: refused is not lost.
pub fn slowest_answer_s(episode: &Episode) -> Option<f64> {
    let rows: Vec<_> = episode.rows.iter().collect();
    rows.windows(2)
        .filter(|pair| super::words::is_opening(pair[0]) && !pair[1].from_client)
        .map(|pair| pair[1].epoch.since(pair[0].epoch).as_secs_f64())
        .max_by(f64::total_cmp)
}

fn refusals(report: &Report) -> impl Iterator<Item = &Episode> {
    report.episodes.iter().filter(|episode| episode.count("time-wait-collision") > 0)
}

/// `frames 10, 11`.
pub fn frames(numbers: &[u64]) -> String {
    match numbers {
        [] => String::new(),
        [one] => format!("frame {one}"),
        many => format!("frames {}", super::words::list(many, 8)),
    }
}
