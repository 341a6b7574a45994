//! What becomes of one segment: its flow takes it, then its device, then the detectors.

use super::{Engine, telling};
use crate::analysis::{
    detect::Seen,
    event::{Event, SegmentEvent},
    flow::{Belongs, Entry, Flow, FlowId, FlowTable, FourTuple, LoneSyn},
    host::hosts::Ends,
    tcp::progress,
    wire::{Segment, Skip},
};

impl Engine {
    pub(super) fn segment(&mut self, segment: &Segment) {
        self.counts.segments += 1;
        let (tuple, from) = FourTuple::of(segment);
        self.hosts.recognise(segment);
        let (id, place);
        let (mut flow, mut kept, mut waiting): (&Flow, &mut Ends, &mut u64);
        let mut opened = None;
        match self.table.find(&tuple) {
            Ok(known) => {
                let entry = self.table.entry(known);
                self.hosts.renew(entry.kept, &entry.flow.tuple);
                if entry.flow.is_duplicate(segment, from) {
                    return self.counts.skipped.count(Skip::Duplicate);
                }
                self.before.remember(&entry.flow.life, from);
                place = entry.flow.take(segment, from);
                id = known;
                (flow, kept, waiting) = (entry.flow, entry.kept, entry.waiting);
            }
            Err(unknown) => {
                let Some(concerned) = self.hosts.concerns(tuple) else { return };
                let new = opened.insert(Flow::begin(tuple, segment, from));
                self.before.remember(&new.life, from);
                new.life.take(segment, from);
                let syn = new.is_embryonic().then(|| LoneSyn::of(new.tuple, segment, from));
                id = self.table.open(unknown, new, syn, concerned);
                place = Belongs::NewLife;
                self.counts.flows += 1;
                (flow, kept, waiting) = held(&mut self.table, id, opened.as_ref());
            }
        }
        self.counts.incarnations += u64::from(place == Belongs::NewLife);
        let device = self.hosts.side(flow, kept);
        let kind = progress::kind(segment, &self.before.sender, &self.before.receiver);
        if self.segment_events {
            // Before what it changed and what was found in it.
            let told = SegmentEvent::of(flow, segment, from, place, kind, device.map(|(side, _)| side));
            self.events.push_back(Event::Segment(told));
        }
        let hears_flows = self.own.hear_flows();
        if (self.flow_events || hears_flows)
            && let Some(change) = telling::change(flow, &self.before, place)
        {
            let is_wanted = !self.milestones_alone || telling::is_milestone(flow, &self.before, change);
            let is_told = self.flow_events && is_wanted;
            if is_told || hears_flows {
                let event = telling::event(flow, segment, change, device.map(|(side, _)| side));
                self.tell_flow(event, is_told);
                (flow, kept, waiting) = held(&mut self.table, id, opened.as_ref());
            }
        }
        if let Some((device_side, index)) = device {
            let before = &self.before;
            let (sides, lives) = ((from, device_side), (flow, before));
            let (device, happened) = (self.hosts.device_mut(index), &mut self.happened);
            happened.clear();
            device.observe(segment, sides, lives, place, &mut kept.listed, happened);
            let last_gap = self.last_gap;
            let seen = Seen { segment, from, flow, before, place, kind, device_side, device, last_gap };
            *waiting = self.detectors.on_segment(&seen, happened, *waiting, &mut self.found);
        }
        self.table.touch(id);
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
