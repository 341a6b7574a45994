//! Any sequence of inputs: frames that are segments of a few connections, ARP and DHCP, frames of any octets, ticks, gaps, markers,
//! and what a device says of itself.
//!
//! An octet says which, those behind it how. Segments carry numbers relative to what their connection has seen, so that
//! what is tried are connections and not noise.

use core::net::SocketAddr;
use core::time::Duration;

use esp_tcpwatch::analysis::{
    engine::{Engine, EngineConfig},
    event::{Event, Start},
    host::DeviceScope,
    input::{Account, Frame, Gap, GapCause, Input, LinkType, Marker, Told},
    rule::{AlertPhase, RuleSet},
    time::Timestamp,
};

use super::{
    memory,
    octets::{LINKS, Octets},
};

/// Inputs that are taken: more of them only take longer.
const INPUTS: usize = 300;
const FLOWS: usize = 8;
/// An engine of so few flows, its detectors and what it tells of some hundred inputs.
const MOST: i64 = 24 << 20;
const PRECISE: Timestamp = Timestamp::from_micros(1 << 53);
const BEGIN: u64 = 1_700_000_000_000_000_000;
const DEVICE: [u8; 4] = [10, 77, 0, 2];
const CLIENT: [u8; 4] = [10, 77, 0, 1];

thread_local! {
    static RULES: RuleSet = RuleSet::built_in().expect("the built-in rules are in order");
}

pub fn run(data: &[u8]) {
    let mut first = String::new();
    memory::within(MOST, || first = played(data, Heard { judges: true, ..Heard::default() }));
    assert_eq!(first, played(data, Heard::default()), "the same inputs give the same events");
}

/// Everything that was told, as JSON Lines.
fn played(data: &[u8], mut told: Heard) -> String {
    let mut octets = Octets(data);
    let scope = match octets.u8() % 3 {
        0 => DeviceScope::Espressif,
        1 => DeviceScope::Auto,
        _ => DeviceScope::Named(vec![DEVICE.into()]),
    };
    let mut engine = Engine::new(EngineConfig {
        devices: scope,
        rules: RULES.with(RuleSet::clone),
        flow_events: true,
        segment_events: true,
        start: Start::default(),
        max_flows: FLOWS,
    });
    let mut wire = Wire::new();
    told.take(&mut engine, 0);
    for _ in 0..INPUTS {
        if octets.is_empty() {
            break;
        }
        wire.next(&mut octets, &mut engine);
        told.take(&mut engine, wire.number);
    }
    engine.handle(Input::End);
    told.take(&mut engine, wire.number);
    engine.handle(Input::Tick(Timestamp::MAX));
    assert!(engine.poll_event().is_none(), "nothing comes after the end");
    told.judge_summary(wire.number);
    told.text
}

#[derive(Default)]
struct Heard {
    /// Each event is held against what must be so.
    judges: bool,
    text: String,
    findings: u64,
    raised: u64,
    last: Option<Event>,
}

impl Heard {
    fn take(&mut self, engine: &mut Engine, frames: u64) {
        while let Some(event) = engine.poll_event() {
            self.event(event, frames);
        }
    }

    fn event(&mut self, event: Event, frames: u64) {
        let line = serde_json::to_string(&event).expect("an event is plain data");
        if self.judges {
            self.judge(&event, &line, frames);
        }
        self.text.push_str(&line);
        self.text.push('\n');
        self.last = Some(event);
    }

    fn judge(&mut self, event: &Event, line: &str, frames: u64) {
        assert!(!matches!(self.last, Some(Event::Summary(_))), "the summary is the last word");
        assert_eq!(self.last.is_none(), matches!(event, Event::Start(_)), "and the start is the first");
        let exist = |numbers: &[u64]| numbers.iter().all(|number| (1..=frames).contains(number));
        match event {
            Event::Finding(finding) => {
                self.findings += 1;
                assert_eq!(finding.id, self.findings, "findings are numbered as they come");
                assert!(finding.caused_by.iter().all(|cause| *cause < finding.id), "{finding:?}");
                assert!(!finding.frames.is_empty(), "a finding has its frames: {finding:?}");
                assert!(exist(&finding.frames), "and these exist: {finding:?}");
                assert!(finding.evidence.iter().all(|row| exist(&[row.frame])), "{finding:?}");
                assert!(finding.quantities.values().all(|value| value.is_finite()), "{finding:?}");
            }
            Event::Marker(marker) if marker.formerly.is_some() => {
                assert!(marker.device != marker.formerly, "{marker:?}");
                assert!(marker.frame.is_some_and(|frame| exist(&[frame])), "{marker:?}");
            }
            Event::Alert(alert) => {
                self.raised += u64::from(alert.phase == AlertPhase::Raised);
                assert!(exist(&alert.frames), "{alert:?}");
                assert!(alert.findings.iter().all(|id| (1..=self.findings).contains(id)), "{alert:?}");
            }
            Event::Start(_)
            | Event::Segment(_)
            | Event::Flow(_)
            | Event::Device(_)
            | Event::Capture(_)
            | Event::Marker(_)
            | Event::Progress(_)
            | Event::Summary(_) => {}
        }
        let read: Event = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        // Beyond the year 2255 the number that `epoch` is has no microseconds.
        if event.time().is_none_or(|time| time < PRECISE) {
            assert_eq!(line, serde_json::to_string(&read).expect("an event is plain data"));
        }
    }

    fn judge_summary(&self, frames: u64) {
        let Some(Event::Summary(summary)) = &self.last else { panic!("there is no summary") };
        if !self.judges {
            return;
        }
        assert_eq!(summary.frames, frames);
        assert!(summary.segments + summary.skipped.values().sum::<u64>() >= frames);
        assert_eq!(summary.findings.values().sum::<u64>(), self.findings);
        assert_eq!(summary.alerts.values().sum::<u64>(), self.raised);
    }
}

/// What the ends of a few connections sent, and the time.
struct Wire {
    now: u64,
    number: u64,
    /// The next sequence number of each side: client, device.
    next: [[u32; 2]; 4],
    frame: Vec<u8>,
}

impl Wire {
    fn new() -> Wire {
        Wire { now: BEGIN, number: 0, next: [[1_000, 5_000]; 4], frame: Vec::new() }
    }

    fn next(&mut self, octets: &mut Octets<'_>, engine: &mut Engine) {
        match octets.u8() {
            0..=199 => self.segment(octets, engine),
            200..=211 => self.any_frame(octets, engine),
            212..=215 => self.sign(octets, engine),
            216..=223 => {
                self.now = self.now.saturating_add(octets.span() * 1_000);
                engine.handle(Input::Tick(Timestamp::from_nanos(self.now)));
            }
            224..=227 => {
                let chosen = octets.u8();
                let span = octets.span();
                let (cause, lost) = match chosen % 6 {
                    0 => (GapCause::Kernel, span),
                    1 => (GapCause::Interface, span),
                    2 => (GapCause::Queue, span),
                    3 => (GapCause::Gone, 0),
                    4 => (GapCause::Link { before: LinkType::ETHERNET, now: LinkType(span as u32) }, 0),
                    _ => (GapCause::Back(Duration::from_nanos(span)), 0),
                };
                engine.handle(Input::Gap(Gap { at: self.time(), lost, cause }));
            }
            228..=235 => self.marker(octets, engine),
            236..=247 => self.account(octets, engine),
            // Captures do reorder.
            248..=255 => self.now = self.now.saturating_sub(octets.span() * 1_000),
        }
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_nanos(self.now)
    }

    /// A segment between client and device: who and which port, the time since the last, flags, how the numbers lie,
    /// how much data.
    fn segment(&mut self, octets: &mut Octets<'_>, engine: &mut Engine) {
        let who = octets.u8();
        let (from, port) = (usize::from(who & 1), usize::from(who >> 1 & 3));
        self.now = self.now.saturating_add(octets.span() * 1_000);
        let flags = octets.u8();
        let place = octets.u8();
        let length = u16::from(octets.u8());
        let own = self.next[port][from];
        let seq = match place & 7 {
            0..=3 => own,
            // Again what was sent before, or ahead of it.
            4 => own.wrapping_sub(1),
            5 => own.wrapping_sub(u32::from(length)),
            6 => own.wrapping_add(1 + octets.span() as u32),
            _ => octets.u32(),
        };
        let other = self.next[port][1 - from];
        let ack = match place >> 3 & 7 {
            0..=4 => other,
            5 => other.wrapping_add(1),
            6 => other.wrapping_sub(1 + octets.span() as u32),
            _ => octets.u32(),
        };
        let window = if place >> 6 == 3 { octets.u16() } else { 5_744 };
        let occupied = u32::from(length) + u32::from(flags & 1) + u32::from(flags >> 1 & 1);
        if flags & 4 == 0 {
            self.next[port][from] = seq.wrapping_add(occupied);
        }
        self.build(from == 1, port as u16, (seq, ack), (flags, window), length);
        let wire_len = self.frame.len() as u32 + u32::from(length);
        self.hand_on(engine, LinkType::ETHERNET, wire_len);
    }

    /// Ethernet, IPv4 and TCP without options; the payload is not captured.
    fn build(
        &mut self,
        by_device: bool,
        port: u16,
        (seq, ack): (u32, u32),
        (flags, window): (u8, u16),
        length: u16,
    ) {
        let macs = [[2, 0, 0, 0, 0, 1], [0x24, 0x0a, 0xc4, 0x77, 0, 2]];
        let (from, to) = if by_device { (1, 0) } else { (0, 1) };
        let ports = if by_device { [80, 40_000 + port] } else { [40_000 + port, 80] };
        let addresses = if by_device { [DEVICE, CLIENT] } else { [CLIENT, DEVICE] };
        let frame = &mut self.frame;
        frame.clear();
        frame.extend(macs[to]);
        frame.extend(macs[from]);
        frame.extend([0x08, 0x00, 0x45, 0]);
        frame.extend((40 + length).to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, 6, 0, 0]);
        frame.extend(addresses.concat());
        frame.extend(ports.into_iter().flat_map(u16::to_be_bytes));
        frame.extend(seq.to_be_bytes());
        frame.extend(ack.to_be_bytes());
        frame.extend([0x50, flags]);
        frame.extend(window.to_be_bytes());
        frame.extend([0, 0, 0, 0]);
    }

    /// ARP with one of a few addresses, DHCP of a client without one, and a server's answer: a device may be on the move.
    fn sign(&mut self, octets: &mut Octets<'_>, engine: &mut Engine) {
        let how = octets.u8();
        self.now = self.now.saturating_add(octets.span() * 1_000);
        let [mac, other] = [[0x24, 0x0a, 0xc4, 0x77, 0, 2], [2, 0, 0, 0, 0, 1]];
        let from = if how & 1 == 0 { mac } else { other };
        let address = |chosen: u8| [10, 77, 0, chosen & 3];
        let frame = &mut self.frame;
        frame.clear();
        frame.extend([0xff; 6]);
        frame.extend(from);
        if how & 2 == 0 {
            frame.extend([0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1 + (how >> 2 & 1)]);
            frame.extend(from);
            frame.extend(address(octets.u8()));
            frame.extend([0; 6]);
            frame.extend(address(octets.u8()));
        } else {
            let is_reply = how & 4 != 0;
            frame.extend([0x08, 0x00, 0x45, 0, 1, 0, 0, 0, 0, 0, 64, 17, 0, 0]);
            frame.extend(if is_reply { CLIENT } else { [0; 4] });
            frame.extend([0xff; 4]);
            frame.extend(if is_reply { [0, 67, 0, 68] } else { [0, 68, 0, 67] });
            frame.extend([0, 236, 0, 0, 1 + u8::from(is_reply), 1, 6]);
            frame.extend([0; 13]);
            frame.extend(address(octets.u8()));
            frame.extend([0; 8]);
            frame.extend(mac);
            frame.extend([0; 202]);
        }
        let wire_len = self.frame.len() as u32;
        self.hand_on(engine, LinkType::ETHERNET, wire_len);
    }

    fn any_frame(&mut self, octets: &mut Octets<'_>, engine: &mut Engine) {
        let link = LinkType(LINKS[usize::from(octets.u8()) % LINKS.len()]);
        self.now = self.now.saturating_add(octets.span() * 1_000);
        let cut = u32::from(octets.u8());
        let length = usize::from(octets.u8());
        self.frame.clear();
        self.frame.extend(octets.take(length));
        let wire_len = self.frame.len() as u32 + cut;
        self.hand_on(engine, link, wire_len);
    }

    fn hand_on(&mut self, engine: &mut Engine, link: LinkType, wire_len: u32) {
        self.number += 1;
        let (number, time) = (self.number, self.time());
        engine.handle(Input::Frame(Frame { number, time, link, wire_len, data: &self.frame }));
    }

    fn marker(&self, octets: &mut Octets<'_>, engine: &mut Engine) {
        let how = octets.u8();
        let at = match how & 3 {
            0 => Timestamp::ZERO,
            1 => self.time(),
            2 => self.time().saturating_add(Duration::from_micros(octets.span())),
            _ => Timestamp::from_nanos(octets.u64()),
        };
        let length = usize::from(octets.u8());
        let text = String::from_utf8_lossy(octets.take(length)).into_owned();
        engine.handle(Input::from(Marker {
            at,
            mode: (how & 4 != 0).then(|| text.clone()),
            text,
            mode_changed: how & 8 != 0,
            device: (how & 16 != 0).then(|| DEVICE.into()),
        }));
    }

    fn account(&self, octets: &mut Octets<'_>, engine: &mut Engine) {
        let how = octets.u8();
        let shift = Duration::from_micros(octets.span());
        let asked =
            if how & 1 == 0 { self.time().saturating_sub(shift) } else { self.time().saturating_add(shift) };
        let answered = asked.saturating_add(Duration::from_micros(octets.span()));
        let socket =
            |octets: &mut Octets<'_>| SocketAddr::from((CLIENT, 40_000 + u16::from(octets.u8() & 7)));
        let span =
            |octets: &mut Octets<'_>, is_there: bool| is_there.then(|| Duration::from_millis(octets.span()));
        let held = (0..how >> 6).map(|_| Told {
            device: (DEVICE, 80).into(),
            peer: socket(octets),
            remaining: span(octets, how & 2 != 0),
            age: span(octets, how & 4 != 0),
        });
        let held = held.collect();
        engine.handle(Input::from(Account {
            device: DEVICE.into(),
            asked,
            answered,
            held,
            complete: how & 8 != 0,
            msl: span(octets, how & 16 != 0),
            uptime: span(octets, how & 32 != 0),
            evicted: (how & 32 != 0).then(|| octets.span()),
        }));
    }
}
