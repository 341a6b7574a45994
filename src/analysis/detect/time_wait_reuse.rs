//! `time-wait-reuse`: a client uses a port again while the device may still hold the old connection in TIME-WAIT.
//!
//! A risk, told before the answer is known and whatever it will be. That the tuple is still held is taken from the
//! length of TIME-WAIT that the device is known or assumed to have: an eviction or a reboot ends it unseen.

use super::{
    Detector, Finding, Occasions, Spec,
    evidence::{Seconds, of_close, row, seconds},
};
use crate::analysis::{host::HostEvent, time::When, wire::Socket};

pub const SPEC: Spec = Spec { id: "time-wait-reuse", parameters: &[], new: |_| Box::new(TimeWaitReuse) };

#[derive(Debug)]
struct TimeWaitReuse;

impl Detector for TimeWaitReuse {
    fn hears(&self) -> Occasions {
        Occasions::NEVER
    }

    fn on_host(&mut self, event: &HostEvent, findings: &mut Vec<Finding>) {
        let HostEvent::Reused { story, syn, assumed } = event else { return };
        let Some(entered) = story.entered else { return };
        let since = seconds(syn.time.seconds_after(entered));
        let mut evidence = of_close(story);
        evidence.push(row(syn, true, "client opens again"));
        findings.push(
            Finding {
                id: 0,
                rule: SPEC.id.into(),
                certainty: story.certainty,
                when: When(syn.time),
                device: story.device,
                client: story.client,
                server: story.server,
                incarnation: story.incarnation,
                frames: vec![syn.frame],
                quantities: Default::default(),
                text: format!(
                    "{client} asks {server} for a new connection (frame {frame}) {since} s after the device, which \
                     closed the last one on the same ports first, began to hold it in TIME-WAIT.",
                    server = Socket(story.server),
                    client = Socket(story.client),
                    frame = syn.frame,
                    since = Seconds(since),
                ),
                caused_by: Vec::new(),
                evidence: Vec::new(),
            }
            .with_quantity("since_time_wait_s", since)
            .with_quantity("assumed_time_wait_s", seconds(assumed.as_secs_f64()))
            .with_evidence(evidence),
        );
    }
}
