//! `device-silent`: a device that was heard before leaves ARP unanswered, and sends nothing else either.
//!
//! A device in power save answers late, and one question may be lost on the air: it takes several, and some time.
//! A ping that is not answered while ARP is, is no silence. A host that goes on with another of its addresses, known
//! by their one MAC address, is not silent either. Only a host that the device answered before counts as asking. Why the device is silent is not on the wire.

use core::{net::IpAddr, time::Duration};

use super::{Detector, Finding, LastSegments, Occasions, Parameter, Seen, Spec, evidence::seconds};
use crate::analysis::{
    certainty::Certainty,
    host::{Device, Unanswered},
    input::{FrameNo, Gap},
    time::Timestamp,
    wire::Sign,
};

pub const SPEC: Spec = Spec {
    id: "device-silent",
    parameters: &[
        Parameter {
            name: "silent_s",
            default: 5.0,
            least: 0.5,
            most: 3_600.0,
            what: "seconds without any frame from the device, from the first question on",
        },
        Parameter {
            name: "asked",
            default: 3.0,
            least: 1.0,
            most: 1_000.0,
            what: "ARP requests or neighbour solicitations left unanswered in that time",
        },
    ],
    new: |settings| {
        Box::new(DeviceSilent {
            silent: Duration::from_secs_f64(settings[0]),
            asked: settings[1] as u32,
            waiting: Vec::new(),
        })
    },
};

/// Devices waited for at once; a network of which more are silent is down as a whole.
const CAPACITY: usize = 256;

#[derive(Debug)]
struct DeviceSilent {
    silent: Duration,
    asked: u32,
    /// In order of the first question. Empty while everybody answers.
    waiting: Vec<Silence>,
}

#[derive(Debug)]
struct Silence {
    device: IpAddr,
    mac: Option<[u8; 6]>,
    last_heard: (FrameNo, Timestamp),
    asked: Unanswered,
    told: bool,
}

impl Detector for DeviceSilent {
    fn hears(&self) -> Occasions {
        if self.waiting.is_empty() { Occasions::NEVER } else { Occasions::FROM_DEVICE }
    }

    fn hears_vary(&self) -> bool {
        true
    }

    fn on_segment(&mut self, seen: &Seen<'_>, _findings: &mut Vec<Finding>) {
        if seen.from_device() {
            let (address, mac) = (seen.device.address, seen.segment.source_mac);
            self.waiting.retain(|silence| silence.device != address && !silence.is_of(mac));
        }
    }

    fn on_sign(&mut self, sign: &Sign, device: &Device, _findings: &mut Vec<Finding>) {
        let Some(last_heard) = device.liveness.last_heard() else { return };
        let asked = device.liveness.unanswered();
        self.waiting.retain(|silence| {
            let is_asked_still = asked.is_some() && silence.last_heard == last_heard;
            !silence.is_of(sign.mac) && (silence.device != device.address || is_asked_still)
        });
        let Some(asked) = asked else { return };
        let has_room = self.waiting.len() < CAPACITY;
        match self.waiting.iter_mut().find(|silence| silence.device == device.address) {
            Some(silence) => silence.asked = asked,
            None if has_room => {
                let (device, mac) = (device.address, device.mac);
                self.waiting.push(Silence { device, mac, last_heard, asked, told: false });
            }
            None => {}
        }
    }

    fn on_time(&mut self, now: Timestamp, _last: &LastSegments, findings: &mut Vec<Finding>) {
        for silence in &mut self.waiting {
            let long_enough = now.since(silence.asked.since) >= self.silent;
            if !silence.told && long_enough && silence.asked.times >= self.asked {
                silence.told = true;
                findings.push(silence.tell(now));
            }
        }
    }

    /// The answer may be among what was lost: the device is asked anew, in the host room too.
    fn on_gap(&mut self, _gap: &Gap, _last: &LastSegments) {
        self.waiting.retain(|silence| silence.told);
    }
}

impl Silence {
    fn is_of(&self, mac: Option<[u8; 6]>) -> bool {
        mac.is_some() && self.mac == mac
    }

    fn tell(&self, now: Timestamp) -> Finding {
        let asked_for = seconds(now.seconds_after(self.asked.since));
        let silent_for = seconds(now.seconds_after(self.last_heard.1));
        let frames: Vec<FrameNo> = self.asked.frames().collect();
        let first = frames.first().copied().unwrap_or_default();
        let question = match self.device {
            IpAddr::V4(_) => "ARP requests",
            IpAddr::V6(_) => "neighbour solicitations",
        };
        let pings = match self.asked.pings {
            0 => String::new(),
            1 => " nor 1 ping".to_owned(),
            pings => format!(" nor {pings} pings"),
        };
        let text = format!(
            "{} has not answered {} {question} from {} (the first is frame {first}){pings}, and has sent nothing at \
             all for {silent_for:.1} s (since frame {}).",
            self.device, self.asked.times, self.asked.by, self.last_heard.0,
        );
        // That nothing came follows from what was seen, and an answer may have been lost on its way here.
        Finding::of_device(SPEC.id, Certainty::Inferred, now, self.device, frames, text)
            .with_quantity("asked", f64::from(self.asked.times))
            .with_quantity("pings", f64::from(self.asked.pings))
            .with_quantity("asked_for_s", asked_for)
            .with_quantity("silent_for_s", silent_for)
    }
}
