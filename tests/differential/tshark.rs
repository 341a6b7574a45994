//! What tshark reads in a capture, one row a TCP header. It knows nothing of this project's own reading.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output};

pub const FIN: u16 = 1;
pub const SYN: u16 = 2;
pub const RST: u16 = 4;
pub const ACK: u16 = 16;

/// One TCP header, and what tshark says of it.
#[derive(Clone, Debug)]
pub struct Row {
    pub frame: u64,
    pub nanos: u128,
    pub stream: u32,
    pub source: SocketAddr,
    pub destination: SocketAddr,
    /// IPv4 alone.
    pub ip_id: Option<u16>,
    pub flags: u16,
    pub seq: u32,
    pub ack: u32,
    /// Octets of payload.
    pub len: u32,
    pub window: u16,
    /// The capture holds only the beginning of the frame.
    pub is_cut: bool,
    pub said: Said,
}

/// tcp.analysis.…, under its own names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said {
    /// Retransmissions of all three sorts.
    pub retransmission: bool,
    pub out_of_order: bool,
    pub lost_segment: bool,
    pub zero_window: bool,
    pub zero_window_probe: bool,
    pub keep_alive: bool,
    pub duplicate_ack: bool,
    pub window_update: bool,
    pub reused_ports: bool,
}

impl Row {
    pub fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// Sequence numbers that it takes: payload, SYN and FIN.
    pub fn seq_len(&self) -> u32 {
        self.len + u32::from(self.has(SYN)) + u32::from(self.has(FIN))
    }

    pub fn seq_end(&self) -> u32 {
        self.seq.wrapping_add(self.seq_len())
    }
}

/// A frame with TCP, as tshark lists it.
#[derive(Clone, Debug)]
pub enum Listed {
    Segment(Box<Row>),
    /// Its TCP stands in a tunnel or in an ICMP error: not the frame's own.
    Within(u64),
}

pub fn is_here() -> bool {
    Command::new("tshark").arg("--version").output().is_ok()
}

const FIELDS: [&str; 28] = [
    "frame.number",
    "frame.len",
    "frame.cap_len",
    "frame.time_epoch",
    "tcp.stream",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "ip.id",
    "icmp.type",
    "icmpv6.type",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.flags",
    "tcp.seq_raw",
    "tcp.ack_raw",
    "tcp.len",
    "tcp.window_size_value",
    "tcp.analysis.retransmission",
    "tcp.analysis.out_of_order",
    "tcp.analysis.lost_segment",
    "tcp.analysis.zero_window",
    "tcp.analysis.zero_window_probe",
    "tcp.analysis.keep_alive",
    "tcp.analysis.duplicate_ack",
    "tcp.analysis.window_update",
    "tcp.analysis.reused_ports",
];

/// Every frame in which tshark finds TCP. It marks a fast and a spurious retransmission as a retransmission too.
pub fn read(capture: &Path) -> Vec<Listed> {
    let mut words = vec!["-Y", "tcp", "-T", "fields"];
    FIELDS.iter().for_each(|field| words.extend(["-e", field]));
    run(capture, &words).lines().map(listed).collect()
}

/// Octets of payload that tshark puts together again, by stream and the socket that sent them.
pub fn reassembled(capture: &Path, streams: impl Iterator<Item = u32>) -> BTreeMap<(u32, SocketAddr), u64> {
    let taps: Vec<String> = streams.map(|stream| format!("follow,tcp,raw,{stream}")).collect();
    let mut words = vec!["-q"];
    taps.iter().for_each(|tap| words.extend(["-z", tap]));
    let mut octets = BTreeMap::new();
    let (mut stream, mut nodes) = (0, Vec::new());
    for line in run(capture, &words).lines() {
        if let Some(number) = line.strip_prefix("Filter: tcp.stream eq ") {
            (stream, nodes) = (number.parse().unwrap(), Vec::new());
        } else if let Some(node) = line.strip_prefix("Node ") {
            nodes.push(socket_of(node.split_once(": ").unwrap().1));
        } else if !line.is_empty() && line.trim_start().bytes().all(|octet| octet.is_ascii_hexdigit()) {
            // The second node's octets are indented.
            let node = nodes[usize::from(line.starts_with('\t'))];
            *octets.entry((stream, node)).or_default() += octets_in(line.trim_start());
        }
    }
    octets
}

/// Octets that a line of hexadecimal stands for: none where it is tshark's remark that some are missing.
fn octets_in(hex: &str) -> u64 {
    // "[" and "bytes missing in capture file]"
    let is_remark =
        hex.starts_with("5b") && hex.contains("6279746573206d697373696e6720696e20636170747572652066696c655d");
    if is_remark { 0 } else { hex.len() as u64 / 2 }
}

/// tshark writes an IPv6 address without brackets.
fn socket_of(text: &str) -> SocketAddr {
    let (address, port) = text.rsplit_once(':').unwrap();
    SocketAddr::new(address.trim_matches(['[', ']']).parse().unwrap(), port.parse().unwrap())
}

/// With the settings that it comes with, whatever its user has changed.
fn run(capture: &Path, words: &[&str]) -> String {
    let mut tshark = Command::new("tshark");
    tshark.env("WIRESHARK_CONFIG_DIR", "/nonexistent").arg("-n").arg("-r").arg(capture).args(words);
    let Output { status, stdout, stderr } = tshark.output().unwrap();
    assert!(status.success(), "tshark {words:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

fn listed(line: &str) -> Listed {
    let columns: Vec<&str> = line.split('\t').collect();
    let column = |name: &str| columns[FIELDS.iter().position(|field| *field == name).unwrap()];
    let frame = column("frame.number").parse().unwrap();
    let is_within = ["ip.src", "ipv6.src", "tcp.srcport"].iter().any(|name| column(name).contains(','))
        || !(column("icmp.type").is_empty() && column("icmpv6.type").is_empty())
        || !(column("ip.src").is_empty() || column("ipv6.src").is_empty());
    if is_within {
        return Listed::Within(frame);
    }
    let number = |name: &str| -> u32 { column(name).parse().unwrap_or_else(|_| panic!("{name}: {line}")) };
    let hexadecimal = |name: &str| u16::from_str_radix(column(name).trim_start_matches("0x"), 16).ok();
    let socket = |v4: &str, v6: &str, port: &str| {
        let address: IpAddr = [column(v4), column(v6)].concat().parse().unwrap();
        SocketAddr::new(address, column(port).parse().unwrap())
    };
    let (seconds, fraction) = column("frame.time_epoch").split_once('.').unwrap();
    let says = |name: &str| !column(&format!("tcp.analysis.{name}")).is_empty();
    Listed::Segment(Box::new(Row {
        frame,
        nanos: format!("{seconds}{fraction:0<9}").parse().unwrap(),
        stream: number("tcp.stream"),
        source: socket("ip.src", "ipv6.src", "tcp.srcport"),
        destination: socket("ip.dst", "ipv6.dst", "tcp.dstport"),
        ip_id: hexadecimal("ip.id"),
        flags: hexadecimal("tcp.flags").unwrap(),
        seq: number("tcp.seq_raw"),
        ack: number("tcp.ack_raw"),
        len: number("tcp.len"),
        window: column("tcp.window_size_value").parse().unwrap(),
        is_cut: column("frame.len") != column("frame.cap_len"),
        said: Said {
            retransmission: says("retransmission"),
            out_of_order: says("out_of_order"),
            lost_segment: says("lost_segment"),
            zero_window: says("zero_window"),
            zero_window_probe: says("zero_window_probe"),
            keep_alive: says("keep_alive"),
            duplicate_ack: says("duplicate_ack"),
            window_update: says("window_update"),
            reused_ports: says("reused_ports"),
        },
    }))
}
