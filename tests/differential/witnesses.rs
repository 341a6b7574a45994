//! The traces of `witnesses.seg` as one capture, each of them behind the last.

use std::ops::Range;
use std::path::Path;

use esp_tcpwatch::analysis::wire::notation::{self, Step};

use super::difference::Difference;

pub struct Witness {
    pub name: String,
    /// Its frames in the capture.
    pub frames: Range<u64>,
    /// Names of differences.
    pub expected: Vec<String>,
}

const SECONDS_APART: f64 = 60.0;
/// Ethernet, IPv4 and TCP with a few options.
const SHORT: usize = 60;

/// Writes a classic pcap with microseconds; returns what to expect of it.
pub fn write(capture: &Path) -> Vec<Witness> {
    let (mut pcap, mut witnesses, mut next) = (Vec::new(), Vec::new(), 1);
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        pcap.extend(word.to_le_bytes());
    }
    for (index, trace) in notation::parse(include_str!("witnesses.seg")).unwrap().into_iter().enumerate() {
        let expected: Vec<String> =
            trace.expectations.into_iter().flat_map(|expected| expected.words).collect();
        let shows = |difference: Difference| expected.iter().any(|name| name == difference.name());
        let first = next;
        for step in trace.steps {
            let Step::Frame { at_s, octets } = step else { panic!("{}: only frames", trace.name) };
            let octets = if shows(Difference::Within) { tunnelled(&octets) } else { octets };
            let captured = if shows(Difference::CutShort) { octets.len().min(SHORT) } else { octets.len() };
            let micros = ((at_s + SECONDS_APART * index as f64) * 1e6).round() as u32;
            for word in
                [1_700_000_000 + micros / 1_000_000, micros % 1_000_000, captured as u32, octets.len() as u32]
            {
                pcap.extend(word.to_le_bytes());
            }
            pcap.extend(&octets[..captured]);
            next += 1;
        }
        witnesses.push(Witness { name: trace.name, frames: first..next, expected });
    }
    std::fs::write(capture, pcap).unwrap();
    witnesses
}

/// The packet of an Ethernet frame within another one of IPv4 (RFC 2003).
fn tunnelled(frame: &[u8]) -> Vec<u8> {
    let (ethernet, packet) = frame.split_at(14);
    let mut outer = packet[..20].to_vec();
    outer[2..4].copy_from_slice(&(packet.len() as u16 + 20).to_be_bytes());
    outer[9] = 4;
    [ethernet, &outer, packet].concat()
}
