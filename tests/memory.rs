//! What a flood may take of memory, and what it may not make the analysis forget.

#[path = "../fuzz/bodies/memory.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "the fuzz targets take more of it")]
mod memory;

use std::collections::BTreeMap;

use esp_tcpwatch::analysis::engine::{Engine, EngineConfig, flows_within};
use esp_tcpwatch::analysis::event::{Event, Start};
use esp_tcpwatch::analysis::host::DeviceScope;
use esp_tcpwatch::analysis::input::{Frame, Input, LinkType};
use esp_tcpwatch::analysis::rule::RuleSet;
use esp_tcpwatch::analysis::time::Timestamp;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

const MEMORY: u64 = 24 << 20;
const DEVICE: [u8; 4] = [10, 77, 0, 2];
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const FIN: u8 = 0x01;

struct Wire {
    engine: Engine,
    number: u64,
    micros: u64,
    found: BTreeMap<String, u64>,
}

/// One of the clients, each at an address and a port of its own.
#[derive(Clone, Copy)]
struct Client(u32);

#[derive(Clone, Copy)]
struct Sent {
    by_device: bool,
    flags: u8,
    seq: u32,
    ack: u32,
    window: u16,
    len: u16,
}

impl Wire {
    fn new() -> Wire {
        let engine = Engine::new(EngineConfig {
            devices: DeviceScope::Named(vec![DEVICE.into()]),
            rules: RuleSet::built_in().unwrap(),
            flow_events: false,
            segment_events: false,
            start: Start::default(),
            max_flows: flows_within(MEMORY),
        });
        Wire { engine, number: 0, micros: 1_700_000_000_000_000, found: BTreeMap::new() }
    }

    fn send(&mut self, client: Client, sent: Sent) {
        let host = 0x0b00_0000_u32 + client.0;
        let (client, device) = ((host.to_be_bytes(), 40_000 + (client.0 % 1_000) as u16), (DEVICE, 80_u16));
        let (from, to) = if sent.by_device { (device, client) } else { (client, device) };
        let mut octets = [0_u8; 40];
        octets[0] = 0x45;
        octets[2..4].copy_from_slice(&(40 + sent.len).to_be_bytes());
        octets[4..6].copy_from_slice(&(self.number as u16).to_be_bytes());
        octets[8] = 64;
        octets[9] = 6;
        octets[12..16].copy_from_slice(&from.0);
        octets[16..20].copy_from_slice(&to.0);
        octets[20..22].copy_from_slice(&from.1.to_be_bytes());
        octets[22..24].copy_from_slice(&to.1.to_be_bytes());
        octets[24..28].copy_from_slice(&sent.seq.to_be_bytes());
        octets[28..32].copy_from_slice(&sent.ack.to_be_bytes());
        octets[32] = 5 << 4;
        octets[33] = sent.flags;
        octets[34..36].copy_from_slice(&sent.window.to_be_bytes());
        self.number += 1;
        self.micros += 10;
        self.engine.handle(Input::Frame(Frame {
            number: self.number,
            time: Timestamp::from_micros(self.micros),
            link: LinkType::RAW,
            wire_len: 40 + u32::from(sent.len),
            data: &octets,
        }));
        while let Some(event) = self.engine.poll_event() {
            if let Event::Finding(finding) = event {
                *self.found.entry(finding.rule.into_owned()).or_default() += 1;
            }
        }
    }

    fn found(&self, rule: &str) -> u64 {
        self.found.get(rule).copied().unwrap_or_default()
    }
}

fn client(flags: u8, seq: u32, ack: u32, len: u16) -> Sent {
    Sent { by_device: false, flags, seq, ack, window: 64_240, len }
}

fn device(flags: u8, seq: u32, ack: u32, window: u16) -> Sent {
    Sent { by_device: true, flags, seq, ack, window, len: 0 }
}

/// A connection with everything that detectors wait for, and how long after the step before (microseconds).
fn troubles() -> Vec<(u64, Sent)> {
    vec![
        (0, client(SYN, 999, 0, 0)),
        (1_100_000, client(SYN, 999, 0, 0)),
        (0, device(SYN | ACK, 4_999, 1_000, 5_744)),
        (1_100_000, device(SYN | ACK, 4_999, 1_000, 5_744)),
        (0, client(ACK, 1_000, 5_000, 0)),
        (0, client(PSH | ACK, 1_000, 5_000, 100)),
        (0, device(ACK, 5_000, 1_100, 5_644)),
        (0, client(PSH | ACK, 1_100, 5_000, 100)),
        (300_000, client(PSH | ACK, 1_100, 5_000, 100)),
        (0, device(ACK, 5_000, 1_200, 0)),
        (0, device(ACK, 5_000, 1_200, 5_744)),
        (0, client(ACK, 1_199, 5_000, 0)),
        (0, device(FIN | ACK, 5_000, 1_200, 5_744)),
        (0, client(ACK, 1_200, 5_001, 0)),
        (0, client(FIN | ACK, 1_200, 5_001, 0)),
        (0, device(ACK, 5_001, 1_201, 5_743)),
        (0, client(SYN, 9_000_000, 0, 0)),
        (0, device(ACK, 5_001, 1_201, 5_743)),
        (0, client(RST, 1_201, 0, 0)),
    ]
}

#[test]
fn trouble_on_many_connections_stays_within_the_memory_that_was_given() {
    let before = memory::held();
    let mut wire = Wire::new();
    let (group, groups) = (1_000, 3 * flows_within(MEMORY) as u32 / 1_000);
    for first in (0..groups).map(|nth| nth * group) {
        for (after, sent) in troubles() {
            wire.micros += after;
            for nth in first..first + group {
                wire.send(Client(nth), sent);
            }
        }
    }
    let most = (memory::most() - before) as u64;
    println!("{} KiB held at the most, {:?}", most / 1024, wire.found);
    let rules: Vec<_> = wire.found.keys().collect();
    assert!(wire.number > u64::from(group * groups) && rules.len() >= 3, "{:?}", wire.found);
    assert!(most < MEMORY);
}

#[test]
fn a_flood_of_syns_hides_no_collision_and_takes_no_more_memory() {
    let before = memory::held();
    let mut wire = Wire::new();
    let flows = flows_within(MEMORY) as u32;
    let (here, close) = (Client(0), troubles());
    // Everything up to TIME-WAIT; then the flood; then the port is used again.
    let (close, reuse) = close.split_at(16);
    for (after, sent) in close {
        wire.micros += after;
        wire.send(here, *sent);
    }
    for nth in 1..5 * flows {
        wire.send(Client(nth), client(SYN, nth.wrapping_mul(2_654_435_761), 0, 0));
    }
    assert_eq!(wire.found("time-wait-collision"), 0);
    for (after, sent) in reuse {
        wire.micros += after;
        wire.send(here, *sent);
    }
    assert_eq!(wire.found("time-wait-collision"), 1, "{:?}", wire.found);
    let most = (memory::most() - before) as u64;
    println!("{} KiB held at the most", most / 1024);
    assert!(most < MEMORY);
}
