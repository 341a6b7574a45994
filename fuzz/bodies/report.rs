//! A saved run of a stranger's: as lines, as JSON, as a report in each format, and as a report for the public.

use esp_tcpwatch::analysis::event::Event;
use esp_tcpwatch::report::{
    Format,
    excerpt::{Excerpt, Order},
    model::Report,
    redact::{Redactor, redacted},
    render,
    template::Template,
};
use esp_tcpwatch::sink::{
    Sink,
    json::JsonLines,
    lines::{LinesOptions, PlainLines},
};
use esp_tcpwatch::text::acts_or_hides;

use super::events;

/// Letters that a GitHub issue holds.
const ISSUE: usize = 65_536;

pub fn run(data: &[u8]) {
    let events = events::of(data);
    lines(&events);
    json_lines(&events);
    let mut report = Report::default();
    let mut excerpt = Excerpt::new(Order::FindingsFirst);
    for event in &events {
        report.fold(event);
        if let Event::Finding(finding) = event {
            excerpt.cite(finding, None);
        }
    }
    let templates = [Template::Generic, Template::Micropython, Template::EspIdf];
    rendered(&report, templates[data.len() % templates.len()]);
    for_the_public(&report, &events);
}

fn lines(events: &[Event]) {
    let mut sink = PlainLines::new(Vec::new(), LinesOptions { findings: true });
    for event in events {
        sink.on_event(event).expect("a vector takes everything");
    }
    let octets = sink.into_inner().expect("a vector takes everything");
    hides_nothing(core::str::from_utf8(&octets).expect("lines are text"));
}

/// What was written is read as the same events, and what is written of those is the same text.
fn json_lines(events: &[Event]) {
    let written = |events: &[Event]| {
        let mut sink = JsonLines::new(Vec::new());
        for event in events {
            sink.on_event(event).expect("a vector takes everything");
        }
        sink.into_inner().expect("a vector takes everything")
    };
    let text = written(events);
    hides_nothing(core::str::from_utf8(&text).expect("JSON is text"));
    let again = events::of(&text);
    assert_eq!(events.len(), again.len(), "what was written can be read");
    assert_eq!(text, written(&again));
}

fn rendered(report: &Report, template: Template) {
    let text = render(report, Format::Markdown, template);
    hides_nothing(&text);
    assert!(text.chars().count() < ISSUE, "{} letters", text.chars().count());
    let fences = text.lines().filter(|line| line.starts_with("```")).count();
    assert_eq!(fences % 2, 0, "a fence that the report opens is closed by it");
    let html = render(report, Format::Html, Template::Generic);
    hides_nothing(&html);
    let lower = html.to_lowercase();
    for tag in ["<script", "<img", "<iframe", "<object", "<link", "javascript:"] {
        assert!(!lower.contains(tag), "{tag} in {html}");
    }
    let json = render(report, Format::Json, Template::Generic);
    hides_nothing(&json);
    let read: serde_json::Value = serde_json::from_str(&json).expect("JSON can be read");
    assert_eq!(read["schema"], 1);
}

/// No address that stood in a field of its own is left, but for those that are nobody's.
fn for_the_public(report: &Report, events: &[Event]) {
    let mut redactor = Redactor::default();
    let public = redacted(report, &mut redactor);
    let texts = [Format::Json, Format::Markdown, Format::Html]
        .map(|format| render(&public, format, Template::Generic));
    let stand_ins = redactor.map();
    let stand_ins: Vec<&str> = stand_ins.lines().filter_map(|line| line.split('\t').nth(2)).collect();
    for address in events::addresses(events) {
        let original = address.to_string();
        // One that is kept, or that somebody else got as a stand-in, says nothing about its owner.
        if redactor.ip(address) == Some(address) || stand_ins.contains(&original.as_str()) {
            continue;
        }
        for text in &texts {
            assert!(!holds(text, &original), "{original} in {text}");
        }
    }
}

/// Whether `address` stands in `text` as a word of its own.
fn holds(text: &str, address: &str) -> bool {
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '.' || c == ':';
    text.match_indices(address).any(|(at, _)| {
        // A colon behind an IPv4 address begins its port.
        let behind = &text[at + address.len()..];
        let behind = behind.strip_prefix(':').unwrap_or(behind);
        !text[..at].ends_with(is_part) && !behind.starts_with(|c: char| c.is_ascii_alphabetic() || c == ':')
    })
}

fn hides_nothing(text: &str) {
    let hidden = text.chars().find(|c| *c != '\n' && acts_or_hides(*c));
    assert!(hidden.is_none(), "{hidden:?} in {text}");
}
