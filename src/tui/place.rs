//! Where the person is: which screen, what is open on it, and the way back.
//!
//! Knows where each step leads. Refuses to know which key takes it, and what the screens show.

use core::net::IpAddr;

use super::model::{Model, Pane, Subject};
use super::order::Filter;
use super::watched::FlowKey;

/// Steps that can be gone back.
const MAX_STEPS: usize = 16;

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

/// Where the person was before something was opened.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    screen: Screen,
    open: Option<Subject>,
    scroll: usize,
    follows: bool,
}

impl Model {
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
                (self.scroll, self.follows) = (step.scroll, step.follows);
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
        self.came_from.push(Step {
            screen: self.screen,
            open: self.open,
            scroll: self.scroll,
            follows: self.follows,
        });
    }

    fn go(&mut self, screen: Screen, open: Option<Subject>) {
        self.screen = screen;
        self.scroll = 0;
        // What goes on is read at its end, what is over from its beginning.
        self.follows = screen == Screen::Flow && !self.is_over();
        // A screen of one thing keeps to it, whatever comes to stand at the top of its list.
        self.open = open.or_else(|| if screen == Screen::Flow { self.chosen_in(Pane::Flows) } else { None });
        if screen == Screen::Device && self.chosen.device.is_none() {
            self.chosen.device = self.device_meant();
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
