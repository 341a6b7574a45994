//! What the recorder writes, read back by us and by Wireshark.

use std::io::{self, Write};
use std::process::Command;

use esp_tcpwatch::analysis::event::CaptureQuality;
use esp_tcpwatch::analysis::input::{Frame, Gap, GapCause, LinkType};
use esp_tcpwatch::analysis::time::Timestamp;
use esp_tcpwatch::sink::record::{Recorder, RecorderInfo};
use esp_tcpwatch::source::file::CaptureFile;

use super::octets::{Got, drain};

fn info() -> RecorderInfo {
    RecorderInfo {
        application: "esp-tcpwatch test".into(),
        interface: "tap0".into(),
        filter: Some("host 10.77.0.2".into()),
        snaplen: 192,
        comment: None,
    }
}

fn frames() -> Vec<(LinkType, u64, u32, Vec<u8>)> {
    let arp = [&[0xff; 6], [2, 0, 0, 0, 0, 1].as_slice(), &[8, 6], &[0; 28]].concat();
    let ip = [&[0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0], [10, 77, 0, 1, 10, 77, 0, 2].as_slice()].concat();
    vec![
        (LinkType::ETHERNET, 1_700_000_000_123_456_789, 42, arp.clone()),
        (LinkType::RAW, 1_700_000_000_123_456_790, 20, ip.clone()),
        // Cut by the snaplen, and a frame that came late.
        (LinkType::ETHERNET, 1_700_000_000_000_000_001, 1514, arp[..33].to_vec()),
        (LinkType::RAW, 1_700_000_001_000_000_000, 0x1_0000, ip),
        (LinkType::ETHERNET, 1_700_000_002_000_000_000, 60, Vec::new()),
    ]
}

fn recorded(quality: CaptureQuality, gap_before: Option<usize>) -> Vec<u8> {
    let mut recorder = Recorder::new(Vec::new(), info());
    for (index, (link, nanos, wire_len, data)) in frames().iter().enumerate() {
        if gap_before == Some(index) {
            recorder.on_gap(&Gap { at: Timestamp::ZERO, lost: 3, cause: GapCause::Queue });
        }
        let time = Timestamp::from_nanos(*nanos);
        let frame = Frame { number: 100, time, link: *link, wire_len: *wire_len, data };
        recorder.on_frame(&frame).unwrap();
    }
    recorder.finish(quality).unwrap()
}

fn replayed(octets: Vec<u8>) -> Vec<Got> {
    let (got, outcome) =
        drain(&mut CaptureFile::from_reader(Box::new(io::Cursor::new(octets)), "rec").unwrap());
    outcome.unwrap();
    got
}

fn expected() -> Vec<Got> {
    let number = |index: usize| index as u64 + 1;
    frames()
        .into_iter()
        .enumerate()
        .map(|(index, (link, nanos, wire_len, data))| Got::Frame {
            number: number(index),
            nanos,
            link: link.0,
            wire_len,
            data,
        })
        .collect()
}

#[test]
fn a_recording_gives_the_frames_back() {
    let quality = CaptureQuality { received: 5, dropped: 0, gaps: 0 };
    assert_eq!(replayed(recorded(quality, None)), expected());
}

/// pcap has 26 bits for the link type, pcapng 16: cut, an unknown one would be read as raw IP.
#[test]
fn a_link_type_that_pcapng_has_no_room_for_is_refused() {
    let mut recorder = Recorder::new(Vec::new(), info());
    let frame = |link| Frame { number: 1, time: Timestamp::ZERO, link, wire_len: 1, data: &[0x45] };
    let error = recorder.on_frame(&frame(LinkType(0x4_0065))).unwrap_err().to_string();
    assert!(error.contains("262245"), "{error}");
    recorder.on_frame(&frame(LinkType(0xffff))).unwrap();
    assert_eq!(replayed(recorder.finish(CaptureQuality::default()).unwrap()).len(), 1);
}

#[test]
fn a_gap_comes_back_where_it_was_and_only_once() {
    let quality = CaptureQuality { received: 5, dropped: 3, gaps: 1 };
    let mut expected = expected();
    expected.insert(2, Got::Gap { nanos: frames()[2].1, lost: 3, cause: GapCause::Kernel });
    assert_eq!(replayed(recorded(quality, Some(2))), expected);
}

#[test]
fn losses_that_no_frame_tells_of_are_in_the_statistics() {
    let quality = CaptureQuality { received: 5, dropped: 9, gaps: 2 };
    let got = replayed(recorded(quality, Some(0)));
    let lost: Vec<_> = got
        .iter()
        .filter_map(|got| match got {
            Got::Gap { lost, .. } => Some(*lost),
            _ => None,
        })
        .collect();
    assert_eq!(lost, [3, 6]);
}

#[test]
fn a_recording_of_nothing_is_a_capture() {
    let octets = Recorder::new(Vec::new(), info()).finish(CaptureQuality::default()).unwrap();
    assert_eq!(replayed(octets), []);
}

/// Takes `room` octets and then refuses.
struct Disk {
    room: usize,
    written: Vec<u8>,
}

impl Write for Disk {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let size = octets.len().min(self.room);
        if size == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room -= size;
        self.written.extend(&octets[..size]);
        Ok(size)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_and_stays_one() {
    let whole = recorded(CaptureQuality::default(), None).len();
    for room in 0..whole {
        let mut recorder = Recorder::new(Disk { room, written: Vec::new() }, info());
        let failed = frames().iter().any(|(link, nanos, wire_len, data)| {
            let time = Timestamp::from_nanos(*nanos);
            let frame = Frame { number: 1, time, link: *link, wire_len: *wire_len, data };
            recorder.on_frame(&frame).is_err()
        });
        if failed {
            assert!(recorder.flush().is_err(), "after a failure nothing more may be written");
        }
        assert!(recorder.finish(CaptureQuality::default()).is_err(), "room for {room} of {whole}");
    }
}

/// The bodies of all blocks of one type.
fn blocks(octets: &[u8], kind: u32) -> Vec<&[u8]> {
    let field = |at: usize| u32::from_le_bytes(octets[at..at + 4].try_into().unwrap());
    let (mut at, mut found) = (0, Vec::new());
    while at < octets.len() {
        let size = field(at + 4) as usize;
        assert_eq!(field(at + size - 4) as usize, size);
        if field(at) == kind {
            found.push(&octets[at + 8..at + size - 4]);
        }
        at += size;
    }
    found
}

#[test]
fn statistics_have_their_times_upper_half_first() {
    let octets = recorded(CaptureQuality { received: 5, dropped: 2, gaps: 1 }, None);
    let statistics = blocks(&octets, 5);
    assert_eq!(statistics.len(), 2, "one an interface");
    for (interface, body) in statistics.iter().enumerate() {
        let field = |at: usize| u32::from_le_bytes(body[at..at + 4].try_into().unwrap());
        assert_eq!(field(0), interface as u32);
        let latest = 1_700_000_002_000_000_000_u64;
        assert_eq!([field(4), field(8)], [(latest >> 32) as u32, latest as u32]);
        // isb_starttime comes first.
        assert_eq!(body[12..16], [2, 0, 8, 0]);
        let first = 1_700_000_000_123_456_789_u64;
        assert_eq!([field(16), field(20)], [(first >> 32) as u32, first as u32]);
    }
    let osdrop = [&[7, 0, 8, 0], 2_u64.to_le_bytes().as_slice()].concat();
    let told = statistics.iter().filter(|body| body.windows(12).any(|window| window == osdrop)).count();
    assert_eq!(told, 1, "the losses of one capture are counted once");
}

#[test]
fn wireshark_reads_a_recording_without_a_word() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("recording.pcapng");
    std::fs::write(&path, recorded(CaptureQuality { received: 5, dropped: 3, gaps: 1 }, Some(1))).unwrap();
    let fields = ["number", "time_epoch", "len", "cap_len", "interface_name"];
    let mut tshark = Command::new("tshark");
    tshark.args(["-n", "-T", "fields", "-r"]).arg(&path);
    for field in fields {
        tshark.args(["-e", &format!("frame.{field}")]);
    }
    let output = match tshark.output() {
        Ok(output) => output,
        Err(error) => {
            println!("NOT RUN: tshark cannot be started ({error})");
            return;
        }
    };
    let said: Vec<_> = String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter(|line| !line.is_empty() && !line.contains("could be dangerous"))
        .map(str::to_owned)
        .collect();
    assert!(said.is_empty(), "{said:?}");
    let expected: String = frames()
        .iter()
        .enumerate()
        .map(|(index, (_, nanos, wire_len, data))| {
            let (seconds, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
            format!("{}\t{seconds}.{fraction:09}\t{wire_len}\t{}\ttap0\n", index + 1, data.len())
        })
        .collect();
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);

    let Ok(output) = Command::new("capinfos").arg(&path).output() else {
        println!("NOT RUN: capinfos cannot be started");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in [
        "Capture application: esp-tcpwatch test",
        "Name = tap0",
        "Filter string = host 10.77.0.2",
        "Capture length = 192",
        "Time precision = nanoseconds (9)",
        "Number of stat entries = 1",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}
