//! `device-reboot`: a device looks for its address as after a start, and resets connections it had before.
//!
//! One without the other proves nothing: Wi-Fi that comes back asks for its address too, ESP-IDF sends a gratuitous
//! ARP every minute, and an application may reset a connection. A device that goes on with an older connection has
//! not started anew. That a device started with nobody connected is not visible here.

use core::{net::IpAddr, time::Duration};

use super::{Detector, Finding, Parameter, Seen, Spec, evidence::seconds};
use crate::analysis::{
    certainty::Certainty,
    flow::{Belongs, FourTuple},
    host::Device,
    input::{FrameNo, Gap},
    tcp::TcpState,
    time::Timestamp,
    wire::{Flags, Note, Sign, SignKind},
};

pub const SPEC: Spec = Spec {
    id: "device-reboot",
    parameters: &[
        Parameter {
            name: "within_s",
            default: 60.0,
            least: 1.0,
            most: 3_600.0,
            what: "seconds after the announcement in which an older connection must be reset",
        },
        Parameter {
            name: "resets",
            default: 2.0,
            least: 1.0,
            most: 16.0,
            what: "older connections reset, where the announcement is a gratuitous ARP only",
        },
    ],
    new: |settings| {
        Box::new(DeviceReboot {
            within: Duration::from_secs_f64(settings[0]),
            resets: settings[1] as usize,
            starts: Vec::new(),
        })
    },
};

/// Devices followed at once.
const CAPACITY: usize = 256;
/// Resets remembered for one announcement.
const MAX_RESETS: usize = 16;

#[derive(Debug)]
struct DeviceReboot {
    within: Duration,
    resets: usize,
    /// Announcements that are young enough, in order of appearance.
    starts: Vec<Start>,
}

#[derive(Debug)]
struct Start {
    device: IpAddr,
    frame: FrameNo,
    time: Timestamp,
    /// It had no address: DHCP discovery or an address probe, which ESP-IDF does not repeat on its own.
    is_addressless: bool,
    lossy: bool,
    resets: Vec<(FourTuple, FrameNo)>,
}

impl Detector for DeviceReboot {
    fn on_sign(&mut self, sign: &Sign, device: &Device, _findings: &mut Vec<Finding>) {
        let is_own = sign.from == Some(device.address)
            || (sign.from.is_none() && sign.mac.is_some() && sign.mac == device.mac);
        let is_addressless = sign.is_of_a_start();
        if !is_own || !(is_addressless || sign.kind == SignKind::Announcement) {
            return;
        }
        // The weaker announcement follows the stronger one of the same start, and does not take its place.
        let known = self.starts.iter().position(|start| start.device == device.address);
        if let Some(known) = known {
            if self.starts[known].is_addressless && !is_addressless {
                return;
            }
            self.starts.remove(known);
        }
        if self.starts.len() < CAPACITY {
            self.starts.push(Start {
                device: device.address,
                frame: sign.frame,
                time: sign.time,
                is_addressless,
                lossy: false,
                resets: Vec::new(),
            });
        }
    }

    fn on_segment(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        if self.starts.is_empty() || !seen.from_device() || seen.place == Belongs::NewLife {
            return;
        }
        let address = seen.device.address;
        let Some(at) = self.starts.iter().position(|start| start.device == address) else { return };
        let start = &mut self.starts[at];
        let own = seen.sender_before();
        let is_older = seen.before.opening.time < start.time && own.snd_nxt.is_some();
        if !is_older {
            return;
        }
        if !seen.segment.flags.has(Flags::RST) {
            // It remembers: no new start.
            self.starts.remove(at);
            return;
        }
        let tuple = seen.tuple();
        let is_known = start.resets.iter().any(|(known, _)| *known == tuple);
        if is_known || own.view.state() == Some(TcpState::Closed) {
            return;
        }
        if start.resets.len() < MAX_RESETS {
            start.resets.push((tuple, seen.segment.frame));
        }
        let enough = if start.is_addressless { 1 } else { self.resets };
        if start.resets.len() >= enough {
            findings.push(tell(start, seen));
            self.starts.remove(at);
        }
    }

    fn on_time(&mut self, now: Timestamp, _findings: &mut Vec<Finding>) {
        let within = self.within;
        self.starts.retain(|start| now.since(start.time) <= within);
    }

    fn on_gap(&mut self, _gap: &Gap) {
        for start in &mut self.starts {
            start.lossy = true;
        }
    }
}

fn tell(start: &Start, seen: &Seen<'_>) -> Finding {
    let certain = start.is_addressless && !start.lossy;
    let how = if start.is_addressless { "looked for an address" } else { "announced its address" };
    let rst: Note = seen.note();
    let frames = core::iter::once(start.frame).chain(start.resets.iter().map(|(_, frame)| *frame)).collect();
    let parties = seen.parties();
    parties
        .finding(
            SPEC.id,
            if certain { Certainty::Inferred } else { Certainty::Suspected },
            rst.time,
            frames,
            format!(
                "{} {how} (frame {}) and then reset a connection from before that (frame {}), as after a restart.",
                start.device, start.frame, rst.frame,
            ),
        )
        .with_quantity("resets", start.resets.len() as f64)
        .with_quantity("since_announcement_s", seconds(rst.time.seconds_after(start.time)))
        .with_evidence(vec![parties.row(&rst, seen.device_side, "device forgot it")])
}
