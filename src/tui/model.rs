//! What the screens are made from: the folded stream, and where the person is in it.
//!
//! Knows panes, what is chosen and what is open. Refuses to draw, to read keys, and to ask a clock: how long
//! the stream has been silent is told to it.

use core::net::IpAddr;
use core::time::Duration;

use super::theme::Theme;
use super::watched::{FlowKey, Watched};
use crate::analysis::time::Timestamp;

#[derive(Clone, Debug)]
pub struct Model {
    pub title: String,
    pub theme: Theme,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    pub pane: Pane,
    pub chosen: Chosen,
    /// Shown on the whole screen instead of the overview.
    pub open: Option<Subject>,
    /// First line shown of what is open.
    pub scroll: usize,
    /// First line shown of the help, where it is open.
    pub help: Option<usize>,
    pub notice: Option<Notice>,
    /// The sender of events is gone.
    pub stream_over: bool,
    watched: Watched,
    frozen: Option<Box<Frozen>>,
    silent_for: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    Devices,
    #[default]
    Alerts,
    Flows,
}

/// What is chosen in each pane; `None` follows the top of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    pub device: Option<IpAddr>,
    pub alert: Option<u64>,
    pub flow: Option<FlowKey>,
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
            size: (80, 24),
            pane: Pane::default(),
            chosen: Chosen::default(),
            open: None,
            scroll: 0,
            help: None,
            notice: None,
            stream_over: false,
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

    /// The things of a pane, in the order they are listed.
    pub fn listed(&self, pane: Pane) -> Vec<Subject> {
        let watched = self.shown();
        match pane {
            Pane::Devices => {
                watched.devices_in_order().iter().map(|facts| Subject::Device(facts.address)).collect()
            }
            Pane::Alerts => {
                watched.alerts_in_order().iter().map(|entry| Subject::Alert(entry.alert.id)).collect()
            }
            Pane::Flows => watched.flows_in_order().iter().map(|(key, _)| Subject::Flow(**key)).collect(),
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

    /// What the explanation explains: what is chosen in the focused pane, else the first thing there is.
    pub fn explained(&self) -> Option<Subject> {
        self.chosen_in(self.pane)
            .or_else(|| self.chosen_in(Pane::Alerts))
            .or_else(|| self.chosen_in(Pane::Devices))
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
    pub const ALL: [Pane; 3] = [Pane::Devices, Pane::Alerts, Pane::Flows];

    pub const fn name(self) -> &'static str {
        match self {
            Pane::Devices => "Devices",
            Pane::Alerts => "Alerts",
            Pane::Flows => "Flows",
        }
    }

    /// The key that picks it.
    pub const fn number(self) -> u8 {
        match self {
            Pane::Devices => 1,
            Pane::Alerts => 2,
            Pane::Flows => 3,
        }
    }

    pub const fn next(self) -> Pane {
        match self {
            Pane::Devices => Pane::Alerts,
            Pane::Alerts => Pane::Flows,
            Pane::Flows => Pane::Devices,
        }
    }

    pub const fn previous(self) -> Pane {
        self.next().next()
    }
}
