//! What a report leaves for the public: packets that tshark reads, and of no original address anything.

#[path = "support/dress.rs"]
mod dress;
mod story;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::prelude::*;

use esp_tcpwatch::analysis::{
    event::CaptureQuality,
    input::{Frame, Input, LinkType},
    time::Timestamp,
    wire::decode,
};
use esp_tcpwatch::report::{
    self, Format,
    model::Report,
    redact::{Redactor, redacted},
    template::Template,
};
use esp_tcpwatch::sink::record::{Recorder, RecorderInfo};
use esp_tcpwatch::source::{Source, file::CaptureFile};

use dress::{ETHERNET_LEN, cooked_v1, cooked_v2, ipv6, loopback, tagged};
use support::{code, not_run, program, run, stderr, stdout};

/// A frame: time, link type, octets, length on the wire.
type Captured = (Timestamp, LinkType, Vec<u8>, u32);

const CLIENT: [u8; 4] = [10, 77, 0, 1];
const DEVICE: [u8; 4] = [10, 77, 0, 2];
const CLIENT_MAC: [u8; 6] = [0x02, 0x77, 0, 0, 0, 1];
const DEVICE_MAC: [u8; 6] = [0x24, 0x0a, 0xc4, 0x77, 0, 2];

fn captures() -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir("tests/captures").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "pcapng"));
    files.sort();
    assert!(files.len() >= 5);
    files
}

fn frames(path: &Path) -> Vec<Captured> {
    let mut source = CaptureFile::open(path).unwrap();
    let mut frames = Vec::new();
    while let Some(input) = source.next_input().unwrap() {
        if let Input::Frame(frame) = input {
            frames.push((frame.time, frame.link, frame.data.to_vec(), frame.wire_len));
        }
    }
    frames
}

fn written(path: &Path, frames: &[Captured]) {
    let mut recorder = Recorder::new(fs::File::create(path).unwrap(), RecorderInfo::default());
    for (number, (time, link, data, wire_len)) in (1..).zip(frames) {
        let frame = Frame { number, time: *time, link: *link, wire_len: *wire_len, data };
        recorder.on_frame(&frame).unwrap();
    }
    recorder.finish(CaptureQuality::default()).unwrap();
}

fn is_tcp4(octets: &[u8]) -> bool {
    octets[12..14] == [8, 0] && octets[23] == 6
}

/// What nobody may find in an output: octets, and the same in the ways that text writes them.
fn originals() -> (Vec<Vec<u8>>, Vec<String>) {
    let mut octets: Vec<Vec<u8>> = vec![CLIENT.into(), DEVICE.into(), CLIENT_MAC.into(), DEVICE_MAC.into()];
    let mut texts: Vec<String> = ["10.77.0.", "fd77:", "24:0a:c4:77", "02:77:00"].map(str::to_owned).to_vec();
    for [a, b, c, d, e, f] in [CLIENT_MAC, DEVICE_MAC] {
        octets.push(vec![a ^ 2, b, c, 0xff, 0xfe, d, e, f]);
        texts.push(format!("{a:02x}{b:02x}{c:02x}{d:02x}{e:02x}{f:02x}"));
    }
    for payload in [&b"GET /"[..], b"HTTP/1.", b"Content-Length"] {
        octets.push(payload.to_vec());
    }
    (octets, texts)
}

#[track_caller]
fn names_nobody(output: &[u8], what: &str) {
    let (octets, texts) = originals();
    let holds = |part: &[u8]| output.windows(part.len()).any(|at| at.eq_ignore_ascii_case(part));
    for original in octets.iter().map(Vec::as_slice).chain(texts.iter().map(String::as_bytes)) {
        assert!(!holds(original), "{what}: {:?} {original:02x?}", String::from_utf8_lossy(original));
    }
}

type Dress = (&'static str, fn(&[u8]) -> (LinkType, Vec<u8>));

const DRESSES: [Dress; 16] = [
    ("plain", |frame| (LinkType::ETHERNET, frame.to_vec())),
    ("vlan", |frame| (LinkType::ETHERNET, tagged(frame, &[0x8100]))),
    ("qinq", |frame| (LinkType::ETHERNET, tagged(frame, &[0x88a8, 0x8100]))),
    ("cooked", |frame| (LinkType::LINUX_SLL, cooked_v1(frame))),
    ("cooked 2", |frame| (LinkType::LINUX_SLL2, cooked_v2(frame))),
    ("raw", |frame| (LinkType::RAW, frame[ETHERNET_LEN..].to_vec())),
    ("ipv4", |frame| (LinkType::IPV4, frame[ETHERNET_LEN..].to_vec())),
    ("null", |frame| (LinkType(0), loopback([2, 0, 0, 0], frame))),
    ("loop", |frame| (LinkType(108), loopback([0, 0, 0, 2], frame))),
    ("padded", |frame| (LinkType::ETHERNET, [frame, &DEVICE_MAC, &CLIENT, &[0x55; 8]].concat())),
    ("ipv6", |frame| (LinkType::ETHERNET, ipv6(frame, None))),
    ("ipv6 vlan", |frame| (LinkType::ETHERNET, tagged(&ipv6(frame, None), &[0x8100]))),
    ("ipv6 hop by hop", |frame| {
        (
            LinkType::ETHERNET,
            ipv6(frame, Some((0, vec![6, 0, 1, 4, DEVICE[0], DEVICE[1], DEVICE[2], DEVICE[3]]))),
        )
    }),
    ("ipv6 atomic", |frame| (LinkType::ETHERNET, ipv6(frame, Some((44, vec![6, 0, 0, 0, 1, 2, 3, 4]))))),
    ("ipv6 cooked", |frame| (LinkType::LINUX_SLL, cooked_v1(&ipv6(frame, None)))),
    ("ipv6 loop", |frame| (LinkType(0), loopback([30, 0, 0, 0], &ipv6(frame, None)))),
];

/// Every frame in every dress: no address is left, and the segment is the same but for its addresses and payload.
#[test]
fn a_redacted_frame_says_the_same_of_nobody() {
    let mut seen = 0;
    for path in captures() {
        for (dress, change) in DRESSES {
            let mut redactor = Redactor::default();
            for (time, _, octets, _) in frames(&path).iter().filter(|frame| is_tcp4(&frame.2)) {
                let (link, data) = change(octets);
                let wire_len = data.len() as u32;
                let out = redactor.frame(link, &data).unwrap();
                names_nobody(&out, dress);
                let frame = |data| Frame { number: 1, time: *time, link, wire_len, data };
                let (before, after) = (decode(&frame(&data)).unwrap(), decode(&frame(&out)).unwrap());
                assert_eq!(redactor.socket(before.source), after.source, "{dress}");
                assert_eq!(redactor.socket(before.destination), after.destination, "{dress}");
                assert_eq!(
                    (before.seq, before.ack, before.flags, before.window, before.len, before.ip_id),
                    (after.seq, after.ack, after.flags, after.window, after.len, after.ip_id),
                    "{dress}"
                );
                assert_eq!(before.options, after.options, "{dress}");
                assert!(out.len() <= data.len());
                seen += 1;
            }
        }
    }
    assert!(seen > 2_000, "{seen}");
}

/// The same through the program, both formats, every capture and every dress of one; the map is the only output that
/// tells.
#[test]
fn no_output_names_anybody() {
    let dir = tempfile::tempdir().unwrap();
    let name = |name: &str| dir.path().join(name).display().to_string();
    let mut packets = 0;
    for path in captures() {
        let dresses = if path.ends_with("refused.pcapng") { &DRESSES[..] } else { &DRESSES[..1] };
        for (dress, change) in dresses {
            let dressed: Vec<Captured> = frames(&path)
                .into_iter()
                .filter(|frame| is_tcp4(&frame.2))
                .map(|(time, _, octets, _)| {
                    let (link, octets) = change(&octets);
                    (time, link, octets.clone(), octets.len() as u32)
                })
                .collect();
            let (capture, evidence, map) = (name("trace-10.77.0.2.pcapng"), name("out.pcapng"), name("map"));
            written(Path::new(&capture), &dressed);
            let text = run(&["report", &capture]);
            assert_eq!(code(&text), 0, "{}", stderr(&text));
            names_nobody(&text.stdout, dress);
            let output =
                run(&["report", &capture, "--format", "pcapng", "-o", &evidence, "--map", &map, "--force"]);
            assert_eq!(code(&output), 0, "{}", stderr(&output));
            names_nobody(&fs::read(&evidence).unwrap(), dress);
            packets += frames(Path::new(&evidence)).len();
            let address = if dress.contains("ipv6") { "fd77::" } else { "10.77.0.2" };
            assert!(fs::read_to_string(&map).unwrap().contains(address), "{dress}");
        }
    }
    assert!(packets > 300, "{packets}");
}

#[test]
fn evidence_cites_rules_keeps_times_and_tells_the_same_again() {
    let dir = tempfile::tempdir().unwrap();
    let evidence = dir.path().join("evidence.pcapng");
    let name = evidence.to_str().unwrap();
    assert_eq!(code(&run(&["report", "tests/captures/refused.pcapng", "--format", "pcapng", "-o", name])), 0);
    let octets = fs::read(&evidence).unwrap();
    let text = String::from_utf8_lossy(&octets).into_owned();
    for words in [
        "Verdict: 192.0.2.1 refused 5 SYNs",
        "Frame 12 of the capture, frame 10 here.",
        "time-wait-collision (proven): 192.0.2.1:80 answered the SYN",
        "ignored-rst (inferred): ",
        "device closes first (to explain ",
        "Context: no finding cites it.",
        "Redacted: ",
    ] {
        assert!(text.contains(words), "{words}");
    }
    let (there, here) = (frames(Path::new("tests/captures/refused.pcapng")), frames(&evidence));
    assert!(here.len() < there.len());
    for (time, _, data, wire_len) in &here {
        let original = there.iter().find(|frame| frame.0 == *time).unwrap();
        assert_eq!(original.3, *wire_len);
        assert!(data.len() <= original.2.len());
    }
    // The excerpt is a capture: what was found in the whole is found in it.
    let counted = |path: &str| support::summary(&stdout(&run(&["-r", path, "--json"])))["findings"].clone();
    assert_eq!(counted(name), counted("tests/captures/refused.pcapng"));
}

#[test]
fn a_stream_leaves_evidence_too() {
    let dir = tempfile::tempdir().unwrap();
    let reports = format!("{}/", dir.path().join("reports").display());
    for report in [reports.clone(), dir.path().join("only.pcapng").display().to_string()] {
        let mut watch = program(&["-r", "-", "--json", "--report", &report])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        watch.stdin.take().unwrap().write_all(&fs::read("tests/captures/refused.pcapng").unwrap()).unwrap();
        assert_eq!(watch.wait().unwrap().code(), Some(1));
    }
    let of = |end: &str| {
        let mut found = fs::read_dir(&reports).unwrap().map(|entry| entry.unwrap().path());
        found.find(|path| path.extension().is_some_and(|it| it == end)).unwrap()
    };
    let (text, evidence) = (fs::read_to_string(of("md")).unwrap(), of("pcapng"));
    names_nobody(text.as_bytes(), "report");
    assert!(text.contains(evidence.file_name().unwrap().to_str().unwrap()));
    assert!(text.contains("12 is 10, 13 is 11"), "{text}");
    let only = frames(&dir.path().join("only.pcapng"));
    assert_eq!(frames(&evidence), only);
    assert_eq!(only.len(), 24);
}

#[test]
fn whoever_asks_for_everything_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    let evidence = dir.path().join("evidence.pcapng");
    let capture = "tests/captures/refused.pcapng";
    let words = ["report", capture, "--no-redact", "--format", "pcapng", "-o", evidence.to_str().unwrap()];
    assert_eq!(code(&run(&words)), 0);
    let there = frames(Path::new(capture));
    assert!(frames(&evidence).iter().all(|frame| there.contains(frame)));
    assert!(String::from_utf8_lossy(&fs::read(&evidence).unwrap()).contains("Not redacted: "));
    assert!(stdout(&run(&["report", capture, "--no-redact"])).contains("10.77.0.2"));
}

#[test]
fn what_cannot_be_is_said_with_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    let saved = dir.path().join("run.jsonl");
    let capture = "tests/captures/refused.pcapng";
    fs::write(&saved, run(&["-r", capture, "--json"]).stdout).unwrap();
    let saved = saved.to_str().unwrap();
    let output = run(&["report", saved, "--format", "pcapng"]);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("holds no packets") && stderr(&output).contains("refused.pcapng"),
        "{}",
        stderr(&output)
    );
    names_nobody(&run(&["report", saved]).stdout, "a saved run");
    let permissions = fs::metadata(capture).unwrap().permissions();
    assert_ne!(permissions.mode() & 0o077, 0, "it would not be noticed");
    let out = dir.path().join("r.md").display().to_string();
    for (words, next) in [
        (vec!["report", capture, "--map", capture], "another name to --map"),
        (vec!["report", capture, "-o", &out, "--map", &out], "another name to --map"),
        (vec!["-r", capture, "--json", "--report", &out, "--map", &out], "--map would overwrite"),
        (vec!["-r", capture, "--json", "--force", "--report", capture], "--report would overwrite"),
    ] {
        let output = run(&words);
        assert_eq!(code(&output), 2, "{words:?}");
        assert!(stderr(&output).contains(next), "{words:?}: {}", stderr(&output));
    }
    // What was refused is as it was.
    let about = fs::metadata(capture).unwrap();
    assert!(about.len() > 1_000);
    assert_eq!(about.permissions(), permissions);
}

/// What stands in markers, notes, filters and names is not of our making.
#[test]
fn texts_from_outside_are_searched() {
    let mut events = story::eleven_collisions();
    events.extend(story::hostile());
    let mut report = Report::default();
    for event in &events {
        report.fold(event);
    }
    let secrets =
        "at 10.77.0.1, fd77::99 (24:0a:c4:77:00:02, 02-77-00-00-00-01), kitchen.local, /home/alice/x.pcapng";
    if let Some(start) = &mut report.start {
        start.filter = Some("host nas.example.org or ether host 24:0a:c4:77:00:02".to_owned());
        start.name = "/home/alice/trace-10.77.0.2.pcapng".to_owned();
    }
    for alert in report.alerts.values_mut() {
        for text in [&mut alert.title, &mut alert.why] {
            text.push_str(secrets);
        }
        alert.remedies.push(secrets.to_owned());
        alert.references.push(secrets.to_owned());
    }
    for facts in report.devices.values_mut() {
        facts.note = Some(secrets.to_owned());
        facts.mode = Some(secrets.to_owned());
    }
    if let Some(summary) = &mut report.summary {
        summary.verdict = secrets.to_owned();
    }
    let marker = esp_tcpwatch::analysis::event::MarkerEvent {
        when: Default::default(),
        text: format!("{secrets}; ssid=Our Home"),
        mode_changed: false,
        device: Some(DEVICE.into()),
        mode: Some(secrets.to_owned()),
        formerly: Some(DEVICE.into()),
        frame: Some(1),
    };
    report.markers.insert(0, marker);
    let redacted = redacted(&report, &mut Redactor::default());
    for text in texts(&redacted).into_iter().chain([format!("{redacted:?}")]) {
        names_nobody(text.as_bytes(), "texts");
        for secret in ["alice", "kitchen", "nas.example", "Our Home", "fd77"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    assert!(texts(&report).iter().all(|text| text.contains("10.77.0.1")));
}

/// What is read of a report, in every format.
fn texts(report: &Report) -> Vec<String> {
    let formats = [Format::Markdown, Format::Html, Format::Json];
    formats.map(|format| report::render(report, format, Template::Generic)).into()
}

fn tshark(words: &[&str]) -> (String, String) {
    let output = Command::new("tshark").args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", stderr(&output));
    (stdout(&output), stderr(&output))
}

#[test]
fn needs_tshark_the_evidence_opens_without_a_warning_and_shows_its_comments() {
    const TEST: &str = "needs_tshark_the_evidence_opens_without_a_warning_and_shows_its_comments";
    if Command::new("tshark").arg("--version").output().is_err() {
        return not_run(TEST, "there is no tshark (Debian: apt-get install tshark)");
    }
    let dir = tempfile::tempdir().unwrap();
    for capture in captures() {
        // Each of these is a process of its own, and slow to start: unredacted one capture is enough.
        let both = [&[][..], &["--no-redact"]];
        for options in if capture.ends_with("refused.pcapng") { &both[..] } else { &both[..1] } {
            let evidence = dir.path().join("evidence.pcapng");
            let (capture, name) = (capture.to_str().unwrap(), evidence.to_str().unwrap());
            let words =
                [&["report", capture, "--format", "pcapng", "-o", name, "--force"], *options].concat();
            assert_eq!(code(&run(&words)), 0);
            let here = frames(&evidence).len();
            let (all, said) = tshark(&["-r", name, "-T", "fields", "-e", "frame.number"]);
            assert_eq!(all.lines().count(), here, "{capture}");
            // The only thing it may say is that root should not run it.
            assert!(said.lines().all(|line| line.contains("dangerous") || line.is_empty()), "{said}");
            let (comments, _) =
                tshark(&["-r", name, "-Y", "frame.comment", "-T", "fields", "-e", "frame.comment"]);
            assert_eq!(comments.lines().count(), here, "{capture}");
            let (broken, _) = tshark(&["-r", name, "-Y", "_ws.malformed || _ws.short"]);
            assert_eq!(broken, "", "{capture}");
            // A right checksum is right; of a cut segment it cannot be seen.
            let checks = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"];
            let wrong = |file| {
                let words = ["-r", file, "-Y", "ip.checksum.status == \"Bad\""];
                tshark(&[&checks[..], &words].concat()).0.lines().count()
            };
            assert_eq!(wrong(name), wrong(capture), "{capture}");
            same_analysis(capture, name, &comments);
        }
    }
}

/// What Wireshark's own analysis says of a frame here is what it says of the frame there, past the context's beginning.
fn same_analysis(capture: &str, evidence: &str, comments: &str) {
    let judged = |file: &str| -> BTreeMap<u64, String> {
        let fields = [
            "frame.number",
            "tcp.analysis.retransmission",
            "tcp.analysis.duplicate_ack_num",
            "tcp.analysis.reused_ports",
        ];
        let mut words = vec!["-r", file, "-T", "fields"];
        fields.iter().for_each(|field| words.extend(["-e", field]));
        let (text, _) = tshark(&words);
        let line = |line: &str| {
            let (number, rest) = line.split_once('\t').unwrap_or((line, ""));
            (number.parse().unwrap(), rest.to_owned())
        };
        text.lines().map(line).collect()
    };
    let (there, here) = (judged(capture), judged(evidence));
    let mut compared = 0;
    for (line, number) in comments.lines().zip(1_u64..) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!((words[0], words[6]), ("Frame", number.to_string().as_str()), "{line}");
        let original: u64 = words[1].parse().unwrap();
        assert_eq!(here[&number], there[&original], "frame {original} of {capture}");
        compared += 1;
    }
    assert!(compared == here.len());
}

fn links() -> impl Strategy<Value = LinkType> {
    prop::sample::select(vec![0, 1, 12, 14, 101, 108, 113, 127, 228, 229, 276, 9_999]).prop_map(LinkType)
}

/// Octets that are often the beginning of a packet.
fn nearly_a_packet() -> impl Strategy<Value = Vec<u8>> {
    let ethernet = prop::collection::vec(any::<u8>(), 12);
    let ether_type = prop::sample::select(vec![[8, 0], [8, 6], [0x86, 0xdd], [0x81, 0], [0x88, 0x8e]]);
    let ip = prop::sample::select(vec![
        vec![0x45, 0, 0, 60, 0, 0, 0, 0, 64, 6],
        vec![0x45, 0, 0, 90, 0, 0, 0, 0, 64, 1],
        vec![0x4f, 0, 0, 0, 0, 0, 0, 0, 64, 6],
        vec![0x60, 0, 0, 0, 0, 40, 6, 64],
        vec![0x60, 0, 0, 0, 0, 80, 58, 255],
        vec![0x60, 0, 0, 0, 0, 80, 0, 64],
        vec![0, 1, 8, 0, 6, 4, 0, 1],
        vec![],
    ]);
    let rest = prop::collection::vec(any::<u8>(), 0..140);
    (prop::bool::ANY, ethernet, ether_type, ip, rest).prop_map(
        |(is_framed, ethernet, ether_type, ip, rest)| {
            let framing = if is_framed { [&ethernet[..], &ether_type].concat() } else { Vec::new() };
            [framing, ip, rest].concat()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn arbitrary_octets_never_panic_and_only_stand_ins_come_out(link in links(), data in nearly_a_packet()) {
        let mut redactor = Redactor::default();
        if let Some(out) = redactor.frame(link, &data) {
            prop_assert!(out.len() <= data.len());
            let frame = |data| Frame { number: 1, time: Timestamp::ZERO, link, wire_len: 200, data };
            if let (Ok(before), Ok(after)) = (decode(&frame(&data)), decode(&frame(&out))) {
                prop_assert_eq!(redactor.socket(before.source), after.source);
                prop_assert_eq!(redactor.socket(before.destination), after.destination);
            }
            // A second time gives the same.
            prop_assert_eq!(redactor.frame(link, &data), Some(out));
        }
    }

    #[test]
    fn no_original_of_the_map_is_left_in_a_text(
        words in "[ a-z=(\\[/]{0,9}",
        v4 in any::<[u8; 4]>(),
        v6 in any::<[u8; 16]>(),
        mac in any::<[u8; 6]>(),
        end in "[ .,:;)\\]/%g-z]{0,5}",
    ) {
        let (v4, v6) = (core::net::Ipv4Addr::from(v4), core::net::Ipv6Addr::from(v6));
        let mac = mac.map(|octet| format!("{octet:02X}")).join(":");
        let text = format!("{words} {v4}{end} [{v6}]:80 {mac}{end}");
        let mut redactor = Redactor::default();
        let shown = redactor.text(&text);
        for line in redactor.map().lines().skip(1) {
            let original = line.split('\t').nth(1).unwrap();
            let whole = |at: usize| {
                let beside = |c: char| c.is_ascii_hexdigit() || c == '.' || c == ':';
                !shown[..at].ends_with(beside) && !shown[at + original.len()..].starts_with(beside)
            };
            let left = shown.to_lowercase().match_indices(original).any(|(at, _)| whole(at));
            prop_assert!(!left, "{} in {}", original, shown);
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_report_can_be_redacted(events in prop::collection::vec(story::any::event(), 0..12)) {
        let mut report = Report::default();
        for event in &events {
            report.fold(event);
        }
        let mut redactor = Redactor::default();
        texts(&redacted(&report, &mut redactor));
    }
}
