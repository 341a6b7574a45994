//! What the event stream has told so far, folded into what the screens show.
//!
//! Knows events and packet time. Refuses to grow without end: each collection has a bound, the oldest entries give
//! way, and how many did is counted. Refuses to know keys, panes and terminals.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::packets::{Packets, SentAgain};
use crate::analysis::{
    detect::Finding,
    event::{CaptureQuality, Event, FlowChange, FlowEvent, ProgressEvent, Start, Summary},
    host::DeviceFacts,
    rule::{Alert, AlertPhase, Severity},
    time::Timestamp,
};

use super::vitals::Vitals;

pub const MAX_DEVICES: usize = 256;
pub const MAX_ALERTS: usize = 256;
pub const MAX_FLOWS: usize = 1024;
/// Findings remembered whatever their alert; each alert keeps its own latest besides.
pub const MAX_FINDINGS: usize = 512;
pub const MAX_FINDINGS_OF_ALERT: usize = 48;
/// How long an alarm stays in the banner after its end was told.
pub const ALARM_LINGERS: Duration = Duration::from_secs(30);

/// Who opened the connection, and to whom.
pub type FlowKey = (SocketAddr, SocketAddr);

#[derive(Clone, Debug, Default)]
pub struct Watched {
    pub start: Option<Start>,
    /// In order of appearance.
    pub devices: Vec<DeviceFacts>,
    /// By device; of as many as `devices` holds.
    pub vitals: BTreeMap<IpAddr, Vitals>,
    /// In order of their ids.
    pub alerts: Vec<AlertEntry>,
    pub findings: VecDeque<Rc<Finding>>,
    pub flows: BTreeMap<FlowKey, FlowEntry>,
    pub packets: Packets,
    pub capture: Capture,
    /// The last marker or loss, in words.
    pub remark: Option<(Timestamp, String)>,
    /// How far an experiment is, where one runs or ran.
    pub progress: Option<ProgressEvent>,
    pub summary: Option<Summary>,
    /// Packet time of the first and of the latest event.
    pub first: Option<Timestamp>,
    pub last: Timestamp,
    /// Events folded.
    pub events: u64,
    pub forgotten: Forgotten,
}

/// One alert as last told, kept up to date by the findings that came since.
#[derive(Clone, Debug)]
pub struct AlertEntry {
    pub alert: Alert,
    pub count: u64,
    pub last: Timestamp,
    /// When its end was told.
    pub ended_at: Option<Timestamp>,
    /// The latest ones.
    pub findings: VecDeque<Rc<Finding>>,
}

#[derive(Clone, Debug)]
pub struct FlowEntry {
    pub event: FlowEvent,
    /// When this life of the tuple was first told.
    pub opened: Timestamp,
    /// How long it then took until the client was connected.
    pub connected: Option<Duration>,
    /// Since when the device holds the tuple in TIME-WAIT, by the last that was seen of it.
    pub held_since: Option<Timestamp>,
    /// What was sent again in this life; `None` where the stream tells no segments.
    pub again: Option<SentAgain>,
    /// The number of the event that touched it last: an order that equal times cannot confuse.
    pub touched: u64,
    /// Findings on this tuple, and the rule of the last one.
    pub findings: u64,
    pub rule: Option<String>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Capture {
    pub quality: CaptureQuality,
    /// The highest frame number that any event named: at least so many frames were received.
    pub frame: u64,
    /// `quality.received` is exact, because the stream said so and has ended.
    pub exact: bool,
}

/// What gave way to keep memory bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    pub devices: u64,
    pub alerts: u64,
    pub flows: u64,
    pub findings: u64,
}

impl Watched {
    pub fn fold(&mut self, event: Event) {
        self.events += 1;
        if let Some(time) = event.time() {
            self.first.get_or_insert(time);
            self.last = self.last.max(time);
        }
        match event {
            Event::Start(start) => self.start = Some(start),
            Event::Segment(segment) => {
                self.capture.frame = self.capture.frame.max(segment.frame);
                let key = (segment.client, segment.server);
                self.packets.fold(segment);
                if let Some(entry) = self.flows.get_mut(&key) {
                    entry.again = self.packets.sent_again(key);
                }
            }
            Event::Flow(flow) => self.flow(flow),
            Event::Finding(finding) => self.finding(finding),
            Event::Alert(alert) => self.take_alert(alert),
            Event::Device(device) => self.device(device.facts),
            Event::Capture(capture) => {
                match capture.quality.dropped.saturating_sub(self.capture.quality.dropped) {
                    0 => {}
                    frames => self.packets.lost(frames),
                }
                self.capture.quality = capture.quality;
                self.remark = Some((capture.when.0, capture.text));
            }
            Event::Marker(marker) => self.remark = Some((marker.when.0, marker.text)),
            Event::Progress(progress) => self.progress = Some(progress),
            Event::Summary(summary) => self.summary(summary),
        }
    }

    /// Events come from a wire or a stream that still runs, so that time passes without them.
    pub fn is_live(&self) -> bool {
        self.summary.is_none() && self.start.as_ref().is_some_and(|start| start.source != "file")
    }

    /// Frames received, and whether that is exact or only the least it can be.
    pub fn frames(&self) -> (u64, bool) {
        (self.capture.quality.received.max(self.capture.frame), self.capture.exact)
    }

    pub fn elapsed(&self, now: Timestamp) -> Duration {
        self.first.map_or(Duration::ZERO, |first| now.since(first))
    }

    /// Gravest first, then those that go on, then the newest: rows that do not dance while counts rise.
    pub fn alerts_in_order(&self) -> Vec<&AlertEntry> {
        let mut alerts: Vec<_> = self.alerts.iter().collect();
        alerts.sort_by_key(|entry| {
            (core::cmp::Reverse(entry.alert.severity), entry.ended(), core::cmp::Reverse(entry.alert.id))
        });
        alerts
    }

    /// Those in trouble first, otherwise in order of appearance.
    pub fn devices_in_order(&self) -> Vec<&DeviceFacts> {
        let mut devices: Vec<_> = self.devices.iter().collect();
        devices.sort_by_key(|facts| core::cmp::Reverse(self.worst_of(facts.address)));
        devices
    }

    /// The flows of which the device holds the tuple in TIME-WAIT, and for how long yet, as far as its MSL is known:
    /// those that leave first come first.
    pub fn held(&self, facts: &DeviceFacts, now: Timestamp) -> Vec<(FlowKey, Duration)> {
        let time_wait = Duration::from_secs_f64(facts.msl_s.assumed_time_wait_s().clamp(0.0, 1e6));
        let mut held: Vec<_> = self
            .flows
            .iter()
            .filter(|(_, entry)| entry.event.device == Some(facts.address))
            .filter_map(|(key, entry)| {
                let left = time_wait.checked_sub(now.since(entry.held_since?))?;
                Some((*key, left))
            })
            .collect();
        held.sort_by_key(|(key, left)| (*left, *key));
        held
    }

    pub fn alert(&self, id: u64) -> Option<&AlertEntry> {
        self.alerts.iter().find(|entry| entry.alert.id == id)
    }

    pub fn device_at(&self, address: IpAddr) -> Option<&DeviceFacts> {
        self.devices.iter().find(|facts| facts.address == address)
    }

    pub fn worst_of(&self, device: IpAddr) -> Option<Severity> {
        self.alerts
            .iter()
            .filter(|entry| entry.alert.device == device)
            .map(|entry| entry.alert.severity)
            .max()
    }

    /// The critical alert that a person must not miss: the one that happened last, of those that go on or ended less
    /// than [`ALARM_LINGERS`] ago.
    pub fn most_urgent(&self, now: Timestamp) -> Option<&AlertEntry> {
        self.alerts
            .iter()
            .filter(|entry| entry.alert.severity == Severity::Critical)
            .filter(|entry| entry.ended_at.is_none_or(|at| now.since(at) < ALARM_LINGERS))
            .max_by_key(|entry| entry.last)
    }

    pub fn findings_of(&self, key: FlowKey) -> impl Iterator<Item = &Rc<Finding>> {
        self.findings.iter().filter(move |finding| (finding.client, finding.server) == key)
    }

    fn flow(&mut self, event: FlowEvent) {
        self.capture.frame = self.capture.frame.max(event.frame);
        let key = (event.client, event.server);
        let touched = self.events;
        let mut vitals = event.device.and_then(|device| vitals_of(&mut self.vitals, device));
        let is_new = !self.flows.contains_key(&key);
        let entry = self.flows.entry(key).or_insert_with(|| FlowEntry::new(event.clone()));
        if is_new || event.change == FlowChange::Opened || event.incarnation != entry.event.incarnation {
            entry.opened = event.when.0;
            entry.connected = None;
            if let Some(vitals) = vitals.as_mut().filter(|_| event.change == FlowChange::Opened) {
                vitals.opened(event.when.0);
            }
        }
        if entry.connected.is_none()
            && entry.event.incarnation == event.incarnation
            && is_in(&entry.event.client_state, "SYN-SENT")
            && is_in(&event.client_state, "ESTABLISHED")
        {
            let after = event.when.0.since(entry.opened);
            entry.connected = Some(after);
            if let Some(vitals) = vitals {
                vitals.connected(event.when.0, after);
            }
        }
        entry.hold(&event);
        entry.event = event;
        entry.again = self.packets.sent_again(key);
        entry.touched = touched;
        if is_new {
            self.forget_old_flows();
        }
    }

    /// A quarter at once, so that the search for the oldest is paid once in many flows.
    fn forget_old_flows(&mut self) {
        if self.flows.len() <= MAX_FLOWS {
            return;
        }
        let mut touched: Vec<_> = self.flows.values().map(|entry| entry.touched).collect();
        let (_, youngest_dropped, _) = touched.select_nth_unstable(MAX_FLOWS / 4);
        let youngest_dropped = *youngest_dropped;
        let before = self.flows.len();
        self.flows.retain(|_, entry| entry.touched > youngest_dropped);
        self.forgotten.flows += (before - self.flows.len()) as u64;
    }

    fn finding(&mut self, finding: Finding) {
        if let Some(frame) = finding.frames.iter().max() {
            self.capture.frame = self.capture.frame.max(*frame);
        }
        if let Some(flow) = self.flows.get_mut(&(finding.client, finding.server)) {
            flow.findings += 1;
            flow.rule = Some(finding.rule.to_string());
        }
        let finding = Rc::new(finding);
        // An alert is told again only when its count doubles; what comes between is counted here.
        // With several tuples in one alert `client` is absent, and its rule groups by device.
        let open = self.alerts.iter_mut().rev().find(|entry| {
            let alert = &entry.alert;
            !entry.ended()
                && alert.rule == finding.rule
                && alert.device == finding.device
                && alert.client.is_none_or(|client| client == finding.client)
        });
        if let Some(entry) = open {
            entry.count += 1;
            entry.last = entry.last.max(finding.when.0);
            entry.keep(Rc::clone(&finding));
        }
        self.findings.push_back(finding);
        if self.findings.len() > MAX_FINDINGS {
            self.findings.pop_front();
            self.forgotten.findings += 1;
        }
    }

    fn take_alert(&mut self, alert: Alert) {
        if let Some(entry) = self.alerts.iter_mut().find(|entry| entry.alert.id == alert.id) {
            entry.count = alert.count;
            entry.last = alert.last;
            entry.ended_at = (alert.phase == AlertPhase::Ended).then_some(alert.when.0);
            entry.alert = alert;
            return;
        }
        let ended_at = (alert.phase == AlertPhase::Ended).then_some(alert.when.0);
        let mut entry =
            AlertEntry { count: alert.count, last: alert.last, ended_at, findings: VecDeque::new(), alert };
        // The finding that raised it was told before it.
        for finding in &self.findings {
            if entry.alert.findings.contains(&finding.id) {
                entry.keep(Rc::clone(finding));
            }
        }
        self.alerts.push(entry);
        if self.alerts.len() > MAX_ALERTS {
            // What is over gives way before what goes on.
            let oldest = self.alerts.iter().position(AlertEntry::ended).unwrap_or(0);
            self.alerts.remove(oldest);
            self.forgotten.alerts += 1;
        }
    }

    fn device(&mut self, facts: DeviceFacts) {
        if let Some(known) = self.devices.iter_mut().find(|known| known.address == facts.address) {
            *known = facts;
        } else if self.devices.len() < MAX_DEVICES {
            self.devices.push(facts);
        } else {
            self.forgotten.devices += 1;
        }
    }

    fn summary(&mut self, summary: Summary) {
        self.capture.quality = summary.capture;
        self.capture.exact = true;
        for facts in &summary.devices {
            self.device(facts.clone());
        }
        self.summary = Some(summary);
    }
}

/// The pulse of `device`; of a device more than can be kept, none.
fn vitals_of(all: &mut BTreeMap<IpAddr, Vitals>, device: IpAddr) -> Option<&mut Vitals> {
    if all.len() >= MAX_DEVICES && !all.contains_key(&device) {
        return None;
    }
    Some(all.entry(device).or_default())
}

/// Whether `text`, an RFC 9293 state and its certainty, is of `state`.
fn is_in(text: &str, state: &str) -> bool {
    text.split(' ').next() == Some(state)
}

impl FlowEntry {
    fn new(event: FlowEvent) -> FlowEntry {
        let opened = event.when.0;
        FlowEntry {
            event,
            opened,
            connected: None,
            held_since: None,
            again: None,
            touched: 0,
            findings: 0,
            rule: None,
        }
    }

    /// Keeps whether the device holds the tuple in TIME-WAIT: a SYN that is refused there changes nothing, one that is
    /// let in ends it.
    fn hold(&mut self, event: &FlowEvent) {
        let Some(device) = event.device else { return };
        let state = if event.server.ip() == device { &event.server_state } else { &event.client_state };
        if is_in(state, "TIME-WAIT") {
            self.held_since.get_or_insert(event.when.0);
        } else if is_in(state, "ESTABLISHED") || is_in(state, "CLOSED") {
            self.held_since = None;
        }
    }
}

impl AlertEntry {
    pub fn ended(&self) -> bool {
        self.alert.phase == AlertPhase::Ended
    }

    fn keep(&mut self, finding: Rc<Finding>) {
        self.findings.push_back(finding);
        if self.findings.len() > MAX_FINDINGS_OF_ALERT {
            self.findings.pop_front();
        }
    }
}
