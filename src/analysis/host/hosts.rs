//! Which hosts are devices, and all of them at once.

mod moving;

pub use moving::{Change, Moved};

use core::hash::{Hash, Hasher};
use core::net::IpAddr;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::{device::Device, espressif::is_espressif, facts::DeviceFacts, listed::Listed};
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
    index: HashMap<Address, usize, RandomState>,
    /// A bit for each way in which the address of one of them ends: most addresses of a flood end otherwise.
    endings: u64,
    overflow: u64,
    /// Devices met so far, those that turned out to be none included.
    met: u32,
    /// What is remembered of each.
    tuples: usize,
    /// Of one of them it is not known yet whether it has another address.
    is_moving: bool,
}

impl Hosts {
    /// `tuples`: how many each device is remembered to hold in TIME-WAIT.
    pub fn new(scope: DeviceScope, tuples: usize) -> Hosts {
        let mut named = match &scope {
            DeviceScope::Named(addresses) => addresses.clone(),
            DeviceScope::Espressif | DeviceScope::Auto => Vec::new(),
        };
        named.sort_unstable();
        named.dedup();
        let endings = named.iter().fold(0, |endings, ip| endings | Address::of(*ip).ending());
        let index = named.iter().enumerate().map(|(index, ip)| (Address::of(*ip), index)).collect();
        let numbered = named.into_iter().enumerate();
        let devices: Vec<_> = numbered.map(|(number, ip)| Device::new(ip, tuples).numbered(number)).collect();
        let overflow = 0;
        Hosts {
            scope,
            met: devices.len() as u32,
            devices,
            index,
            endings,
            overflow,
            tuples,
            is_moving: false,
        }
    }

    /// Which ends of `tuple` are known devices; `None` where neither is and flows between other hosts may be left out from
    /// the start.
    pub fn concerns(&self, tuple: FourTuple) -> Option<Ends> {
        let ends = self.ends(&tuple);
        let is_one = ends.a != Ends::NONE || ends.b != Ends::NONE;
        (is_one || !matches!(self.scope, DeviceScope::Named(_))).then_some(ends)
    }

    /// Brings up to date what was said before of a tuple that is followed.
    #[inline]
    pub fn renew(&self, ends: &mut Ends, tuple: &FourTuple) {
        if ends.met != self.met {
            *ends = Ends { listed: ends.listed, ..self.ends(tuple) };
        }
    }

    fn ends(&self, tuple: &FourTuple) -> Ends {
        let index = |side| {
            self.find(tuple.ip(side)).and_then(|index| u16::try_from(index).ok()).unwrap_or(Ends::NONE)
        };
        Ends { a: index(Side::A), b: index(Side::B), met: self.met, listed: Listed::UNKNOWN }
    }

    /// Learns from the frame's MAC addresses which of its hosts is a device.
    #[inline]
    pub fn recognise(&mut self, segment: &Segment) {
        if !matches!(self.scope, DeviceScope::Named(_)) {
            self.recognise_macs(segment);
        }
    }

    fn recognise_macs(&mut self, segment: &Segment) {
        for (mac, ip) in
            [(segment.source_mac, segment.source_ip()), (segment.destination_mac, segment.destination_ip())]
        {
            if !mac.is_some_and(is_espressif) {
                continue;
            }
            if self.scope == DeviceScope::Auto {
                self.scope = DeviceScope::Espressif;
                self.forget_guesses();
            }
            self.index_or_add(ip);
        }
    }

    /// From here on only hosts of Espressif's make are devices: those that ARP has not shown to be were guesses.
    fn forget_guesses(&mut self) {
        self.devices.retain(|device| device.whereabouts.mac.is_some_and(is_espressif));
        let numbered = self.devices.iter().enumerate();
        self.index = numbered.map(|(index, device)| (Address::of(device.address), index)).collect();
        let addresses = self.devices.iter().map(|device| Address::of(device.address));
        self.endings = addresses.fold(0, |endings, address| endings | address.ending());
        // Whoever knows a device by its index asks again.
        self.met += 1;
    }

    /// Learns from a frame that is not TCP that a device is there.
    ///
    /// It tells nothing of who is asked for connections: while devices are assumed, they stay so.
    pub fn recognise_sign(&mut self, sign: &Sign) {
        if matches!(self.scope, DeviceScope::Named(_)) || !sign.is_local() {
            return;
        }
        if let (Some(from), Some(mac)) = (sign.from, sign.mac)
            && is_espressif(mac)
            && let Some(index) = self.index_or_add(from)
        {
            self.devices[index].mac = Some(mac);
        }
    }

    /// The device's side in `flow`, whose known ends are `ends`, and its index.
    #[inline]
    pub fn side(&mut self, flow: &Flow, ends: &Ends) -> Option<(Side, usize)> {
        let server = flow.life.opener.other();
        let known = |side: Side| ends.at(side).map(|index| (side, index));
        match self.scope {
            // A server before a client, where both ends are devices.
            DeviceScope::Named(_) | DeviceScope::Espressif => known(server).or_else(|| known(server.other())),
            DeviceScope::Auto => known(server)
                .or_else(|| self.index_or_add(flow.tuple.socket(server).ip()).map(|index| (server, index))),
        }
    }

    /// The devices that a sign is of: its sender, and the one that it is for.
    pub fn of_sign(&self, sign: &Sign) -> [Option<usize>; 2] {
        let from = match sign.from {
            Some(ip) => self.find(ip),
            // It has no address yet: known by its MAC.
            None => sign.mac.and_then(|mac| self.last_heard_of(mac, None)).map(|(index, _)| index),
        };
        [from, sign.to.and_then(|ip| self.find(ip)).filter(|to| Some(*to) != from)]
    }

    /// The device at `index` takes a sign that [`Hosts::of_sign`] gave to it.
    pub fn observe_sign(&mut self, index: usize, sign: &Sign) {
        self.devices[index].observe_sign(sign);
        // One host may have several addresses: one that goes on with another of them is not silent.
        if let Some(asked) = self.devices[index].liveness.unanswered()
            && let Some(mac) = self.devices[index].mac
            && self.last_heard_of(mac, Some(index)).is_some_and(|(_, heard)| heard >= asked.since)
        {
            self.devices[index].liveness.forget_questions();
        }
    }

    /// The address of the host with `mac` that was heard last, but for `except`, and when that was.
    fn last_heard_of(&self, mac: [u8; 6], except: Option<usize>) -> Option<(usize, Timestamp)> {
        let of_mac = self
            .devices
            .iter()
            .enumerate()
            .filter(|(index, device)| device.mac == Some(mac) && Some(*index) != except);
        let heard = |device: &Device| device.liveness.last_heard().map_or(Timestamp::ZERO, |(_, time)| time);
        of_mac.map(|(index, device)| (index, heard(device))).max_by_key(|(_, heard)| *heard)
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

    /// The clock was set: see [`Device::forget_times`].
    pub fn forget_times(&mut self) {
        for device in &mut self.devices {
            device.forget_times(self.tuples);
        }
    }

    pub fn advance(&mut self, now: Timestamp) {
        for device in &mut self.devices {
            device.advance(now);
        }
    }

    /// Nothing more will come.
    pub fn finish(&mut self, now: Timestamp) {
        for device in &mut self.devices {
            device.finish(now);
        }
    }

    /// The device at `address`, where it is one.
    pub fn at(&self, address: IpAddr) -> Option<&Device> {
        self.find(address).map(|index| &self.devices[index])
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

    #[inline]
    fn find(&self, ip: IpAddr) -> Option<usize> {
        let address = Address::of(ip);
        if self.endings & address.ending() == 0 {
            return None;
        }
        self.index.get(&address).copied()
    }

    fn index_or_add(&mut self, ip: IpAddr) -> Option<usize> {
        if let Some(index) = self.find(ip) {
            return Some(index);
        }
        if self.devices.len() >= MAX_DEVICES {
            self.overflow += 1;
            return None;
        }
        self.devices.push(Device::new(ip, self.tuples).numbered(self.met as usize));
        self.met += 1;
        self.index.insert(Address::of(ip), self.devices.len() - 1);
        self.endings |= Address::of(ip).ending();
        Some(self.devices.len() - 1)
    }
}

/// The index of the device at each end of a tuple, where there is one, and what the device that a flow is of has listed of
/// it.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    a: u16,
    b: u16,
    /// How many devices had been met by then: it holds until another is met.
    met: u32,
    pub listed: Listed,
}

impl Ends {
    /// No device, of which there are never so many.
    const NONE: u16 = u16::MAX;

    #[inline]
    fn at(&self, side: Side) -> Option<usize> {
        let index = match side {
            Side::A => self.a,
            Side::B => self.b,
        };
        (index != Ends::NONE).then_some(usize::from(index))
    }
}

/// An address as whole words, which is what the hasher is fast on: one of them for IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address {
    bits: u128,
    is_v6: bool,
}

impl Hash for Address {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.is_v6 {
            true => state.write_u128(self.bits),
            false => state.write_u64(self.bits as u64),
        }
    }
}

impl Address {
    #[inline]
    fn of(ip: IpAddr) -> Address {
        match ip {
            IpAddr::V4(ip) => Address { bits: u128::from(ip.to_bits()), is_v6: false },
            IpAddr::V6(ip) => Address { bits: ip.to_bits(), is_v6: true },
        }
    }

    /// The bit of its last six.
    #[inline]
    fn ending(self) -> u64 {
        1 << (self.bits & 63)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_with_each_flow_leaves_room_for_its_tuple_in_a_cache_line() {
        assert_eq!(size_of::<Ends>(), 24);
    }
}
