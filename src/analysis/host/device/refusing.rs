//! A SYN for a tuple that the device holds: what is made of its refusal, and of a reuse before that.

use core::time::Duration;

use super::Device;
use crate::analysis::{
    certainty::Certainty,
    flow::Flow,
    host::{event::HostEvent, hold::Refusal},
    wire::{Note, Segment},
};

impl Device {
    pub(super) fn refused(&mut self, refusal: &Refusal, flow: &Flow, events: &mut Vec<HostEvent>) {
        let younger = self.ledger.younger_than(flow.tuple, self.ignores_rsts());
        let Some(hold) = self.ledger.get_mut(flow.tuple) else { return };
        self.refusals += 1;
        self.syns += 1;
        self.behaviours.refused_a_syn = true;
        if hold.close.is_some() && !hold.mode_changed {
            self.bracket.refused(hold, refusal.syn.time);
            if self.last_gap.is_none_or(|gap| gap < hold.earliest_start) {
                self.evictions.refused(younger);
            }
        }
        self.uptime.sent(refusal.stale_ack.time, hold.entered);
        self.evictions.ran_on(&self.uptime);
        let story = hold.story(self.address, refusal.incarnation, self.last_gap);
        let Refusal { syn, stale_ack, nth, nth_ignored, .. } = *refusal;
        events.push(HostEvent::Refused { story, syn, stale_ack, nth });
        if let Some((rst, provoked_by)) = refusal.ignored {
            self.ignored_rsts += 1;
            self.behaviours.ignored_a_rst |= !hold.mode_changed;
            events.push(HostEvent::RstIgnored { story, provoked_by, rst, syn, stale_ack, nth: nth_ignored });
        }
        self.is_there(flow.tuple);
    }

    pub(super) fn reset_in_window(
        &mut self,
        segment: &Segment,
        syn: Note,
        incarnation: u32,
        flow: &Flow,
        events: &mut Vec<HostEvent>,
    ) {
        let assumed = Duration::from_secs_f64(self.bracket.assumed_time_wait_s());
        let Some(hold) = self.ledger.get_mut(flow.tuple) else { return };
        // Past its time the hold is gone, and a RST is what a closed port sends.
        if hold.close.is_some() && syn.time.since(hold.latest_start) <= assumed {
            let story = hold.story(self.address, incarnation, self.last_gap);
            events.push(HostEvent::ResetInWindow { story, syn, reset: Note::from(segment) });
        }
    }

    /// A new connection is asked for on a tuple that the device closed first, before TIME-WAIT can be over.
    pub(super) fn reused(&mut self, segment: &Segment, flow: &Flow, events: &mut Vec<HostEvent>) {
        let assumed = Duration::from_secs_f64(self.bracket.assumed_time_wait_s());
        let known_s = self.bracket.msl().at_least.map_or(0.0, |msl| 2.0 * msl);
        let Some(hold) = self.ledger.get_mut(flow.tuple) else { return };
        let device_first = hold.close.is_some_and(|close| close.device_fin.frame < close.client_fin.frame);
        let age = segment.time.seconds_after(hold.latest_start);
        if !device_first || !hold.counted || hold.mode_changed || age > assumed.as_secs_f64() {
            return;
        }
        let mut story = hold.story(self.address, flow.life.number, self.last_gap);
        // How long this device holds a tuple is known only as far as it has refused one.
        let sure = if age <= known_s { Certainty::Inferred } else { Certainty::Suspected };
        story.certainty = story.certainty.min(sure);
        events.push(HostEvent::Reused { story, syn: Note::from(segment), assumed });
    }
}
