//! Captures written octet by octet, by nobody's library: what the readers are held against.

use esp_tcpwatch::analysis::input::{Gap, GapCause, Input};
use esp_tcpwatch::source::{Source, SourceError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Little,
    Big,
}

impl Order {
    pub fn u16(self, value: u16) -> [u8; 2] {
        if self == Order::Little { value.to_le_bytes() } else { value.to_be_bytes() }
    }
    pub fn u32(self, value: u32) -> [u8; 4] {
        if self == Order::Little { value.to_le_bytes() } else { value.to_be_bytes() }
    }
    pub fn u64(self, value: u64) -> [u8; 8] {
        if self == Order::Little { value.to_le_bytes() } else { value.to_be_bytes() }
    }
}

pub const BOTH: [Order; 2] = [Order::Little, Order::Big];
pub const MICROS: u32 = 0xa1b2_c3d4;
pub const NANOS: u32 = 0xa1b2_3c4d;

/// A pcap file; every record notes where it began.
pub struct PcapFile {
    pub order: Order,
    pub octets: Vec<u8>,
    pub starts: Vec<usize>,
}

impl PcapFile {
    pub fn new(order: Order, magic: u32, link: u32) -> PcapFile {
        let mut octets = Vec::new();
        octets.extend(order.u32(magic));
        octets.extend(order.u16(2));
        octets.extend(order.u16(4));
        octets.extend([0; 8]);
        octets.extend(order.u32(65_535));
        octets.extend(order.u32(link));
        PcapFile { order, octets, starts: Vec::new() }
    }

    pub fn frame(mut self, seconds: u32, fraction: u32, wire_len: u32, data: &[u8]) -> PcapFile {
        self.starts.push(self.octets.len());
        for field in [seconds, fraction, data.len() as u32, wire_len] {
            self.octets.extend(self.order.u32(field));
        }
        self.octets.extend(data);
        self
    }
}

/// A pcapng file; every block notes where it began and whether it holds a frame.
pub struct NgFile {
    pub order: Order,
    pub octets: Vec<u8>,
    pub blocks: Vec<(usize, bool)>,
}

impl NgFile {
    pub fn new(order: Order) -> NgFile {
        NgFile { order, octets: Vec::new(), blocks: Vec::new() }.section(order)
    }

    pub fn section(mut self, order: Order) -> NgFile {
        self.order = order;
        let mut body = Vec::new();
        body.extend(order.u32(0x1a2b_3c4d));
        body.extend(order.u16(1));
        body.extend(order.u16(0));
        body.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &body, false)
    }

    pub fn interface(self, link: u16, snaplen: u32, options: &[(u16, &[u8])]) -> NgFile {
        let mut body = Vec::new();
        body.extend(self.order.u16(link));
        body.extend([0, 0]);
        body.extend(self.order.u32(snaplen));
        body.extend(self.options(options));
        self.block(1, &body, false)
    }

    pub fn packet(self, id: u32, units: u64, wire_len: u32, data: &[u8], options: &[(u16, &[u8])]) -> NgFile {
        let mut body = Vec::new();
        for field in [id, (units >> 32) as u32, units as u32, data.len() as u32, wire_len] {
            body.extend(self.order.u32(field));
        }
        body.extend(padded(data));
        body.extend(self.options(options));
        self.block(6, &body, true)
    }

    pub fn obsolete_packet(self, id: u16, drops: u16, units: u64, wire_len: u32, data: &[u8]) -> NgFile {
        let mut body = Vec::new();
        body.extend(self.order.u16(id));
        body.extend(self.order.u16(drops));
        for field in [(units >> 32) as u32, units as u32, data.len() as u32, wire_len] {
            body.extend(self.order.u32(field));
        }
        body.extend(padded(data));
        self.block(2, &body, true)
    }

    pub fn simple_packet(self, wire_len: u32, data: &[u8]) -> NgFile {
        let mut body = self.order.u32(wire_len).to_vec();
        body.extend(padded(data));
        self.block(3, &body, true)
    }

    pub fn statistics(self, id: u32, options: &[(u16, &[u8])]) -> NgFile {
        let mut body = self.order.u32(id).to_vec();
        body.extend([0; 8]);
        body.extend(self.options(options));
        self.block(5, &body, false)
    }

    pub fn block(mut self, kind: u32, body: &[u8], frame: bool) -> NgFile {
        self.blocks.push((self.octets.len(), frame));
        let body = padded(body);
        let length = self.order.u32(body.len() as u32 + 12);
        self.octets.extend(self.order.u32(kind));
        self.octets.extend(length);
        self.octets.extend(body);
        self.octets.extend(length);
        self
    }

    fn options(&self, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut octets = Vec::new();
        for (code, value) in options {
            octets.extend(self.order.u16(*code));
            octets.extend(self.order.u16(value.len() as u16));
            octets.extend(padded(value));
        }
        if !options.is_empty() {
            octets.extend([0; 4]);
        }
        octets
    }
}

fn padded(data: &[u8]) -> Vec<u8> {
    let mut octets = data.to_vec();
    octets.resize(data.len().next_multiple_of(4), 0);
    octets
}

/// An input that owns its octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    Frame { number: u64, nanos: u64, link: u32, wire_len: u32, data: Vec<u8> },
    Gap { nanos: u64, lost: u64, cause: GapCause },
    Tick,
    End,
}

impl Got {
    pub fn of(input: &Input<'_>) -> Got {
        match input {
            Input::Frame(frame) => Got::Frame {
                number: frame.number,
                nanos: frame.time.nanos(),
                link: frame.link.0,
                wire_len: frame.wire_len,
                data: frame.data.to_vec(),
            },
            Input::Gap(Gap { at, lost, cause }) => Got::Gap { nanos: at.nanos(), lost: *lost, cause: *cause },
            Input::Tick(_) => Got::Tick,
            Input::Marker(_) | Input::Account(_) | Input::Progress(_) => {
                panic!("no source makes these: {input:?}")
            }
            Input::End => Got::End,
        }
    }
}

/// Everything up to the end or the error; ticks left out. What comes after must be nothing.
pub fn drain(source: &mut dyn Source) -> (Vec<Got>, Result<(), SourceError>) {
    drain_by(source, false)
}

/// The same; `ready_first`: frames that are ready are taken as such, as the engine's loop does.
pub fn drain_by(source: &mut dyn Source, ready_first: bool) -> (Vec<Got>, Result<(), SourceError>) {
    let mut got = Vec::new();
    let outcome = loop {
        if ready_first && let Some(frame) = source.ready_frame() {
            got.push(Got::of(&Input::Frame(frame)));
            continue;
        }
        match source.next_input() {
            Ok(Some(Input::Tick(_))) => {}
            Ok(Some(input)) => got.push(Got::of(&input)),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    for _ in 0..2 {
        assert!(source.ready_frame().is_none(), "a frame came after {outcome:?}");
        assert!(matches!(source.next_input(), Ok(None)), "something came after {outcome:?}");
    }
    if outcome.is_ok() {
        assert_eq!(got.iter().filter(|got| **got == Got::End).count(), 1);
        assert_eq!(got.pop(), Some(Got::End));
    } else {
        assert!(!got.contains(&Got::End));
    }
    (got, outcome)
}
