//! Event streams told by hand: the contract's story of eleven refused SYNs, a healthy run, and a hostile one.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod any;

use std::collections::BTreeMap;

use esp_tcpwatch::analysis::{
    certainty::Certainty,
    detect::{EvidenceSegment, Finding},
    event::{CaptureEvent, CaptureQuality, DeviceEvent, Event, MarkerEvent, SCHEMA, Start, Summary},
    host::{
        AccountFacts, Behaviour, Blocked, Delay, DelayFacts, DeviceFacts, MslBracket, Outcome, PcbCap,
        RstInTimeWait, Stack, SynInTimeWait, TimeWaitFacts,
    },
    rule::{Alert, AlertPhase, RuleSet, Severity},
    time::{Timestamp, When},
};
use esp_tcpwatch::report::model::Report;

/// The first frame of the reference capture.
pub const START: u64 = 1_795_391_028_991_416;
const SN: u32 = 2_022_877_306;
const RN: u32 = 1_219_951_531;
const NEW_ISN: u32 = 1_223_109_905;

/// SYN, stale ACK: frame and microseconds after the first frame. The RST follows each stale ACK.
const CYCLES: [(u64, u64, u64); 11] = [
    (10, 202_128, 202_157),
    (13, 217_577, 217_669),
    (16, 1_225_607, 1_225_705),
    (19, 2_249_627, 2_249_805),
    (22, 3_273_604, 3_273_718),
    (25, 4_297_623, 4_297_798),
    (28, 6_313_614, 6_313_739),
    (31, 10_377_623, 10_377_745),
    (34, 18_569_615, 18_573_644),
    (37, 34_697_615, 34_697_738),
    (42, 67_721_650, 67_721_733),
];

pub fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(START + micros)
}

pub fn start() -> Start {
    Start {
        schema: SCHEMA,
        tool: "esp-tcpwatch 0.1.0".into(),
        source: "file".into(),
        name: "captures/tw60_block.pcap".into(),
        filter: None,
        devices: vec!["10.77.0.2".parse().unwrap()],
        rules: vec!["ignored-rst".into(), "time-wait-collision".into()],
        snaplen: None,
    }
}

#[expect(clippy::too_many_arguments, reason = "a row of a table")]
pub fn row(
    frame: u64,
    micros: u64,
    from_client: bool,
    flags: &'static str,
    seq: u32,
    ack: Option<u32>,
    len: u32,
    role: &'static str,
) -> EvidenceSegment {
    EvidenceSegment {
        frame,
        epoch: at(micros),
        from_client,
        flags: flags.into(),
        seq,
        ack,
        len,
        window: if from_client { 64240 } else { 5713 },
        role: role.into(),
    }
}

fn close() -> Vec<EvidenceSegment> {
    vec![
        row(4, 1_717, true, "P.", RN - 31, Some(SN - 25), 30, "request"),
        row(7, 1_808, false, "F.", SN - 1, Some(RN - 1), 0, "device closes first"),
        row(8, 1_880, true, "F.", RN - 1, Some(SN), 0, "client closes"),
        row(9, 1_897, false, ".", SN, Some(RN), 0, "device ACKs: TIME-WAIT begins"),
    ]
}

fn finding(id: u64, rule: &'static str, certainty: Certainty, micros: u64, frames: &[u64]) -> Finding {
    Finding {
        id,
        rule: rule.into(),
        certainty,
        when: When(at(micros)),
        device: "10.77.0.2".parse().unwrap(),
        client: "10.77.0.1:40000".parse().unwrap(),
        server: "10.77.0.2:80".parse().unwrap(),
        incarnation: 2,
        frames: frames.to_vec(),
        quantities: BTreeMap::new(),
        text: String::new(),
        caused_by: Vec::new(),
        evidence: close(),
    }
}

/// One SYN answered by a stale ACK, the `nth` of the chain from 0.
pub fn collision(id: u64, nth: usize) -> Finding {
    let (frame, syn, ack) = CYCLES[nth];
    let mut finding = finding(id, "time-wait-collision", Certainty::Proven, ack, &[frame, frame + 1]);
    let since = (syn - 1_897) as f64 / 1e6;
    finding.quantities = BTreeMap::from([
        ("attempt".into(), (nth + 1) as f64),
        ("since_time_wait_s".into(), since),
        ("stale_ack".into(), f64::from(RN)),
        ("stale_seq".into(), f64::from(SN)),
    ]);
    finding.text = format!(
        "10.77.0.2:80 answered the SYN from 10.77.0.1:40000 (frame {frame}) with the last ACK of the previous \
         connection on this tuple (frame {}), which it has held in TIME-WAIT for {since:.3} s since it closed first.",
        frame + 1
    );
    let role = if nth == 0 { "client opens again" } else { "SYN again" };
    finding.evidence.push(row(frame, syn, true, "S", NEW_ISN, None, 0, role));
    finding.evidence.push(row(frame + 1, ack, false, ".", SN, Some(RN), 0, "stale ACK"));
    finding
}

/// The RST before cycle `nth`, which that cycle proves ignored.
pub fn ignored(id: u64, nth: usize) -> Finding {
    let (before, _, before_ack) = CYCLES[nth - 1];
    let (frame, syn, ack) = CYCLES[nth];
    let rst = before + 2;
    let certainty = if nth >= 2 { Certainty::Inferred } else { Certainty::Suspected };
    let mut finding = finding(id, "ignored-rst", certainty, ack, &[rst, frame, frame + 1]);
    finding.text = format!(
        "10.77.0.2:80 ignored the RST from 10.77.0.1:40000 (frame {rst}), whose sequence number is exactly the one it \
         asked for: the next SYN (frame {frame}) was answered with the same stale ACK (frame {}).",
        frame + 1
    );
    finding.evidence.push(row(before + 1, before_ack, false, ".", SN, Some(RN), 0, "stale ACK"));
    finding.evidence.push(row(rst, before_ack + 10, true, "R", RN, None, 0, "client resets"));
    finding.evidence.push(row(frame, syn, true, "S", NEW_ISN, None, 0, "SYN again"));
    finding.evidence.push(row(frame + 1, ack, false, ".", SN, Some(RN), 0, "same stale ACK"));
    finding
}

/// The alert of `rule` over `findings`, worded as the built-in rule words it.
pub fn alert(id: u64, phase: AlertPhase, findings: &[&Finding]) -> Alert {
    let rules = RuleSet::built_in().unwrap();
    let (first, last) = (findings[0], findings[findings.len() - 1]);
    let rule = rules.get(&first.rule).unwrap();
    let worded = |text: &str| {
        text.replace("{device}", "10.77.0.2")
            .replace("{client}", "10.77.0.1:40000")
            .replace("{count}", &findings.len().to_string())
    };
    let mut frames: Vec<u64> = findings.iter().flat_map(|finding| finding.frames.clone()).collect();
    frames.dedup();
    Alert {
        id,
        rule: first.rule.to_string(),
        severity: rule.severity,
        phase,
        certainty: findings.iter().map(|finding| finding.certainty).max().unwrap(),
        count: findings.len() as u64,
        when: last.when,
        first: first.when.0,
        last: last.when.0,
        device: first.device,
        mode: None,
        client: Some(first.client),
        server: first.server,
        findings: findings.iter().map(|finding| finding.id).collect(),
        frames,
        frames_omitted: 0,
        title: worded(&rule.title),
        why: worded(&rule.why),
        remedies: rule.remedies.iter().map(|remedy| remedy.text.clone()).collect(),
        references: rule.references.clone(),
    }
}

pub fn facts() -> DeviceFacts {
    DeviceFacts {
        address: "10.77.0.2".parse().unwrap(),
        mac: Some("24:0a:c4:77:00:02".into()),
        formerly: None,
        stack: Stack::Lwip,
        stack_certainty: Some(Certainty::Inferred),
        time_wait: TimeWaitFacts {
            entered: 1,
            held_now: 1,
            refused_until_s: Some(67.7198),
            accepted_from_s: None,
            syns: 11,
            rsts: 11,
        },
        msl_s: MslBracket { at_least: Some(33.6099), at_most: None },
        pcb_cap: PcbCap::default(),
        rst_in_time_wait: RstInTimeWait::Ignored,
        syn_in_time_wait: SynInTimeWait::Refused,
        behaves_as: Behaviour::Unfixed,
        accepted: 1,
        delays: DelayFacts {
            unfinished: 1,
            waited_s: 67.5195,
            longest: Some(Delay {
                client: "10.77.0.1:40000".parse().unwrap(),
                server: "10.77.0.2:80".parse().unwrap(),
                incarnation: 2,
                syns: 11,
                refused: 11,
                first_frame: 10,
                last_frame: 42,
                waited_s: 67.5195,
                outcome: Outcome::Unfinished,
                blocked_by: Some(Blocked { incarnation: 1, closed_in: 7 }),
            }),
            ..DelayFacts::default()
        },
        note: None,
        mode: None,
        own_account: None,
    }
}

/// The report of `events`.
pub fn folded(events: &[Event]) -> Report {
    let mut report = Report::default();
    for event in events {
        report.fold(event);
    }
    report
}

/// The contract's story: eleven refused SYNs, ten RSTs provably ignored.
pub fn eleven_collisions() -> Vec<Event> {
    let collisions: Vec<Finding> =
        (0..11).map(|nth| collision(2 * nth.max(1) as u64 - u64::from(nth == 0), nth)).collect();
    let ignored: Vec<Finding> = (1..11).map(|nth| self::ignored(2 * nth as u64 + 1, nth)).collect();
    let mut events = vec![Event::Start(start())];
    let mut quiet = facts();
    quiet.time_wait = TimeWaitFacts { entered: 1, held_now: 1, ..TimeWaitFacts::default() };
    quiet.msl_s = MslBracket::default();
    quiet.rst_in_time_wait = RstInTimeWait::Unknown;
    quiet.syn_in_time_wait = SynInTimeWait::Unknown;
    quiet.behaves_as = Behaviour::Unknown;
    quiet.delays = DelayFacts { waiting: 1, ..DelayFacts::default() };
    events.push(Event::Device(DeviceEvent { when: When(at(1_897)), facts: quiet }));
    for nth in 0..11 {
        events.push(Event::Finding(collisions[nth].clone()));
        if (nth + 1).is_power_of_two() {
            let phase = if nth == 0 { AlertPhase::Raised } else { AlertPhase::Grown };
            let so_far: Vec<&Finding> = collisions[..=nth].iter().collect();
            events.push(Event::Alert(alert(1, phase, &so_far)));
        }
        if nth > 0 {
            events.push(Event::Finding(ignored[nth - 1].clone()));
            if nth.is_power_of_two() {
                let phase = if nth == 1 { AlertPhase::Raised } else { AlertPhase::Grown };
                let so_far: Vec<&Finding> = ignored[..nth].iter().collect();
                events.push(Event::Alert(alert(2, phase, &so_far)));
            }
        }
    }
    events.push(Event::Device(DeviceEvent { when: When(at(67_721_750)), facts: facts() }));
    events.push(Event::Alert(alert(1, AlertPhase::Ended, &collisions.iter().collect::<Vec<_>>())));
    events.push(Event::Alert(alert(2, AlertPhase::Ended, &ignored.iter().collect::<Vec<_>>())));
    events.push(Event::Summary(Summary {
        when: When(at(72_841_948)),
        frames: 46,
        segments: 42,
        skipped: BTreeMap::from([("arp".into(), 4)]),
        unevaluated: BTreeMap::new(),
        flows: 1,
        incarnations: 2,
        findings: BTreeMap::from([("time-wait-collision".into(), 11), ("ignored-rst".into(), 10)]),
        alerts: BTreeMap::from([("time-wait-collision".into(), 1), ("ignored-rst".into(), 1)]),
        devices: vec![facts()],
        devices_omitted: 0,
        capture: CaptureQuality { received: 46, dropped: 0, gaps: 0 },
        duration_s: 72.841_948,
        verdict: "10.77.0.2 refused 11 SYNs with stale ACKs: it had closed the old connection on the same ports first \
                  and still held it in TIME-WAIT, and it ignored 10 exact RSTs that would have freed it. Its \
                  TIME-WAIT (2·MSL) lasts at least 67.2 s. It behaves as unfixed lwIP does."
            .into(),
    }));
    events
}

/// A device that no longer answers ARP: a fact about it as a whole, which names no connection.
pub fn silent() -> Vec<Event> {
    let mut finding = Finding::of_device(
        "device-silent",
        Certainty::Inferred,
        at(9_000_000),
        "10.77.0.2".parse().unwrap(),
        vec![31, 32, 33],
        "10.77.0.2 has not answered 3 ARP requests from 10.77.0.1 (the first is frame 31), and has sent nothing at \
         all for 7.1 s (since frame 30)."
            .to_owned(),
    );
    finding.id = 1;
    let mut events = healthy();
    let Some(Event::Summary(summary)) = events.pop() else { unreachable!("a story ends with its summary") };
    events.push(Event::Finding(finding.clone()));
    events.push(Event::Alert(alert(1, AlertPhase::Raised, &[&finding])));
    events.push(Event::Alert(alert(1, AlertPhase::Ended, &[&finding])));
    events.push(Event::Summary(Summary {
        findings: BTreeMap::from([("device-silent".into(), 1)]),
        alerts: BTreeMap::from([("device-silent".into(), 1)]),
        verdict: format!("Found: device-silent (1); the alerts say what each means. {}", summary.verdict),
        ..summary
    }));
    events
}

pub fn healthy() -> Vec<Event> {
    let mut facts = facts();
    facts.time_wait = TimeWaitFacts { entered: 3, held_now: 3, ..TimeWaitFacts::default() };
    facts.msl_s = MslBracket::default();
    facts.rst_in_time_wait = RstInTimeWait::Unknown;
    facts.syn_in_time_wait = SynInTimeWait::Unknown;
    facts.behaves_as = Behaviour::Unknown;
    facts.accepted = 3;
    facts.delays = DelayFacts::default();
    facts.own_account =
        Some(AccountFacts { time_wait: 3, accounts: 8, agreed: 21, unsure: 1, disagreements: 0 });
    let start = Start {
        source: "live".into(),
        name: "wlan0".into(),
        filter: Some("(host 10.77.0.2)".into()),
        snaplen: Some(256),
        ..start()
    };
    vec![
        Event::Start(start),
        Event::Device(DeviceEvent { when: When(at(2_000_000)), facts: facts.clone() }),
        Event::Summary(Summary {
            when: When(at(9_000_000)),
            frames: 36,
            segments: 30,
            skipped: BTreeMap::from([("arp".into(), 6)]),
            flows: 3,
            incarnations: 3,
            devices: vec![facts],
            capture: CaptureQuality { received: 36, dropped: 0, gaps: 0 },
            duration_s: 9.0,
            verdict: "No SYN was refused and no RST ignored; the device accepted 3 connections.".into(),
            ..Summary::default()
        }),
    ]
}

/// A text that tries everything.
pub const HOSTILE: &str = "\x1b]0;owned\x07\u{202e}gnp\n# heading\n| cell |\n```\n</code><script>alert(1)</script> [x](javascript:y) @octocat #12 $x$ \u{200b}`";

/// Every text of the stream is hostile.
pub fn hostile() -> Vec<Event> {
    let text = || HOSTILE.to_owned();
    let mut finding = collision(1, 0);
    finding.rule = text().into();
    finding.text = text();
    for row in &mut finding.evidence {
        row.role = text().into();
        row.flags = text().into();
    }
    finding.quantities = BTreeMap::from([(text().into(), f64::MAX)]);
    let mut alert = alert(1, AlertPhase::Raised, &[&collision(1, 0)]);
    alert.rule = text();
    alert.title = text();
    alert.why = text();
    alert.remedies = vec![text(), text() + "2"];
    alert.references = vec![text(), "https://example.org/<script>".into()];
    alert.severity = Severity::Critical;
    let mut facts = facts();
    facts.mac = Some(text());
    facts.note = Some(text());
    let quality = CaptureQuality { received: 9, dropped: 3, gaps: 1 };
    vec![
        Event::Start(Start {
            tool: text(),
            source: "live".into(),
            name: text(),
            filter: Some(text()),
            rules: vec![text()],
            ..start()
        }),
        Event::Finding(finding),
        Event::Alert(alert),
        Event::Device(DeviceEvent { when: When(at(300_000)), facts: facts.clone() }),
        Event::Capture(CaptureEvent { when: When(at(400_000)), quality, text: text() }),
        Event::Marker(MarkerEvent {
            when: When(at(500_000)),
            text: text(),
            mode_changed: true,
            device: Some(facts.address),
            mode: Some(text()),
            formerly: None,
            frame: None,
        }),
        Event::Summary(Summary {
            when: When(at(600_000)),
            frames: 9,
            segments: 9,
            skipped: BTreeMap::from([(text(), 1)]),
            findings: BTreeMap::from([(text(), 1)]),
            alerts: BTreeMap::from([(text(), 1)]),
            devices: vec![facts],
            devices_omitted: 2,
            capture: quality,
            verdict: text(),
            ..Summary::default()
        }),
    ]
}
