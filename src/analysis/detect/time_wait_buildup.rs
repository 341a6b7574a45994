//! `time-wait-buildup`: the device holds so many closed connections in TIME-WAIT that its control blocks run short.
//!
//! An estimate: each entry was seen, but how long it is held is known only where the wire bounds it, and an
//! eviction at the cap shows only where a port is used again. A device that is known to drop its oldest TIME-WAIT
//! counts as holding no more than it has room for. A risk, never a fault: nothing has failed.

use core::net::IpAddr;
use std::collections::VecDeque;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::{Detector, Finding, Occasions, Parameter, Seen, Spec};
use crate::analysis::{
    certainty::Certainty,
    flow::Belongs,
    input::FrameNo,
    tcp::{Endpoint, StateView, TcpState},
};

pub const SPEC: Spec = Spec {
    id: "time-wait-buildup",
    parameters: &[
        Parameter {
            name: "pcb_cap",
            default: 16.0,
            least: 1.0,
            most: 4_096.0,
            what: "TCP control blocks that the device has (CONFIG_LWIP_MAX_ACTIVE_TCP)",
        },
        Parameter {
            name: "near_percent",
            default: 75.0,
            least: 1.0,
            most: 100.0,
            what: "percent of that number from which on it is near",
        },
    ],
    new: |settings| {
        let near = (settings[0] * settings[1] / 100.0).ceil().max(1.0);
        Box::new(TimeWaitBuildup { cap: settings[0], near: near as u64, devices: HashMap::default() })
    },
};

/// Entries cited at most: those that came last.
const CITED: usize = 16;
/// Devices followed; the host room follows no more.
const MAX_DEVICES: usize = 1_024;

#[derive(Debug)]
struct TimeWaitBuildup {
    cap: f64,
    near: u64,
    /// Looked up by address, never listed.
    devices: HashMap<IpAddr, Held, RandomState>,
}

#[derive(Debug)]
struct Held {
    entries: VecDeque<FrameNo>,
    /// The number that is told next.
    tell_at: u64,
}

impl Detector for TimeWaitBuildup {
    fn hears(&self) -> Occasions {
        Occasions::DEVICE_AFTER_FIN
    }

    fn on_segment(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        if !enters_time_wait(seen) {
            return;
        }
        let address = seen.device.address;
        if !self.devices.contains_key(&address) && self.devices.len() >= MAX_DEVICES {
            return;
        }
        let near = self.near;
        let held = self
            .devices
            .entry(address)
            .or_insert_with(|| Held { entries: VecDeque::with_capacity(CITED), tell_at: near });
        if held.entries.len() == CITED {
            held.entries.pop_front();
        }
        held.entries.push_back(seen.segment.frame);
        let now = seen.device.held_in_time_wait();
        if now <= near / 2 {
            // It has fallen: the next rise is another one.
            held.tell_at = near;
        }
        if now >= held.tell_at {
            held.tell_at = now.saturating_mul(2);
            let last = held.entries.len().saturating_sub(usize::try_from(now).unwrap_or(CITED));
            findings.push(self.tell(seen, now, last));
        }
    }
}

/// The device's ACK of the client's FIN, after its own FIN: the segment that proves the entry.
fn enters_time_wait(seen: &Seen<'_>) -> bool {
    let is_in = |device: &Endpoint| device.view == StateView::Proven(TcpState::TimeWait);
    seen.from_device()
        && seen.place != Belongs::AnotherLife
        && is_in(seen.flow.life.endpoint(seen.device_side))
        && (seen.place == Belongs::NewLife || !is_in(seen.before.endpoint(seen.device_side)))
}

impl TimeWaitBuildup {
    fn tell(&self, seen: &Seen<'_>, now: u64, skip: usize) -> Finding {
        let parties = seen.parties();
        let frames: Vec<FrameNo> = self
            .devices
            .get(&parties.device())
            .map_or_else(Vec::new, |held| held.entries.iter().skip(skip).copied().collect());
        let (length_s, is_measured) = seen.device.time_wait_s();
        let room = match seen.device.pcb_cap().at_least.map(f64::from).filter(|least| *least > self.cap) {
            Some(least) => format!("it is taken to have room for {}, but has held {least} at once", self.cap),
            None => format!("its stack has room for {} connections", self.cap),
        };
        let length = if is_measured { "by what was measured" } else { "if it has lwIP's default" };
        parties
            .finding(
                SPEC.id,
                if is_measured && seen.last_gap.is_none() { Certainty::Inferred } else { Certainty::Suspected },
                seen.segment.time,
                frames,
                format!(
                    "{} holds about {now} closed connections in TIME-WAIT, the last since frame {}; {room}, and \
                     each is held for {length_s:.0} s, {length}.",
                    parties.device(), seen.segment.frame,
                ),
            )
            .with_quantity("held", now as f64)
            .with_quantity("pcb_cap", self.cap)
            .with_quantity("time_wait_s", length_s)
            .with_evidence(vec![parties.row(&seen.note(), seen.device_side, "TIME-WAIT begins")])
    }
}
