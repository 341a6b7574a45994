//! Inputs in, events out: the one door of analysis.

use core::net::IpAddr;
use std::collections::VecDeque;

use super::{
    event::{Event, Start},
    input::Input,
};

/// Which hosts are devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceScope {
    /// These, and no others.
    Named(Vec<IpAddr>),
    /// Hosts whose MAC address is of one of Espressif's blocks.
    Espressif,
    /// Espressif's if one shows itself; until then every host that is asked for a connection.
    Auto,
}

/// What an engine is made for.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    pub devices: DeviceScope,
    pub rules: super::rule::RuleSet,
    /// Write `flow` events.
    pub flow_events: bool,
    /// What is said of the source in the `start` event; `schema`, `devices` and `rules` are filled in.
    pub start: Start,
    /// Four-tuples held at once; the oldest idle one gives way.
    pub max_flows: usize,
}

#[derive(Debug)]
pub struct Engine {
    events: VecDeque<Event>,
}

impl Engine {
    pub fn new(_config: EngineConfig) -> Engine {
        Engine { events: VecDeque::new() }
    }

    pub fn handle(&mut self, _input: Input<'_>) {}

    /// The next event, in order. Drain it after every `handle`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}
