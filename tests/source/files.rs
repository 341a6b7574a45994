//! Capture files: what is in them, and what happens where they are damaged.

use std::io::{self, Cursor, Read};

use esp_tcpwatch::analysis::input::GapCause;
use esp_tcpwatch::source::SourceError;
use esp_tcpwatch::source::file::{CaptureFile, has_espressif};
use proptest::prelude::*;

use super::octets::*;

fn open(octets: &[u8]) -> Result<CaptureFile, SourceError> {
    CaptureFile::from_reader(Box::new(Cursor::new(octets.to_vec())), "test")
}

/// Reads it in both ways in which a source gives frames, which must come to the same.
fn read(octets: &[u8]) -> (Vec<Got>, Result<(), SourceError>) {
    let by = |ready_first| match open(octets) {
        Ok(mut file) => drain_by(&mut file, ready_first),
        Err(error) => (Vec::new(), Err(error)),
    };
    let (inputs, ready) = (by(false), by(true));
    assert_eq!(format!("{inputs:?}"), format!("{ready:?}"));
    inputs
}

fn read_all(octets: &[u8]) -> Vec<Got> {
    let (got, outcome) = read(octets);
    outcome.unwrap();
    got
}

fn frame(number: u64, nanos: u64, link: u32, wire_len: u32, data: &[u8]) -> Got {
    Got::Frame { number, nanos, link, wire_len, data: data.to_vec() }
}

/// Pads a frame to 17 octets: an odd number, so that padding is never mistaken for data.
const DATA: &[u8; 17] = b"seventeen octets!";

#[test]
fn pcap_in_every_order_and_resolution() {
    for order in BOTH {
        for (magic, nanos_per_unit) in [(MICROS, 1000), (NANOS, 1)] {
            let file = PcapFile::new(order, magic, 1)
                .frame(1_700_000_000, 999_999, 17, DATA)
                .frame(1_700_000_001, 0, 1514, &DATA[..4])
                .frame(u32::MAX, 999_999, 0, b"");
            let expected = [
                frame(1, 1_700_000_000_000_000_000 + 999_999 * nanos_per_unit, 1, 17, DATA),
                frame(2, 1_700_000_001_000_000_000, 1, 1514, &DATA[..4]),
                frame(3, u64::from(u32::MAX) * 1_000_000_000 + 999_999 * nanos_per_unit, 1, 0, b""),
            ];
            assert_eq!(read_all(&file.octets), expected, "{order:?} {magic:#x}");
        }
    }
}

#[test]
fn pcap_link_types() {
    // The field's upper bits tell of the frame check sequence; 12 is raw IP as some systems number it.
    for (field, link) in [(1, 1), (101, 101), (276, 276), (0x2400_0001, 1), (12, 101), (14, 101), (127, 127)]
    {
        let file = PcapFile::new(Order::Little, MICROS, field).frame(1, 0, 17, DATA);
        assert_eq!(read_all(&file.octets), [frame(1, 1_000_000_000, link, 17, DATA)], "{field:#x}");
    }
}

#[test]
fn pcap_with_the_longer_record_header() {
    let mut file = PcapFile::new(Order::Little, 0xa1b2_cd34, 1).frame(1, 2, 17, b"");
    // Interface index, protocol, packet type and padding, which nobody needs.
    let at = file.octets.len() - 8;
    file.octets[at..at + 4].copy_from_slice(&17_u32.to_le_bytes());
    file.octets.extend([9; 8]);
    file.octets.extend(DATA);
    assert_eq!(read_all(&file.octets), [frame(1, 1_000_002_000, 1, 17, DATA)]);
}

#[test]
fn pcapng_with_several_interfaces_clocks_and_sections() {
    for order in BOTH {
        let other = if order == Order::Little { Order::Big } else { Order::Little };
        let file = NgFile::new(order)
            .block(0x0bad_f00d, b"unknown", false)
            .interface(1, 0, &[(2, b"eth0")])
            .interface(276, 96, &[(9, &[9]), (1, b"not utf-8: \xff\xfe")])
            .interface(101, 0, &[(9, &[0x80 | 10]), (14, &order.u64(1_700_000_000))])
            .block(4, &[0; 4], false)
            .packet(0, 1_700_000_000_000_001, 17, DATA, &[])
            .packet(1, 1_700_000_000_000_000_002, 1514, DATA, &[(2, &[0; 4]), (1, b"comment")])
            .packet(2, 512, 17, DATA, &[])
            .section(other)
            .interface(113, 0, &[(9, &[0]), (14, &other.u64((-5_i64) as u64))])
            .packet(0, 1_700_000_005, 17, DATA, &[]);
        let expected = [
            frame(1, 1_700_000_000_000_001_000, 1, 17, DATA),
            frame(2, 1_700_000_000_000_000_002, 276, 1514, DATA),
            frame(3, 1_700_000_000_500_000_000, 101, 17, DATA),
            frame(4, 1_700_000_000_000_000_000, 113, 17, DATA),
        ];
        assert_eq!(read_all(&file.octets), expected, "{order:?}");
    }
}

#[test]
fn simple_and_obsolete_packets() {
    for order in BOTH {
        let file = NgFile::new(order)
            .interface(1, 6, &[])
            .obsolete_packet(0, 0xffff, 1_000_000, 40, DATA)
            // Six octets were kept of 40: the rest of the block is padding.
            .simple_packet(40, &DATA[..6])
            .simple_packet(3, &DATA[..3])
            .obsolete_packet(0, 7, 3_000_000, 17, DATA);
        let expected = [
            frame(1, 1_000_000_000, 1, 40, DATA),
            frame(2, 1_000_000_000, 1, 40, &DATA[..6]),
            frame(3, 1_000_000_000, 1, 3, &DATA[..3]),
            Got::Gap { nanos: 3_000_000_000, lost: 7, cause: GapCause::Kernel },
            frame(4, 3_000_000_000, 1, 17, DATA),
        ];
        assert_eq!(read_all(&file.octets), expected, "{order:?}");
    }
}

#[test]
fn losses_that_the_capture_knows_of_are_told_once() {
    for order in BOTH {
        let file = NgFile::new(order)
            .interface(1, 0, &[])
            .packet(0, 1_000_000, 17, DATA, &[(2, &[0; 4]), (4, &order.u64(3))])
            .packet(0, 2_000_000, 17, DATA, &[])
            // Five in all, of which three are already told.
            .statistics(0, &[(5, &order.u64(0)), (7, &order.u64(5))])
            .statistics(0, &[(5, &order.u64(0)), (7, &order.u64(5))])
            .statistics(0, &[(5, &order.u64(1)), (7, &order.u64(5))])
            .statistics(9, &[(7, &order.u64(5))]);
        let expected = [
            Got::Gap { nanos: 1_000_000_000, lost: 3, cause: GapCause::Kernel },
            frame(1, 1_000_000_000, 1, 17, DATA),
            frame(2, 2_000_000_000, 1, 17, DATA),
            Got::Gap { nanos: 2_000_000_000, lost: 2, cause: GapCause::Kernel },
            Got::Gap { nanos: 2_000_000_000, lost: 1, cause: GapCause::Kernel },
        ];
        assert_eq!(read_all(&file.octets), expected, "{order:?}");
    }
}

#[test]
fn numbers_are_wiresharks() {
    // Journal entries and custom blocks are listed by Wireshark, so they use up a number.
    let file = NgFile::new(Order::Little)
        .interface(1, 0, &[])
        .packet(0, 1, 17, DATA, &[])
        .block(9, b"MESSAGE=hi\n\n", false)
        .block(0xbad, &[1; 8], false)
        .block(10, &[1; 8], false)
        .packet(0, 2, 17, DATA, &[]);
    assert_eq!(read_all(&file.octets), [frame(1, 1_000, 1, 17, DATA), frame(4, 2_000, 1, 17, DATA)]);
}

#[test]
fn blocks_larger_than_the_window() {
    let large = vec![7; 262_144];
    let pcap = PcapFile::new(Order::Big, MICROS, 1).frame(1, 0, 17, DATA).frame(2, 0, 0, &large);
    let pcap = pcap.frame(3, 0, 17, DATA);
    assert_eq!(
        read_all(&pcap.octets),
        [
            frame(1, 1_000_000_000, 1, 17, DATA),
            frame(2, 2_000_000_000, 1, 262_144, &large),
            frame(3, 3_000_000_000, 1, 17, DATA)
        ]
    );
    let ng = NgFile::new(Order::Big).interface(1, 0, &[]).block(77, &vec![1; 3_000_000], false);
    let ng = ng.packet(0, 1, 17, DATA, &[]);
    assert_eq!(read_all(&ng.octets), [frame(1, 1_000, 1, 17, DATA)]);
}

fn small_pcap(order: Order) -> PcapFile {
    PcapFile::new(order, MICROS, 1).frame(1, 2, 17, DATA).frame(2, 3, 99, &DATA[..5]).frame(3, 4, 17, DATA)
}

fn small_ng(order: Order) -> NgFile {
    let other = if order == Order::Little { Order::Big } else { Order::Little };
    NgFile::new(order)
        .interface(1, 0, &[(9, &[9]), (2, b"lo")])
        .packet(0, 5, 17, DATA, &[(1, b"hello")])
        .block(0x7777, DATA, false)
        .simple_packet(17, DATA)
        .section(other)
        .interface(101, 8, &[])
        .obsolete_packet(0, 0, 6, 17, DATA)
        .statistics(0, &[(4, &other.u64(3))])
}

#[test]
fn pcap_cut_anywhere_gives_every_frame_before_the_cut() {
    for order in BOTH {
        let file = small_pcap(order);
        let all = read_all(&file.octets);
        for cut in 0..file.octets.len() {
            let (got, outcome) = read(&file.octets[..cut]);
            let ends = file.starts[1..].iter().copied();
            let whole = ends.filter(|end| *end <= cut).count();
            assert_eq!(got, all[..whole], "cut at {cut}");
            match (cut, outcome) {
                (0, Err(SourceError::Empty { .. })) => {}
                (1..24, Err(SourceError::Damaged { offset: 0, .. })) => {}
                (24.., Ok(())) if file.starts.contains(&cut) => {}
                (25.., Err(SourceError::Damaged { offset, .. })) => {
                    assert_eq!(offset, file.starts[whole] as u64, "cut at {cut}");
                }
                (_, other) => panic!("cut at {cut}: {other:?}"),
            }
        }
    }
}

#[test]
fn pcapng_cut_anywhere_gives_every_frame_before_the_cut() {
    for order in BOTH {
        let file = small_ng(order);
        let all = read_all(&file.octets);
        assert_eq!(all.len(), 3);
        let mut ends: Vec<_> = file.blocks.iter().map(|(start, _)| *start).skip(1).collect();
        ends.push(file.octets.len());
        for cut in 0..file.octets.len() {
            let (got, outcome) = read(&file.octets[..cut]);
            let whole = ends.iter().filter(|end| **end <= cut).count();
            let frames = file.blocks[..whole].iter().filter(|(_, frame)| *frame).count();
            assert_eq!(got, all[..frames], "cut at {cut}");
            match outcome {
                Err(SourceError::Empty { .. }) => assert_eq!(cut, 0),
                Ok(()) => assert!(ends.contains(&cut), "cut at {cut}"),
                Err(SourceError::Damaged { offset, .. }) => {
                    assert_eq!(offset, file.blocks[whole].0 as u64, "cut at {cut}");
                }
                Err(other) => panic!("cut at {cut}: {other}"),
            }
        }
    }
}

#[test]
fn a_broken_octet_never_hides_the_frames_before_it() {
    for order in BOTH {
        let (pcap, ng) = (small_pcap(order), small_ng(order));
        let pcap_ends: Vec<_> = pcap.starts[1..].iter().copied().chain([pcap.octets.len()]).collect();
        let ng_ends: Vec<_> = ng
            .blocks
            .iter()
            .zip(&ng.blocks[1..])
            .filter(|((_, frame), _)| *frame)
            .map(|(_, b)| b.0)
            .collect();
        for (octets, ends) in [(pcap.octets, pcap_ends), (ng.octets, ng_ends)] {
            let all = read_all(&octets);
            for at in 0..octets.len() {
                for flip in [0x01, 0x10, 0x80, 0xff] {
                    let mut broken = octets.clone();
                    broken[at] ^= flip;
                    let (got, _) = read(&broken);
                    let before = ends.iter().filter(|end| **end <= at).count();
                    assert_eq!(got[..before], all[..before], "octet {at} ^ {flip:#x}");
                }
            }
        }
    }
}

#[test]
fn damage_is_named_with_its_place() {
    let mut pcap = small_pcap(Order::Little);
    let at = pcap.starts[1];
    pcap.octets[at + 8..at + 12].copy_from_slice(&[0xff; 4]);
    let (got, outcome) = read(&pcap.octets);
    assert_eq!(got.len(), 1);
    let text = outcome.unwrap_err().to_string();
    assert!(
        text.starts_with(&format!("test: damaged at byte {at}: a frame claims 4294967295 octets")),
        "{text}"
    );

    let ng = NgFile::new(Order::Little).interface(1, 0, &[]).packet(0, 1, 17, DATA, &[]);
    let at = ng.octets.len();
    let unknown_interface = ng.packet(1, 1, 17, DATA, &[]);
    let (got, outcome) = read(&unknown_interface.octets);
    assert_eq!(got.len(), 1);
    let text = outcome.unwrap_err().to_string();
    assert!(text.starts_with(&format!("test: damaged at byte {at}: a packet names interface 1")), "{text}");
}

#[test]
fn what_is_no_capture_is_refused_with_a_reason() {
    let cases: [(&[u8], &str); 5] = [
        (b"", "is empty"),
        (b"GET / HTTP/1.1\r\n", "not a capture"),
        (b"\x1f\x8b\x08\x00\x00", "gunzip"),
        (b"{\"type\":\"start\"}", "JSON"),
        (&[0; 100], "not a capture"),
    ];
    for (octets, reason) in cases {
        let Err(error) = open(octets) else { panic!("{octets:?} was opened") };
        assert!(error.to_string().starts_with("test: "), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(!error.is_permission());
    }
    let missing = CaptureFile::open("/nonexistent/capture.pcap".as_ref()).err().unwrap();
    assert!(missing.to_string().starts_with("/nonexistent/capture.pcap: cannot be opened"), "{missing}");
}

/// Hands out what it has in the given pieces, with interruptions, and fails at the end if told to.
struct Pieces {
    octets: Cursor<Vec<u8>>,
    sizes: Vec<usize>,
    turn: usize,
    fails: bool,
}

impl Read for Pieces {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.turn += 1;
        if self.turn.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = self.sizes[self.turn % self.sizes.len()].min(room.len());
        match self.octets.read(&mut room[..most])? {
            0 if self.fails => Err(io::Error::other("the cable was pulled")),
            size => Ok(size),
        }
    }
}

#[test]
fn a_failing_read_is_named_with_its_place() {
    let file = small_pcap(Order::Little);
    let reader = Pieces { octets: Cursor::new(file.octets.clone()), sizes: vec![7], turn: 0, fails: true };
    let (got, outcome) = drain(&mut CaptureFile::from_reader(Box::new(reader), "pipe").unwrap());
    assert_eq!(got.len(), 3);
    let text = outcome.unwrap_err().to_string();
    let expected = format!("pipe: reading failed at byte {}: the cable was pulled", file.octets.len());
    assert!(text.starts_with(&expected), "{text}");
}

#[test]
fn espressif_is_recognised_by_either_address() {
    let espressif = [0x24, 0x0a, 0xc4, 1, 2, 3];
    let other = [0x52, 0x54, 0, 1, 2, 3];
    let ethernet = |to: [u8; 6], from: [u8; 6]| [to.as_slice(), &from, &[8, 0]].concat();
    let cooked2 = |from: [u8; 6]| [&[8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6], from.as_slice(), &[0, 0]].concat();
    let cases = [
        (1, ethernet(espressif, other), true),
        (1, ethernet(other, espressif), true),
        (1, ethernet(other, other), false),
        (276, cooked2(espressif), true),
        (276, cooked2(other), false),
        (101, ethernet(espressif, other), false),
        (1, vec![0x24, 0x0a], false),
    ];
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcap");
    for (link, data, found) in cases {
        let mut file = PcapFile::new(Order::Little, MICROS, link).frame(1, 0, 0, &data);
        // What follows is damaged; the answer is still there.
        file.octets.extend([0xff; 20]);
        std::fs::write(&path, &file.octets).unwrap();
        assert_eq!(has_espressif(&path).unwrap(), found, "link {link}: {data:02x?}");
    }
}

proptest! {
    #[test]
    fn random_octets_never_panic(octets in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let _ = read(&octets);
    }

    #[test]
    fn random_octets_after_a_true_beginning_never_panic(
        beginning in 0_usize..8,
        octets in proptest::collection::vec(any::<u8>(), 0..512),
    ) {
        let order = BOTH[beginning % 2];
        let mut file = match beginning / 2 {
            0 => PcapFile::new(order, MICROS, 1).octets,
            1 => PcapFile::new(order, NANOS, 1).octets,
            2 => NgFile::new(order).octets,
            _ => NgFile::new(order).interface(1, 0, &[(9, &[200])]).octets,
        };
        file.extend(octets);
        let _ = read(&file);
    }

    /// Whole blocks of every known type with random bodies: the length is right, the rest is not.
    #[test]
    fn random_blocks_never_panic(
        blocks in proptest::collection::vec((0_u32..12, proptest::collection::vec(any::<u8>(), 0..80)), 0..20),
    ) {
        let mut file = NgFile::new(Order::Big).interface(1, 0, &[]);
        for (kind, body) in &blocks {
            file = file.block(*kind, body, false);
        }
        let _ = read(&file.octets);
    }

    #[test]
    fn short_reads_change_nothing(sizes in proptest::collection::vec(1_usize..40, 1..10), big in any::<bool>()) {
        for octets in [small_pcap(BOTH[usize::from(big)]).octets, small_ng(BOTH[usize::from(big)]).octets] {
            let expected = read_all(&octets);
            let reader = Pieces { octets: Cursor::new(octets), sizes: sizes.clone(), turn: 0, fails: false };
            let (got, outcome) = drain(&mut CaptureFile::from_reader(Box::new(reader), "pipe").unwrap());
            prop_assert!(outcome.is_ok());
            prop_assert_eq!(got, expected);
        }
    }
}
