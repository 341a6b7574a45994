//! The captures of the bench, made and not taken: the same kind, scale and seed give the same octets on every machine.
//!
//! Knows how connections of each kind look on the wire, and what is true of them by construction ([`Truth`]). Knows nothing of
//! esp-tcpwatch: what it counts is held against this.
#![allow(dead_code, clippy::allow_attributes, reason = "each program of the bench takes what it needs")]

mod bulk;
pub mod chance;
pub mod esp32;
pub mod frame;
mod many;
pub mod pcap;
pub mod synflood;

use std::io;
use std::net::Ipv4Addr;

use chance::Chance;
use frame::Sent;

/// Takes the segments of a capture in the order of their times.
pub type Take<'a> = dyn FnMut(&Sent) -> io::Result<()> + 'a;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 500,000 connections of ten segments, some thousands of them at once; 60 octets kept of each frame.
    Many,
    /// Eight connections that move two gigabytes in 1.4 million segments; one in a thousand is lost on the way.
    Bulk,
    /// Five million SYNs from as many addresses; nobody answers.
    Synflood,
    /// Four devices that close first, 60,000 requests each; one in fifty comes from the port just used.
    Esp32,
    /// The last while the first of its devices is flooded: 2.5 million SYNs to any of its ports.
    Flooded,
}

impl Kind {
    pub const ALL: [Kind; 5] = [Kind::Many, Kind::Bulk, Kind::Synflood, Kind::Esp32, Kind::Flooded];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Many => "many",
            Kind::Bulk => "bulk",
            Kind::Synflood => "synflood",
            Kind::Esp32 => "esp32",
            Kind::Flooded => "flooded",
        }
    }

    /// Octets kept of each frame.
    pub fn snaplen(self) -> u32 {
        match self {
            Kind::Many => 60,
            Kind::Bulk | Kind::Synflood | Kind::Esp32 | Kind::Flooded => 65_535,
        }
    }

    /// What the capture is about: every connection has one of these at one end.
    pub fn devices(self) -> Vec<Ipv4Addr> {
        match self {
            Kind::Many => many::SERVERS.to_vec(),
            Kind::Bulk => vec![bulk::SERVER],
            Kind::Synflood => vec![synflood::SERVER],
            Kind::Esp32 | Kind::Flooded => esp32::DEVICES.to_vec(),
        }
    }
}

/// What is so, because it was made so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    pub packets: u64,
    /// SYNs that a device answered with the last ACK of the connection before.
    pub collisions: u64,
    /// RSTs with exactly that ACK's number after which the same SYN was answered so again.
    pub ignored_rsts: u64,
}

/// Makes `scale` (1 is what [`Kind`] says) of a capture; `take` has each segment once, in order.
pub fn make(kind: Kind, scale: f64, seed: u64, take: &mut Take<'_>) -> io::Result<Truth> {
    let mut chance = Chance::new(seed);
    let mut packets = 0;
    let mut counted = |sent: &Sent| {
        packets += 1;
        take(sent)
    };
    let truth = match kind {
        Kind::Many => many::make(scaled(500_000, scale), &mut chance, &mut counted)?,
        Kind::Bulk => bulk::make(scaled(1_400_000, scale), &mut chance, &mut counted)?,
        Kind::Synflood => synflood::make(scaled(5_000_000, scale), &mut chance, &mut counted)?,
        Kind::Esp32 => esp32::make(scaled(60_000, scale), &mut chance, &mut counted)?,
        Kind::Flooded => {
            let (requests, syns) = (scaled(60_000, scale), scaled(2_500_000, scale));
            synflood::make_around(requests, syns, &mut chance, &mut counted)?
        }
    };
    Ok(Truth { packets, ..truth })
}

fn scaled(count: u64, scale: f64) -> u64 {
    (count as f64 * scale) as u64
}
