//! The frames that the findings cite, kept with what stands around them: the report's evidence, as packets.
//!
//! Knows findings and frames, in either order: over a file the findings come first and the frames in a second reading;
//! in a live run frames wait in a ring until a finding cites their four-tuple. Both are bounded, and what did not fit is
//! counted. Writes nothing: who asked for the evidence decides where it goes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::safe::clip;
use crate::analysis::{
    detect::Finding,
    flow::FourTuple,
    input::{Frame, FrameNo, LinkType},
    time::Timestamp,
    wire::decode,
};

/// Octets of frames that wait to be cited, and those that are kept.
pub const RING: usize = 8 << 20;
const KEPT_OCTETS: usize = 8 << 20;
const KEPT_FRAMES: usize = 8_192;
/// Of these, what is context and not cited.
const CONTEXT_FRAMES: usize = 6_144;
/// Frames of the same four-tuple kept before the first and after the last that a finding cites.
const AROUND: usize = 8;
/// Findings told in comments, in all and of one rule, so that a frequent one does not crowd out a rare one.
const FINDINGS: usize = 1_024;
const FINDINGS_A_RULE: usize = 256;
/// Spans remembered for one four-tuple, frames that a finding cites, and comments on a frame.
const SPANS: usize = 64;
const CITED: usize = 64;
const COMMENTS: usize = 8;
/// What a frame costs beside its octets.
const OVERHEAD: usize = 128;

/// A frame that outlives its source's buffer.
#[derive(Clone, Debug)]
pub struct Kept {
    pub number: FrameNo,
    pub time: Timestamp,
    pub link: LinkType,
    pub wire_len: u32,
    pub data: Vec<u8>,
    tuple: Option<FourTuple>,
}

/// What is cited, and the frames of it that were seen.
#[derive(Debug, Default)]
pub struct Excerpt {
    /// Octets that may wait uncited.
    ring: usize,
    recent: VecDeque<Kept>,
    recent_octets: usize,
    /// What each cited frame is evidence of.
    comments: BTreeMap<FrameNo, Vec<Arc<str>>>,
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
    /// For frames that come once: the last `ring` octets of them wait for a finding. 0: they come after the findings.
    pub fn new(ring: usize) -> Excerpt {
        Excerpt { ring, ..Excerpt::default() }
    }

    /// The next frame, in the capture's order.
    pub fn offer(&mut self, frame: &Frame<'_>) {
        let tuple = decode(frame).ok().map(|segment| FourTuple::of(&segment).0);
        let is_cited = self.comments.contains_key(&frame.number);
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
            if self.ring == 0 {
                let spare = if place.before.len() >= AROUND { place.before.pop_front() } else { None };
                self.before_octets -= spare.as_ref().map_or(0, Kept::cost);
                let kept = Kept::of(frame, tuple, spare.map_or_else(Vec::new, |old| old.data));
                if self.before_octets + kept.cost() <= KEPT_OCTETS {
                    self.before_octets += kept.cost();
                    place.before.push_back(kept);
                }
                return;
            }
        } else if is_cited {
            return self.keep(Kept::of(frame, tuple, Vec::new()));
        }
        self.wait(frame, tuple);
    }

    /// What the finding cites is wanted from here on, and taken from the frames that wait.
    pub fn cite(&mut self, finding: &Finding) {
        let rule = clip(&finding.rule, 64);
        let of_rule = self.findings.get(rule.as_ref()).copied().unwrap_or(0);
        if of_rule >= FINDINGS_A_RULE || self.findings.values().sum::<usize>() >= FINDINGS {
            self.findings_omitted += 1;
            return;
        }
        *self.findings.entry(rule.clone().into_owned()).or_default() += 1;
        let said: Arc<str> = format!("{rule} ({}): {}", finding.certainty, clip(&finding.text, 600)).into();
        for frame in finding.frames.iter().take(CITED) {
            comment(self.comments.entry(*frame).or_default(), said.clone());
        }
        let explaining = finding.evidence.iter().filter(|row| !finding.frames.contains(&row.frame));
        for row in explaining.take(CITED) {
            let role = clip(&row.role, 120);
            let comments = self.comments.entry(row.frame).or_default();
            // What it is for one finding it is for the next.
            if !comments.iter().any(|known| known.starts_with(role.as_ref())) {
                comment(comments, format!("{role} (to explain {rule})").into());
            }
        }
        let numbers = || finding.frames.iter().copied().chain(finding.evidence.iter().map(|row| row.frame));
        let (Some(first), Some(last)) = (numbers().min(), numbers().max()) else { return };
        let tuple = (!finding.is_of_device()).then(|| FourTuple::between(finding.client, finding.server).0);
        if let Some(tuple) = tuple {
            let place = self.places.entry(tuple).or_default();
            place.after = if self.ring > 0 { AROUND } else { 0 };
            let has_room = place.spans.len() < SPANS;
            match place.spans.last_mut().filter(|span| span.1 >= first && span.0 <= last) {
                Some(span) => *span = (span.0.min(first), span.1.max(last)),
                None if has_room => place.spans.push((first, last)),
                None => {}
            }
        }
        self.take_from_ring(tuple, first);
    }

    /// The frames kept, in the capture's order, and what is said of each; nothing for one that is context.
    pub fn frames(&self) -> impl Iterator<Item = (&Kept, &[Arc<str>])> {
        self.kept
            .iter()
            .map(|(number, kept)| (kept, self.comments.get(number).map_or(&[][..], Vec::as_slice)))
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Frames that are cited and are not among those kept: seen too long before, or without room.
    pub fn missing(&self) -> usize {
        self.comments.keys().filter(|number| !self.kept.contains_key(number)).count()
    }

    fn take_from_ring(&mut self, tuple: Option<FourTuple>, first: FrameNo) {
        let mut wanted = Vec::new();
        let mut before = 0;
        // Backwards: a few of the same four-tuple before the first that is cited.
        for (at, kept) in self.recent.iter().enumerate().rev() {
            let is_of_tuple = tuple.is_some() && kept.tuple == tuple;
            if is_of_tuple && kept.number < first {
                before += 1;
            }
            if is_of_tuple && before <= AROUND || self.comments.contains_key(&kept.number) {
                wanted.push(at);
            }
            if kept.number < first && (before > AROUND || tuple.is_none()) {
                break;
            }
        }
        for at in wanted {
            if let Some(kept) = self.recent.get(at).filter(|kept| !self.kept.contains_key(&kept.number)) {
                self.keep(kept.clone());
            }
        }
    }

    fn keep(&mut self, kept: Kept) {
        let is_cited = self.comments.contains_key(&kept.number);
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

    /// Into the ring; the buffer of the oldest serves the newest.
    fn wait(&mut self, frame: &Frame<'_>, tuple: Option<FourTuple>) {
        if self.ring == 0 {
            return;
        }
        let octets = frame.data.len() + OVERHEAD;
        let mut spare = Vec::new();
        while self.recent_octets + octets > self.ring {
            let Some(oldest) = self.recent.pop_front() else { return };
            self.recent_octets -= oldest.cost();
            spare = oldest.data;
        }
        self.recent_octets += octets;
        self.recent.push_back(Kept::of(frame, tuple, spare));
    }
}

impl Kept {
    fn of(frame: &Frame<'_>, tuple: Option<FourTuple>, mut buffer: Vec<u8>) -> Kept {
        buffer.clear();
        buffer.extend_from_slice(frame.data);
        let Frame { number, time, link, wire_len, data: _ } = *frame;
        Kept { number, time, link, wire_len, data: buffer, tuple }
    }

    fn cost(&self) -> usize {
        self.data.len() + OVERHEAD
    }
}

fn comment(comments: &mut Vec<Arc<str>>, text: Arc<str>) {
    if comments.len() < COMMENTS && !comments.contains(&text) {
        comments.push(text);
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use super::*;
    use crate::analysis::certainty::Certainty;

    const DEVICE: [u8; 4] = [10, 0, 0, 2];

    /// A segment between the device's port 80 and a client's `port`.
    fn octets(port: u16) -> Vec<u8> {
        let mut ip = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1];
        ip.extend(DEVICE);
        ip.extend(port.to_be_bytes());
        ip.extend([0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0]);
        ip
    }

    fn offer(excerpt: &mut Excerpt, number: FrameNo, port: u16) {
        let data = octets(port);
        let time = Timestamp::from_nanos(number);
        excerpt.offer(&Frame { number, time, link: LinkType::RAW, wire_len: 40, data: &data });
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
        let mut later = Excerpt::new(0);
        later.cite(&cited);
        (1..=100).for_each(|number| offer(&mut later, number, port(number)));
        let mut live = Excerpt::new(RING);
        for number in 1..=100 {
            offer(&mut live, number, port(number));
            if number == 45 {
                live.cite(&cited);
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
        let mut excerpt = Excerpt::new(5 * (40 + OVERHEAD));
        (1..=20).for_each(|number| offer(&mut excerpt, number, 1_000));
        assert_eq!(excerpt.recent.len(), 5);
        excerpt.cite(&finding(1_000, &[3, 20]));
        assert_eq!(numbers(&excerpt), [16, 17, 18, 19, 20]);
        assert_eq!(excerpt.missing(), 1);
    }

    #[test]
    fn a_flood_of_findings_and_of_frames_is_bounded() {
        let mut excerpt = Excerpt::new(1 << 20);
        for number in 1..=20_000_u64 {
            let port = (number % 50_000) as u16;
            offer(&mut excerpt, number, port);
            excerpt.cite(&finding(port, &[number]));
        }
        assert_eq!(excerpt.findings_omitted, 20_000 - FINDINGS_A_RULE as u64);
        assert_eq!(numbers(&excerpt).len(), FINDINGS_A_RULE);
        let mut long = Excerpt::new(0);
        long.cite(&finding(1_000, &[1, 100_000]));
        (1..=100_000).for_each(|number| offer(&mut long, number, 1_000));
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
        for frames_first in [true, false] {
            let mut excerpt = Excerpt::new(if frames_first { RING } else { 0 });
            if frames_first {
                excerpt.offer(&arp);
            }
            excerpt.cite(&of_device);
            if !frames_first {
                excerpt.offer(&arp);
            }
            assert_eq!(numbers(&excerpt), [7]);
        }
    }
}
