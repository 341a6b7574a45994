//! The frames that the findings cite, kept with what stands around them: the report's evidence, as packets.
//!
//! Knows findings and frames, in either order: over a file the findings come first and the frames in a second reading;
//! in a live run a finding takes its frames from the ring in which they wait. Both are bounded, and what did not fit is
//! counted. Writes nothing: who asked for the evidence decides where it goes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::{
    comments::Comments,
    ring::{Kept, Ring},
    safe::clip,
};
use crate::analysis::{
    detect::Finding,
    flow::FourTuple,
    input::{Frame, FrameNo},
};

/// Octets and frames that are kept.
const KEPT_OCTETS: usize = 8 << 20;
const KEPT_FRAMES: usize = 8_192;
/// Of these, what is context and not cited.
const CONTEXT_FRAMES: usize = 6_144;
/// Frames of the same four-tuple kept before the first and after the last that a finding cites.
const AROUND: usize = 8;
/// Findings told in comments, in all and of one rule, so that a frequent one does not crowd out a rare one.
const FINDINGS: usize = 1_024;
const FINDINGS_A_RULE: usize = 256;
/// Spans remembered for one four-tuple.
const SPANS: usize = 64;

/// In which order findings and frames come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// All findings, and then the frames in a second reading.
    #[default]
    FindingsFirst,
    /// Frames come once, and a finding after those that it cites: they are in a [`Ring`].
    FramesFirst,
}

/// What is cited, and the frames of it that were seen.
#[derive(Debug, Default)]
pub struct Excerpt {
    order: Order,
    /// What each cited frame is evidence of.
    comments: Comments,
    findings: BTreeMap<String, usize>,
    /// Findings beyond what is kept.
    pub findings_omitted: u64,
    /// Looked up, never listed.
    places: HashMap<FourTuple, Place>,
    /// Octets in the places' `before`.
    before_octets: usize,
    kept: BTreeMap<FrameNo, Kept>,
    kept_octets: usize,
    /// Frames that were wanted and found no room.
    pub frames_omitted: u64,
}

/// A four-tuple with findings.
#[derive(Debug, Default)]
struct Place {
    /// First and last frame that a finding cites.
    spans: Vec<(FrameNo, FrameNo)>,
    before: VecDeque<Kept>,
    /// Frames still to be kept after the last span.
    after: usize,
}

impl Excerpt {
    pub fn new(order: Order) -> Excerpt {
        Excerpt { order, ..Excerpt::default() }
    }

    /// The next frame, in the capture's order, with its four-tuple ([`tuple_of`](super::ring::tuple_of)).
    pub fn offer(&mut self, frame: &Frame<'_>, tuple: Option<FourTuple>) {
        let is_cited = self.comments.has(frame.number);
        if let Some(place) = tuple.and_then(|tuple| self.places.get_mut(&tuple)) {
            let is_within = place.spans.iter().any(|(first, last)| (*first..=*last).contains(&frame.number));
            if is_cited || is_within {
                place.after = AROUND;
                let before = core::mem::take(&mut place.before);
                for kept in before {
                    self.before_octets -= kept.cost();
                    self.keep(kept);
                }
                return self.keep(Kept::of(frame, tuple, Vec::new()));
            }
            if place.after > 0 {
                place.after -= 1;
                return self.keep(Kept::of(frame, tuple, Vec::new()));
            }
            if self.order == Order::FindingsFirst {
                let spare = if place.before.len() >= AROUND { place.before.pop_front() } else { None };
                self.before_octets -= spare.as_ref().map_or(0, Kept::cost);
                let kept = Kept::of(frame, tuple, spare.map_or_else(Vec::new, |old| old.data));
                if self.before_octets + kept.cost() <= KEPT_OCTETS {
                    self.before_octets += kept.cost();
                    place.before.push_back(kept);
                }
            }
        } else if is_cited {
            self.keep(Kept::of(frame, tuple, Vec::new()));
        }
    }

    /// What the finding cites is wanted from here on, and taken from the frames that wait in `ring`.
    pub fn cite(&mut self, finding: &Finding, ring: Option<&Ring>) {
        let rule = clip(&finding.rule, 64);
        let of_rule = self.findings.get(rule.as_ref()).copied().unwrap_or(0);
        if of_rule >= FINDINGS_A_RULE || self.findings.values().sum::<usize>() >= FINDINGS {
            self.findings_omitted += 1;
            return;
        }
        *self.findings.entry(rule.clone().into_owned()).or_default() += 1;
        self.comments.cite(finding);
        let numbers = || finding.frames.iter().copied().chain(finding.evidence.iter().map(|row| row.frame));
        let (Some(first), Some(last)) = (numbers().min(), numbers().max()) else { return };
        let tuple = (!finding.is_of_device()).then(|| FourTuple::between(finding.client, finding.server).0);
        if let Some(tuple) = tuple {
            let place = self.places.entry(tuple).or_default();
            place.after = match self.order {
                Order::FramesFirst => AROUND,
                Order::FindingsFirst => 0,
            };
            let has_room = place.spans.len() < SPANS;
            match place.spans.last_mut().filter(|span| span.1 >= first && span.0 <= last) {
                Some(span) => *span = (span.0.min(first), span.1.max(last)),
                None if has_room => place.spans.push((first, last)),
                None => {}
            }
        }
        if let Some(ring) = ring {
            self.take_from(ring, tuple, first);
        }
    }

    /// The frames kept, in the capture's order, and what is said of each; nothing for one that is context.
    pub fn frames(&self) -> impl Iterator<Item = (&Kept, &[Arc<str>])> {
        self.kept.iter().map(|(number, kept)| (kept, self.comments.of(*number)))
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Frames that are cited and are not among those kept: seen too long before, or without room.
    pub fn missing(&self) -> usize {
        self.comments.frames().filter(|number| !self.kept.contains_key(number)).count()
    }

    fn take_from(&mut self, ring: &Ring, tuple: Option<FourTuple>, first: FrameNo) {
        let mut before = 0;
        // Backwards: a few of the same four-tuple before the first that is cited.
        for kept in ring.iter().rev() {
            let is_of_tuple = tuple.is_some() && kept.tuple == tuple;
            if is_of_tuple && kept.number < first {
                before += 1;
            }
            let is_wanted = is_of_tuple && before <= AROUND || self.comments.has(kept.number);
            if is_wanted && !self.kept.contains_key(&kept.number) {
                self.keep(kept.clone());
            }
            if kept.number < first && (before > AROUND || tuple.is_none()) {
                break;
            }
        }
    }

    fn keep(&mut self, kept: Kept) {
        let is_cited = self.comments.has(kept.number);
        let most = if is_cited { KEPT_FRAMES } else { CONTEXT_FRAMES };
        let octets = kept.cost();
        if self.kept.contains_key(&kept.number) {
            return;
        }
        if self.kept.len() >= most || self.kept_octets + octets > KEPT_OCTETS {
            self.frames_omitted += 1;
            return;
        }
        self.kept_octets += octets;
        self.kept.insert(kept.number, kept);
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use super::*;
    use crate::analysis::{certainty::Certainty, input::LinkType, time::Timestamp};
    use crate::report::ring::{OCTETS, tuple_of};

    const DEVICE: [u8; 4] = [10, 0, 0, 2];

    /// A segment between the device's port 80 and a client's `port`.
    fn octets(port: u16) -> Vec<u8> {
        let mut ip = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1];
        ip.extend(DEVICE);
        ip.extend(port.to_be_bytes());
        ip.extend([0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0]);
        ip
    }

    fn offer(excerpt: &mut Excerpt, ring: Option<&mut Ring>, number: FrameNo, port: u16) {
        let data = octets(port);
        let time = Timestamp::from_nanos(number);
        let frame = Frame { number, time, link: LinkType::RAW, wire_len: 40, data: &data };
        let tuple = tuple_of(&frame);
        if let Some(ring) = ring {
            ring.push(&frame, tuple);
        }
        excerpt.offer(&frame, tuple);
    }

    fn finding(port: u16, frames: &[FrameNo]) -> Finding {
        let device = DEVICE.into();
        let text = format!("about {port}");
        let mut finding = Finding::of_device(
            "some-rule",
            Certainty::Proven,
            Timestamp::ZERO,
            device,
            frames.to_vec(),
            text,
        );
        (finding.client, finding.server) =
            (SocketAddr::new([10, 0, 0, 1].into(), port), SocketAddr::new(device, 80));
        finding.incarnation = 1;
        finding
    }

    fn numbers(excerpt: &Excerpt) -> Vec<FrameNo> {
        excerpt.frames().map(|(kept, _)| kept.number).collect()
    }

    /// Odd frames are the connection from port 1000, even ones that from 1001.
    fn port(number: FrameNo) -> u16 {
        1_001 - (number % 2) as u16
    }

    #[test]
    fn findings_first_or_frames_first_give_the_same() {
        let cited = finding(1_000, &[41, 45]);
        let mut later = Excerpt::new(Order::FindingsFirst);
        later.cite(&cited, None);
        (1..=100).for_each(|number| offer(&mut later, None, number, port(number)));
        let (mut live, mut ring) = (Excerpt::new(Order::FramesFirst), Ring::new(OCTETS, None));
        for number in 1..=100 {
            offer(&mut live, Some(&mut ring), number, port(number));
            if number == 45 {
                live.cite(&cited, Some(&ring));
            }
        }
        let expected: Vec<FrameNo> = (25..=61).step_by(2).collect();
        assert_eq!((numbers(&later), numbers(&live)), (expected.clone(), expected));
        let told: Vec<_> = live.frames().filter(|(_, said)| !said.is_empty()).collect();
        assert_eq!(told.len(), 2);
        assert_eq!(*told[0].1[0], *"some-rule (proven): about 1000");
        assert_eq!((live.missing(), live.frames_omitted), (0, 0));
    }

    #[test]
    fn the_ring_forgets_and_says_what_is_missing() {
        // Room for five frames.
        let (mut excerpt, mut ring) = (Excerpt::new(Order::FramesFirst), Ring::new(5 * (40 + 128), None));
        (1..=20).for_each(|number| offer(&mut excerpt, Some(&mut ring), number, 1_000));
        assert_eq!(ring.iter().count(), 5);
        excerpt.cite(&finding(1_000, &[3, 20]), Some(&ring));
        assert_eq!(numbers(&excerpt), [16, 17, 18, 19, 20]);
        assert_eq!(excerpt.missing(), 1);
    }

    #[test]
    fn a_flood_of_findings_and_of_frames_is_bounded() {
        let (mut excerpt, mut ring) = (Excerpt::new(Order::FramesFirst), Ring::new(1 << 20, None));
        for number in 1..=20_000_u64 {
            let port = (number % 50_000) as u16;
            offer(&mut excerpt, Some(&mut ring), number, port);
            excerpt.cite(&finding(port, &[number]), Some(&ring));
        }
        assert_eq!(excerpt.findings_omitted, 20_000 - FINDINGS_A_RULE as u64);
        assert_eq!(numbers(&excerpt).len(), FINDINGS_A_RULE);
        let mut long = Excerpt::new(Order::FindingsFirst);
        long.cite(&finding(1_000, &[1, 100_000]), None);
        (1..=100_000).for_each(|number| offer(&mut long, None, number, 1_000));
        // What is cited has its place, whatever context came before.
        assert_eq!((long.kept.len(), long.missing()), (CONTEXT_FRAMES + 1, 0));
        assert_eq!(long.frames_omitted, 100_000 - CONTEXT_FRAMES as u64 - 1);
    }

    #[test]
    fn frames_without_a_tuple_are_kept_by_their_number() {
        let arp =
            Frame { number: 7, time: Timestamp::ZERO, link: LinkType::ETHERNET, wire_len: 4, data: &[0; 4] };
        let mut of_device = finding(0, &[7]);
        of_device.incarnation = 0;
        let mut ring = Ring::new(OCTETS, None);
        ring.push(&arp, None);
        for order in [Order::FramesFirst, Order::FindingsFirst] {
            let mut excerpt = Excerpt::new(order);
            match order {
                Order::FramesFirst => {
                    excerpt.offer(&arp, None);
                    excerpt.cite(&of_device, Some(&ring));
                }
                Order::FindingsFirst => {
                    excerpt.cite(&of_device, None);
                    excerpt.offer(&arp, None);
                }
            }
            assert_eq!(numbers(&excerpt), [7]);
        }
    }
}
