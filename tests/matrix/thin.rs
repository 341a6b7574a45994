//! A sniffer that loses frames: a recording with some of them taken out at random, read by the program.
//!
//! Nothing marks the holes, as nothing does where a radio did not hear a frame.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use pcap_file::pcapng::{Block, PcapNgReader};
use serde_json::Value;

use super::stage::DEVICE;
use crate::support::{events, program};

/// What the program says of `recording` when each frame is lost with a chance of one in `one_in`.
pub fn replay(recording: &Path, seed: u64, one_in: u64) -> Vec<Value> {
    let thinned = recording.with_file_name("thinned.pcap");
    let kept = write_thinned(recording, &thinned, seed, one_in);
    assert!(kept > 0, "nothing is left of {}", recording.display());
    let output = program(&["-r", thinned.to_str().unwrap(), "--json", "-d", DEVICE]).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
    events(&String::from_utf8(output.stdout).unwrap())
}

/// A classic pcap (nanoseconds, Ethernet) of the frames that were not lost, and their number.
fn write_thinned(recording: &Path, thinned: &Path, seed: u64, one_in: u64) -> usize {
    let mut reader = PcapNgReader::new(File::open(recording).unwrap()).unwrap();
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut pcap = Vec::new();
    for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        pcap.extend(word.to_le_bytes());
    }
    let mut kept = 0;
    while let Some(block) = reader.next_block() {
        let Block::EnhancedPacket(packet) = block.unwrap() else { continue };
        if chance.draw().is_multiple_of(one_in) {
            continue;
        }
        kept += 1;
        let (seconds, nanos) = (packet.timestamp.as_secs() as u32, packet.timestamp.subsec_nanos());
        for word in [seconds, nanos, packet.data.len() as u32, packet.original_len] {
            pcap.extend(word.to_le_bytes());
        }
        pcap.extend_from_slice(&packet.data);
    }
    File::create(thinned).unwrap().write_all(&pcap).unwrap();
    kept
}

/// Marsaglia's xorshift64*: the same frames are lost in every run.
struct Chance(u64);

impl Chance {
    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
    }
}
