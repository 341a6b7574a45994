//! What becomes of one segment: its flow takes it, then its device, then the detectors.

use super::{Engine, telling};
use crate::analysis::{
    detect::Seen,
    event::{Event, SegmentEvent},
    flow::{Belongs, Entry, Flow, FlowId, FlowTable, FourTuple, Incarnation, LoneSyn},
    host::hosts::Ends,
    tcp::progress,
    wire::{Segment, Skip},
};

impl Engine {
    pub(super) fn segment(&mut self, segment: &Segment) {
        self.counts.segments += 1;
        let (tuple, from) = FourTuple::of(segment);
        self.hosts.recognise(segment);
        let (id, mut ends, before, place);
        let mut opened = None;
        match self.table.find(&tuple) {
            Ok(known) => {
                let Entry { flow, kept, .. } = self.table.entry(known);
                (id, ends) = (known, self.hosts.still(*kept, &tuple));
                *kept = ends;
                if flow.is_duplicate(segment, from) {
                    return self.counts.skipped.count(Skip::Duplicate);
                }
                before = flow.life;
                place = flow.take(segment, from);
                self.table.touch(id);
            }
            Err(unknown) => {
                let Some(concerned) = self.hosts.concerns(&tuple) else { return };
                let flow = opened.insert(Flow::open(tuple, segment, from));
                let syn = flow.is_embryonic().then(|| LoneSyn::of(tuple, segment, from));
                (id, ends) = (self.table.open(unknown, flow, syn, concerned), concerned);
                before = Incarnation::begin(1, segment, from);
                place = Belongs::NewLife;
                self.counts.flows += 1;
            }
        }
        self.counts.incarnations += u64::from(place == Belongs::NewLife);
        let (flow, ..) = held(&mut self.table, id, opened.as_ref());
        let device = self.hosts.side(flow, ends);
        let kind = progress::kind(segment, before.endpoint(from), before.endpoint(from.other()));
        if self.segment_events {
            // Before what it changed and what was found in it.
            let told = SegmentEvent::of(flow, segment, from, place, kind, device.map(|(side, _)| side));
            self.events.push_back(Event::Segment(told));
        }
        let hears_flows = self.own.hear_flows();
        if (self.flow_events || hears_flows)
            && let Some(change) = telling::change(flow, &before, place)
        {
            let is_wanted = !self.milestones_alone || telling::is_milestone(flow, &before, change);
            let is_told = self.flow_events && is_wanted;
            if is_told || hears_flows {
                let event = telling::event(flow, segment, change, device.map(|(side, _)| side));
                self.tell_flow(event, is_told);
            }
        }
        let Some((device_side, index)) = device else { return };
        let (flow, kept, waiting) = held(&mut self.table, id, opened.as_ref());
        let (sides, lives) = ((from, device_side), (flow, &before));
        let happened = &mut self.happened;
        happened.clear();
        self.hosts.device_mut(index).observe(segment, sides, lives, place, &mut ends.listed, happened);
        *kept = ends;
        let seen = Seen {
            segment,
            from,
            flow,
            before: &before,
            place,
            kind,
            device_side,
            device: self.hosts.device(index),
            last_gap: self.last_gap,
        };
        *waiting = self.detectors.on_segment(&seen, happened, *waiting, &mut self.found);
        if !self.found.is_empty() {
            self.tell_findings();
        }
    }
}

/// The flow at `id` and what is kept beside it; of one just `opened` the table may keep no more than the SYN.
#[inline]
fn held<'a>(
    table: &'a mut FlowTable<Ends>,
    id: FlowId,
    opened: Option<&'a Flow>,
) -> (&'a Flow, &'a mut Ends, &'a mut u64) {
    match opened {
        Some(flow) => {
            let (kept, waiting) = table.beside(id);
            (flow, kept, waiting)
        }
        None => {
            let Entry { flow, kept, waiting } = table.entry(id);
            (flow, kept, waiting)
        }
    }
}
