//! `time-wait-collision`: a SYN on a tuple that the device holds in TIME-WAIT is answered by a stale ACK.
//!
//! The stale ACK bears the closed life's SND.NXT and RCV.NXT (lwIP tcp_timewait_input); no length of
//! TIME-WAIT has to be guessed.

use core::fmt::Write;
use std::collections::BTreeMap;

use super::{
    Detector, Finding, Occasions, Spec,
    evidence::{ROOM, Seconds, of_close, row, seconds},
};
use crate::analysis::{
    certainty::Certainty,
    host::{HostEvent, Story},
    input::FrameNo,
    time::When,
    wire::Socket,
};

pub const SPEC: Spec =
    Spec { id: "time-wait-collision", parameters: &[], new: |_| Box::new(TimeWaitCollision) };

#[derive(Debug)]
struct TimeWaitCollision;

impl Detector for TimeWaitCollision {
    fn hears(&self) -> Occasions {
        Occasions::NEVER
    }

    fn on_host(&mut self, event: &HostEvent, findings: &mut Vec<Finding>) {
        let HostEvent::Refused { story, syn, stale_ack, nth } = event else { return };
        if story.certainty == Certainty::Suspected {
            return;
        }
        let mut quantities = BTreeMap::from([
            ("stale_seq".into(), f64::from(stale_ack.seq.0)),
            ("stale_ack".into(), f64::from(stale_ack.ack.0)),
            ("attempt".into(), f64::from(*nth)),
            // RFC 1122 §4.2.2.13 lets a host accept it then.
            ("syn_is_newer".into(), f64::from(u8::from(stale_ack.ack.precedes(syn.seq)))),
        ]);
        let since = story.entered.map(|entered| seconds(syn.time.seconds_after(entered)));
        if let Some(since) = since {
            quantities.insert("since_time_wait_s".into(), since);
        }
        let mut evidence = of_close(story);
        evidence.push(row(syn, true, if *nth == 1 { "client opens again" } else { "SYN again" }));
        evidence.push(row(stale_ack, false, "stale ACK"));
        findings.push(Finding {
            id: 0,
            rule: SPEC.id.into(),
            certainty: story.certainty,
            when: When(stale_ack.time),
            device: story.device,
            client: story.client,
            server: story.server,
            incarnation: story.incarnation,
            frames: vec![syn.frame, stale_ack.frame],
            quantities,
            text: words(story, since, syn.frame, stale_ack.frame),
            caused_by: Vec::new(),
            evidence,
        });
    }
}

fn words(story: &Story, since: Option<f64>, syn_frame: FrameNo, ack_frame: FrameNo) -> String {
    let (server, client) = (Socket(story.server), Socket(story.client));
    let mut text = String::with_capacity(ROOM);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{server} answered the SYN from {client} (frame {syn_frame}) with the last ACK of the previous connection on \
         this tuple (frame {ack_frame}), "
    );
    let _ = match (since, story.close) {
        (Some(since), Some(close)) => write!(
            text,
            "which it has held in TIME-WAIT for {} s since it closed first (frame {}).",
            Seconds(since),
            close.device_fin.frame
        ),
        (_, _) => write!(
            text,
            "which it must hold in TIME-WAIT (the close was before the capture; the numbers and the ignored RSTs leave \
             no other state)."
        ),
    };
    text
}
