//! What the program tells of a capture, read as anybody reads it: from its JSON Lines.

use std::collections::BTreeMap;
use std::path::Path;

use esp_tcpwatch::analysis::{
    detect::Finding,
    event::{Event, FlowEvent, SegmentEvent, Summary},
};

use crate::support::program;

pub struct Told {
    pub segments: BTreeMap<u64, SegmentEvent>,
    pub flows: Vec<FlowEvent>,
    pub findings: Vec<Finding>,
    pub summary: Summary,
}

pub fn read(capture: &Path) -> Told {
    let words = ["-r", capture.to_str().unwrap(), "--json", "--events", "flow,segment"];
    let output = program(&words).output().unwrap();
    let (mut segments, mut flows, mut findings, mut summary) = (BTreeMap::new(), vec![], vec![], None);
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        match serde_json::from_str(line).unwrap() {
            Event::Segment(segment) => drop(segments.insert(segment.frame, segment)),
            Event::Flow(flow) => flows.push(flow),
            Event::Finding(finding) => findings.push(finding),
            Event::Summary(last) => summary = Some(last),
            Event::Start(_) | Event::Alert(_) | Event::Device(_) | Event::Capture(_) => {}
            Event::Marker(_) | Event::Progress(_) => {}
        }
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let summary = summary.unwrap_or_else(|| panic!("{}: {said}", capture.display()));
    Told { segments, flows, findings, summary }
}
