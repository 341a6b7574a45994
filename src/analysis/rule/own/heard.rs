//! What a rule of a user's own may listen to: a finding, what is told of a flow, the facts of a device.
//!
//! Alerts are left out on purpose: an alert is findings and a policy, and a rule that listens to those findings has
//! a policy of its own. Findings of users' rules are never heard, so no rule can set off another, or itself.

use core::fmt;

use serde::Deserialize;

use crate::analysis::{
    detect::Finding,
    flow::FlowEvent,
    host::DeviceFacts,
    input::FrameNo,
    time::{Timestamp, When},
};

/// The kinds of event, as `listens_to` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Finding,
    Flow,
    Device,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Finding, Kind::Flow, Kind::Device];

    /// When there is such an event, for a person.
    pub fn what(self) -> &'static str {
        match self {
            Kind::Finding => {
                "Something that a built-in rule found. Findings of rules of one's own are not heard."
            }
            Kind::Flow => {
                "A connection with a device opened, changed state or closed, as `--json --events flow` tells it."
            }
            Kind::Device => "What is known of a device changed; told at most once a second, and at the end.",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Finding => "finding",
            Kind::Flow => "flow",
            Kind::Device => "device",
        })
    }
}

/// One event, to be listened to.
#[derive(Clone, Copy, Debug)]
pub enum Heard<'a> {
    Finding(&'a Finding),
    Flow(&'a FlowEvent),
    Device(HeardDevice<'a>),
}

#[derive(Clone, Copy, Debug)]
pub struct HeardDevice<'a> {
    pub when: When,
    pub facts: &'a DeviceFacts,
    /// The frame in which the device was heard last.
    pub frame: Option<FrameNo>,
}

impl<'a> Heard<'a> {
    /// What is known of a device, which was `last_heard` in that frame.
    pub fn device(when: When, facts: &'a DeviceFacts, last_heard: Option<(FrameNo, Timestamp)>) -> Heard<'a> {
        Heard::Device(HeardDevice { when, facts, frame: last_heard.map(|(frame, _)| frame) })
    }

    pub fn kind(self) -> Kind {
        match self {
            Heard::Finding(_) => Kind::Finding,
            Heard::Flow(_) => Kind::Flow,
            Heard::Device(_) => Kind::Device,
        }
    }

    pub fn when(self) -> Timestamp {
        let When(time) = match self {
            Heard::Finding(finding) => finding.when,
            Heard::Flow(flow) => flow.when,
            Heard::Device(device) => device.when,
        };
        time
    }

    /// The frames that it is about.
    pub fn frames(self) -> Vec<FrameNo> {
        match self {
            Heard::Finding(finding) => finding.frames.clone(),
            Heard::Flow(flow) => vec![flow.frame],
            Heard::Device(device) => device.frame.into_iter().collect(),
        }
    }

    pub(super) fn finding(self) -> Option<&'a Finding> {
        if let Heard::Finding(finding) = self { Some(finding) } else { None }
    }

    pub(super) fn flow(self) -> Option<&'a FlowEvent> {
        if let Heard::Flow(flow) = self { Some(flow) } else { None }
    }

    pub(super) fn facts(self) -> Option<&'a DeviceFacts> {
        if let Heard::Device(device) = self { Some(device.facts) } else { None }
    }
}
