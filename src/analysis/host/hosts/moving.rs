//! A device that changes its IPv4 address is followed by its MAC address.
//!
//! Proof that a host uses an address is ARP that it sends itself with that address as the sender's (RFC 826, RFC 5227): a request, a
//! reply or an announcement. A packet is none, for routers pass on those of others. That the old address is left
//! is another matter, for a host may have several: it shows by DHCP (the host had no address, or was given this one), or in time
//! by what the old one leaves unanswered. IPv6 addresses come and go beside IPv4 and are no move.
//!
//! Addresses that answer under one MAC address all the time (a router that answers for others, a Wi-Fi extender, a
//! host with an alias) are noticed when both are used, and from then on silence of one proves nothing.

use core::net::IpAddr;

use super::Hosts;
use crate::analysis::{
    host::{
        device::Device,
        whereabouts::{Left, Verdict, Why},
    },
    input::FrameNo,
    time::Timestamp,
    wire::{Sign, SignKind},
};

/// What came to be known of the addresses of one host.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// A device has another address; [`Hosts`] follows it there.
    Moved(Moved),
    /// The address that a device was said to have left is used beside the other after all.
    Both { returned: IpAddr, beside: IpAddr, frame: FrameNo },
}

#[derive(Clone, Copy, Debug)]
pub struct Moved {
    pub from: IpAddr,
    pub to: IpAddr,
    /// The ARP frame that shows the new address.
    pub sign: Sign,
    pub why: Why,
}

impl Hosts {
    /// Takes from `sign` who uses which address. What shows in time only comes from [`Hosts::next_change`].
    pub fn follow(&mut self, sign: &Sign) -> Option<Change> {
        match (sign.kind, sign.from, sign.mac) {
            (SignKind::Lease { client }, _, _) => {
                let to = sign.to?;
                for device in self.of_mac(client).filter(|device| device.address != to) {
                    device.whereabouts.is_offered(to, sign.time);
                }
                None
            }
            (SignKind::DhcpDiscover | SignKind::Dhcp, None, Some(mac)) => {
                self.of_mac(mac).for_each(|device| device.whereabouts.asks_for_one(sign.time));
                None
            }
            (
                SignKind::WhoHas | SignKind::IsAt | SignKind::Announcement,
                Some(from @ IpAddr::V4(_)),
                Some(mac),
            ) => self.shown(from, mac, sign),
            _ => None,
        }
    }

    /// What showed by `now`; ask until there is nothing more.
    pub fn next_change(&mut self, now: Timestamp) -> Option<Change> {
        if !self.is_moving {
            return None;
        }
        for at in 0..self.devices.len() {
            match self.devices[at].whereabouts.judge(now) {
                Verdict::NotYet => {}
                Verdict::Left(left) => match self.move_to(at, left) {
                    Some(moved) => return Some(moved),
                    None => continue,
                },
                Verdict::Shared(other, frame) => {
                    if let Some(both) = self.share(at, other, frame) {
                        return Some(both);
                    }
                }
            }
        }
        self.is_moving = self.devices.iter().any(|device| device.whereabouts.other().is_some());
        None
    }

    /// The devices that are where they are known to be, under this MAC address.
    fn of_mac(&mut self, mac: [u8; 6]) -> impl Iterator<Item = &mut Device> {
        let is_here =
            move |device: &&mut Device| device.whereabouts.mac == Some(mac) && device.left_for.is_none();
        self.devices.iter_mut().filter(is_here)
    }

    /// The host with `mac` uses the address `from`.
    fn shown(&mut self, from: IpAddr, mac: [u8; 6], sign: &Sign) -> Option<Change> {
        let known = self.find(from);
        let mut waits_for = None;
        if let Some(known) = known {
            let whereabouts = &mut self.devices[known].whereabouts;
            // Another MAC address on it: another board, or two hosts at once. It is what is there now.
            whereabouts.mac = Some(mac);
            waits_for = whereabouts.other();
        }
        let others = self.devices.iter().enumerate().filter(|(_, device)| {
            let is_of_it = device.whereabouts.mac == Some(mac) && device.address != from;
            // Two that wait for each other would both be left.
            is_of_it && device.left_for.is_none() && waits_for != Some(device.address)
        });
        let (at, _) = others.max_by_key(|(_, device)| device.whereabouts.last_used())?;
        let verdict = self.devices[at].whereabouts.show(from, sign);
        self.is_moving |= self.devices[at].whereabouts.other().is_some();
        match verdict {
            Verdict::Left(left) => self.move_to(at, left),
            Verdict::NotYet | Verdict::Shared(..) => None,
        }
    }

    /// The device at `old` has another address. `None`: there is no room for one more.
    fn move_to(&mut self, old: usize, left: Left) -> Option<Change> {
        self.devices[old].whereabouts.settle();
        let new = self.index_or_add(left.to)?;
        let [was, is] = self.devices.get_disjoint_mut([old, new]).ok()?;
        was.left_for = Some(left.to);
        was.liveness.forget_questions();
        is.take_over(was, left.sign.time);
        Some(Change::Moved(Moved { from: was.address, to: left.to, sign: left.sign, why: left.why }))
    }

    /// The device at `at` uses `other` beside its own address.
    fn share(&mut self, at: usize, other: IpAddr, frame: FrameNo) -> Option<Change> {
        let beside = self.devices[at].address;
        let index = self.find(other)?;
        let device = &mut self.devices[index];
        device.whereabouts.is_shared = true;
        device.whereabouts.settle();
        let was_left = device.left_for.take() == Some(beside);
        was_left.then_some(Change::Both { returned: other, beside, frame })
    }
}
