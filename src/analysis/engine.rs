//! Inputs in, events out: the one door of analysis.
//!
//! The order of work for one frame: decode, find the flow, let the device fold it, ask the detectors, let the
//! rules judge. Everything that leaves goes through one queue, in one order.

mod clock;
mod finding;
mod marking;
mod memory;
mod moving;
mod reloading;
mod segment;
mod telling;

pub use memory::flows_within;

use core::time::Duration;
use std::collections::VecDeque;

use super::{
    detect::{Detectors, Finding, chain::Chain},
    event::{CaptureEvent, Event, ProgressEvent, SCHEMA, Start},
    flow::{Before, FlowTable},
    host::{DeviceFacts, DeviceScope, HostEvent, Hosts, account::IN_FLIGHT, hosts::Ends},
    input::{Account, Frame, Gap, GapCause, Input, Marker},
    rule::{AlertBook, Listeners, RuleSet, Severity, scope},
    summary::{self, Counts},
    time::{Timestamp, When},
    wire::{Sign, Skip, WHERE_TO_STAND, decode, sign},
};

/// What an engine takes unless told otherwise, octets.
pub const DEFAULT_MEMORY: u64 = 64 << 20;
/// Flows held at once unless told otherwise.
pub const DEFAULT_MAX_FLOWS: usize = flows_within(DEFAULT_MEMORY);
/// How often detectors look at the clock.
const DETECTORS_EVERY: Duration = Duration::from_millis(100);
/// Rounds made up for after a silence: 150 s of them, longer than any attempt to connect. One more ends it.
const MAX_ROUNDS: u32 = 1_500;
/// Device facts are told when they change, but not more often than this.
const DEVICE_EVERY: Duration = Duration::from_secs(1);
/// Accounts that wait for their frames; the oldest gives way.
const MAX_ACCOUNTS: usize = 16;

/// What an engine is made for.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    pub devices: DeviceScope,
    pub rules: RuleSet,
    /// Write `flow` events.
    pub flow_events: bool,
    /// Write `segment` events.
    pub segment_events: bool,
    /// What is said of the source in the `start` event; `schema`, `devices` and `rules` are filled in.
    pub start: Start,
    /// Four-tuples held at once; the oldest idle one gives way. What detectors and devices remember of tuples follows from
    /// it ([`flows_within`] tells what fits).
    pub max_flows: usize,
}

#[derive(Debug)]
pub struct Engine {
    flow_events: bool,
    /// And then of each life only its milestones.
    milestones_alone: bool,
    segment_events: bool,
    table: FlowTable<Ends>,
    hosts: Hosts,
    detectors: Detectors,
    chain: Chain,
    alerts: AlertBook,
    /// The rules of users' own; they hear findings, flows and devices, and never each other.
    own: Listeners,
    counts: Counts,
    events: VecDeque<Event>,
    /// The life of the flow at hand, before the segment at hand.
    before: Before,
    /// What happened to a device in the frame at hand, and what was found; kept to spare the allocation.
    happened: Vec<HostEvent>,
    found: Vec<Finding>,
    /// The facts of each device as last told.
    told: Vec<DeviceFacts>,
    /// Those that each detector may wait for.
    tuples: usize,
    /// What devices said of themselves, until the frames of then have come.
    accounts: VecDeque<Account>,
    /// Markers of a time that has not come, by their time.
    markers: VecDeque<Marker>,
    last_gap: Option<Timestamp>,
    next_detector_round: Timestamp,
    next_device_round: Timestamp,
    ended: bool,
}

impl Engine {
    pub fn new(config: EngineConfig) -> Engine {
        let mut start = config.start;
        start.schema = SCHEMA;
        start.rules = config.rules.iter().map(|rule| rule.id.clone()).collect();
        if let DeviceScope::Named(addresses) = &config.devices {
            start.devices = addresses.clone();
        }
        let tuples = memory::tuples_beside(config.max_flows);
        Engine {
            flow_events: config.flow_events,
            milestones_alone: false,
            segment_events: config.segment_events,
            table: FlowTable::with_capacity(config.max_flows),
            hosts: Hosts::new(config.devices, tuples),
            detectors: scope::detectors(&config.rules, tuples),
            chain: Chain::default(),
            own: Listeners::of(&config.rules),
            alerts: AlertBook::new(config.rules),
            counts: Counts::default(),
            events: VecDeque::from([Event::Start(start)]),
            before: Before::default(),
            happened: Vec::new(),
            found: Vec::new(),
            told: Vec::new(),
            tuples,
            accounts: VecDeque::new(),
            markers: VecDeque::new(),
            last_gap: None,
            next_detector_round: Timestamp::ZERO,
            next_device_round: Timestamp::ZERO,
            ended: false,
        }
    }

    /// Whether `segment` events are written from here on.
    pub fn tell_segments(&mut self, wanted: bool) {
        self.segment_events = wanted;
    }

    /// Of each life `flow` events tell no more than that it opened, that its client became ESTABLISHED and that it closed: a
    /// report needs no others, and they are most.
    pub fn tell_milestones_alone(&mut self) {
        self.milestones_alone = true;
    }

    /// Takes one input. After [`Input::End`] everything is ignored.
    pub fn handle(&mut self, input: Input<'_>) {
        if self.ended {
            return;
        }
        match input {
            Input::Frame(frame) => {
                self.tell_markers(frame.time);
                // What did not come in time is told before what comes now.
                self.ask_the_time(frame.time);
                self.frame(&frame);
                self.pass_time(frame.time);
            }
            Input::Tick(time) => {
                self.tell_markers(time);
                self.ask_the_time(time);
                self.pass_time(time);
            }
            Input::Gap(gap) => self.gap(gap),
            Input::Marker(marker) => self.take_marker(*marker),
            Input::Account(account) => {
                self.accounts.push_back(*account);
                if self.accounts.len() > MAX_ACCOUNTS {
                    self.accounts.pop_front();
                }
            }
            Input::Progress(progress) => {
                let when = When(self.counts.now);
                self.events.push_back(Event::Progress(ProgressEvent { when, progress: *progress }));
            }
            Input::End => self.end(),
        }
    }

    /// Whether [`Engine::poll_event`] has one.
    #[inline]
    pub fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// The next event, in order. Drain it after every `handle`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// From here on every detector hears every segment, which must change nothing.
    #[cfg(test)]
    pub(super) fn hear_everything(&mut self) {
        self.detectors.hear_everything();
    }

    /// What was counted so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Four-tuples that are remembered now.
    pub fn tracked(&self) -> usize {
        self.table.len()
    }

    /// The gravest severity alerted so far.
    pub fn worst(&self) -> Option<Severity> {
        self.alerts.worst()
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        self.counts.frames += 1;
        self.counts.quality.received += 1;
        self.counts.first.get_or_insert(frame.time);
        match &decode(frame) {
            Ok(segment) => self.segment(segment),
            &Err(skip) => {
                self.counts.skipped.count(skip);
                if skip == Skip::MonitorMode && self.counts.skipped.of(skip) == 1 {
                    self.tell_where_to_stand(frame.time);
                }
                if matches!(skip, Skip::NotIp | Skip::NotTcp)
                    && let Some(sign) = sign::read(frame)
                {
                    self.sign(&sign);
                }
            }
        }
    }

    /// At once: a stream may go on for days, and nothing else will come of it.
    fn tell_where_to_stand(&mut self, time: Timestamp) {
        self.events.push_back(Event::Capture(CaptureEvent {
            when: When(time),
            quality: self.counts.quality,
            text: WHERE_TO_STAND.to_owned(),
        }));
    }

    fn sign(&mut self, sign: &Sign) {
        self.hosts.recognise_sign(sign);
        self.follow(sign);
        for index in self.hosts.of_sign(sign).into_iter().flatten() {
            self.hosts.observe_sign(index, sign);
            let device = self.hosts.device(index);
            self.detectors.on_sign(sign, device, &mut self.found);
        }
        self.tell_findings();
    }

    /// Lets the detectors look at the clock at every full tenth of a second of packet time, also where nothing came to
    /// tell it: a recording has no ticks, and what was found while an interface was idle is found in it again.
    #[inline]
    fn ask_the_time(&mut self, now: Timestamp) {
        if now >= self.next_detector_round {
            self.detector_rounds(now);
        }
    }

    fn detector_rounds(&mut self, now: Timestamp) {
        let last = now.round_down(DETECTORS_EVERY);
        if self.next_detector_round > Timestamp::ZERO {
            for _ in 0..MAX_ROUNDS {
                if self.next_detector_round >= last {
                    break;
                }
                self.detector_round(self.next_detector_round);
                self.next_detector_round = self.next_detector_round.saturating_add(DETECTORS_EVERY);
            }
        }
        self.detector_round(last);
        self.next_detector_round = last.saturating_add(DETECTORS_EVERY);
    }

    fn detector_round(&mut self, now: Timestamp) {
        self.tell_moves(now);
        self.detectors.on_time(now, &mut self.found);
        while self.accounts.front().is_some_and(|account| account.answered.saturating_add(IN_FLIGHT) < now)
            && let Some(account) = self.accounts.pop_front()
        {
            self.compare(&account);
        }
        self.tell_findings();
    }

    fn compare(&mut self, account: &Account) {
        let Some(index) = self.hosts.of_address(account.device) else { return };
        let first = self.counts.first.unwrap_or(account.answered);
        let comparison = self.hosts.device_mut(index).compare(account, first);
        self.detectors.on_account(&comparison, &mut self.found);
    }

    #[inline(always)]
    fn pass_time(&mut self, time: Timestamp) {
        if time <= self.counts.now && self.counts.now != Timestamp::ZERO {
            return;
        }
        self.counts.now = time;
        if time >= self.next_device_round {
            self.device_round(time);
        }
    }

    fn device_round(&mut self, time: Timestamp) {
        self.next_device_round = time.saturating_add(DEVICE_EVERY);
        self.hosts.advance(time);
        self.tell_devices();
        for alert in self.alerts.advance(time, &self.hosts) {
            self.events.push_back(Event::Alert(alert));
        }
    }

    fn gap(&mut self, gap: Gap) {
        let Some(text) = gap.told() else { return };
        if matches!(gap.cause, GapCause::Clock { .. }) {
            self.forget_times(gap.at);
            return self.tell_capture(text);
        }
        self.counts.now = self.counts.now.max(gap.at);
        self.counts.quality.dropped += gap.lost;
        self.counts.quality.gaps += u64::from(gap.is_counted());
        self.last_gap = Some(gap.at);
        self.table.weaken_all();
        for device in self.hosts.iter_mut() {
            device.note_gap(gap.at);
        }
        self.detectors.on_gap(&gap);
        self.tell_capture(text);
    }

    fn tell_capture(&mut self, text: String) {
        self.events.push_back(Event::Capture(CaptureEvent {
            when: When(self.counts.now),
            quality: self.counts.quality,
            text,
        }));
    }

    fn end(&mut self) {
        self.ended = true;
        self.tell_last_markers();
        self.hosts.finish(self.counts.now);
        self.tell_devices();
        for alert in self.alerts.finish(self.counts.now, &self.hosts) {
            self.events.push_back(Event::Alert(alert));
        }
        self.count_unevaluated();
        self.events.push_back(Event::Summary(summary::of(&self.counts, &self.hosts)));
    }
}
