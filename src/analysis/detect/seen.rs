//! One segment as the detectors see it: with its flow, its place in the flow, and the state of things before it.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;

use super::{EvidenceSegment, Finding, Words, evidence};
use crate::analysis::{
    certainty::Certainty,
    flow::{Before, Belongs, Flow, FourTuple, Side},
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
    pub before: &'a Before,
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
        &self.before.sender
    }

    /// The other side before the segment.
    pub fn receiver_before(&self) -> &Endpoint {
        &self.before.receiver
    }

    pub fn note(&self) -> Note {
        Note::from(self.segment)
    }

    /// Its sender has received, since it last spoke, octets that were not captured: with them may have come whatever
    /// else seems to be missing.
    pub fn answers_what_was_not_captured(&self) -> bool {
        let (Some(ack), Some(sent)) = (self.segment.acknowledges(), self.receiver_before().snd_nxt()) else {
            return false;
        };
        sent.precedes(ack) && self.sender_before().rcv_nxt().is_none_or(|known| known.precedes(ack))
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
            client_side: self.flow.life.opener,
            device_side: self.device_side,
            incarnation: self.flow.life.number,
        }
    }
}

/// The last segment of each device: a list in order of [`Device::number`].
#[derive(Debug, Default)]
pub struct LastSegments(Vec<Option<LastOf>>);

#[derive(Clone, Copy, Debug)]
struct LastOf {
    device: IpAddr,
    /// To or from it.
    any: LastSegment,
    /// That it sent itself.
    own: Option<LastSegment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastSegment {
    pub frame: FrameNo,
    pub time: Timestamp,
}

impl LastSegments {
    #[inline]
    pub(super) fn note(&mut self, seen: &Seen<'_>) {
        let last = LastSegment { frame: seen.segment.frame, time: seen.segment.time };
        self.put(seen.device.number, &seen.device.address, last, seen.from_device());
    }

    #[inline]
    fn put(&mut self, number: usize, device: &IpAddr, last: LastSegment, is_own: bool) {
        if let Some(Some(known)) = self.0.get_mut(number) {
            known.any = last;
            if is_own {
                known.own = Some(last);
            }
        } else {
            self.add(number, LastOf { device: *device, any: last, own: is_own.then_some(last) });
        }
    }

    #[cold]
    fn add(&mut self, number: usize, first: LastOf) {
        if self.0.len() <= number {
            self.0.resize(number + 1, None);
        }
        self.0[number] = Some(first);
    }

    /// The last segment that the device at `address` sent.
    pub fn sent_by(&self, address: IpAddr) -> Option<LastSegment> {
        // A host that was met twice has two.
        self.0.iter().flatten().filter(|last| last.device == address).filter_map(|last| last.own).next_back()
    }

    /// Those of the `most` devices that were heard or spoken to last, the latest first.
    pub fn latest(&self, most: usize) -> Vec<(IpAddr, LastSegment)> {
        let mut all: Vec<_> = self.0.iter().flatten().collect();
        all.sort_by_key(|last| core::cmp::Reverse(last.any.frame));
        let mut latest: Vec<(IpAddr, LastSegment)> = Vec::with_capacity(most);
        for last in all {
            if latest.len() < most && latest.iter().all(|(known, _)| *known != last.device) {
                latest.push((last.device, last.any));
            }
        }
        latest
    }
}

/// Who a finding is about: small, for it is kept with all that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parties {
    pub tuple: FourTuple,
    pub client_side: Side,
    pub device_side: Side,
    pub incarnation: u32,
}

impl Parties {
    pub fn device(&self) -> IpAddr {
        self.tuple.socket(self.device_side).ip()
    }

    pub fn client(&self) -> SocketAddr {
        self.tuple.socket(self.client_side)
    }

    pub fn server(&self) -> SocketAddr {
        self.tuple.socket(self.client_side.other())
    }

    /// "the device" or "the client", for sentences.
    pub fn name(&self, side: Side) -> &'static str {
        if side == self.device_side { "the device" } else { "the other side" }
    }

    /// A ladder row of a segment that `from` sent.
    pub fn row(&self, note: &Note, from: Side, role: &'static str) -> EvidenceSegment {
        evidence::row(note, from == self.client_side, role)
    }

    /// A finding about these parties; quantities and evidence are added by [`Finding`]'s own `with_…`.
    pub fn finding(
        &self,
        rule: impl Into<Words>,
        certainty: Certainty,
        at: Timestamp,
        frames: Vec<FrameNo>,
        text: String,
    ) -> Finding {
        Finding {
            id: 0,
            rule: rule.into(),
            certainty,
            when: When(at),
            device: self.device(),
            client: self.client(),
            server: self.server(),
            incarnation: self.incarnation,
            frames,
            quantities: BTreeMap::new(),
            text,
            caused_by: Vec::new(),
            evidence: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_device_the_last_segment_is_known_and_they_come_the_latest_first() {
        let last = |frame| LastSegment { frame, time: Timestamp::from_micros(frame) };
        let of = |host: u8| IpAddr::from([10, 77, 0, host]);
        let frames = |latest: Vec<(IpAddr, LastSegment)>| {
            latest.iter().map(|(_, last)| last.frame).collect::<Vec<_>>()
        };
        let mut kept = LastSegments::default();
        // Two of them are met twice, under other numbers.
        let met = [(0, 2, 1), (4, 3, 2), (0, 2, 3), (1, 4, 4), (5, 3, 5), (6, 2, 6)];
        for (number, host, frame) in met {
            kept.put(number, &of(host), last(frame), true);
        }
        assert_eq!(kept.sent_by(of(2)), Some(last(6)));
        assert_eq!(kept.sent_by(of(9)), None);
        assert_eq!(frames(kept.latest(16)), [6, 5, 4]);
        assert_eq!(frames(kept.latest(2)), [6, 5]);
        // What is sent to a device is none of its own.
        kept.put(1, &of(4), last(7), false);
        kept.put(7, &of(8), last(8), false);
        assert_eq!((kept.sent_by(of(4)), kept.sent_by(of(8))), (Some(last(4)), None));
        assert_eq!(frames(kept.latest(2)), [8, 7]);
    }
}
