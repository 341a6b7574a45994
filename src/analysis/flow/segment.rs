//! What is told of one segment: where it belongs, what it is there, and what the two ends are after it.
//!
//! Plain values, ready to be written. Refuses to judge: what is wrong with a segment is said by a finding that names
//! its frame.

use core::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{flow_state::Flow, incarnation::Belongs, tuple::Side};
use crate::analysis::{
    input::FrameNo,
    tcp::{Kind, StateView},
    time::When,
    wire::{Flags, Segment},
};

/// One segment of a connection. Written only when asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentEvent {
    #[serde(flatten)]
    pub when: When,
    pub frame: FrameNo,
    /// From 1 in each four-tuple: a number left out is a segment that was given up on the way here.
    pub number: u64,
    pub client: SocketAddr,
    pub server: SocketAddr,
    pub device: Option<IpAddr>,
    /// The life that the tuple is in now; with `another-life` the segment is not of it.
    pub incarnation: u32,
    pub place: Belongs,
    /// What it is to its life; absent where it is another life's, whose numbers are not followed any more.
    pub kind: Option<Kind>,
    pub from_client: bool,
    /// tcpdump's letters: `S`, `S.`, `.`, `P.`, `F.`, `R`, `R.`.
    pub flags: Flags,
    pub seq: u32,
    /// Absent without the ACK flag.
    pub ack: Option<u32>,
    /// Payload octets.
    pub len: u32,
    /// As sent, unscaled.
    pub window: u16,
    /// RFC 9293 state with its certainty after the segment, for example `ESTABLISHED (proven)`.
    pub client_state: StateView,
    pub server_state: StateView,
}

#[cfg(test)]
impl SegmentEvent {
    /// A bare ACK of the client, for tests to which its numbers mean nothing.
    pub fn some(when: When, frame: FrameNo, client: SocketAddr, server: SocketAddr) -> SegmentEvent {
        SegmentEvent {
            when,
            frame,
            number: frame,
            client,
            server,
            device: None,
            incarnation: 1,
            place: Belongs::ThisLife,
            kind: None,
            from_client: true,
            flags: Flags::ACK,
            seq: 0,
            ack: None,
            len: 0,
            window: 0,
            client_state: StateView::Unknown,
            server_state: StateView::Unknown,
        }
    }
}

impl SegmentEvent {
    /// What it is, in a few words, where its flags do not say it all.
    pub fn what(&self) -> Option<&'static str> {
        let Some(kind) = self.kind else { return Some("in the numbers of an earlier life") };
        match kind {
            Kind::SynAgain | Kind::SynAckAgain | Kind::Again => Some("sent again"),
            Kind::BeyondAHole => Some("what comes before it was not captured yet"),
            Kind::KeepAlive => Some("keep-alive"),
            Kind::WindowProbe => Some("window probe"),
            Kind::DuplicateAck => Some("duplicate ACK"),
            Kind::WindowUpdate => Some("window update"),
            Kind::Syn | Kind::SynAck | Kind::Reset | Kind::News | Kind::AckOfNews | Kind::IdleAck => None,
        }
    }

    /// `segment` from `from`, told of `flow` as it is after it.
    pub fn of(
        flow: &Flow,
        segment: &Segment,
        from: Side,
        place: Belongs,
        kind: Kind,
        device: Option<Side>,
    ) -> SegmentEvent {
        let (client, life) = (flow.life.opener, &flow.life);
        SegmentEvent {
            when: When(segment.time),
            frame: segment.frame,
            number: flow.segments,
            client: flow.client(),
            server: flow.server(),
            device: device.map(|side| flow.tuple.socket(side).ip()),
            incarnation: life.number,
            place,
            kind: (place != Belongs::AnotherLife).then_some(kind),
            from_client: from == client,
            flags: segment.flags.lettered(),
            seq: segment.seq.0,
            ack: segment.acknowledges().map(|ack| ack.0),
            len: segment.len,
            window: segment.window,
            client_state: life.endpoint(client).view,
            server_state: life.endpoint(client.other()).view,
        }
    }
}
