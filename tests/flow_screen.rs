//! The Flow screen over captures of the real lwIP: every segment, both states, the lives and the rules in the margin.
#![cfg(feature = "tui")]

mod story;

use std::io::Cursor;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use esp_tcpwatch::{
    analysis::{
        engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
        event::{CaptureEvent, CaptureQuality, Event, FlowChange, FlowEvent, SegmentEvent, Start, Summary},
        host::DeviceScope,
        rule::RuleSet,
    },
    source::{Source, file::CaptureFile},
    tui::{
        model::Model,
        theme::Theme,
        update::{Msg, update},
        view::view,
    },
};
use proptest::prelude::*;
use ratatui::{Terminal, backend::TestBackend};

const REFUSED: &[u8] = include_bytes!("captures/refused.pcapng");
const HONOURS_RST: &[u8] = include_bytes!("captures/honours-rst.pcapng");
const NARROW: (u16, u16) = (80, 24);
const WIDE: (u16, u16) = (130, 44);

#[test]
fn a_refused_port() {
    let mut model = opened(&told(REFUSED, true), Theme::default(), NARROW);
    shows("refused_80x24", &mut model, NARROW);
    press(&mut model, "g]");
    shows("refused_second_life_80x24", &mut model, NARROW);
    press(&mut model, "g");
    shows("refused_130x44", &mut model, WIDE);
}

#[test]
fn a_port_that_a_rst_frees() {
    let mut model = opened(&told(HONOURS_RST, true), Theme::default(), WIDE);
    shows("honours_rst_130x44", &mut model, WIDE);
}

#[test]
fn ascii_without_colour() {
    let mut model =
        opened(&told(REFUSED, true), Theme { ascii: true, no_color: true, ..Theme::default() }, NARROW);
    press(&mut model, "g]");
    let text = drawn(&mut model, NARROW);
    // What others draw around the ladder has snapshots of its own.
    assert!(text.is_ascii(), "{text}");
    shows("refused_ascii_80x24", &mut model, NARROW);
}

#[test]
fn every_refused_and_ignored_segment_is_marked_and_no_other() {
    let events = told(REFUSED, true);
    let named: Vec<u64> = events
        .iter()
        .flat_map(
            |event| if let Event::Finding(finding) = event { finding.frames.clone() } else { Vec::new() },
        )
        .collect();
    let mut model = opened(&events, Theme::default(), (130, 80));
    let text = drawn(&mut model, (130, 80));
    let mut rungs = 0;
    for line in text.lines().filter(|line| line.contains('▶') || line.contains('◀')) {
        let Some(frame) = line.split_whitespace().next().and_then(|word| word.parse::<u64>().ok()) else {
            continue;
        };
        let margin: String = line.chars().skip(15).take(3).collect();
        assert_eq!(margin.trim().is_empty(), !named.contains(&frame), "{line}");
        rungs += 1;
    }
    assert_eq!(rungs, 24, "{text}");
}

#[test]
fn brackets_go_from_life_to_life_and_nowhere_else() {
    let mut model = opened(&told(REFUSED, true), Theme::default(), NARROW);
    let top = |model: &Model| {
        let text = drawn(&mut model.clone(), NARROW);
        text.lines().skip_while(|line| !line.contains(" frame    after")).nth(1).unwrap().to_owned()
    };
    press(&mut model, "g");
    assert!(top(&model).starts_with("── life 1 "), "{}", top(&model));
    press(&mut model, "]");
    assert!(
        top(&model).starts_with("── life 2, 101 ms after the device's TIME-WAIT began "),
        "{}",
        top(&model)
    );
    let there = model.scroll;
    press(&mut model, "]");
    assert_eq!(model.scroll, there, "there is no third");
    press(&mut model, "[");
    assert!(top(&model).starts_with("── life 1 "), "{}", top(&model));
    press(&mut model, "[");
    assert!(top(&model).starts_with("── life 1 "), "nothing before the first");
}

#[test]
fn a_flow_that_goes_on_is_followed_until_one_looks_back() {
    let events = told(REFUSED, true);
    let Some(Event::Segment(last)) = events.iter().rfind(|event| matches!(event, Event::Segment(_))).cloned()
    else {
        unreachable!()
    };
    let mut model = opened(&events, Theme::default(), NARROW);
    let next = |model: &mut Model, number| {
        let segment = SegmentEvent { number, frame: number + 4, ..last };
        update(model, Msg::Event(Box::new(Event::Segment(segment))));
        drawn(model, NARROW)
    };
    let text = next(&mut model, 25);
    assert!(text.contains("\n    29 ") && text.contains(" follows · "), "{text}");
    press(&mut model, "k");
    let text = next(&mut model, 26);
    assert!(!text.contains("\n    30 ") && text.contains(" G: follow · "), "{text}");
    press(&mut model, "G");
    let text = next(&mut model, 27);
    assert!(text.contains("\n    31 ") && text.contains(" follows · "), "{text}");
    // To the help and back it is as it was.
    press(&mut model, "k?");
    update(&mut model, Msg::Key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)));
    assert!(next(&mut model, 28).contains(" G: follow · "));
    // What is over is read from its beginning, and has no end to follow.
    let mut events = events;
    events.push(Event::Summary(Summary::default()));
    let mut model = opened(&events, Theme::default(), NARROW);
    let text = drawn(&mut model, NARROW);
    assert!(text.contains("── life 1 ") && !text.contains("follow"), "{text}");
}

#[test]
fn what_is_missing_is_said_where_it_is_missing() {
    let mut events = told(REFUSED, true);
    let at = |events: &[Event], frame| {
        events
            .iter()
            .position(|event| matches!(event, Event::Segment(segment) if segment.frame == frame))
            .unwrap()
    };
    // Two that a full screen feed gave up, and a loss of the capture's own.
    let position = at(&events, 5);
    events.drain(position..position + 1);
    let position = at(&events, 8);
    let Some(when) =
        (if let Event::Segment(segment) = &events[position] { Some(segment.when) } else { None })
    else {
        unreachable!()
    };
    let quality = CaptureQuality { received: 7, dropped: 12, gaps: 1 };
    events.insert(position, Event::Capture(CaptureEvent { when, quality, text: "lost".to_owned() }));
    let mut model = opened(&events, Theme::default(), WIDE);
    let text = drawn(&mut model, WIDE);
    let lines: Vec<_> = text.lines().collect();
    let behind =
        |frame: &str| lines.iter().position(|line| line.trim_start().starts_with(frame)).unwrap() + 1;
    assert!(lines[behind("4 +")].contains("1 segment not kept"), "{text}");
    assert!(lines[behind("7 +")].contains("12 frames lost by the capture here"), "{text}");
    assert_eq!(text.matches("not kept").count(), 1);
}

#[test]
fn a_run_without_segments_shows_what_its_findings_name_and_says_so() {
    let mut model = opened(&told(REFUSED, false), Theme::default(), WIDE);
    let text = drawn(&mut model, WIDE);
    assert!(text.contains("The stream has no segments (--events segment)"), "{text}");
    assert!(text.contains("stale ACK"), "{text}");
    let mut healthy = opened(&story::healthy(), Theme::default(), WIDE);
    assert!(!drawn(&mut healthy, WIDE).contains("--events segment"), "nothing to name, nothing to say");
}

#[test]
fn a_long_flow_keeps_its_end_and_counts_the_rest() {
    let events = told(REFUSED, true);
    let Some(last) =
        events.iter().rev().find_map(|event| if let Event::Segment(it) = event { Some(*it) } else { None })
    else {
        unreachable!()
    };
    let more = (25..=1_000).map(|number| Event::Segment(SegmentEvent { number, frame: number + 4, ..last }));
    let events: Vec<_> = events.into_iter().chain(more).collect();
    let mut model = opened(&events, Theme::default(), WIDE);
    press(&mut model, "g");
    let text = drawn(&mut model, WIDE);
    assert!(text.contains("744 earlier segments not kept"), "{text}");
    assert!(text.contains("life 2, from here on"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_segments_break_the_screen_at_any_size(
        segments in proptest::collection::vec(story::any::segment(), 0..40),
        others in proptest::collection::vec(story::any::event(), 0..12),
        size in (1_u16..220, 1_u16..70),
        ascii in any::<bool>(),
        keys in "[]\\[gGj ]{0,6}",
    ) {
        // All of one flow, whoever they were told of.
        let one = |segment: SegmentEvent| SegmentEvent { client: CLIENT.parse().unwrap(), server: SERVER.parse().unwrap(), ..segment };
        let mut events = vec![Event::Flow(flow())];
        events.extend(others.into_iter().filter(|event| !matches!(event, Event::Flow(_) | Event::Start(_))));
        events.extend(segments.into_iter().map(|segment| Event::Segment(one(segment))));
        let mut model = opened(&events, Theme { ascii, no_color: false, ..Theme::default() }, size);
        drawn(&mut model, size);
        for key in keys.chars() {
            press(&mut model, &key.to_string());
            drawn(&mut model, size);
        }
    }
}

const CLIENT: &str = "10.77.0.1:40000";
const SERVER: &str = "10.77.0.2:80";

fn flow() -> FlowEvent {
    FlowEvent {
        when: Default::default(),
        change: FlowChange::Opened,
        client: CLIENT.parse().unwrap(),
        server: SERVER.parse().unwrap(),
        device: None,
        incarnation: 1,
        frame: 1,
        client_state: "SYN-SENT (proven)".to_owned(),
        server_state: "unknown".to_owned(),
        client_bytes: 0,
        server_bytes: 0,
    }
}

/// The stream that a capture gives.
fn told(capture: &[u8], segment_events: bool) -> Vec<Event> {
    let mut source = CaptureFile::from_reader(Box::new(Cursor::new(capture.to_vec())), "a capture").unwrap();
    let start = Start { source: "file".to_owned(), name: "a capture".to_owned(), ..Start::default() };
    let mut engine = Engine::new(EngineConfig {
        devices: DeviceScope::Auto,
        rules: RuleSet::built_in().unwrap(),
        flow_events: true,
        segment_events,
        start,
        max_flows: DEFAULT_MAX_FLOWS,
    });
    while let Some(input) = source.next_input().unwrap() {
        engine.handle(input);
    }
    // The screen while the run goes on: its verdict would take the room of the ladder.
    std::iter::from_fn(|| engine.poll_event()).filter(|event| !matches!(event, Event::Summary(_))).collect()
}

/// A screen with the first flow open on it.
fn opened(events: &[Event], theme: Theme, size: (u16, u16)) -> Model {
    let mut model = Model::new("watch".to_owned(), theme);
    update(&mut model, Msg::Resized(size.0, size.1));
    for event in events {
        update(&mut model, Msg::Event(Box::new(event.clone())));
    }
    press(&mut model, "3\n");
    model
}

fn press(model: &mut Model, keys: &str) {
    for key in keys.chars() {
        let code = if key == '\n' { KeyCode::Enter } else { KeyCode::Char(key) };
        update(model, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }
}

fn drawn(model: &mut Model, (columns, rows): (u16, u16)) -> String {
    update(model, Msg::Resized(columns, rows));
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| view(model, frame)).unwrap();
    let mut text = String::new();
    for row in terminal.backend().buffer().content().chunks(usize::from(columns)) {
        text.push_str(row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end());
        text.push('\n');
    }
    text
}

fn shows(name: &str, model: &mut Model, size: (u16, u16)) {
    insta::assert_snapshot!(name, drawn(model, size));
}
