//! What it cost: refused SYNs, waiting clients, retries. Only what was counted; estimates say that they are.

use super::{
    episode::Episode,
    model::Report,
    words::{span, total},
};
use crate::{analysis::host::Outcome, text::counted};

/// Connections listed at most.
const LISTED: usize = 12;

/// Sentences for a list; empty where nothing was refused.
pub fn sentences(report: &Report) -> Vec<String> {
    let refused = report.findings.get("time-wait-collision").map_or(0, |tally| tally.count);
    if refused == 0 {
        return Vec::new();
    }
    let waiting: Vec<&Episode> = refusals(report).collect();
    let known: u64 = waiting.iter().map(|episode| episode.count("time-wait-collision")).sum();
    // Connections past the limit of memory are counted by their findings only.
    let attempts = if known < refused {
        format!("more than {}", counted(waiting.len() as u64, "connection attempt"))
    } else {
        counted(waiting.len() as u64, "connection attempt")
    };
    let mut sentences = vec![format!("**{}** in {attempts}.", counted(refused, "refused SYN"))];
    let retries = known.saturating_sub(waiting.len() as u64);
    if retries > 0 {
        let of_which = if retries == 1 { "was a retry" } else { "were retries" };
        sentences.push(format!("{retries} of them {of_which}: the client's system tried again by itself."));
    }
    sentences.extend(longest_wait(report, &waiting));
    let delays = report.devices.values().map(|facts| facts.delays);
    let (attempts, waited_s) = delays.fold((0_u64, 0.0), |(attempts, waited_s), delays| {
        let over = total([delays.delayed, delays.reset, delays.unfinished].into_iter());
        (attempts.saturating_add(over), waited_s + delays.waited_s)
    });
    if attempts > 1 {
        sentences.push(format!("In all, {attempts} calls of connect() waited {}.", span(waited_s)));
    }
    sentences
}

/// How long the client waited that waited longest, and what stood in its way.
fn longest_wait(report: &Report, waiting: &[&Episode]) -> Vec<String> {
    let over = report.devices.values().filter_map(|facts| facts.delays.longest);
    let Some(longest) = over.max_by(|a, b| a.waited_s.total_cmp(&b.waited_s)) else {
        return longest_so_far(waiting).into_iter().collect();
    };
    let waited = span(longest.waited_s);
    let over = format!(
        "{} (frames {} to {})",
        counted(longest.syns.into(), "SYN"),
        longest.first_frame,
        longest.last_frame
    );
    let client = longest.client;
    let blocked = longest.blocked_by.map_or(String::new(), |blocked| {
        format!(
            " It was blocked by incarnation {} of the same four-tuple, which the device closed first in frame {}.",
            blocked.incarnation, blocked.closed_in
        )
    });
    let mut sentences = vec![match longest.outcome {
        Outcome::Accepted => {
            format!(
                "connect() took **{waited}** in the longest attempt, from {client}, over {over}.{blocked}"
            )
        }
        Outcome::Reset => format!(
            "connect() waited **{waited}** in the longest attempt, from {client}, over {over}, and a RST of the device \
             ended it.{blocked}"
        ),
        Outcome::Unfinished => format!(
            "connect() on the client waited **at least {waited}** in the longest attempt, from {client}, over {over}; \
             it was not seen to get in.{blocked}"
        ),
    }];
    if longest.outcome == Outcome::Unfinished && longest.waited_s > 60.0 {
        sentences.push(
            "A Linux client with default settings sends its last SYN about 68 s after the first and reports \
             ETIMEDOUT after about 134 s."
                .to_owned(),
        );
    }
    sentences
}

/// While none is over yet.
fn longest_so_far(waiting: &[&Episode]) -> Option<String> {
    let longest = waiting.iter().max_by(|a, b| a.waited_s().total_cmp(&b.waited_s()))?;
    (longest.waited_s() > 0.0).then(|| {
        format!(
            "connect() on the client has waited **at least {}** in the longest attempt so far (from {}): its last \
             refusal came that long after its first.",
            span(longest.waited_s()),
            longest.client,
        )
    })
}

/// The connections that met a refusal, as a Markdown table; `None` where one sentence says it all.
pub fn table(report: &Report) -> Option<String> {
    let episodes: Vec<&Episode> = report.episodes.iter().filter(|episode| !episode.is_of_device()).collect();
    if episodes.len() < 2 {
        return None;
    }
    let mut out = String::from(
        "| client → device | life | refused SYNs | ignored RSTs | first finding | lasted | certainty |\n\
         | --- | ---: | ---: | ---: | --- | ---: | --- |\n",
    );
    for episode in episodes.iter().take(LISTED) {
        let first = episode.rules.values().min_by_key(|tally| tally.first);
        let frames = first.map_or(String::new(), |tally| frames(&tally.first_frames));
        out.push_str(&format!(
            "| {} → {} | {} | {} | {} | {frames} | {} | {} |\n",
            episode.client,
            episode.server,
            episode.incarnation,
            episode.count("time-wait-collision"),
            episode.count("ignored-rst"),
            span(episode.span_s()),
            episode.certainty,
        ));
    }
    let more = episodes.len().saturating_sub(LISTED);
    if more > 0 || report.findings_elsewhere > 0 {
        out.push_str(&format!("\nNot listed: {}", counted(more as u64, "more connection")));
        if report.findings_elsewhere > 0 {
            out.push_str(&format!(
                " and {} on connections that were not kept one by one",
                counted(report.findings_elsewhere, "finding")
            ));
        }
        out.push_str(".\n");
    }
    Some(out)
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
