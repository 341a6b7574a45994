//! From single facts to one story: what caused what, and what it cost, on captures of the real lwIP and on traces.

use std::{fs, path::Path};

use esp_tcpwatch::{
    analysis::{
        detect::Finding,
        engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
        event::{Event, Start, Summary},
        host::{Blocked, Delay, DelayFacts, DeviceScope, Outcome},
        input::{Frame, Input, LinkType},
        rule::{Alert, RuleSet},
        time::Timestamp,
        wire::notation::{self, Step},
    },
    source::{Source, file::CaptureFile},
};

struct Told {
    findings: Vec<Finding>,
    alerts: Vec<Alert>,
    summary: Summary,
}

impl Told {
    fn of(&self, rule: &str) -> Vec<&Finding> {
        self.findings.iter().filter(|finding| finding.rule == rule).collect()
    }

    fn delays(&self) -> DelayFacts {
        self.summary.devices[0].delays
    }

    /// The last writing of the alert of `rule`.
    fn alert(&self, rule: &str) -> &Alert {
        self.alerts.iter().rfind(|alert| alert.rule == rule).unwrap()
    }
}

fn engine() -> Engine {
    Engine::new(EngineConfig {
        devices: DeviceScope::Espressif,
        rules: RuleSet::built_in().unwrap(),
        flow_events: false,
        segment_events: false,
        start: Start::default(),
        max_flows: DEFAULT_MAX_FLOWS,
    })
}

fn told(mut engine: Engine) -> Told {
    engine.handle(Input::End);
    let (mut findings, mut alerts, mut summary) = (Vec::new(), Vec::new(), Summary::default());
    while let Some(event) = engine.poll_event() {
        match event {
            Event::Finding(finding) => findings.push(finding),
            Event::Alert(alert) => alerts.push(alert),
            Event::Summary(last) => summary = last,
            _ => {}
        }
    }
    Told { findings, alerts, summary }
}

fn capture(name: &str) -> Told {
    let path = Path::new("tests/captures").join(name).with_extension("pcapng");
    let octets = fs::read(path).unwrap();
    let mut source = CaptureFile::from_reader(Box::new(std::io::Cursor::new(octets)), "a capture").unwrap();
    let mut engine = engine();
    while let Some(input) = source.next_input().unwrap() {
        engine.handle(input);
    }
    told(engine)
}

fn trace(text: &str) -> Told {
    let mut engine = engine();
    let steps = notation::parse(text).unwrap().swap_remove(0).steps;
    for (number, step) in (1..).zip(steps) {
        let Step::Frame { at_s, octets } = step else { panic!("only frames here") };
        engine.handle(Input::Frame(Frame {
            number,
            time: Timestamp::from_nanos(1_700_000_000_000_000_000 + (at_s * 1e9) as u64),
            link: LinkType::ETHERNET,
            wire_len: octets.len() as u32,
            data: &octets,
        }));
    }
    told(engine)
}

/// A request, closed by the device first: TIME-WAIT from frame 6 on.
const CLOSED: &str = "
+0      A > B  S   1000:1000(0)            win 64240  mss 1460
+0.001  B > A  S.  5000:5000(0)  ack 1001  win 5744   mss 1440
+0.002  A > B  .   1001:1001(0)  ack 5001  win 64240
+0.003  B > A  F.  5001:5001(0)  ack 1001  win 5744
+0.004  A > B  F.  1001:1001(0)  ack 5002  win 64240
+0.005  B > A  .   5002:5002(0)  ack 1002  win 5743
";
/// The client comes again with a newer number, is refused, resets, is refused again.
const REFUSED: &str = "
+1      A > B  S   9000:9000(0)            win 64240  mss 1460
+1.001  B > A  .   5002:5002(0)  ack 1002  win 5743
+1.002  A > B  R   1002:1002(0)            win 0
+1.012  A > B  S   9000:9000(0)            win 64240  mss 1460
+1.013  B > A  .   5002:5002(0)  ack 1002  win 5743
+1.014  A > B  R   1002:1002(0)            win 0
";

#[test]
fn the_real_chain_is_linked_from_the_reuse_to_the_ignored_rst() {
    let told = capture("refused");
    let reuse = told.of("time-wait-reuse")[0].id;
    let collisions = told.of("time-wait-collision");
    assert_eq!(collisions.len(), 5);
    for collision in &collisions {
        assert_eq!(collision.caused_by, [reuse], "{}", collision.text);
    }
    for (ignored, refusal) in told.of("ignored-rst").iter().zip(&collisions) {
        assert_eq!(ignored.caused_by, [refusal.id], "{}", ignored.text);
        assert!(refusal.frames[1] < ignored.frames[0], "the cause comes first");
    }
}

#[test]
fn a_connect_that_gets_in_late_is_told_with_what_stood_in_its_way() {
    let in_late = "
+2.5    A > B  S   9000:9000(0)            win 64240  mss 1460
+2.501  B > A  S.  8000:8000(0)  ack 9001  win 5744   mss 1440
";
    let told = trace(&[CLOSED, REFUSED, in_late].concat());
    let delays = told.delays();
    assert_eq!((delays.delayed, delays.reset, delays.unfinished, delays.waiting), (1, 0, 0, 0));
    assert_eq!(
        delays.longest.unwrap(),
        Delay {
            client: "10.77.0.1:40000".parse().unwrap(),
            server: "10.77.0.2:80".parse().unwrap(),
            incarnation: 2,
            syns: 3,
            refused: 2,
            first_frame: 7,
            last_frame: 14,
            waited_s: 1.501,
            outcome: Outcome::Accepted,
            blocked_by: Some(Blocked { incarnation: 1, closed_in: 4 }),
        }
    );
    let sentence = "One connect() from 10.77.0.1:40000 waited 1.5 s over 3 SYNs (frames 7 to 14) until it was let in, \
                    blocked by incarnation 1 of the same four-tuple, which the device closed first in frame 4.";
    assert!(told.summary.verdict.contains(sentence), "{}", told.summary.verdict);
}

#[test]
fn a_connect_that_is_never_let_in_is_told_as_such_and_so_is_the_next_one() {
    let again = "
+3      A > B  S   20000:20000(0)          win 64240  mss 1460
+3.001  B > A  .   5002:5002(0)  ack 1002  win 5743
";
    let told = trace(&[CLOSED, REFUSED, again].concat());
    let delays = told.delays();
    assert_eq!((delays.delayed, delays.unfinished, delays.waited_s), (0, 2, 0.012));
    assert!(told.summary.verdict.contains("2 connect()s waited 12 ms in all."), "{}", told.summary.verdict);
}

#[test]
fn an_answer_that_the_capture_missed_ends_the_wait_too() {
    let goes_on = "
+2.5    A > B  S   9000:9000(0)            win 64240  mss 1460
+2.502  A > B  P.  9001:9031(30) ack 8001  win 64240
";
    let delays = trace(&[CLOSED, REFUSED, goes_on].concat()).delays();
    assert_eq!((delays.delayed, delays.unfinished), (1, 0), "{delays:?}");
}

#[test]
fn a_syn_that_is_only_repeated_is_a_wait_without_a_culprit() {
    let lost = "
+0      A > B  S   1000:1000(0)            win 64240  mss 1460
+1.02   A > B  S   1000:1000(0)            win 64240  mss 1460
+1.021  B > A  S.  5000:5000(0)  ack 1001  win 5744   mss 1440
";
    let delays = trace(lost).delays();
    let longest = delays.longest.unwrap();
    assert_eq!((delays.delayed, longest.syns, longest.refused, longest.blocked_by), (1, 2, 0, None));
    assert_eq!((longest.first_frame, longest.last_frame, longest.waited_s), (1, 3, 1.021));
}

#[test]
fn connections_that_come_about_at_once_cost_nothing() {
    for healthy in ["accepts-syn", "client-first"] {
        let delays = capture(healthy).delays();
        assert_eq!(delays, DelayFacts::default(), "{healthy}");
    }
}

/// The alert's remedies, each by the words it begins with.
fn begins(told: &Told, words: [&str; 5]) {
    let remedies = &told.alert("time-wait-collision").remedies;
    for (remedy, wanted) in remedies.iter().zip(words) {
        assert!(remedy.starts_with(wanted), "`{wanted}` expected: {remedies:#?}");
    }
    assert_eq!(remedies.len(), words.len());
}

#[test]
fn remedies_are_ranked_for_what_was_seen() {
    let told = capture("refused");
    begins(&told, ["Let the client", "Accept", "Honour", "Shorten", "SO_LINGER"]);
    let remedies = &told.alert("time-wait-collision").remedies;
    assert!(
        remedies[1]
            .ends_with("all 5 refused SYNs are newer, and the first of each attempt would have been let in.")
    );
    assert!(remedies[2].contains("Here clients sent 5 RSTs"), "{}", remedies[2]);
    assert!(!remedies[4].contains("Here"), "what never helps is not held against the evidence");
}

#[test]
fn a_remedy_that_is_in_place_goes_behind_and_says_so() {
    let told = capture("honours-rst");
    begins(&told, ["Let the client", "Accept", "Shorten", "Honour", "SO_LINGER"]);
    assert!(
        told.alert("time-wait-collision").remedies[3]
            .ends_with("does so already: a refusal costs milliseconds.")
    );

    // Between 6 and 6.5 s, twice three: shortened, and still refused.
    let told = capture("msl-3s");
    begins(&told, ["Let the client", "Accept", "Honour", "Shorten", "SO_LINGER"]);
    assert!(told.alert("time-wait-collision").remedies[3].contains("Here TIME-WAIT lasts between "));
}

#[test]
fn a_remedy_that_had_nothing_to_work_on_goes_behind() {
    // Older numbers, and a client that never resets.
    let older = "
+1      A > B  S   900:900(0)              win 64240  mss 1460
+1.001  B > A  .   5002:5002(0)  ack 1002  win 5743
+2      A > B  S   900:900(0)              win 64240  mss 1460
+2.001  B > A  .   5002:5002(0)  ack 1002  win 5743
";
    let told = trace(&[CLOSED, older].concat());
    begins(&told, ["Let the client", "Shorten", "Accept", "Honour", "SO_LINGER"]);
    let remedies = &told.alert("time-wait-collision").remedies;
    assert!(remedies[2].contains("no refused SYN is newer"), "{}", remedies[2]);
    assert!(remedies[3].contains("no RST of a client was seen"), "{}", remedies[3]);
}

#[test]
fn a_verdict_tells_the_gravest_of_the_other_rules_in_their_own_words() {
    let stalled = "
+0      A > B  S   1000:1000(0)            win 64240  mss 1460
+0.001  B > A  S.  5000:5000(0)  ack 1001  win 5744   mss 1440
+0.002  A > B  .   1001:1001(0)  ack 5001  win 64240
+0.003  A > B  P.  1001:1031(30) ack 5001  win 64240
+0.004  B > A  .   5001:5001(0)  ack 1031  win 5714
+9      A > B  R   1031:1031(0)            win 0
";
    let told = trace(stalled);
    let verdict = &told.summary.verdict;
    assert!(verdict.starts_with("app-stall (1): 10.77.0.2:80 acknowledged the request"), "{verdict}");

    // Reuse that was accepted is found and no alert: no part of the verdict.
    let told = capture("accepts-syn");
    assert!(!told.of("time-wait-reuse").is_empty());
    assert!(!told.summary.verdict.contains("time-wait-reuse"), "{}", told.summary.verdict);
}
