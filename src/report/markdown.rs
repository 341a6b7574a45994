//! The report as Markdown: self-contained, for a bug issue.
//!
//! Knows the order that convinces: verdict, chain, ladder, cost, device, certainty, remedies, capture, how to check.
//! Never longer than an issue may be: sections that do not fit are left out whole, and the report says which.

use super::{
    advice, check, cost, device,
    episode::Episode,
    ladder,
    model::Report,
    safe::{code, prose, reference},
    story,
    words::{list, span, total, utc},
};
use crate::analysis::{
    certainty::Certainty,
    host::{Behaviour, SynInTimeWait},
};
use crate::text::{counted, times};

/// Characters that a GitHub issue may hold, less some room for what its author adds.
const LIMIT: usize = 65_536 - 4_096;
const DEVICES_SHOWN: usize = 4;
const ALERTS_SHOWN: usize = 20;

/// Renders what is known so far.
pub fn render(report: &Report) -> String {
    let mut page = Page::default();
    let worst = report.worst().filter(|_| report.found_fault());
    let episode = worst.and_then(|alert| report.best_episode(alert));
    page.must(title(report));
    page.must(verdict(report));
    match episode {
        Some(episode) => fault(&mut page, report, episode),
        None if worst.is_none() => page.must(observable(report)),
        None => {}
    }
    page.may("devices", devices(report));
    page.may("certainty", certainty(report, episode));
    page.may("remedies", remedies(report));
    page.may("capture", section("How it was captured", &bullets(&check::vantage(report))));
    page.may("losses and markers", losses_and_markers(report));
    if let Some(episode) = episode {
        let steps = numbered(&check::in_wireshark(report, episode));
        page.may("check", section("Check it in Wireshark", &steps));
    }
    page.may("evidence file", evidence(report));
    let commands = format!("```sh\n{}```\n", check::reproduce(report));
    page.may("reproduce", section("See it again", &commands));
    page.may(
        "connections",
        cost::table(report).map_or(String::new(), |table| section("Connections", &table)),
    );
    page.may("alerts", alerts(report));
    page.may("references", references(report));
    page.may("environment", environment(report));
    page.finish()
}

/// The parts of a report, and what it can do without.
#[derive(Default)]
struct Page {
    parts: Vec<(Option<&'static str>, String)>,
}

impl Page {
    fn must(&mut self, part: String) {
        self.parts.push((None, part));
    }

    fn may(&mut self, name: &'static str, part: String) {
        if !part.is_empty() {
            self.parts.push((Some(name), part));
        }
    }

    fn finish(mut self) -> String {
        let mut left_out = Vec::new();
        while self.parts.iter().map(|(_, part)| part.chars().count() + 1).sum::<usize>() > LIMIT {
            // The longest of what the report can do without.
            let longest = self
                .parts
                .iter()
                .enumerate()
                .filter(|(_, (name, _))| name.is_some())
                .max_by_key(|(_, (_, part))| part.len())
                .map(|(at, _)| at);
            let Some(at) = longest else { break };
            left_out.extend(self.parts.remove(at).0);
        }
        let mut text = self.parts.into_iter().map(|(_, part)| part).collect::<Vec<_>>().join("\n");
        if !left_out.is_empty() {
            text.push_str(&format!(
                "\nLeft out, to fit into an issue of 65,536 characters: {}. The tool's own output has it all.\n",
                left_out.join(", ")
            ));
        }
        text
    }
}

fn title(report: &Report) -> String {
    match report.worst() {
        Some(alert) if report.found_fault() => format!("# {}\n", prose(&alert.title, 400)),
        Some(_) | None if nothing_seen(report) => "# Nothing was seen\n".to_owned(),
        Some(_) | None => "# Nothing wrong was seen\n".to_owned(),
    }
}

fn nothing_seen(report: &Report) -> bool {
    let segments = report.summary.as_ref().map_or(0, |summary| summary.segments);
    segments == 0 && report.devices.is_empty() && report.findings.is_empty()
}

fn verdict(report: &Report) -> String {
    let mut out = String::new();
    let worst = report.worst().filter(|_| report.found_fault());
    match &report.summary {
        Some(summary) => out.push_str(&format!("**{}**\n", prose(&summary.verdict, 3_000))),
        None => {
            let found: u64 = report.findings.values().map(|tally| tally.count).sum();
            let so_far = match worst {
                Some(alert) => format!("So far: {}, {}.", counted(found, "finding"), alert.severity),
                None => "So far nothing wrong was seen.".to_owned(),
            };
            out.push_str(&format!("**The run had not ended when this report was written. {so_far}**\n"));
        }
    }
    if let Some(alert) = worst {
        out.push_str(&format!("\n{}\n", prose(&alert.why, 4_000)));
        out.push_str(&format!(
            "\nRule {}, severity {}, certainty {}: {}, from {} to {}.\n",
            code(&alert.rule, 80),
            alert.severity,
            alert.certainty,
            counted(alert.count, "finding"),
            utc(alert.first),
            utc(alert.last),
        ));
    }
    out
}

fn fault(page: &mut Page, report: &Report, episode: &Episode) {
    let mut chain = if episode.is_of_device() {
        format!("About {} as a whole, and no single connection of it.", episode.device)
    } else {
        format!("{}.", story::pair(episode.client, episode.server))
    };
    if let Some(first) = episode.rows.iter().next() {
        chain.push_str(&format!(" Times count from frame {}, {}.", first.frame, utc(first.epoch)));
    }
    if episode.row("device closes first").is_none() && episode.count("time-wait-collision") > 0 {
        chain.push_str(" The close of the old connection was before the capture began.");
    }
    chain.push_str(&format!("\n\n{}", numbered(&story::steps(episode))));
    page.must(section("What happened", &chain));
    if let Some(ladder) = ladder::draw(episode) {
        let bases: Vec<String> = ladder.bases.iter().map(|(name, raw)| format!("{name} = {raw}")).collect();
        let body = format!(
            "```text\n{}```\n\nSequence numbers count from {}; C is the client's, D the device's, C2 or D2 those of \
             the next connection. Frames of the same connection that explain nothing are not drawn.\n",
            ladder.lines,
            bases.join(", ")
        );
        page.must(section("The frames", &body));
    }
    let sentences = cost::sentences(report);
    if !sentences.is_empty() {
        page.may("cost", section("What it cost", &bullets(&sentences)));
    }
}

/// The healthy report: what could be seen and what could not.
fn observable(report: &Report) -> String {
    let mut said = Vec::new();
    let accepted = total(report.devices.values().map(|device| device.accepted));
    let entered = total(report.devices.values().map(|device| device.time_wait.entered));
    let met = total(report.devices.values().map(|device| device.time_wait.syns));
    if let Some(summary) = &report.summary {
        said.push(format!(
            "{} in {}, of which {} on {}.",
            counted(summary.frames, "frame"),
            span(summary.duration_s),
            counted(summary.segments, "TCP segment"),
            counted(summary.flows, "flow")
        ));
    }
    said.push(format!(
        "The device accepted {} and was seen to enter TIME-WAIT {}.",
        counted(accepted, "connection"),
        times(entered)
    ));
    let accepts = report.devices.values().any(|device| {
        device.syn_in_time_wait == SynInTimeWait::Accepted || device.behaves_as == Behaviour::AcceptsSyn
    });
    said.push(if met == 0 {
        "**No client came back from a port that the device still held in TIME-WAIT.** How the device treats a reused \
         port was therefore not put to the test: this report does not show that it is free of that fault."
            .to_owned()
    } else if accepts {
        format!(
            "{} met a connection in TIME-WAIT, and a newer SYN was accepted: a reused port did no harm.",
            counted(met, "SYN")
        )
    } else {
        format!("{} met a connection in TIME-WAIT, and no rule found fault with what followed.", counted(met, "SYN"))
    });
    if let Some(start) = &report.start {
        let rules: Vec<String> = start.rules.iter().take(32).map(|rule| code(rule, 80)).collect();
        if !rules.is_empty() {
            said.push(format!("Only what these rules look for was judged: {}.", rules.join(", ")));
        }
    }
    if report.capture.dropped > 0 {
        said.push(format!(
            "{} were lost, so what was not seen may still have happened.",
            counted(report.capture.dropped, "frame")
        ));
    }
    said.push("It holds for the time of the capture and for no other.".to_owned());
    section("What could be seen, and what could not", &bullets(&said))
}

fn devices(report: &Report) -> String {
    if report.devices.is_empty() {
        return String::new();
    }
    let worst = report.worst().map(|alert| alert.device);
    let mut shown: Vec<_> = report.devices.values().collect();
    shown.sort_by_key(|facts| Some(facts.address) != worst);
    let tables: Vec<String> = shown.iter().take(DEVICES_SHOWN).map(|facts| device::table(facts)).collect();
    let omitted = (shown.len().saturating_sub(DEVICES_SHOWN) as u64).saturating_add(report.devices_omitted);
    let more = if omitted > 0 {
        format!("\nNot shown: {}.\n", counted(omitted, "more device"))
    } else {
        String::new()
    };
    section(
        if shown.len() == 1 { "The device" } else { "The devices" },
        &format!("{}{more}", tables.join("\n")),
    )
}

fn certainty(report: &Report, episode: Option<&Episode>) -> String {
    if report.findings.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "| rule | findings | certainty | first seen in | last seen in |\n| --- | ---: | --- | --- | --- |\n",
    );
    for (rule, tally) in report.findings.iter().take(32) {
        out.push_str(&format!(
            "| {} | {} | {} | {} | {} |\n",
            code(rule, 80),
            tally.count,
            tally.certainty,
            cost::frames(&tally.first_frames),
            cost::frames(&tally.last_frames),
        ));
    }
    out.push_str(&format!(
        "\n*{}*: seen frame by frame. *{}*: follows from what was seen, unless frames were lost or reordered. *{}*: \
         fits what was seen, and so does something else. The table gives the highest of each rule.\n",
        Certainty::Proven, Certainty::Inferred, Certainty::Suspected
    ));
    if let Some(slowest) =
        episode.filter(|known| known.count("time-wait-collision") > 0).and_then(cost::slowest_answer_s)
    {
        out.push_str(&format!(
            "\nRuled out: loss of the SYNs, and a device that is down. It answered each SYN that is cited, the slowest \
             among those shown within {}; the answer was a refusal.\n",
            span(slowest)
        ));
    }
    section("How certain this is", &out)
}

fn remedies(report: &Report) -> String {
    if !report.found_fault() {
        return String::new();
    }
    let mut out = numbered(&advice::remedies(report));
    if advice::is_about_time_wait(report) {
        out.push_str(&format!("\n### The arithmetic\n\n{}", advice::arithmetic(report)));
        out.push_str(&format!("\n### What a fix must look like\n\n{}", advice::LOOKS_LIKE));
    }
    section("Remedies, best first", &out)
}

fn losses_and_markers(report: &Report) -> String {
    let mut said: Vec<String> =
        report.losses.iter().map(|(at, text)| format!("{}: {}", utc(*at), prose(text, 500))).collect();
    said.extend(report.markers.iter().map(|marker| {
        let consequence = if marker.mode_changed { " (the device was changed on purpose here)" } else { "" };
        format!("{}: {}{consequence}", utc(marker.when.0), prose(&marker.text, 500))
    }));
    let omitted = report.losses_omitted + report.markers_omitted;
    if omitted > 0 {
        said.push(format!("… and {omitted} more."));
    }
    if said.is_empty() { String::new() } else { section("Losses and markers", &bullets(&said)) }
}

fn alerts(report: &Report) -> String {
    if report.alerts.is_empty() {
        return String::new();
    }
    let mut shown: Vec<_> = report.alerts.values().collect();
    shown.sort_by_key(|alert| (core::cmp::Reverse(alert.severity), alert.id));
    let mut out = String::from(
        "| alert | severity | rule | findings | frames | what |\n| ---: | --- | --- | ---: | --- | --- |\n",
    );
    for alert in shown.iter().take(ALERTS_SHOWN) {
        out.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            alert.id,
            alert.severity,
            code(&alert.rule, 80),
            alert.count,
            list(&alert.frames, 6),
            prose(&alert.title, 200),
        ));
    }
    let omitted = shown.len().saturating_sub(ALERTS_SHOWN) as u64 + report.alerts_omitted;
    if omitted > 0 {
        out.push_str(&format!("\nNot listed: {}.\n", counted(omitted, "more alert")));
    }
    section("Alerts", &out)
}

fn references(report: &Report) -> String {
    let mut told: Vec<&str> = Vec::new();
    for text in report.alerts.values().flat_map(|alert| &alert.references) {
        if told.len() < 16 && !told.contains(&text.as_str()) {
            told.push(text);
        }
    }
    if told.is_empty() {
        return String::new();
    }
    section("References", &bullets(&told.into_iter().map(|text| reference(text, 300)).collect::<Vec<_>>()))
}

fn environment(report: &Report) -> String {
    let mut said = Vec::new();
    if let Some(start) = &report.start {
        said.push(format!("Written by {}, event stream version {}.", prose(&start.tool, 120), start.schema));
    }
    if let Some(summary) = &report.summary {
        said.push(format!(
            "{} in {}: {}, {}, {}.",
            counted(summary.frames, "frame"),
            span(summary.duration_s),
            counted(summary.segments, "TCP segment"),
            counted(summary.flows, "flow"),
            counted(summary.incarnations, "connection")
        ));
        for (reason, count) in summary.skipped.iter().take(12) {
            said.push(format!("Not read as TCP: {} ({}).", counted(*count, "frame"), prose(reason, 100)));
        }
    }
    said.push(
        "Not on the wire, to be added by the author: board, firmware and its version, access point, what the client \
         program is."
            .to_owned(),
    );
    section("Environment", &bullets(&said))
}

/// Where the packets are, and under which numbers.
fn evidence(report: &Report) -> String {
    let Some(file) = &report.evidence else { return String::new() };
    let pairs: Vec<String> =
        file.frames.iter().map(|(capture, here)| format!("{capture} is {here}")).collect();
    let said = format!(
        "The packets cited are in {}, each with a comment; this report has the capture's frame numbers. There, {}.\n",
        code(&file.name, 120),
        list(&pairs, 64)
    );
    section("The packets themselves", &said)
}

fn section(heading: &str, body: &str) -> String {
    format!("## {heading}\n\n{body}")
}

fn bullets(items: &[String]) -> String {
    items.iter().map(|item| format!("- {item}\n")).collect()
}

fn numbered(items: &[String]) -> String {
    items.iter().enumerate().map(|(at, item)| format!("{}. {item}\n", at + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_left_out_whole_and_named() {
        let mut page = Page::default();
        page.must("# Title\n".to_owned());
        page.may("short", "short part\n".to_owned());
        page.may("long", "ж".repeat(LIMIT));
        page.may("longer", "ж".repeat(LIMIT + 1));
        page.may("empty", String::new());
        let text = page.finish();
        assert!(text.starts_with("# Title\n\nshort part\n"));
        assert!(
            text.ends_with("65,536 characters: longer, long. The tool's own output has it all.\n"),
            "{text}"
        );
    }
}
