//! The one ordered stream that leaves the engine; `--json` is this stream serialised, a line an event.
//!
//! Field names are the contract's: they never change meaning, new ones may come.

use core::net::IpAddr;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};

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

#[derive(Clone, Debug, PartialEq, Deserialize)]
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

/// One object: its `type`, and what it holds beside that.
///
/// What comes often is written field by field: serde puts a `type` and flattened fields into a map, whose names are looked
/// through for escapes each time.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::Finding(finding) => {
                let mut object = serializer.serialize_struct("Event", 15)?;
                object.serialize_field("type", "finding")?;
                finding.write_fields(&mut object)?;
                object.end()
            }
            Event::Device(DeviceEvent { when, facts }) => {
                let mut object = serializer.serialize_struct("Event", 19)?;
                object.serialize_field("type", "device")?;
                when.write_fields(&mut object)?;
                facts.write_fields(&mut object)?;
                object.end()
            }
            Event::Start(start) => Seldom::Start(start).serialize(serializer),
            Event::Segment(segment) => Seldom::Segment(segment).serialize(serializer),
            Event::Flow(flow) => Seldom::Flow(flow).serialize(serializer),
            Event::Alert(alert) => Seldom::Alert(alert).serialize(serializer),
            Event::Capture(capture) => Seldom::Capture(capture).serialize(serializer),
            Event::Marker(marker) => Seldom::Marker(marker).serialize(serializer),
            Event::Progress(progress) => Seldom::Progress(progress).serialize(serializer),
            Event::Summary(summary) => Seldom::Summary(summary).serialize(serializer),
        }
    }
}

/// What serde may write in its own way: it comes seldom, or only where it was asked for.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Seldom<'a> {
    Start(&'a Start),
    Segment(&'a SegmentEvent),
    Flow(&'a FlowEvent),
    Alert(&'a Alert),
    Capture(&'a CaptureEvent),
    Marker(&'a MarkerEvent),
    Progress(&'a ProgressEvent),
    Summary(&'a Summary),
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
#[derive(Clone, Debug, PartialEq, Deserialize)]
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
