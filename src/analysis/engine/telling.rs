//! What the engine tells of devices and flows when they change.

use super::Engine;
use crate::analysis::{
    event::{DeviceEvent, Event, FlowChange, FlowEvent},
    flow::{Before, Belongs, Flow, Side},
    rule::Heard,
    tcp::{Endpoint, TcpState},
    time::When,
    wire::Segment,
};

/// Devices whose facts are told while the run goes on.
const MAX_TOLD: usize = 64;

impl Engine {
    /// Tells the facts of every device whose facts changed since they were told last.
    pub(super) fn tell_devices(&mut self) {
        for (index, device) in self.hosts.iter().enumerate().take(MAX_TOLD) {
            let facts = device.facts();
            match self.told.get_mut(index) {
                Some(told) if *told == facts => continue,
                Some(told) => *told = facts.clone(),
                None => self.told.push(facts.clone()),
            }
            let when = When(self.counts.now);
            self.own.hear(Heard::device(when, &facts, device.liveness.last_heard()));
            self.events.push_back(Event::Device(DeviceEvent { when, facts }));
        }
        self.tell_own();
    }

    pub(super) fn tell_flow(&mut self, told: FlowEvent, is_told: bool) {
        self.own.hear(Heard::Flow(&told));
        if is_told {
            self.events.push_back(Event::Flow(told));
        }
        self.tell_own();
    }
}

/// What a segment changed in `flow`, whose life was as `before`, if anything.
pub(super) fn change(flow: &Flow, before: &Before, place: Belongs) -> Option<FlowChange> {
    let is_as_before = |side| flow.life.endpoint(side).view == before.endpoint(side).view;
    match place {
        Belongs::NewLife => Some(FlowChange::Opened),
        _ if is_as_before(Side::A) && is_as_before(Side::B) => None,
        _ if flow.is_closed() => Some(FlowChange::Closed),
        _ => Some(FlowChange::State),
    }
}

/// Whether it opened, was let in, or closed: what a report wants to hear.
pub(super) fn is_milestone(flow: &Flow, before: &Before, change: FlowChange) -> bool {
    let is_let_in = |client: &Endpoint| client.view.is(TcpState::Established);
    let client = flow.life.opener;
    change != FlowChange::State
        || is_let_in(flow.life.endpoint(client)) && !is_let_in(before.endpoint(client))
}

/// That `segment` changed `flow` so; `device`: which side is one.
pub(super) fn event(flow: &Flow, segment: &Segment, change: FlowChange, device: Option<Side>) -> FlowEvent {
    let client = flow.life.endpoint(flow.life.opener);
    let server = flow.life.endpoint(flow.life.opener.other());
    FlowEvent {
        when: When(segment.time),
        change,
        client: flow.client(),
        server: flow.server(),
        device: device.map(|side| flow.tuple.socket(side).ip()),
        incarnation: flow.life.number,
        frame: segment.frame,
        client_state: client.view.to_string(),
        server_state: server.view.to_string(),
        client_bytes: client.payload,
        server_bytes: server.payload,
    }
}
