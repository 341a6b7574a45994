//! SYNs from everywhere that nobody answers: alone, and around the traffic of devices.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::chance::Chance;
use super::frame::{SYN, Sent};
use super::{Take, Truth, esp32};

pub const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 100);

/// Microseconds from one to the next: half a million a second.
const PAUSE: u64 = 2;

pub fn make(syns: u64, chance: &mut Chance, take: &mut Take<'_>) -> io::Result<Truth> {
    for nth in 0..syns {
        take(&syn(nth * PAUSE, SERVER, chance))?;
    }
    Ok(Truth::default())
}

/// The traffic of [`esp32`], and `syns` to the first of its devices, as many before each of its segments as before any other.
pub fn make_around(requests: u64, syns: u64, chance: &mut Chance, take: &mut Take<'_>) -> io::Result<Truth> {
    let mut others = chance.clone();
    let mut segments = 0;
    esp32::make(requests, &mut chance.clone(), &mut |_| {
        segments += 1;
        Ok(())
    })?;
    let (mut nth, mut sent) = (0, 0);
    esp32::make(requests, chance, &mut |segment| {
        nth += 1;
        while sent * segments < syns * nth {
            sent += 1;
            take(&syn(segment.at, esp32::DEVICES[0], &mut others))?;
        }
        take(segment)
    })
}

/// From an address and a port that are nobody's else: those of [`esp32::CLIENT`] are never drawn.
pub fn syn(at: u64, device: Ipv4Addr, chance: &mut Chance) -> Sent {
    let (source, ports) = (chance.number(), chance.number());
    Sent {
        at,
        from: SocketAddrV4::new(
            Ipv4Addr::from_bits(0x6400_0000 | source as u32 & 0x00ff_ffff),
            ports as u16 | 1,
        ),
        to: SocketAddrV4::new(device, (ports >> 16) as u16 | 1),
        seq: (source >> 32) as u32,
        ack: 0,
        flags: SYN,
        window: 512,
        payload: 0,
    }
}
