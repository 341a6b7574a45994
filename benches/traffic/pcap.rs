//! A classic pcap: little-endian, microseconds, Ethernet.

use std::io::{self, Write};

use super::frame::Sent;

/// When every capture begins, seconds since 1970.
pub const ORIGIN: u64 = 1_700_000_000;

/// Writes segments as packets of a capture.
pub struct Pcap<W: Write> {
    out: W,
    snaplen: u32,
    id: u16,
    octets: Vec<u8>,
}

impl<W: Write> Pcap<W> {
    pub fn begin(mut out: W, snaplen: u32) -> io::Result<Pcap<W>> {
        for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, snaplen, 1] {
            out.write_all(&word.to_le_bytes())?;
        }
        Ok(Pcap { out, snaplen, id: 0, octets: Vec::with_capacity(2_048) })
    }

    pub fn add(&mut self, sent: &Sent) -> io::Result<()> {
        self.id = self.id.wrapping_add(1);
        sent.write(self.id, &mut self.octets);
        let length = self.octets.len() as u32;
        let kept = length.min(self.snaplen);
        let (seconds, micros) = (ORIGIN + sent.at / 1_000_000, sent.at % 1_000_000);
        for word in [seconds as u32, micros as u32, kept, length] {
            self.out.write_all(&word.to_le_bytes())?;
        }
        self.out.write_all(&self.octets[..kept as usize])
    }

    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}
