//! The event stream as it is written and read again: docs/event-stream.md has its fields, and a capture of the real
//! lwIP its segments.

mod story;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use esp_tcpwatch::{
    analysis::{
        engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
        event::{Event, SegmentEvent, Start},
        host::DeviceScope,
        input::Input,
        rule::RuleSet,
        wire::notation,
    },
    report::model::Report,
    source::{Source, file::CaptureFile},
};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

const PAGE: &str = include_str!("../docs/event-stream.md");
const REFUSED: &[u8] = include_bytes!("captures/refused.pcapng");

fn told(flow_events: bool, segment_events: bool) -> Vec<Event> {
    events(REFUSED.to_vec(), engine(flow_events, segment_events))
}

fn engine(flow_events: bool, segment_events: bool) -> Engine {
    Engine::new(EngineConfig {
        devices: DeviceScope::Auto,
        rules: RuleSet::built_in().unwrap(),
        flow_events,
        segment_events,
        start: Start::default(),
        max_flows: DEFAULT_MAX_FLOWS,
    })
}

fn events(capture: Vec<u8>, mut engine: Engine) -> Vec<Event> {
    let mut source = CaptureFile::from_reader(Box::new(Cursor::new(capture)), "capture").unwrap();
    while let Some(input) = source.next_input().unwrap() {
        engine.handle(input);
    }
    engine.handle(Input::End);
    std::iter::from_fn(|| engine.poll_event()).collect()
}

fn segments(events: &[Event]) -> Vec<SegmentEvent> {
    let segment = |event: &Event| if let Event::Segment(segment) = event { Some(*segment) } else { None };
    events.iter().filter_map(segment).collect()
}

fn json(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| serde_json::to_string(event).unwrap()).collect()
}

/// Every field of every type, as the tables of the page name them.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let mut types: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut kind = String::new();
    for line in PAGE.lines() {
        if let Some(name) = line.strip_prefix("## `").and_then(|rest| rest.strip_suffix('`')) {
            name.clone_into(&mut kind);
            types.entry(kind.clone()).or_default();
        } else if line.starts_with("## ") {
            kind.clear();
        } else if let Some(cell) = line.strip_prefix("| `")
            && !kind.is_empty()
        {
            let cell = cell.split(" | ").next().unwrap();
            let names = cell.split(['`', ',', ' ']).filter(|name| !name.is_empty());
            types.get_mut(&kind).unwrap().extend(names.map(str::to_owned));
        }
    }
    types
}

#[test]
fn the_page_names_every_field_of_every_type_and_no_other() {
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut runner = TestRunner::deterministic();
    for _ in 0..2_000 {
        let event = story::any::event().new_tree(&mut runner).unwrap().current();
        let serde_json::Value::Object(mut fields) = serde_json::to_value(&event).unwrap() else {
            panic!("{event:?}")
        };
        let kind = fields.remove("type").unwrap().as_str().unwrap().to_owned();
        // Said once for all of them.
        let timed = ["time", "epoch"].map(|name| fields.remove(name).is_some());
        assert_eq!(timed, [kind != "start"; 2], "{kind}");
        seen.entry(kind).or_default().extend(fields.into_iter().map(|(name, _)| name));
    }
    assert_eq!(documented(), seen);
}

#[test]
fn segments_come_only_where_they_are_asked_for_and_change_nothing_else() {
    for flows in [false, true] {
        let (without, with) = (told(flows, false), told(flows, true));
        assert!(segments(&without).is_empty());
        assert_eq!(segments(&with).len(), 24);
        let others: Vec<_> = with.into_iter().filter(|event| !matches!(event, Event::Segment(_))).collect();
        assert_eq!(others, without);
    }
}

#[test]
fn a_capture_gives_the_same_segments_each_time_and_they_are_read_again() {
    let events = told(true, true);
    let lines = json(&events);
    assert_eq!(lines, json(&told(true, true)));
    let again: Vec<Event> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Time is written with microseconds; written once more, nothing is lost.
    assert_eq!(json(&again), lines);
    assert_eq!(segments(&again).len(), 24);
}

#[test]
fn a_segment_comes_before_what_it_changed_and_what_was_found_in_it() {
    let mut newest = None;
    let mut checked = 0;
    for event in told(true, true) {
        match event {
            Event::Segment(segment) => newest = Some(segment),
            Event::Flow(flow) => {
                let segment: SegmentEvent = newest.unwrap();
                assert_eq!((flow.frame, flow.incarnation), (segment.frame, segment.incarnation));
                assert_eq!(flow.client_state, segment.client_state.to_string());
                assert_eq!(flow.server_state, segment.server_state.to_string());
                checked += 1;
            }
            Event::Finding(finding) if finding.rule == "time-wait-collision" => {
                assert_eq!(finding.frames.last(), newest.map(|segment| segment.frame).as_ref());
                checked += 1;
            }
            _ => {}
        }
    }
    assert!(checked > 12, "{checked}");
}

#[test]
fn segments_are_numbered_in_their_tuple_and_tell_two_lives_apart() {
    use esp_tcpwatch::analysis::{flow::Belongs, tcp::Kind};
    let segments = segments(&told(false, true));
    let numbers: Vec<_> = segments.iter().map(|segment| segment.number).collect();
    assert_eq!(numbers, (1..=24).collect::<Vec<_>>());
    let of =
        |wanted: &dyn Fn(&SegmentEvent) -> bool| segments.iter().filter(|segment| wanted(segment)).count();
    assert_eq!(of(&|segment| segment.place == Belongs::NewLife), 2);
    // One connect() of the second life: a SYN, four repetitions, each met by a stale ACK and followed by a RST.
    assert_eq!(of(&|segment| segment.kind == Some(Kind::SynAgain)), 4);
    assert_eq!(of(&|segment| segment.place == Belongs::AnotherLife && segment.flags.to_string() == "."), 5);
    assert_eq!(of(&|segment| segment.place == Belongs::AnotherLife && segment.flags.to_string() == "R"), 5);
    assert_eq!(of(&|segment| segment.kind.is_none()), 10, "what is another life's has no kind");
}

fn report_of(events: &[Event]) -> String {
    let mut report = Report::default();
    for event in events {
        report.fold(event);
    }
    format!("{report:#?}")
}

#[test]
fn a_report_is_the_same_with_segments_and_without() {
    let [with, without] = [true, false].map(|segments| report_of(&told(true, segments)));
    assert_eq!(with, without);
}

/// All traces of the scripts, and what the real lwIP did.
#[test]
fn a_report_is_the_same_with_the_milestones_of_flows_alone() {
    let mut captures = Vec::new();
    for entry in std::fs::read_dir("tests/scripts").unwrap() {
        let path = entry.unwrap().path();
        let traces = notation::parse(&std::fs::read_to_string(&path).unwrap()).unwrap().len();
        let rule = path.file_stem().unwrap().to_str().unwrap();
        captures.extend((0..traces).map(|index| (format!("{rule} {index}"), support::pcap_of(rule, index))));
    }
    for entry in std::fs::read_dir("tests/captures").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "pcapng") {
            continue;
        }
        captures.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    assert!(captures.len() > 40, "{}", captures.len());
    let flows = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Flow(_))).count();
    let (mut of_all, mut of_milestones) = (0, 0);
    for (name, capture) in captures {
        let all = events(capture.clone(), engine(true, false));
        let mut engine = engine(true, false);
        engine.tell_milestones_alone();
        let milestones = events(capture, engine);
        assert!(report_of(&all) == report_of(&milestones), "{name}");
        of_all += flows(&all);
        of_milestones += flows(&milestones);
    }
    assert!(2 * of_milestones < of_all, "{of_milestones} of {of_all}");
}
