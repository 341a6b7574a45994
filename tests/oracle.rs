//! A second opinion on the real captures: a few lines that know nothing of the engine count refused SYNs and ignored
//! RSTs straight from the octets, as the contract defines them. The engine must find the same, on the same frames.

use std::{collections::HashMap, fs, path::Path};

use esp_tcpwatch::{
    analysis::{
        detect::Finding,
        engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
        event::{Event, Start},
        host::DeviceScope,
        input::Input,
        rule::RuleSet,
    },
    source::{Source, file::CaptureFile},
};

const DEVICE: [u8; 4] = [10, 77, 0, 2];
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// One TCP segment over Ethernet and IPv4, read by hand.
struct Tcp {
    frame: u64,
    from_device: bool,
    client_port: u16,
    flags: u8,
    seq: u32,
    ack: u32,
    len: usize,
}

fn read(frame: u64, octets: &[u8]) -> Option<Tcp> {
    if octets[12..14] != [8, 0] || octets[23] != 6 {
        return None;
    }
    let ip = &octets[14..];
    let header_len = usize::from(ip[0] & 15) * 4;
    let total_len = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
    let tcp = &ip[header_len..];
    let word = |at: usize| u32::from_be_bytes(tcp[at..at + 4].try_into().unwrap());
    let port = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
    let from_device = ip[12..16] == DEVICE;
    Some(Tcp {
        frame,
        from_device,
        client_port: if from_device { port(2) } else { port(0) },
        flags: tcp[13] & (FIN | SYN | RST | ACK),
        seq: word(4),
        ack: word(8),
        len: total_len - header_len - usize::from(tcp[12] >> 4) * 4,
    })
}

/// What is known of one client port while the device holds its last connection.
#[derive(Default)]
struct Held {
    /// SN and RN: where the device stood when both FINs were acknowledged.
    numbers: Option<(u32, u32)>,
    device_fin: Option<u32>,
    client_fin: Option<u32>,
    syn: Option<u64>,
    stale_ack_seen: bool,
    exact_rst: Option<u64>,
}

/// The frames of every refused SYN and of every ignored RST.
fn by_hand(segments: &[Tcp]) -> (Vec<Vec<u64>>, Vec<Vec<u64>>) {
    let mut held: HashMap<u16, Held> = HashMap::new();
    let (mut refused, mut ignored) = (Vec::new(), Vec::new());
    for tcp in segments {
        let held = held.entry(tcp.client_port).or_default();
        match (tcp.from_device, tcp.flags) {
            (false, SYN) => held.syn = Some(tcp.frame),
            (true, flags) if flags == SYN | ACK => *held = Held::default(),
            (false, RST) if held.stale_ack_seen && held.numbers.is_some_and(|(_, rn)| rn == tcp.seq) => {
                held.exact_rst.get_or_insert(tcp.frame);
            }
            (true, ACK) if tcp.len == 0 && held.numbers == Some((tcp.seq, tcp.ack)) => {
                let Some(syn) = held.syn.take() else { continue };
                refused.push(vec![syn, tcp.frame]);
                ignored.extend(held.exact_rst.take().map(|rst| vec![rst, syn, tcp.frame]));
                held.stale_ack_seen = true;
            }
            (from_device, flags) if flags & FIN != 0 => {
                let end = tcp.seq.wrapping_add(tcp.len as u32 + 1);
                *(if from_device { &mut held.device_fin } else { &mut held.client_fin }) = Some(end);
            }
            (true, ACK) if held.client_fin == Some(tcp.ack) && held.device_fin == Some(tcp.seq) => {
                held.numbers = Some((tcp.seq, tcp.ack));
            }
            _ => {}
        }
    }
    (refused, ignored)
}

/// The segments and the engine's findings of one of our captures.
fn played(name: &str) -> (Vec<Tcp>, Vec<Finding>) {
    let octets = fs::read(Path::new("tests/captures").join(name)).unwrap();
    let mut source = CaptureFile::from_reader(Box::new(std::io::Cursor::new(octets)), name).unwrap();
    let mut engine = Engine::new(EngineConfig {
        devices: DeviceScope::Named(vec![DEVICE.into()]),
        rules: RuleSet::built_in().unwrap(),
        flow_events: false,
        segment_events: false,
        start: Start::default(),
        max_flows: DEFAULT_MAX_FLOWS,
    });
    let mut segments = Vec::new();
    while let Some(input) = source.next_input().unwrap() {
        if let Input::Frame(frame) = &input {
            segments.extend(read(frame.number, frame.data));
        }
        engine.handle(input);
    }
    engine.handle(Input::End);
    let findings = std::iter::from_fn(|| engine.poll_event()).filter_map(|event| match event {
        Event::Finding(finding) => Some(finding),
        _ => None,
    });
    (segments, findings.collect())
}

#[test]
fn the_engine_cites_exactly_the_frames_that_a_count_by_hand_gives() {
    let mut collisions = 0;
    for entry in fs::read_dir("tests/captures").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".pcapng") {
            continue;
        }
        let (segments, findings) = played(&name);
        let frames_of = |rule: &str| -> Vec<Vec<u64>> {
            let of_rule = findings.iter().filter(|finding| finding.rule == rule);
            of_rule.map(|finding| finding.frames.clone()).collect()
        };
        let (refused, ignored) = by_hand(&segments);
        assert_eq!(frames_of("time-wait-collision"), refused, "{name}");
        assert_eq!(frames_of("ignored-rst"), ignored, "{name}");
        collisions += refused.len();
    }
    assert!(collisions >= 10, "only {collisions} refusals in all captures");
}
