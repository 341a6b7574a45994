//! `device-reboot`: a device has forgotten what it knew, as after a start.
//!
//! Three things show that: it resets connections it had before, it takes a SYN on one that it should still have, and its
//! initial sequence numbers no longer keep step with their clock (RFC 6528), which starts with the stack. Only the clock
//! says it alone. A reset may be the application's own doing, or a close may have been lost on its way here: that needs an
//! announcement as after a start, or several connections and a silence as long as a start takes. An announcement
//! alone says nothing: Wi-Fi that comes back asks for its address too, and ESP-IDF sends a gratuitous ARP every minute.
//! A device that goes on with an older connection has not started anew. That a device started with nobody connected
//! shows only in its clock, when a tuple is used again.

use core::{net::IpAddr, time::Duration};

use super::{Detector, Finding, LastSegments, Occasions, Parameter, Seen, Spec, evidence::seconds};
use crate::analysis::{
    certainty::Certainty,
    flow::{Belongs, FourTuple},
    host::{Device, HostEvent},
    input::{FrameNo, Gap},
    tcp::{StateView, TcpState},
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
            what: "seconds after the announcement, or the first that was forgotten, in which the rest must follow",
        },
        Parameter {
            name: "resets",
            default: 2.0,
            least: 1.0,
            most: 16.0,
            what: "older connections forgotten, where there is no announcement but a gratuitous ARP",
        },
    ],
    new: |settings| {
        Box::new(DeviceReboot {
            within: Duration::from_secs_f64(settings[0]),
            resets: settings[1] as usize,
            starts: Vec::new(),
            told: Vec::new(),
            asked: Vec::new(),
        })
    },
};

/// Devices followed at once.
const CAPACITY: usize = 256;
/// Forgotten connections remembered for one start.
const MAX_FORGOTTEN: usize = 16;
/// SYNs followed to their answers; a SYN that waits longer has been repeated.
const MAX_ASKED: usize = 64;
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct DeviceReboot {
    within: Duration,
    resets: usize,
    /// What may have been a start and is young enough, in order of appearance.
    starts: Vec<Start>,
    /// When each device last started, as told: what it forgot then is not told again.
    told: Vec<(IpAddr, Timestamp)>,
    /// SYNs on connections that the device had, to be answered.
    asked: Vec<Asked>,
}

#[derive(Debug)]
struct Asked {
    tuple: FourTuple,
    time: Timestamp,
    /// The connection that the device had.
    opened: Timestamp,
}

#[derive(Debug)]
struct Start {
    device: IpAddr,
    /// Not later than this.
    time: Timestamp,
    announced: Option<Announced>,
    /// The SYN-ACKs between which the clock started anew.
    clock: Option<[FrameNo; 2]>,
    lossy: bool,
    /// Reset, and answered with SYN-ACK as if nothing had been there.
    resets: Vec<(FourTuple, FrameNo)>,
    retaken: Vec<(FourTuple, FrameNo)>,
}

#[derive(Clone, Copy, Debug)]
struct Announced {
    frame: FrameNo,
    /// It had no address: DHCP or an address probe, which ESP-IDF does not repeat on its own.
    is_addressless: bool,
}

impl Detector for DeviceReboot {
    fn hears(&self) -> Occasions {
        // While nothing may have been a start, what the device goes on with says nothing.
        let own = if self.starts.is_empty() { Occasions::DEVICE_RESETS } else { Occasions::FROM_DEVICE };
        own.or(Occasions::ANEW)
    }

    fn hears_vary(&self) -> bool {
        true
    }

    fn waits_for(&self, tuple: FourTuple) -> bool {
        self.asked.iter().any(|asked| asked.tuple == tuple)
    }

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
            let announced = self.starts[known].announced;
            if announced.is_some_and(|announced| announced.is_addressless) && !is_addressless {
                return;
            }
            self.starts.remove(known);
        }
        let announced = Announced { frame: sign.frame, is_addressless };
        self.begin(device.address, sign.time, Some(announced));
    }

    fn on_host(&mut self, event: &HostEvent, _findings: &mut Vec<Finding>) {
        match *event {
            HostEvent::ClockRestarted { device, before, after } => {
                let at = self.start_of(device).or_else(|| self.begin(device, after.time, None));
                if let Some(at) = at {
                    self.starts[at].clock = Some([before.frame, after.frame]);
                }
            }
            // It refuses for the sake of an older connection: it remembers.
            HostEvent::Refused { story, .. } => self.starts.retain(|start| {
                start.device != story.device || story.entered.is_none_or(|entered| entered >= start.time)
            }),
            HostEvent::RstIgnored { .. } | HostEvent::ResetInWindow { .. } | HostEvent::Reused { .. } => {}
        }
    }

    fn on_segment(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        let flags = seen.segment.flags;
        if !seen.from_device() {
            if flags.has(Flags::SYN) || flags.has(Flags::RST) {
                self.peer_asks(seen);
            }
            return;
        }
        let retaken = self.answered(seen);
        if self.starts.is_empty() && retaken.is_none() && !flags.has(Flags::RST) {
            return;
        }
        self.own_segment(seen, retaken);
        if let Some(at) = self.start_of(seen.device.address)
            && self.is_enough(&self.starts[at])
        {
            let start = self.starts.remove(at);
            self.told.retain(|(device, _)| *device != start.device);
            if self.told.len() < CAPACITY {
                self.told.push((start.device, start.time));
            }
            findings.push(tell(&start, seen));
        }
    }

    fn on_time(&mut self, now: Timestamp, _last: &LastSegments, _findings: &mut Vec<Finding>) {
        let within = self.within;
        self.starts.retain(|start| now.since(start.time) <= within);
        self.asked.retain(|asked| now.since(asked.time) <= ANSWER_WITHIN);
    }

    fn on_gap(&mut self, _gap: &Gap, _last: &LastSegments) {
        for start in &mut self.starts {
            start.lossy = true;
        }
        self.asked.clear();
    }
}

impl DeviceReboot {
    fn start_of(&self, device: IpAddr) -> Option<usize> {
        self.starts.iter().position(|start| start.device == device)
    }

    fn begin(&mut self, device: IpAddr, time: Timestamp, announced: Option<Announced>) -> Option<usize> {
        if self.starts.len() >= CAPACITY {
            return None;
        }
        self.starts.push(Start {
            device,
            time,
            announced,
            clock: None,
            lossy: false,
            resets: Vec::new(),
            retaken: Vec::new(),
        });
        Some(self.starts.len() - 1)
    }

    /// A SYN on a connection that the device was proven to have; or what takes that away.
    fn peer_asks(&mut self, seen: &Seen<'_>) {
        let tuple = seen.tuple();
        if seen.segment.flags.has(Flags::RST) {
            self.asked.retain(|asked| asked.tuple != tuple);
            return;
        }
        let had = seen.before.endpoint(seen.device_side).view == StateView::Proven(TcpState::Established);
        if seen.place == Belongs::NewLife && had && seen.before.number < seen.flow.life.number {
            if self.asked.len() >= MAX_ASKED {
                self.asked.remove(0);
            }
            let opened = seen.before.opening.time;
            self.asked.push(Asked { tuple, time: seen.segment.time, opened });
        }
    }

    /// The connection that the device had where it now takes a SYN as if there were none.
    fn answered(&mut self, seen: &Seen<'_>) -> Option<Timestamp> {
        if self.asked.is_empty() {
            return None;
        }
        let tuple = seen.tuple();
        let at = self.asked.iter().position(|asked| asked.tuple == tuple)?;
        let asked = self.asked.remove(at);
        seen.segment.flags.is_syn_ack().then_some(asked.opened)
    }

    fn own_segment(&mut self, seen: &Seen<'_>, retaken: Option<Timestamp>) {
        let device = seen.device.address;
        let (tuple, frame, now) = (seen.tuple(), seen.segment.frame, seen.segment.time);
        if seen.place == Belongs::NewLife {
            return;
        }
        let own = seen.sender_before();
        let opened = retaken.unwrap_or(seen.before.opening.time);
        let is_reset = seen.segment.flags.has(Flags::RST);
        if is_reset && own.view.state() == Some(TcpState::Closed) {
            return;
        }
        let is_told = self.told.iter().any(|(told, start)| *told == device && opened < *start);
        let at = match self.start_of(device) {
            Some(at) => at,
            // Without an announcement: it was silent for as long as a start takes, and remembers nothing of before.
            None if !is_told
                && (retaken.is_some() || own.view == StateView::Proven(TcpState::Established))
                && !seen.device.ran_on(opened, now) =>
            {
                let Some(at) = self.begin(device, seen.device.runs_since().unwrap_or(now), None) else {
                    return;
                };
                at
            }
            None => return,
        };
        let start = &mut self.starts[at];
        if opened >= start.time || (retaken.is_none() && own.snd_nxt().is_none()) {
            return;
        }
        if !is_reset && retaken.is_none() {
            // It remembers: no new start.
            self.starts.remove(at);
            return;
        }
        if is_told {
            return;
        }
        let forgotten = if is_reset { &mut start.resets } else { &mut start.retaken };
        if forgotten.len() < MAX_FORGOTTEN && forgotten.iter().all(|(known, _)| *known != tuple) {
            forgotten.push((tuple, frame));
        }
    }

    fn is_enough(&self, start: &Start) -> bool {
        let forgotten = start.resets.len() + start.retaken.len();
        match start.announced {
            _ if start.clock.is_some() => true,
            Some(announced) if announced.is_addressless => forgotten > 0,
            Some(_) => forgotten >= self.resets,
            // A close that was not captured, and a port used again, looks like a connection that was retaken.
            None => !start.resets.is_empty() && forgotten >= self.resets.max(2),
        }
    }
}

fn tell(start: &Start, seen: &Seen<'_>) -> Finding {
    let is_addressless = start.announced.is_some_and(|announced| announced.is_addressless);
    let certain = start.clock.is_some() || (is_addressless && !start.resets.is_empty());
    let note: Note = seen.note();
    let parties = seen.parties();
    let frames = (start.announced.map(|announced| announced.frame).into_iter())
        .chain(start.resets.iter().chain(&start.retaken).map(|(_, frame)| *frame))
        .chain(start.clock.into_iter().flatten())
        .collect();
    let role = match seen.segment.flags.has(Flags::RST) {
        true => "device forgot it",
        false => "SYN-ACK",
    };
    let finding = parties
        .finding(
            SPEC.id,
            if certain && !start.lossy { Certainty::Inferred } else { Certainty::Suspected },
            note.time,
            frames,
            format!("{} {}, as after a restart.", start.device, told(start).join(" and ")),
        )
        .with_quantity("resets", start.resets.len() as f64)
        .with_quantity("retaken", start.retaken.len() as f64)
        .with_evidence(vec![parties.row(&note, seen.device_side, role)]);
    match start.announced {
        Some(_) => {
            finding.with_quantity("since_announcement_s", seconds(note.time.seconds_after(start.time)))
        }
        None => finding,
    }
}

/// What happened, in the order in which it weighs.
fn told(start: &Start) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(Announced { frame, is_addressless }) = start.announced {
        let how = if is_addressless { "looked for an address" } else { "announced its address" };
        said.push(format!("{how} (frame {frame})"));
    }
    match start.resets.as_slice() {
        [] => {}
        [(_, frame)] => said.push(format!("reset a connection from before that (frame {frame})")),
        [.., (_, last)] => {
            said.push(format!(
                "reset {} connections from before that (the last in frame {last})",
                start.resets.len()
            ));
        }
    }
    if let [.., (_, frame)] = start.retaken.as_slice() {
        said.push(format!("took a SYN on a connection that it should still have (frame {frame})"));
    }
    if let Some([before, after]) = start.clock {
        said.push(format!(
            "counts its initial sequence numbers anew (frame {after}, compare frame {before})"
        ));
    }
    said
}
