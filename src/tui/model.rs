//! What the screens are made from: the folded stream, and what of it is listed, chosen and hidden.
//!
//! Knows lists and what is chosen in them; where the person is among the screens is in [`super::place`]. Refuses to draw, to read keys, and to ask a clock: how long
//! the stream has been silent is told to it.

use core::net::IpAddr;
use core::time::Duration;

use super::dialogue::Dialogue;
use super::keys::Keymap;
use super::order::{Filter, FlowOrder};
use super::place::Step;
use super::theme::Theme;
use super::watched::{AlertEntry, FlowEntry, FlowKey, Watched};
use crate::analysis::time::Timestamp;

pub use super::place::Screen;

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
    /// The end of the text is shown, also as it grows; `scroll` means nothing then.
    pub follows: bool,
    pub filters: Filters,
    pub flow_order: FlowOrder,
    /// What is being asked of the person.
    pub dialogue: Option<Dialogue>,
    pub notice: Option<Notice>,
    /// The sender of events is gone.
    pub stream_over: bool,
    pub(super) came_from: Vec<Step>,
    watched: Watched,
    frozen: Option<Box<Frozen>>,
    silent_for: Duration,
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
            follows: false,
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

    /// The first line shown of a text that can begin with its lines up to `end`.
    pub fn first_line(&self, end: usize) -> usize {
        if self.follows { end } else { self.scroll.min(end) }
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
        let mut flows: Vec<_> = self.let_through().collect();
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

    /// The flows that the filter lets through, in no order that means anything.
    pub fn let_through(&self) -> impl Iterator<Item = (&FlowKey, &FlowEntry)> {
        self.shown().flows.iter().filter(|(key, entry)| self.filters.flows.takes_flow(key, entry))
    }

    pub fn chosen_in(&self, pane: Pane) -> Option<Subject> {
        if pane == Pane::Flows {
            // Without sorting them all: the footer asks often.
            let chosen = || self.chosen.flow.and_then(|key| self.shown().flows.get_key_value(&key));
            let listed = chosen().filter(|(key, entry)| self.filters.flows.takes_flow(key, entry));
            let shown = listed.or_else(|| self.let_through().min_by(|a, b| self.flow_order.compare(*a, *b)));
            return shown.map(|(key, _)| Subject::Flow(*key));
        }
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

    fn live_now(&self) -> Timestamp {
        if self.watched.is_live() && !self.stream_over {
            self.watched.last.saturating_add(self.silent_for)
        } else {
            self.watched.last
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
