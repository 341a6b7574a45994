//! Devices as shipped: they close first, hold each connection in TIME-WAIT, and there refuse a SYN and ignore a RST.
//!
//! What must be found is counted where it is made: every SYN that is refused is a collision, and of a chain of refusals each RST
//! but the last is proven ignored by the refusal after it.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::chance::Chance;
use super::frame::{ACK, FIN, PSH, RST, SYN, Sent};
use super::{Take, Truth};

pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
pub const DEVICES: [Ipv4Addr; 4] = [
    Ipv4Addr::new(10, 77, 0, 2),
    Ipv4Addr::new(10, 77, 0, 3),
    Ipv4Addr::new(10, 77, 0, 4),
    Ipv4Addr::new(10, 77, 0, 5),
];

/// How long TIME-WAIT is held, microseconds: twice an MSL of 6 s, and half a tick.
const HELD: u64 = 12_250_000;
/// When a client that is refused sends its SYN again, microseconds: at once after its RST, then as Linux spaces them.
const AGAIN: [u64; 10] =
    [0, 10_000, 1_040_000, 2_060_000, 3_090_000, 4_110_000, 6_130_000, 10_300_000, 18_500_000, 34_600_000];
/// From one request to the next where the port is a new one.
const PAUSE: u64 = 20_000;
const REQUEST: u16 = 120;
const ANSWER: u16 = 300;
const PORTS: core::ops::Range<u16> = 20_001..60_000;

/// One device, its client, and what they are about to say.
pub struct Device {
    client: Ipv4Addr,
    address: Ipv4Addr,
    to_send: VecDeque<Sent>,
    /// When the last segment made so far passes.
    now: u64,
    port: u16,
    /// The connection last closed: what the device says of it, and since when it is in TIME-WAIT.
    held: Option<Held>,
    pub truth: Truth,
}

#[derive(Clone, Copy)]
struct Held {
    next: u32,
    expected: u32,
    since: u64,
}

pub fn make(requests: u64, chance: &mut Chance, take: &mut Take<'_>) -> io::Result<Truth> {
    let mut devices: Vec<(Device, u64)> = Vec::new();
    for (nth, address) in (0..).zip(DEVICES) {
        devices.push((Device::new(CLIENT, address, nth * 777), requests));
    }
    loop {
        for (device, left) in &mut devices {
            if device.to_send.is_empty() && *left > 0 {
                *left -= 1;
                let is_reuse = chance.one_in(50);
                device.request(is_reuse, chance);
            }
        }
        let waiting = devices.iter_mut().filter(|(device, _)| !device.to_send.is_empty());
        let next = waiting.min_by_key(|(device, _)| device.to_send.front().map(|sent| sent.at));
        let Some(sent) = next.and_then(|(device, _)| device.next()) else { break };
        take(&sent)?;
    }
    let mut truth = Truth::default();
    for (device, _) in devices {
        truth.collisions += device.truth.collisions;
        truth.ignored_rsts += device.truth.ignored_rsts;
    }
    Ok(truth)
}

impl Device {
    pub fn new(client: Ipv4Addr, address: Ipv4Addr, now: u64) -> Device {
        let to_send = VecDeque::new();
        Device { client, address, to_send, now, port: PORTS.start, held: None, truth: Truth::default() }
    }

    pub fn next(&mut self) -> Option<Sent> {
        self.to_send.pop_front()
    }

    /// Another request; `is_reuse`: from the port of the one before, where there was one, while the device holds that.
    pub fn request(&mut self, is_reuse: bool, chance: &mut Chance) {
        let held = self.held.filter(|_| is_reuse);
        let began = match held {
            Some(held) => held.since + PAUSE + chance.between(0, HELD - 350_000),
            None => self.now + PAUSE,
        };
        if held.is_none() {
            self.port = if self.port + 1 < PORTS.end { self.port + 1 } else { PORTS.start };
        }
        let (client_seq, device_seq) = (chance.sequence(), chance.sequence());
        let served_at = held.map_or(began, |held| self.refuse(held, began, client_seq));
        self.serve(served_at, client_seq, device_seq);
    }

    /// SYN, stale ACK, RST, until the device holds the old connection no more; when the SYN comes that it accepts.
    fn refuse(&mut self, held: Held, began: u64, client_seq: u32) -> u64 {
        let mut refused = 0;
        let mut at = began;
        for later in AGAIN {
            at = began + later;
            if at > held.since + HELD {
                break;
            }
            self.client_sends(at, client_seq, 0, SYN, 0);
            self.device_sends(at + 90, held.next, held.expected, ACK, 0);
            self.client_sends(at + 120, held.expected, 0, RST, 0);
            refused += 1;
        }
        self.truth.collisions += refused;
        self.truth.ignored_rsts += refused.saturating_sub(1);
        at
    }

    /// One connection, from its SYN to the client's FIN, which puts the device in TIME-WAIT.
    fn serve(&mut self, at: u64, client_seq: u32, device_seq: u32) {
        let (client, device) = (client_seq.wrapping_add(1), device_seq.wrapping_add(1));
        let (asked, answered) = (client.wrapping_add(REQUEST.into()), device.wrapping_add(ANSWER.into()));
        let (next, expected) = (answered.wrapping_add(1), asked.wrapping_add(1));
        self.client_sends(at, client_seq, 0, SYN, 0);
        self.device_sends(at + 300, device_seq, client, SYN | ACK, 0);
        self.client_sends(at + 330, client, device, ACK, 0);
        self.client_sends(at + 380, client, device, PSH | ACK, REQUEST);
        self.device_sends(at + 900, device, asked, PSH | ACK, ANSWER);
        self.client_sends(at + 930, asked, answered, ACK, 0);
        self.device_sends(at + 960, answered, asked, FIN | ACK, 0);
        self.client_sends(at + 1_000, asked, next, FIN | ACK, 0);
        self.device_sends(at + 1_100, next, expected, ACK, 0);
        self.held = Some(Held { next, expected, since: at + 1_100 });
    }

    fn client_sends(&mut self, at: u64, seq: u32, ack: u32, flags: u8, payload: u16) {
        let window = if flags & RST == 0 { 64_240 } else { 0 };
        let (from, to) = self.ends();
        self.say(Sent { at, from, to, seq, ack, flags, window, payload });
    }

    fn device_sends(&mut self, at: u64, seq: u32, ack: u32, flags: u8, payload: u16) {
        let (to, from) = self.ends();
        self.say(Sent { at, from, to, seq, ack, flags, window: 5_744, payload });
    }

    fn ends(&self) -> (SocketAddrV4, SocketAddrV4) {
        (SocketAddrV4::new(self.client, self.port), SocketAddrV4::new(self.address, 80))
    }

    fn say(&mut self, sent: Sent) {
        self.now = sent.at;
        self.to_send.push_back(sent);
    }
}
