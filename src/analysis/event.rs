//! The one ordered stream that leaves the engine; `--json` is this stream serialised, a line an event.
//!
//! Field names are the contract's: they never change meaning, new ones may come.

use core::net::IpAddr;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    detect::Finding,
    host::DeviceFacts,
    input::{FrameNo, Progress},
    rule::Alert,
    time::{Timestamp, When},
};

pub use super::flow::{FlowChange, FlowEvent, SegmentEvent};

/// Version of the stream's field names.
pub const SCHEMA: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    Start(Start),
    Segment(SegmentEvent),
    Flow(FlowEvent),
    Finding(Finding),
    Alert(Alert),
    Device(DeviceEvent),
    Capture(CaptureEvent),
    Marker(MarkerEvent),
    Progress(ProgressEvent),
    Summary(Summary),
}

impl Event {
    /// When it happened; `None` before anything did.
    pub fn time(&self) -> Option<Timestamp> {
        let When(time) = match self {
            Event::Start(_) => return None,
            Event::Segment(segment) => segment.when,
            Event::Flow(flow) => flow.when,
            Event::Finding(finding) => finding.when,
            Event::Alert(alert) => alert.when,
            Event::Device(device) => device.when,
            Event::Capture(capture) => capture.when,
            Event::Marker(marker) => marker.when,
            Event::Progress(progress) => progress.when,
            Event::Summary(summary) => summary.when,
        };
        // A run without a frame has no time: its summary must not make one up.
        (time != Timestamp::ZERO).then_some(time)
    }
}

/// What is being watched, and by what; the only event without a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Start {
    pub schema: u32,
    /// Program and version.
    pub tool: String,
    /// `live`, `file` or `stream`.
    pub source: String,
    /// Interface name or file path.
    pub name: String,
    pub filter: Option<String>,
    /// The devices asked for; empty: recognised by what they send.
    pub devices: Vec<IpAddr>,
    /// Ids of the rules in force.
    pub rules: Vec<String>,
    pub snaplen: Option<u32>,
}

/// What is known of a device changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceEvent {
    #[serde(flatten)]
    pub when: When,
    #[serde(flatten)]
    pub facts: DeviceFacts,
}

/// The quality of the capture changed: frames were lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaptureEvent {
    #[serde(flatten)]
    pub when: When,
    #[serde(flatten)]
    pub quality: CaptureQuality,
    pub text: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureQuality {
    /// Frames that reached the engine.
    pub received: u64,
    /// Frames known to be lost before it.
    pub dropped: u64,
    /// Times at which frames were lost.
    pub gaps: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarkerEvent {
    #[serde(flatten)]
    pub when: When,
    pub text: String,
    pub mode_changed: bool,
    /// Whose mode or new address it tells; absent where it tells neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<IpAddr>,
    /// What the device's test firmware says its mode is from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The address that `device` had before; absent where no device has another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formerly: Option<IpAddr>,
    /// The frame that shows it; absent where it is not on the wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<FrameNo>,
}

impl MarkerEvent {
    /// A text, and no more.
    pub fn note(now: Timestamp, text: String) -> MarkerEvent {
        let when = When(now);
        MarkerEvent { when, text, mode_changed: false, device: None, mode: None, formerly: None, frame: None }
    }
}

/// An experiment went on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgressEvent {
    #[serde(flatten)]
    pub when: When,
    #[serde(flatten)]
    pub progress: Progress,
}

/// The last line of every run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    #[serde(flatten)]
    pub when: When,
    pub frames: u64,
    pub segments: u64,
    /// Frames that were no readable TCP segment, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Four-tuples seen.
    pub flows: u64,
    pub incarnations: u64,
    /// Findings by rule id.
    pub findings: BTreeMap<String, u64>,
    /// Alert ids by rule id.
    pub alerts: BTreeMap<String, u64>,
    /// How often the condition of a user's rule could not be evaluated, most often because the event lacks a field
    /// that others have; by rule id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unevaluated: BTreeMap<String, u64>,
    pub devices: Vec<DeviceFacts>,
    pub devices_omitted: u64,
    pub capture: CaptureQuality,
    /// Seconds from the first frame to the last.
    pub duration_s: f64,
    /// One plain sentence or two.
    pub verdict: String,
}
