//! `ignored-rst`: the client's RST was exactly right, and the next SYN met the same stale ACK all the same.
//!
//! Only the next SYN can show it, so the last RST of a chain proves nothing. One RST may be lost on the air;
//! two in a row are not.

use core::fmt::Write;
use std::collections::BTreeMap;

use super::{
    Detector, Finding, Occasions, Parameter, Spec,
    evidence::{ROOM, of_close, row, seconds},
};
use crate::analysis::{
    certainty::Certainty,
    host::{HostEvent, Story},
    input::FrameNo,
    time::When,
    wire::Socket,
};

pub const SPEC: Spec = Spec {
    id: "ignored-rst",
    parameters: &[Parameter {
        name: "confirm_cycles",
        default: 2.0,
        least: 1.0,
        most: 100.0,
        what: "ignored RSTs in one TIME-WAIT life from which on a lost RST is no longer a likely excuse",
    }],
    new: |settings| Box::new(IgnoredRst { confirm_cycles: settings[0] }),
};

#[derive(Debug)]
struct IgnoredRst {
    confirm_cycles: f64,
}

impl Detector for IgnoredRst {
    fn hears(&self) -> Occasions {
        Occasions::NEVER
    }

    fn on_host(&mut self, event: &HostEvent, findings: &mut Vec<Finding>) {
        let HostEvent::RstIgnored { story, provoked_by, rst, syn, stale_ack, nth } = event else {
            return;
        };
        let certainty = if f64::from(*nth) >= self.confirm_cycles {
            Certainty::Inferred.min(story.certainty)
        } else {
            Certainty::Suspected
        };
        let mut evidence = of_close(story);
        evidence.push(row(provoked_by, false, "stale ACK"));
        evidence.push(row(rst, true, "client resets"));
        evidence.push(row(syn, true, "SYN again"));
        evidence.push(row(stale_ack, false, "same stale ACK"));
        findings.push(Finding {
            id: 0,
            rule: SPEC.id.into(),
            certainty,
            when: When(stale_ack.time),
            device: story.device,
            client: story.client,
            server: story.server,
            incarnation: story.incarnation,
            frames: vec![rst.frame, syn.frame, stale_ack.frame],
            quantities: BTreeMap::from([
                ("rst_seq".into(), f64::from(rst.seq.0)),
                ("cycle".into(), f64::from(*nth)),
                ("until_next_syn_s".into(), seconds(syn.time.seconds_after(rst.time))),
            ]),
            text: words(story, rst.frame, syn.frame, stale_ack.frame),
            caused_by: Vec::new(),
            evidence,
        });
    }
}

fn words(story: &Story, rst_frame: FrameNo, syn_frame: FrameNo, ack_frame: FrameNo) -> String {
    let (server, client) = (Socket(story.server), Socket(story.client));
    let mut text = String::with_capacity(ROOM);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{server} ignored the RST from {client} (frame {rst_frame}), whose sequence number is exactly the one it asked for: \
         the next SYN (frame {syn_frame}) was answered with the same stale ACK (frame {ack_frame})."
    );
    text
}
