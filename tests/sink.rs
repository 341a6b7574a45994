//! What leaves the program: JSON Lines as the contract has them, plain lines as a person reads them.

mod story;

use std::io::{self, Write};

use esp_tcpwatch::{
    analysis::event::Event,
    sink::{
        Sink,
        json::JsonLines,
        lines::{LinesOptions, PlainLines},
    },
    text::acts_or_hides,
};
use proptest::prelude::*;
use serde_json::Value;

fn json(events: &[Event]) -> String {
    let mut sink = JsonLines::new(Vec::new());
    for event in events {
        sink.on_event(event).unwrap();
    }
    String::from_utf8(sink.into_inner().unwrap()).unwrap()
}

fn plain(events: &[Event], options: LinesOptions) -> String {
    let mut sink = PlainLines::new(Vec::new(), options);
    for event in events {
        sink.on_event(event).unwrap();
    }
    String::from_utf8(sink.into_inner().unwrap()).unwrap()
}

#[test]
fn one_object_a_line_and_nothing_else() {
    for events in [story::eleven_collisions(), story::healthy(), story::hostile()] {
        let text = json(&events);
        assert!(text.ends_with('\n'));
        assert_eq!(text.lines().count(), events.len());
        for (line, event) in text.lines().zip(&events) {
            let object: Value = serde_json::from_str(line).unwrap();
            let kind = object["type"].as_str().unwrap();
            if kind == "start" {
                assert!(object.get("time").is_none());
            } else {
                let (time, epoch) = (object["time"].as_str().unwrap(), object["epoch"].as_f64().unwrap());
                assert!(time.ends_with('Z') && time.len() == "2026-11-22T23:43:48.323001Z".len(), "{time}");
                assert!((1e9..1e10).contains(&epoch), "{epoch}");
            }
            assert_eq!(&serde_json::from_str::<Event>(line).unwrap(), event, "{line}");
        }
    }
}

#[test]
fn the_shape_is_the_contracts() {
    let text = json(&story::eleven_collisions());
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| objects.iter().find(|object| object["type"] == kind).unwrap();

    let finding = of("finding");
    assert_eq!(finding["rule"], "time-wait-collision");
    assert_eq!(finding["certainty"], "proven");
    assert_eq!(finding["device"], "10.77.0.2");
    assert_eq!(finding["client"], "10.77.0.1:40000");
    assert_eq!(finding["server"], "10.77.0.2:80");
    assert_eq!(finding["incarnation"], 2);
    assert_eq!(finding["frames"], serde_json::json!([10, 11]));
    assert_eq!(finding["quantities"]["since_time_wait_s"], 0.200231);

    let alert = of("alert");
    for key in ["id", "rule", "severity", "count", "findings", "title", "why", "remedies", "frames"] {
        assert!(alert.get(key).is_some(), "{key}");
    }
    assert_eq!(alert["severity"], "critical");

    let summary = objects.last().unwrap();
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["findings"], serde_json::json!({"ignored-rst": 10, "time-wait-collision": 11}));
    assert_eq!(summary["capture"], serde_json::json!({"received": 46, "dropped": 0, "gaps": 0}));
    let device = &summary["devices"][0];
    assert_eq!(device["address"], "10.77.0.2");
    assert_eq!(device["stack"], "lwip");
    assert_eq!(device["time_wait"]["accepted_from_s"], Value::Null);
    assert_eq!(device["msl_s"], serde_json::json!({"at_least": 33.6099, "at_most": null}));
    assert_eq!(device["rst_in_time_wait"], "ignored");
    assert_eq!(device["behaves_as"], "unfixed");
}

#[test]
fn eleven_collisions_in_plain_lines() {
    insta::assert_snapshot!(plain(&story::eleven_collisions(), LinesOptions::default()));
}

#[test]
fn findings_are_written_when_asked_for() {
    let text = plain(&story::eleven_collisions(), LinesOptions { findings: true });
    assert_eq!(text.lines().filter(|line| line.contains(" finding time-wait-collision ")).count(), 11);
    assert_eq!(text.lines().filter(|line| line.contains(" finding ignored-rst ")).count(), 10);
}

/// Neither a port that is none nor a connection that is none.
#[test]
fn a_silent_device_in_plain_lines() {
    let text = plain(&story::silent(), LinesOptions { findings: true });
    assert!(!text.contains(":0"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn healthy_in_plain_lines() {
    insta::assert_snapshot!(plain(&story::healthy(), LinesOptions::default()));
}

#[test]
fn hostile_text_is_shown_and_not_obeyed() {
    let text = plain(&story::hostile(), LinesOptions { findings: true });
    insta::assert_snapshot!(text);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    assert!(!text.contains(['\u{202e}', '\u{200b}']));
    // JSON carries it all, and still a terminal that shows it has nothing to obey.
    let text = json(&story::hostile());
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    assert!(!text.contains(['\u{202e}', '\u{200b}']));
    assert!(text.contains("\\u202egnp"));
}

/// A reader that went away.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_is_passed_up() {
    let mut sink = JsonLines::new(Gone);
    sink.on_event(&story::healthy()[0]).unwrap();
    assert_eq!(sink.flush().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    let mut sink = PlainLines::new(Gone, LinesOptions::default());
    assert_eq!(sink.on_event(&story::healthy()[0]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

/// A writer that remembers what was flushed.
#[derive(Default)]
struct Pipe {
    written: Vec<u8>,
    flushed: usize,
}

impl Write for &mut Pipe {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed = self.written.len();
        Ok(())
    }
}

#[test]
fn a_flush_holds_nothing_back_and_only_whole_lines_leave() {
    let mut pipe = Pipe::default();
    let mut sink = JsonLines::new(&mut pipe);
    for event in &story::eleven_collisions() {
        sink.on_event(event).unwrap();
    }
    drop(sink);
    assert!(pipe.written.is_empty() || pipe.written.ends_with(b"\n"));
    let mut sink = JsonLines::new(&mut pipe);
    sink.on_event(&story::healthy()[0]).unwrap();
    sink.flush().unwrap();
    drop(sink);
    assert_eq!(pipe.flushed, pipe.written.len());
    assert!(pipe.flushed > 0 && pipe.written.ends_with(b"\n"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_event_survives_json(events in proptest::collection::vec(story::any::event(), 0..6)) {
        let text = json(&events);
        prop_assert_eq!(text.lines().count(), events.len());
        prop_assert!(text.chars().all(|c| c == '\n' || !acts_or_hides(c)));
        for (line, event) in text.lines().zip(&events) {
            prop_assert_eq!(&serde_json::from_str::<Event>(line).unwrap(), event);
        }
    }

    #[test]
    fn any_event_is_told_in_plain_lines(events in proptest::collection::vec(story::any::event(), 0..6)) {
        let text = plain(&events, LinesOptions { findings: true });
        prop_assert!(text.is_empty() || text.ends_with('\n'));
        prop_assert!(text.chars().all(|c| c == '\n' || !acts_or_hides(c)));
    }
}
