//! `not-on-path`: the device shows itself by other frames, but none of its TCP is seen.
//!
//! Most often nobody talks to it; the other reason is a place on the network where its unicast does not pass. The
//! two look the same from here, so this is advice and no alarm.

use core::{net::IpAddr, time::Duration};

use super::{Detector, Finding, LastSegments, Occasions, Parameter, Seen, Spec, evidence::seconds};
use crate::analysis::{certainty::Certainty, host::Device, input::FrameNo, time::Timestamp, wire::Sign};

pub const SPEC: Spec = Spec {
    id: "not-on-path",
    parameters: &[Parameter {
        name: "after_s",
        default: 10.0,
        least: 1.0,
        most: 3_600.0,
        what: "seconds without TCP from the device, from its first other frame on",
    }],
    new: |settings| {
        Box::new(NotOnPath { after: Duration::from_secs_f64(settings[0]), shown: Vec::new(), waiting: 0 })
    },
};

/// Devices followed at once.
const CAPACITY: usize = 256;

#[derive(Debug)]
struct NotOnPath {
    after: Duration,
    /// Devices that showed themselves, in order of appearance.
    shown: Vec<Shown>,
    /// How many of them are not settled.
    waiting: usize,
}

#[derive(Debug)]
struct Shown {
    device: IpAddr,
    mac: Option<[u8; 6]>,
    frame: FrameNo,
    time: Timestamp,
    /// Told, or not to be told: its TCP was seen.
    is_settled: bool,
}

impl Detector for NotOnPath {
    fn hears(&self) -> Occasions {
        if self.waiting == 0 { Occasions::NEVER } else { Occasions::FROM_DEVICE }
    }

    fn hears_vary(&self) -> bool {
        true
    }

    fn on_segment(&mut self, seen: &Seen<'_>, _findings: &mut Vec<Finding>) {
        if self.waiting == 0 || !seen.from_device() {
            return;
        }
        let (address, mac) = (seen.device.address, seen.segment.source_mac);
        for shown in &mut self.shown {
            // The TCP of one of its addresses passes here, so that of the others would.
            shown.is_settled |= shown.device == address || (mac.is_some() && shown.mac == mac);
        }
        self.waiting = self.shown.iter().filter(|shown| !shown.is_settled).count();
    }

    fn on_sign(&mut self, sign: &Sign, device: &Device, _findings: &mut Vec<Finding>) {
        let is_own = sign.from == Some(device.address);
        if is_own
            && !device.spoke_tcp
            && self.shown.len() < CAPACITY
            && self.shown.iter().all(|shown| shown.device != device.address)
        {
            self.shown.push(Shown {
                device: device.address,
                mac: device.mac,
                frame: sign.frame,
                time: sign.time,
                is_settled: false,
            });
            self.waiting += 1;
        }
    }

    fn on_time(&mut self, now: Timestamp, _last: &LastSegments, findings: &mut Vec<Finding>) {
        if self.waiting == 0 {
            return;
        }
        for shown in &mut self.shown {
            if shown.is_settled || now.since(shown.time) < self.after {
                continue;
            }
            shown.is_settled = true;
            self.waiting = self.waiting.saturating_sub(1);
            let waited = seconds(now.seconds_after(shown.time));
            let text = format!(
                "{} is there (frame {}), but none of its TCP was seen in {waited:.1} s: nobody talks to it, \
                 it does not answer, or its frames do not pass this place.",
                shown.device, shown.frame,
            );
            findings.push(
                Finding::of_device(SPEC.id, Certainty::Suspected, now, shown.device, vec![shown.frame], text)
                    .with_quantity("waited_s", waited),
            );
        }
    }
}
