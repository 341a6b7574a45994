//! The report model: the event stream folded into what a report says.
//!
//! Bounded: a capture with a hundred thousand findings takes no more memory than one with a hundred.
//! What is not kept is counted, so that the report can say what it leaves out. Works at any point of a stream.

use core::net::IpAddr;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::{
    check::file_name,
    episode::{self, Episode, Tally},
    experiment::Experiment,
    safe::clip,
    series::Series,
};
use crate::analysis::{
    detect::Finding,
    event::{CaptureQuality, Event, FlowEvent, MarkerEvent, Start, Summary},
    host::DeviceFacts,
    input::FrameNo,
    rule::{Alert, Severity},
    time::Timestamp,
};

const ALERTS: usize = 64;
const EPISODES: usize = 64;
/// Episodes kept for one rule, so that a frequent one does not crowd out a rare one.
const EPISODES_A_RULE: usize = 24;
const DEVICES: usize = 64;
const RULES: usize = 64;
const MARKERS: usize = 32;
const LOSSES: usize = 8;

/// What the report will say.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub start: Option<Start>,
    pub summary: Option<Summary>,
    /// Packet time of the first and the last event.
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// Every finding, by rule.
    pub findings: BTreeMap<String, Tally>,
    /// In order of their ids; the gravest are kept.
    #[serde(serialize_with = "values")]
    pub alerts: BTreeMap<u64, Alert>,
    pub alerts_omitted: u64,
    /// In order of appearance.
    pub episodes: Vec<Episode>,
    /// Findings of connections that are not among `episodes`.
    pub findings_elsewhere: u64,
    #[serde(serialize_with = "values")]
    pub devices: BTreeMap<IpAddr, DeviceFacts>,
    pub devices_omitted: u64,
    pub capture: CaptureQuality,
    pub losses: Vec<Loss>,
    pub losses_omitted: u64,
    pub markers: Vec<MarkerEvent>,
    pub markers_omitted: u64,
    pub series: Series,
    /// What belongs to the report; set by who writes it, for the stream does not know.
    pub attached: Vec<Attachment>,
    /// The system of the host that captured, as in `Linux 6.12.0 (x86_64)`; set by who writes the report.
    pub system: Option<String>,
    /// The packets cited, where they were written to a file beside the report; set by who wrote it.
    pub evidence: Option<EvidenceFile>,
    /// An experiment that the report is about; set by who ran it, for the stream does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment: Option<Experiment>,
}

/// A file with the packets that the findings cite.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EvidenceFile {
    pub name: String,
    /// For each cited frame: its number in the capture, and in the file.
    pub frames: Vec<(FrameNo, u64)>,
}

/// Frames were lost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Loss {
    pub epoch: Timestamp,
    pub text: String,
}

/// A file that belongs to the report, so that a reader can tell whether he has the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attachment {
    /// Without the directories.
    pub name: String,
    /// What it is, in a few words.
    pub what: String,
    pub octets: Option<u64>,
    /// In hexadecimal; absent where it could not be read, or is still being written.
    pub sha256: Option<String>,
}

impl Report {
    pub fn fold(&mut self, event: &Event) {
        if let Some(time) = event.time() {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
        match event {
            // A stream that starts again is another run, with frame numbers and alert ids of its own.
            Event::Start(start) => *self = Report { start: Some(bounded_start(start)), ..Report::default() },
            // The page tells what was found, by the frames that findings name; an experiment has a page of its own.
            Event::Segment(_) | Event::Progress(_) => {}
            Event::Flow(flow) => self.flow(flow),
            Event::Finding(finding) => self.finding(finding),
            Event::Alert(alert) => self.alert(alert),
            Event::Device(device) => self.device(&device.facts),
            Event::Capture(capture) => {
                self.capture = capture.quality;
                let loss = Loss { epoch: capture.when.0, text: clip(&capture.text, 300).into_owned() };
                self.losses_omitted += keep(&mut self.losses, loss, LOSSES);
            }
            Event::Marker(marker) => {
                let marker = MarkerEvent {
                    text: clip(&marker.text, 300).into_owned(),
                    mode: marker.mode.as_deref().map(|mode| clip(mode, 100).into_owned()),
                    ..*marker
                };
                self.markers_omitted += keep(&mut self.markers, marker, MARKERS);
            }
            Event::Summary(summary) => self.summary(summary),
        }
        self.series.fold(event);
    }

    /// The gravest alert, the earliest of equals.
    pub fn worst(&self) -> Option<&Alert> {
        self.alerts.values().max_by_key(|alert| (alert.severity, core::cmp::Reverse(alert.id)))
    }

    /// Whether something failed or waited, as the rules judge it.
    pub fn found_fault(&self) -> bool {
        self.worst().is_some_and(|alert| alert.severity >= Severity::Warning)
    }

    /// The gravest alert, where something failed or waited, and the connection that tells its story best.
    pub fn fault(&self) -> Option<(&Alert, Option<&Episode>)> {
        let worst = self.worst().filter(|_| self.found_fault())?;
        Some((worst, self.best_episode(worst)))
    }

    /// The connection that tells the story of `alert` best: surest, with its close in view, longest.
    pub fn best_episode(&self, alert: &Alert) -> Option<&Episode> {
        let of_rule = self.episodes.iter().filter(|episode| episode.count(&alert.rule) > 0);
        let of_device = of_rule.filter(|episode| episode.device == alert.device);
        // `max_by_key` takes the last of equals; the first one is the easier to find in the capture.
        of_device.rev().max_by_key(|episode| {
            (
                episode.certainty,
                episode.row("device closes first").is_some(),
                episode.count(&alert.rule),
                episode.rules.len(),
            )
        })
    }

    fn flow(&mut self, flow: &FlowEvent) {
        // The first time: one that was let in long ago may be told again, when something else changes.
        let established = flow.client_state.starts_with("ESTABLISHED") && self.series.awaits(flow);
        let known =
            self.episodes.iter_mut().find(|known| known.is_of(flow.client, flow.server, flow.incarnation));
        if let Some(episode) = known
            && established
        {
            episode.established.get_or_insert(flow.when.0);
        }
    }

    fn finding(&mut self, finding: &Finding) {
        episode::count(&mut self.findings, finding, RULES);
        let known = self
            .episodes
            .iter_mut()
            .rev()
            .find(|known| known.is_of(finding.client, finding.server, finding.incarnation));
        if let Some(episode) = known {
            return episode.add(finding);
        }
        let of_rule = self.episodes.iter().filter(|episode| episode.count(&finding.rule) > 0).count();
        if self.episodes.len() < EPISODES && of_rule < EPISODES_A_RULE {
            self.episodes.push(Episode::of(finding));
        } else {
            self.findings_elsewhere += 1;
        }
    }

    fn alert(&mut self, alert: &Alert) {
        let known = self.alerts.contains_key(&alert.id);
        if !known && self.alerts.len() >= ALERTS {
            self.alerts_omitted += u64::from(alert.phase == crate::analysis::rule::AlertPhase::Raised);
            let mildest =
                self.alerts.values().min_by_key(|kept| (kept.severity, core::cmp::Reverse(kept.id)));
            let Some(mildest) = mildest.filter(|kept| kept.severity < alert.severity) else { return };
            let id = mildest.id;
            self.alerts.remove(&id);
        }
        self.alerts.insert(alert.id, bounded_alert(alert));
    }

    fn device(&mut self, facts: &DeviceFacts) {
        if self.devices.contains_key(&facts.address) || self.devices.len() < DEVICES {
            self.devices.insert(facts.address, bounded_facts(facts));
        }
    }

    fn summary(&mut self, summary: &Summary) {
        for facts in &summary.devices {
            self.device(facts);
        }
        self.devices_omitted = summary.devices_omitted;
        self.capture = summary.capture;
        self.summary = Some(Summary {
            verdict: clip(&summary.verdict, 2_000).into_owned(),
            skipped: bounded_counts(&summary.skipped),
            findings: bounded_counts(&summary.findings),
            unevaluated: bounded_counts(&summary.unevaluated),
            alerts: bounded_counts(&summary.alerts),
            devices: Vec::new(), // kept above
            ..*summary
        });
    }
}

/// Keeps `item` while there is room; 1 where there is none.
fn keep<T>(kept: &mut Vec<T>, item: T, limit: usize) -> u64 {
    if kept.len() < limit {
        kept.push(item);
        0
    } else {
        1
    }
}

fn values<K, V: Serialize, S: Serializer>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(map.values())
}

fn bounded_start(start: &Start) -> Start {
    Start {
        schema: start.schema,
        tool: clip(&start.tool, 100).into_owned(),
        source: clip(&start.source, 16).into_owned(),
        name: clip(file_name(&start.name), 200).into_owned(),
        filter: start.filter.as_deref().map(|filter| clip(filter, 500).into_owned()),
        devices: start.devices.iter().take(DEVICES).copied().collect(),
        rules: start.rules.iter().take(RULES).map(|rule| clip(rule, 64).into_owned()).collect(),
        snaplen: start.snaplen,
    }
}

fn bounded_alert(alert: &Alert) -> Alert {
    let texts = |texts: &[String], length| {
        texts.iter().take(10).map(|text| clip(text, length).into_owned()).collect()
    };
    Alert {
        rule: clip(&alert.rule, 64).into_owned(),
        mode: alert.mode.as_deref().map(|mode| clip(mode, 100).into_owned()),
        findings: alert.findings.iter().take(64).copied().collect(),
        frames: alert.frames.iter().take(64).copied().collect(),
        title: clip(&alert.title, 300).into_owned(),
        why: clip(&alert.why, 2_000).into_owned(),
        remedies: texts(&alert.remedies, 600),
        references: texts(&alert.references, 300),
        ..*alert
    }
}

fn bounded_facts(facts: &DeviceFacts) -> DeviceFacts {
    DeviceFacts {
        mac: facts.mac.as_deref().map(|mac| clip(mac, 32).into_owned()),
        mode: facts.mode.as_deref().map(|mode| clip(mode, 100).into_owned()),
        note: facts.note.as_deref().map(|note| clip(note, 600).into_owned()),
        ..*facts
    }
}

fn bounded_counts(counts: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    counts.iter().take(RULES).map(|(name, count)| (clip(name, 64).into_owned(), *count)).collect()
}
