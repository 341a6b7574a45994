//! What the screens are made from: the folded stream, and where the person is in it.
//!
//! Knows screens, what is chosen and what is open. Refuses to draw, to read keys, and to ask a clock: how long
//! the stream has been silent is told to it.

use core::net::IpAddr;
use core::time::Duration;

use super::dialogue::Dialogue;
use super::keys::Keymap;
use super::order::{Filter, FlowOrder};
use super::theme::Theme;
use super::watched::{AlertEntry, FlowEntry, FlowKey, Watched};
use crate::analysis::time::Timestamp;

/// Steps that can be gone back.
const MAX_STEPS: usize = 16;

#[derive(Clone, Debug)]
pub struct Model {
    pub title: String,
    pub theme: Theme,
    pub keymap: Keymap,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    pub screen: Screen,
    pub chosen: Chosen,
    /// Explained on the whole of the alerts' or the flow's screen.
    pub open: Option<Subject>,
    /// First line shown of a text that fills the screen.
    pub scroll: usize,
    pub filters: Filters,
    pub flow_order: FlowOrder,
    /// What is being asked of the person.
    pub dialogue: Option<Dialogue>,
    pub notice: Option<Notice>,
    /// The sender of events is gone.
    pub stream_over: bool,
    came_from: Vec<Step>,
    watched: Watched,
    frozen: Option<Box<Frozen>>,
    silent_for: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    #[default]
    Overview,
    Alerts,
    Flows,
    Flow,
    Device,
    Help,
}

/// The lists there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pane {
    Devices,
    Alerts,
    Flows,
}

/// What is chosen in each list; `None` follows its top.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    pub device: Option<IpAddr>,
    pub alert: Option<u64>,
    pub flow: Option<FlowKey>,
}

#[derive(Clone, Debug, Default)]
pub struct Filters {
    pub alerts: Filter,
    pub flows: Filter,
}

/// One thing that can be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Device(IpAddr),
    Alert(u64),
    Flow(FlowKey),
}

/// An answer to a key, shown in the footer until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    pub is_error: bool,
}

/// Where the person was before something was opened.
#[derive(Clone, Copy, Debug)]
struct Step {
    screen: Screen,
    open: Option<Subject>,
    scroll: usize,
}

/// The view as it was when the person stopped it; the stream goes on behind it.
#[derive(Clone, Debug)]
struct Frozen {
    watched: Watched,
    now: Timestamp,
}

impl Model {
    pub fn new(title: String, theme: Theme) -> Model {
        Model {
            title,
            theme,
            keymap: Keymap::default(),
            size: (80, 24),
            screen: Screen::default(),
            chosen: Chosen::default(),
            open: None,
            scroll: 0,
            filters: Filters::default(),
            flow_order: FlowOrder::default(),
            dialogue: None,
            notice: None,
            stream_over: false,
            came_from: Vec::new(),
            watched: Watched::default(),
            frozen: None,
            silent_for: Duration::ZERO,
        }
    }

    /// What the views show: the frozen view, or the stream as it is.
    pub fn shown(&self) -> &Watched {
        self.frozen.as_ref().map_or(&self.watched, |frozen| &frozen.watched)
    }

    /// Packet time now: that of the last event and, while the source is live, the silence since.
    pub fn now(&self) -> Timestamp {
        match &self.frozen {
            Some(frozen) => frozen.now,
            None => self.live_now(),
        }
    }

    /// Time passes on the screen without an event.
    pub fn shows_ages(&self) -> bool {
        self.frozen.is_none() && !self.stream_over && self.watched.is_live() && self.watched.first.is_some()
    }

    /// Whether the stream said its last word, or broke off without it.
    pub fn is_over(&self) -> bool {
        self.stream_over || self.watched.summary.is_some()
    }

    pub fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Events that came since the view was frozen.
    pub fn unseen(&self) -> u64 {
        self.frozen.as_ref().map_or(0, |frozen| self.watched.events - frozen.watched.events)
    }

    pub fn events(&self) -> u64 {
        self.watched.events
    }

    pub(super) fn fold(&mut self, event: crate::analysis::event::Event) {
        self.silent_for = Duration::ZERO;
        self.watched.fold(event);
    }

    pub(super) fn set_silent_for(&mut self, silence: Duration) {
        self.silent_for = silence;
    }

    pub(super) fn toggle_freeze(&mut self) {
        self.frozen = match self.frozen.take() {
            Some(_) => None,
            None => Some(Box::new(Frozen { watched: self.watched.clone(), now: self.live_now() })),
        };
    }

    // ---- lists ----

    /// The alerts that the filter lets through, in the order they are listed.
    pub fn alerts(&self) -> Vec<&AlertEntry> {
        let mut alerts = self.shown().alerts_in_order();
        alerts.retain(|entry| self.filters.alerts.takes_alert(entry));
        alerts
    }

    /// The flows that the filter lets through, in the order they are listed.
    pub fn flows(&self) -> Vec<(&FlowKey, &FlowEntry)> {
        let flows = self.shown().flows.iter();
        let mut flows: Vec<_> =
            flows.filter(|(key, entry)| self.filters.flows.takes_flow(key, entry)).collect();
        flows.sort_by(|a, b| self.flow_order.compare(*a, *b));
        flows
    }

    /// The things of a list, in the order they are listed.
    pub fn listed(&self, pane: Pane) -> Vec<Subject> {
        match pane {
            Pane::Devices => {
                self.shown().devices_in_order().iter().map(|facts| Subject::Device(facts.address)).collect()
            }
            Pane::Alerts => self.alerts().iter().map(|entry| Subject::Alert(entry.alert.id)).collect(),
            Pane::Flows => self.flows().iter().map(|(key, _)| Subject::Flow(**key)).collect(),
        }
    }

    /// Where the chosen thing stands in `listed`; a thing that was forgotten leaves the choice to the top.
    pub fn chosen_index(&self, pane: Pane, listed: &[Subject]) -> usize {
        let wanted = match pane {
            Pane::Devices => self.chosen.device.map(Subject::Device),
            Pane::Alerts => self.chosen.alert.map(Subject::Alert),
            Pane::Flows => self.chosen.flow.map(Subject::Flow),
        };
        wanted.and_then(|wanted| listed.iter().position(|subject| *subject == wanted)).unwrap_or(0)
    }

    pub fn chosen_in(&self, pane: Pane) -> Option<Subject> {
        let listed = self.listed(pane);
        listed.get(self.chosen_index(pane, &listed)).copied()
    }

    /// Chooses `subject`; with `None` the top is followed, whatever comes to stand there.
    pub(super) fn choose(&mut self, pane: Pane, subject: Option<Subject>) {
        match pane {
            Pane::Devices => self.chosen.device = None,
            Pane::Alerts => self.chosen.alert = None,
            Pane::Flows => self.chosen.flow = None,
        }
        match subject {
            Some(Subject::Device(address)) => self.chosen.device = Some(address),
            Some(Subject::Alert(id)) => self.chosen.alert = Some(id),
            Some(Subject::Flow(key)) => self.chosen.flow = Some(key),
            None => {}
        }
    }

    // ---- where the person is ----

    /// The list that the moving keys move in; `None` where they scroll a text.
    pub fn moving_pane(&self) -> Option<Pane> {
        match self.screen {
            Screen::Overview => Some(Pane::Alerts),
            Screen::Alerts if self.open.is_none() => Some(Pane::Alerts),
            Screen::Flows => Some(Pane::Flows),
            Screen::Alerts | Screen::Flow | Screen::Device | Screen::Help => None,
        }
    }

    /// The list that the filter would be of.
    pub fn filtered_pane(&self) -> Option<Pane> {
        self.moving_pane().filter(|pane| self.filter(*pane).is_some())
    }

    pub fn filter(&self, pane: Pane) -> Option<&Filter> {
        match pane {
            Pane::Devices => None,
            Pane::Alerts => Some(&self.filters.alerts),
            Pane::Flows => Some(&self.filters.flows),
        }
    }

    pub(super) fn set_filter(&mut self, pane: Pane, filter: Filter) {
        match pane {
            Pane::Devices => {}
            Pane::Alerts => self.filters.alerts = filter,
            Pane::Flows => self.filters.flows = filter,
        }
    }

    /// What fills the screen, where one thing does.
    pub fn whole(&self) -> Option<Subject> {
        match self.screen {
            Screen::Alerts => self.open,
            Screen::Flow => self.open.or_else(|| self.chosen_in(Pane::Flows)),
            Screen::Device => self.chosen_in(Pane::Devices),
            Screen::Overview | Screen::Flows | Screen::Help => None,
        }
    }

    /// What the explanation explains, and what is copied: the thing the person looks at.
    pub fn explained(&self) -> Option<Subject> {
        self.whole().or_else(|| match self.screen {
            Screen::Overview => self.chosen_in(Pane::Alerts).or_else(|| self.chosen_in(Pane::Devices)),
            Screen::Alerts => self.chosen_in(Pane::Alerts),
            Screen::Flows => self.chosen_in(Pane::Flows),
            Screen::Flow | Screen::Device | Screen::Help => None,
        })
    }

    /// What `open` would open here.
    pub fn can_open(&self) -> Option<Subject> {
        match (self.screen, self.whole()) {
            (Screen::Alerts, Some(Subject::Alert(id))) => self.flow_of_alert(id).map(Subject::Flow),
            (Screen::Overview | Screen::Alerts | Screen::Flows, None) => self.explained(),
            (_, _) => None,
        }
    }

    fn flow_of_alert(&self, id: u64) -> Option<FlowKey> {
        let entry = self.shown().alert(id)?;
        let finding = entry.findings.back().filter(|finding| !finding.is_of_device())?;
        Some((finding.client, finding.server))
    }

    /// The device that the person looks at: that of the alert or flow before him, else the chosen one.
    pub fn device_meant(&self) -> Option<IpAddr> {
        let watched = self.shown();
        let looked_at = match self.whole() {
            Some(Subject::Alert(id)) => watched.alert(id).map(|entry| entry.alert.device),
            Some(Subject::Flow(key)) => watched.flows.get(&key).and_then(|entry| entry.event.device),
            Some(Subject::Device(address)) => Some(address),
            None => None,
        };
        looked_at.or_else(|| match self.chosen_in(Pane::Devices) {
            Some(Subject::Device(address)) => Some(address),
            Some(Subject::Alert(_) | Subject::Flow(_)) | None => None,
        })
    }

    pub fn can_go_back(&self) -> bool {
        !self.came_from.is_empty()
            || self.open.is_some()
            || self.screen == Screen::Help
            || self.clears_a_filter()
    }

    /// Whether going back means to see again what the filter hides.
    pub fn clears_a_filter(&self) -> bool {
        let filtered =
            self.filtered_pane().and_then(|pane| self.filter(pane)).is_some_and(|filter| !filter.is_empty());
        filtered && self.came_from.is_empty()
    }

    /// Goes to `screen` by its number: there is no way back but by another number.
    pub(super) fn show(&mut self, screen: Screen) {
        self.came_from.clear();
        self.go(screen, None);
    }

    /// Opens `subject` on the screen of its kind, from where one can go back.
    pub(super) fn open(&mut self, subject: Subject) {
        self.remember();
        match subject {
            Subject::Device(_) => self.go(Screen::Device, None),
            Subject::Alert(id) => {
                self.chosen.alert = Some(id);
                self.go(Screen::Alerts, Some(subject));
            }
            Subject::Flow(key) => {
                self.chosen.flow = Some(key);
                self.go(Screen::Flow, Some(subject));
            }
        }
        // What the person reads about is whom the next keys are about.
        self.chosen.device = self.device_meant().or(self.chosen.device);
    }

    pub(super) fn toggle_help(&mut self) {
        if self.screen == Screen::Help {
            self.back();
        } else {
            self.remember();
            self.go(Screen::Help, None);
        }
    }

    pub(super) fn back(&mut self) {
        match self.came_from.pop() {
            Some(step) => {
                self.go(step.screen, step.open);
                self.scroll = step.scroll;
            }
            None if self.screen == Screen::Help => self.go(Screen::Overview, None),
            None if self.open.is_some() => {
                let list = if self.screen == Screen::Flow { Screen::Flows } else { self.screen };
                self.go(list, None);
            }
            None => {
                if let Some(pane) = self.filtered_pane() {
                    self.set_filter(pane, Filter::default());
                }
            }
        }
    }

    fn remember(&mut self) {
        if self.came_from.len() >= MAX_STEPS {
            self.came_from.remove(0);
        }
        self.came_from.push(Step { screen: self.screen, open: self.open, scroll: self.scroll });
    }

    fn go(&mut self, screen: Screen, open: Option<Subject>) {
        self.screen = screen;
        self.scroll = 0;
        // A screen of one thing keeps to it, whatever comes to stand at the top of its list.
        self.open = open.or_else(|| if screen == Screen::Flow { self.chosen_in(Pane::Flows) } else { None });
        if screen == Screen::Device && self.chosen.device.is_none() {
            self.chosen.device = self.device_meant();
        }
    }

    fn live_now(&self) -> Timestamp {
        if self.watched.is_live() && !self.stream_over {
            self.watched.last.saturating_add(self.silent_for)
        } else {
            self.watched.last
        }
    }
}

impl Screen {
    pub const ALL: [Screen; 6] =
        [Screen::Overview, Screen::Alerts, Screen::Flows, Screen::Flow, Screen::Device, Screen::Help];

    pub const fn name(self) -> &'static str {
        match self {
            Screen::Overview => "Overview",
            Screen::Alerts => "Alerts",
            Screen::Flows => "Flows",
            Screen::Flow => "Flow",
            Screen::Device => "Device",
            Screen::Help => "Help",
        }
    }

    pub const fn next(self) -> Screen {
        match self {
            Screen::Overview => Screen::Alerts,
            Screen::Alerts => Screen::Flows,
            Screen::Flows => Screen::Flow,
            Screen::Flow => Screen::Device,
            Screen::Device => Screen::Help,
            Screen::Help => Screen::Overview,
        }
    }

    pub const fn previous(self) -> Screen {
        match self {
            Screen::Overview => Screen::Help,
            Screen::Alerts => Screen::Overview,
            Screen::Flows => Screen::Alerts,
            Screen::Flow => Screen::Flows,
            Screen::Device => Screen::Flow,
            Screen::Help => Screen::Device,
        }
    }
}

impl Pane {
    pub const fn name(self) -> &'static str {
        match self {
            Pane::Devices => "Devices",
            Pane::Alerts => "Alerts",
            Pane::Flows => "Flows",
        }
    }
}
