//! One segment as the detectors see it: with its flow, its place in the flow, and the state of things before it.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;

use super::{EvidenceSegment, Finding, evidence};
use crate::analysis::{
    certainty::Certainty,
    flow::{Belongs, Flow, FourTuple, Incarnation, Side},
    host::Device,
    input::FrameNo,
    tcp::{Endpoint, Kind},
    time::{Timestamp, When},
    wire::{Note, Segment},
};

/// A SYN that waits longer has been repeated (RFC 6298 §2: 1 s): what comes later answers something that was not
/// captured.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub segment: &'a Segment,
    pub from: Side,
    /// After the segment.
    pub flow: &'a Flow,
    /// The flow's life before the segment; of a flow that the segment opened, the life it opened.
    pub before: &'a Incarnation,
    pub place: Belongs,
    pub kind: Kind,
    /// Which side is the device.
    pub device_side: Side,
    /// After the segment.
    pub device: &'a Device,
    /// When frames were lost last.
    pub last_gap: Option<Timestamp>,
}

impl Seen<'_> {
    pub fn tuple(&self) -> FourTuple {
        self.flow.tuple
    }

    pub fn from_device(&self) -> bool {
        self.from == self.device_side
    }

    /// The sender before the segment.
    pub fn sender_before(&self) -> &Endpoint {
        self.before.endpoint(self.from)
    }

    /// The other side before the segment.
    pub fn receiver_before(&self) -> &Endpoint {
        self.before.endpoint(self.from.other())
    }

    pub fn note(&self) -> Note {
        Note::from(self.segment)
    }

    /// Its sender has received, since it last spoke, octets that were not captured: with them may have come whatever
    /// else seems to be missing.
    pub fn answers_what_was_not_captured(&self) -> bool {
        let (Some(ack), Some(sent)) = (self.segment.acknowledges(), self.receiver_before().snd_nxt) else {
            return false;
        };
        sent.precedes(ack) && self.sender_before().rcv_nxt.is_none_or(|known| known.precedes(ack))
    }

    /// The SYN that this segment answers with an ACK of other numbers: the device lives in another connection.
    pub fn syn_met_by_stale_ack(&self) -> Option<Note> {
        let waits = self.place == Belongs::AnotherLife && self.before.awaits_answer();
        if !waits || !self.from_device() || !self.segment.is_pure_ack() || self.from == self.before.opener {
            return None;
        }
        let syn = self.flow.life.opening;
        let in_time = self.segment.time.since(syn.time) <= ANSWER_WITHIN;
        // Not far beyond the SYN: its own connection, where the capture has its frames out of order.
        let own =
            self.segment.ack.reaches(syn.seq.plus(1)) && syn.seq.distance_to(self.segment.ack) < 1 << 20;
        (in_time && !own).then_some(syn)
    }

    /// Who and where, to be kept for a finding that comes later.
    pub fn parties(&self) -> Parties {
        Parties {
            tuple: self.flow.tuple,
            device: self.device.address,
            client: self.flow.client(),
            server: self.flow.server(),
            client_side: self.flow.life.opener,
            device_side: self.device_side,
            incarnation: self.flow.life.number,
        }
    }
}

/// Who a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parties {
    pub tuple: FourTuple,
    pub device: IpAddr,
    pub client: SocketAddr,
    pub server: SocketAddr,
    pub client_side: Side,
    pub device_side: Side,
    pub incarnation: u32,
}

impl Parties {
    /// "the device" or "the client", for sentences.
    pub fn name(&self, side: Side) -> &'static str {
        if side == self.device_side { "the device" } else { "the other side" }
    }

    /// A ladder row of a segment that `from` sent.
    pub fn row(&self, note: &Note, from: Side, role: &str) -> EvidenceSegment {
        evidence::row(note, from == self.client_side, role)
    }

    /// A finding about these parties; quantities and evidence are added by [`Finding`]'s own `with_…`.
    pub fn finding(
        &self,
        rule: &str,
        certainty: Certainty,
        at: Timestamp,
        frames: Vec<FrameNo>,
        text: String,
    ) -> Finding {
        Finding {
            id: 0,
            rule: rule.to_owned(),
            certainty,
            when: When(at),
            device: self.device,
            client: self.client,
            server: self.server,
            incarnation: self.incarnation,
            frames,
            quantities: BTreeMap::new(),
            text,
            caused_by: Vec::new(),
            evidence: Vec::new(),
        }
    }
}
