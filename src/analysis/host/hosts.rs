//! Which hosts are devices, and all of them at once.

use core::net::IpAddr;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::{device::Device, espressif::is_espressif, facts::DeviceFacts};
use crate::analysis::{
    flow::{Flow, FourTuple, Side},
    time::Timestamp,
    wire::{Segment, Sign},
};

/// Devices followed at once; those met later are counted only.
const MAX_DEVICES: usize = 1_024;
/// Devices told of in a summary: those with most evidence first.
const MAX_LISTED: usize = 64;

/// Which hosts are devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceScope {
    /// These, and no others.
    Named(Vec<IpAddr>),
    /// Hosts whose MAC address is of one of Espressif's blocks.
    Espressif,
    /// Espressif's if one shows itself; until then every host that is asked for a connection.
    Auto,
}

#[derive(Debug)]
pub struct Hosts {
    scope: DeviceScope,
    /// In order of appearance, so that every output has one order.
    devices: Vec<Device>,
    index: HashMap<IpAddr, usize, RandomState>,
    overflow: u64,
}

impl Hosts {
    pub fn new(scope: DeviceScope) -> Hosts {
        let mut named = match &scope {
            DeviceScope::Named(addresses) => addresses.clone(),
            DeviceScope::Espressif | DeviceScope::Auto => Vec::new(),
        };
        named.sort_unstable();
        named.dedup();
        let index = named.iter().enumerate().map(|(index, ip)| (*ip, index)).collect();
        Hosts { scope, devices: named.into_iter().map(Device::new).collect(), index, overflow: 0 }
    }

    /// May flows between other hosts be left out from the start?
    pub fn concerns(&self, tuple: &FourTuple) -> bool {
        match &self.scope {
            DeviceScope::Named(_) => {
                [Side::A, Side::B].into_iter().any(|side| self.find(tuple.socket(side).ip()).is_some())
            }
            DeviceScope::Espressif | DeviceScope::Auto => true,
        }
    }

    /// Learns from the frame's MAC addresses which of its hosts is a device.
    pub fn recognise(&mut self, segment: &Segment) {
        if matches!(self.scope, DeviceScope::Named(_)) {
            return;
        }
        for (mac, ip) in
            [(segment.source_mac, segment.source_ip()), (segment.destination_mac, segment.destination_ip())]
        {
            if !mac.is_some_and(is_espressif) {
                continue;
            }
            if self.scope == DeviceScope::Auto {
                // From here on only hosts of this make are devices; those assumed so far were guesses.
                self.scope = DeviceScope::Espressif;
                self.devices.clear();
                self.index.clear();
            }
            self.index_or_add(ip);
        }
    }

    /// The device's side in `flow`, and its index.
    pub fn side(&mut self, flow: &Flow) -> Option<(Side, usize)> {
        let server = flow.life.opener.other();
        match self.scope {
            // A server before a client, where both ends are devices.
            DeviceScope::Named(_) | DeviceScope::Espressif => {
                [server, server.other()].into_iter().find_map(|side| {
                    let ip = flow.tuple.socket(side).ip();
                    self.find(ip).map(|index| (side, index))
                })
            }
            DeviceScope::Auto => {
                self.index_or_add(flow.tuple.socket(server).ip()).map(|index| (server, index))
            }
        }
    }

    /// The devices that a sign is of: its sender, and the one that it is for.
    pub fn of_sign(&self, sign: &Sign) -> [Option<usize>; 2] {
        let from = match sign.from {
            Some(ip) => self.find(ip),
            // It has no address yet: known by its MAC.
            None => sign.mac.and_then(|mac| self.devices.iter().position(|device| device.mac == Some(mac))),
        };
        [from, sign.to.and_then(|ip| self.find(ip)).filter(|to| Some(*to) != from)]
    }

    pub fn of_address(&self, ip: IpAddr) -> Option<usize> {
        self.find(ip)
    }

    pub fn device(&self, index: usize) -> &Device {
        &self.devices[index]
    }

    pub fn device_mut(&mut self, index: usize) -> &mut Device {
        &mut self.devices[index]
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Device> {
        self.devices.iter_mut()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter()
    }

    pub fn advance(&mut self, now: Timestamp) {
        for device in &mut self.devices {
            device.advance(now);
        }
    }

    /// The facts of at most 64 devices, those with most evidence first, and how many more there are.
    pub fn summary(&self) -> (Vec<DeviceFacts>, u64) {
        let mut ranked: Vec<&Device> = self.devices.iter().collect();
        ranked.sort_by_key(|device| {
            core::cmp::Reverse((device.refusals + device.ignored_rsts, device.accepted, device.segments))
        });
        let omitted = self.overflow + ranked.len().saturating_sub(MAX_LISTED) as u64;
        (ranked.into_iter().take(MAX_LISTED).map(Device::facts).collect(), omitted)
    }

    fn find(&self, ip: IpAddr) -> Option<usize> {
        self.index.get(&ip).copied()
    }

    fn index_or_add(&mut self, ip: IpAddr) -> Option<usize> {
        if let Some(index) = self.find(ip) {
            return Some(index);
        }
        if self.devices.len() >= MAX_DEVICES {
            self.overflow += 1;
            return None;
        }
        self.devices.push(Device::new(ip));
        self.index.insert(ip, self.devices.len() - 1);
        Some(self.devices.len() - 1)
    }
}
