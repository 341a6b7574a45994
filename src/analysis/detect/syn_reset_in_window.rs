//! `syn-reset-in-window`: a SYN that falls into the window of a closed connection is answered by a RST.
//!
//! In TIME-WAIT lwIP does so (tcp_timewait_input), and the hold survives. A closed port sends the same octets, so
//! the close before it makes this likely and nothing makes it certain.

use super::{
    Detector, Finding, Occasions, Spec,
    evidence::{of_close, row, seconds},
};
use crate::analysis::{certainty::Certainty, host::HostEvent, time::When};

pub const SPEC: Spec =
    Spec { id: "syn-reset-in-window", parameters: &[], new: |_| Box::new(SynResetInWindow) };

#[derive(Debug)]
struct SynResetInWindow;

impl Detector for SynResetInWindow {
    fn hears(&self) -> Occasions {
        Occasions::NEVER
    }

    fn on_host(&mut self, event: &HostEvent, findings: &mut Vec<Finding>) {
        let HostEvent::ResetInWindow { story, syn, reset } = event else { return };
        let (Some(close), Some(entered)) = (story.close, story.entered) else { return };
        // A SYN has no acknowledgment for the RST to take its number from (RFC 9293 §3.10.7.1).
        if reset.seq.0 != 0 {
            return;
        }
        let since = seconds(syn.time.seconds_after(entered));
        let into_window = close.client_fin.seq_end().distance_to(syn.seq);
        let mut evidence = of_close(story);
        evidence.push(row(syn, true, "client opens again"));
        evidence.push(row(reset, false, "device resets"));
        findings.push(
            Finding {
                id: 0,
                rule: SPEC.id.into(),
                certainty: story.certainty.min(Certainty::Inferred),
                when: When(reset.time),
                device: story.device,
                client: story.client,
                server: story.server,
                incarnation: story.incarnation,
                frames: vec![syn.frame, reset.frame],
                quantities: Default::default(),
                text: format!(
                    "{server} reset the SYN from {client} (frame {syn_frame}) in frame {reset_frame}: its sequence \
                     number lies {into_window} octets into the window of the connection that the device closed first \
                     and has held in TIME-WAIT for {since:.3} s.",
                    server = story.server,
                    client = story.client,
                    syn_frame = syn.frame,
                    reset_frame = reset.frame,
                ),
                caused_by: Vec::new(),
                evidence: Vec::new(),
            }
            .with_quantity("since_time_wait_s", since)
            .with_quantity("into_window", f64::from(into_window))
            .with_evidence(evidence),
        );
    }
}
