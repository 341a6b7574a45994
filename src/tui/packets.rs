//! The latest segments of each flow, for the screens.
//!
//! Knows how many are kept and which give way: the oldest of a long flow, and the flows that have been quiet longest.
//! Refuses to draw them.

use std::collections::{BTreeMap, VecDeque};

use super::watched::FlowKey;
use crate::analysis::{event::SegmentEvent, input::FrameNo, tcp::Kind};

/// Segments kept of one flow.
pub const MAX_PACKETS_OF_FLOW: usize = 256;
/// Segments kept of all of them.
pub const MAX_PACKETS: usize = 65_536;
/// Losses remembered.
const MAX_LOSSES: usize = 256;

#[derive(Clone, Debug, Default)]
pub struct Packets {
    flows: BTreeMap<FlowKey, Trail>,
    kept: usize,
    /// Segments told so far.
    told: u64,
    /// The highest frame number told.
    newest: FrameNo,
    losses: VecDeque<Loss>,
}

/// Frames that the capture lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The last frame that was told before them.
    pub after: FrameNo,
    pub frames: u64,
}

#[derive(Clone, Debug, Default)]
struct Trail {
    segments: VecDeque<SegmentEvent>,
    /// The number of the segment, among all that were told, that touched it last.
    touched: u64,
    /// Segments heard of it since the trail was begun.
    heard: u64,
    /// The life it is in, and what was sent again in that.
    life: u32,
    again: u64,
    /// The number that its last segment has in the stream: higher than `heard` where some were not told.
    number: u64,
}

/// Segments that were sent again in the life at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SentAgain {
    pub count: u64,
    /// No segment of the flow is missing in the stream, so there are no more of them.
    pub is_exact: bool,
}

impl Packets {
    pub fn fold(&mut self, segment: SegmentEvent) {
        self.told += 1;
        self.newest = self.newest.max(segment.frame);
        let trail = self.flows.entry((segment.client, segment.server)).or_default();
        trail.touched = self.told;
        trail.hear(&segment);
        trail.segments.push_back(segment);
        if trail.segments.len() > MAX_PACKETS_OF_FLOW {
            trail.segments.pop_front();
        } else {
            self.kept += 1;
            self.forget_quiet_flows();
        }
    }

    pub fn lost(&mut self, frames: u64) {
        self.losses.push_back(Loss { after: self.newest, frames });
        if self.losses.len() > MAX_LOSSES {
            self.losses.pop_front();
        }
    }

    /// How much of one flow was sent again; `None` where no segment of it is kept.
    pub fn sent_again(&self, key: FlowKey) -> Option<SentAgain> {
        let trail = self.flows.get(&key)?;
        Some(SentAgain { count: trail.again, is_exact: trail.heard >= trail.number })
    }

    /// What is kept of one flow, in the order in which it was told.
    pub fn of(&self, key: FlowKey) -> impl Iterator<Item = &SegmentEvent> {
        self.flows.get(&key).into_iter().flat_map(|trail| &trail.segments)
    }

    /// The losses of the capture, the oldest first.
    pub fn losses(&self) -> impl Iterator<Item = &Loss> {
        self.losses.iter()
    }

    /// Whether the stream has segments at all.
    pub fn is_told(&self) -> bool {
        self.told > 0
    }

    pub fn kept(&self) -> usize {
        self.kept
    }

    /// Segments that gave way.
    pub fn forgotten(&self) -> u64 {
        self.told - self.kept as u64
    }

    /// A quarter at once, so that the search for the quietest is paid once in many segments.
    fn forget_quiet_flows(&mut self) {
        if self.kept <= MAX_PACKETS {
            return;
        }
        let mut quietest: Vec<_> =
            self.flows.iter().map(|(key, trail)| (trail.touched, *key, trail.segments.len())).collect();
        quietest.sort_unstable();
        for (_, key, segments) in quietest {
            if self.kept <= MAX_PACKETS / 4 * 3 {
                break;
            }
            self.flows.remove(&key);
            self.kept -= segments;
        }
    }
}

impl Trail {
    fn hear(&mut self, segment: &SegmentEvent) {
        if self.life != segment.incarnation {
            (self.life, self.again) = (segment.incarnation, 0);
        }
        self.heard += 1;
        self.number = segment.number;
        if matches!(segment.kind, Some(Kind::SynAgain | Kind::SynAckAgain | Kind::Again)) {
            self.again += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, SocketAddr};

    use super::*;
    use crate::analysis::time::{Timestamp, When};

    fn segment(port: u16, number: u64) -> SegmentEvent {
        let socket = |last, port| SocketAddr::from((Ipv4Addr::new(10, 77, 0, last), port));
        SegmentEvent::some(When(Timestamp::from_micros(number)), number, socket(1, port), socket(2, 80))
    }

    fn key(port: u16) -> FlowKey {
        let segment = segment(port, 1);
        (segment.client, segment.server)
    }

    #[test]
    fn of_a_long_flow_the_latest_are_kept() {
        let mut packets = Packets::default();
        for number in 1..=1_000 {
            packets.fold(segment(1, number));
        }
        let kept: Vec<_> = packets.of(key(1)).map(|segment| segment.number).collect();
        assert_eq!(kept, (1_000 - MAX_PACKETS_OF_FLOW as u64 + 1..=1_000).collect::<Vec<_>>());
        assert_eq!((packets.kept(), packets.forgotten()), (MAX_PACKETS_OF_FLOW, 1_000 - 256));
    }

    #[test]
    fn the_flows_that_were_quiet_longest_give_way() {
        let mut packets = Packets::default();
        let mut told = 0;
        // Two segments of each port, then the first port speaks again.
        for port in (0..=32_767).chain([0]) {
            for _ in 0..2 {
                told += 1;
                packets.fold(segment(port, told));
                assert!(packets.kept() <= MAX_PACKETS);
            }
        }
        assert_eq!(packets.kept() as u64 + packets.forgotten(), told);
        assert_eq!(packets.kept(), packets.flows.values().map(|trail| trail.segments.len()).sum::<usize>());
        assert_eq!(packets.of(key(0)).count(), 4, "spoke last");
        assert_eq!(packets.of(key(1)).count(), 0, "the quietest");
        assert_eq!(packets.of(key(32_767)).count(), 2);
        assert!(packets.kept() >= MAX_PACKETS / 2);
    }

    #[test]
    fn what_was_sent_again_is_counted_in_its_life_and_is_a_least_where_segments_are_missing() {
        let mut packets = Packets::default();
        assert_eq!(packets.sent_again(key(1)), None);
        for (number, incarnation, kind) in [
            (1, 1, Kind::Syn),
            (2, 1, Kind::SynAgain),
            (3, 1, Kind::SynAckAgain),
            (4, 1, Kind::News),
            (5, 1, Kind::Again),
        ] {
            packets.fold(SegmentEvent { incarnation, kind: Some(kind), ..segment(1, number) });
        }
        assert_eq!(packets.sent_again(key(1)), Some(SentAgain { count: 3, is_exact: true }));
        packets.fold(SegmentEvent { incarnation: 2, kind: Some(Kind::Syn), ..segment(1, 6) });
        assert_eq!(packets.sent_again(key(1)), Some(SentAgain { count: 0, is_exact: true }));
        packets.fold(SegmentEvent { incarnation: 2, kind: Some(Kind::SynAgain), ..segment(1, 9) });
        assert_eq!(packets.sent_again(key(1)), Some(SentAgain { count: 1, is_exact: false }));
        // What is another life's has no kind.
        packets.fold(SegmentEvent { incarnation: 2, kind: None, ..segment(1, 10) });
        assert_eq!(packets.sent_again(key(1)), Some(SentAgain { count: 1, is_exact: false }));
    }

    #[test]
    fn losses_stand_behind_the_frame_that_was_told_before_them() {
        let mut packets = Packets::default();
        packets.fold(segment(1, 7));
        packets.lost(12);
        packets.fold(segment(1, 20));
        assert_eq!(packets.losses().collect::<Vec<_>>(), [&Loss { after: 7, frames: 12 }]);
        for _ in 0..10_000 {
            packets.lost(1);
        }
        assert_eq!(packets.losses().count(), MAX_LOSSES);
    }
}
