//! What a run has come to, as one who attaches now is told it: lines that it told before, in their order.
//!
//! Knows which events replace earlier ones. Bounded, however long the run: [`RECENT`] octets of what passed, and the
//! last word on each device and alert.

use core::net::IpAddr;
use std::collections::{BTreeMap, VecDeque};

use super::queue::Line;
use crate::analysis::{
    event::Event,
    rule::{Alert, AlertPhase},
};

/// Octets of flow changes and findings that are kept.
const RECENT: usize = 512 << 10;
/// What the report and the screen hold of devices, too.
const MOST_DEVICES: usize = 64;
const MOST_ALERTS: usize = 128;
/// Markers, and words on the capture's quality.
const MOST_REMARKS: usize = 64;
/// Findings that are kept for an alert, whatever passed since: the first, which raised it.
const FIRST_FINDINGS: usize = 2;

#[derive(Debug, Default)]
pub struct Present {
    start: Option<Line>,
    devices: BTreeMap<IpAddr, Line>,
    alerts: BTreeMap<u64, KeptAlert>,
    remarks: VecDeque<Line>,
    recent: VecDeque<Recent>,
    recent_octets: usize,
    summary: Option<Line>,
}

#[derive(Debug)]
struct KeptAlert {
    line: Line,
    findings: Vec<Line>,
    is_over: bool,
}

#[derive(Debug)]
struct Recent {
    line: Line,
    /// Of a finding.
    id: Option<u64>,
}

impl Present {
    /// Keeps `line`, which is `event`, as long as it tells how things are.
    pub fn take(&mut self, event: &Event, line: &Line) {
        let line = line.clone();
        match event {
            Event::Start(_) => self.start = Some(line),
            // They are told to those who are there.
            Event::Segment(_) => {}
            Event::Flow(_) | Event::Progress(_) => self.pass(Recent { line, id: None }),
            Event::Finding(finding) => self.pass(Recent { line, id: Some(finding.id) }),
            Event::Alert(alert) => self.alert(alert, line),
            Event::Device(device) => {
                let address = device.facts.address;
                if self.devices.len() < MOST_DEVICES || self.devices.contains_key(&address) {
                    self.devices.insert(address, line);
                }
            }
            Event::Capture(_) | Event::Marker(_) => {
                self.remarks.push_back(line);
                if self.remarks.len() > MOST_REMARKS {
                    self.remarks.pop_front();
                }
            }
            Event::Summary(_) => self.summary = Some(line),
        }
    }

    /// All that is kept, in the order in which it was told.
    pub fn lines(&self) -> Vec<Line> {
        let alerts = self.alerts.values().flat_map(|alert| alert.findings.iter().chain([&alert.line]));
        let state = self.start.iter().chain(self.devices.values()).chain(alerts).chain(&self.remarks);
        let recent = self.recent.iter().map(|recent| &recent.line);
        let mut lines: Vec<Line> = state.chain(recent).chain(&self.summary).cloned().collect();
        lines.sort_by_key(|line| line.number);
        // A finding that an alert keeps may be a recent one, too.
        lines.dedup_by_key(|line| line.number);
        lines
    }

    fn pass(&mut self, recent: Recent) {
        self.recent_octets += recent.line.octets.len();
        self.recent.push_back(recent);
        while self.recent_octets > RECENT
            && let Some(oldest) = self.recent.pop_front()
        {
            self.recent_octets -= oldest.line.octets.len();
        }
    }

    fn alert(&mut self, alert: &Alert, line: Line) {
        let is_over = alert.phase == AlertPhase::Ended;
        if let Some(kept) = self.alerts.get_mut(&alert.id) {
            (kept.line, kept.is_over) = (line, is_over);
            return;
        }
        let first = alert.findings.iter().take(FIRST_FINDINGS);
        let told = first.filter_map(|id| self.recent.iter().rev().find(|recent| recent.id == Some(*id)));
        let findings = told.map(|recent| recent.line.clone()).collect();
        self.alerts.insert(alert.id, KeptAlert { line, findings, is_over });
        if self.alerts.len() > MOST_ALERTS {
            // What is over gives way before what goes on.
            let over = self.alerts.iter().find(|(_, alert)| alert.is_over).or(self.alerts.iter().next());
            if let Some(id) = over.map(|(id, _)| *id) {
                self.alerts.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{certainty::Certainty, detect::Finding, time::Timestamp};
    use crate::app::socket::queue::Kind;

    struct Run {
        present: Present,
        number: u64,
    }

    impl Run {
        fn new() -> Run {
            Run { present: Present::default(), number: 0 }
        }

        fn tell(&mut self, event: &Event) -> u64 {
            self.number += 1;
            let octets = vec![b'x'; 999].into();
            self.present.take(event, &Line { number: self.number, kind: Kind::of(event), octets });
            self.number
        }

        fn find(&mut self, id: u64) -> u64 {
            let device = "10.0.0.2".parse().unwrap();
            let finding = Finding::of_device(
                "device-reboot",
                Certainty::Proven,
                Timestamp::ZERO,
                device,
                vec![1],
                String::new(),
            );
            self.tell(&Event::Finding(Finding { id, ..finding }))
        }

        fn alert(&mut self, id: u64, phase: &str, findings: &str) -> u64 {
            let text = format!(
                r#"{{"type":"alert","id":{id},"rule":"a","severity":"warning","phase":"{phase}","certainty":"proven",
                "count":1,"time":"","epoch":1.0,"first":1.0,"last":1.0,"device":"10.0.0.2","client":null,
                "server":"10.0.0.2:80","findings":[{findings}],"frames":[],"frames_omitted":0,"title":"","why":"",
                "remedies":[],"references":[]}}"#
            );
            self.tell(&serde_json::from_str(&text).unwrap())
        }

        fn numbers(&self) -> Vec<u64> {
            self.present.lines().iter().map(|line| line.number).collect()
        }
    }

    #[test]
    fn an_alert_keeps_the_finding_that_raised_it_and_its_last_word_and_what_passes_has_a_bound() {
        let mut run = Run::new();
        let raised_by = run.find(1);
        let raised = run.alert(1, "raised", "1");
        for id in 2..5_000 {
            run.find(id);
        }
        let grown = run.alert(1, "grown", "1");
        let numbers = run.numbers();
        assert!(numbers.is_sorted());
        assert_eq!((numbers[0], numbers.last()), (raised_by, Some(&grown)));
        assert!(!numbers.contains(&raised));
        let recent = RECENT / 999;
        assert_eq!(numbers.len(), recent + 2);
        assert_eq!(numbers[1], grown - recent as u64, "the newest of what passed");
    }

    #[test]
    fn what_is_recent_and_kept_for_an_alert_is_told_once() {
        let mut run = Run::new();
        run.find(1);
        run.alert(1, "raised", "1");
        assert_eq!(run.numbers(), [1, 2]);
    }

    #[test]
    fn alerts_that_are_over_give_way_before_one_that_goes_on() {
        let mut run = Run::new();
        let open = run.alert(1, "raised", "");
        for id in 2..1_000 {
            run.alert(id, "raised", "");
            run.alert(id, "ended", "");
        }
        let numbers = run.numbers();
        assert_eq!(numbers.len(), MOST_ALERTS);
        assert_eq!(numbers[0], open);
    }
}
