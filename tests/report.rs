//! The report, held by snapshots, and what no stream may make it do.

mod story;

use core::net::SocketAddr;

use proptest::prelude::*;

use esp_tcpwatch::{
    analysis::{
        event::{DeviceEvent, Event, FlowChange, FlowEvent, MarkerEvent, Start},
        rule::AlertPhase,
        time::When,
    },
    report::{Format, model::Report, render, series::Series, template::Template},
    text::acts_or_hides,
};

/// What a GitHub issue holds.
const ISSUE: usize = 65_536;

fn rendered(events: &[Event]) -> String {
    markdown(&story::folded(events))
}

fn markdown(report: &Report) -> String {
    render(report, Format::Markdown, Template::Generic)
}

#[test]
fn eleven_collisions() {
    insta::assert_snapshot!(rendered(&story::eleven_collisions()));
}

#[test]
fn healthy() {
    insta::assert_snapshot!(rendered(&story::healthy()));
}

/// A finding about a device as a whole: no port that is none, no ladder, no conversation.
#[test]
fn silent() {
    let text = rendered(&story::silent());
    for no in ["10.77.0.2:0", "The frames\n", "tcp.port == 0", "## Connections"] {
        assert!(!text.contains(no), "{no} in {text}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn hostile() {
    insta::assert_snapshot!(rendered(&story::hostile()));
}

#[test]
fn a_run_that_goes_on_has_a_report_already() {
    let events = story::eleven_collisions();
    insta::assert_snapshot!(rendered(&events[..4]));
    // Whatever is known at any point can be told at that point.
    for so_far in 0..events.len() {
        let text = rendered(&events[..so_far]);
        assert!(text.starts_with("# "), "{text}");
        assert!(!text.contains("Nothing wrong") || so_far < 4, "the first alert is the fourth event");
    }
}

#[test]
fn no_event_at_all_is_no_clean_bill() {
    let text = rendered(&[]);
    assert!(text.starts_with("# Nothing was seen\n"), "{text}");
}

#[test]
fn a_hundred_thousand_findings_fit_into_an_issue() {
    let mut report = Report::default();
    report.fold(&Event::Start(story::start()));
    let first = story::collision(1, 0);
    report.fold(&Event::Alert(story::alert(1, AlertPhase::Raised, &[&first])));
    for number in 0..100_000_u64 {
        let mut finding = first.clone();
        finding.id = number + 1;
        finding.client.set_port(1_024 + (number % 60_000) as u16);
        finding.incarnation = 2 + (number / 60_000) as u32;
        for row in &mut finding.evidence {
            row.frame += number * 12;
        }
        report.fold(&Event::Finding(finding));
    }
    for template in [Template::Micropython, Template::EspIdf] {
        assert!(render(&report, Format::Markdown, template).chars().count() < ISSUE, "{template:?}");
    }
    let began = std::time::Instant::now();
    let text = markdown(&report);
    println!("{} characters in {:.1} ms", text.chars().count(), began.elapsed().as_secs_f64() * 1e3);
    assert!(text.chars().count() < ISSUE);
    assert!(text.contains("**100000 refused SYNs** in more than 24 connection attempts"), "{text}");
    assert!(text.contains("99976 findings on connections that were not kept one by one"), "{text}");
}

#[test]
fn the_longest_texts_fit() {
    let long = "\u{e0041}".repeat(5_000);
    let mut report = Report::default();
    report.fold(&Event::Start(Start {
        tool: long.clone(),
        name: long.clone(),
        filter: Some(long.clone()),
        rules: vec![long.clone(); 100],
        ..story::start()
    }));
    for number in 0..100_u16 {
        let mut finding = story::collision(1, 0);
        finding.rule = format!("{number}{long}").into();
        finding.text = long.clone();
        for row in &mut finding.evidence {
            row.role = long.clone().into();
            row.flags = long.clone().into();
        }
        report.fold(&Event::Finding(finding.clone()));
        let mut alert = story::alert(1, AlertPhase::Raised, &[&story::collision(1, 0)]);
        alert.id = u64::from(number);
        alert.rule = finding.rule.into_owned();
        (alert.title, alert.why) = (long.clone(), long.clone());
        alert.remedies = vec![long.clone(); 20];
        alert.references = (0..20).map(|nth| format!("{number} {nth} {long}")).collect();
        report.fold(&Event::Alert(alert));
        let mut facts = story::facts();
        facts.address = core::net::Ipv4Addr::from(0x0a00_0000 + u32::from(number)).into();
        facts.note = Some(long.clone());
        report.fold(&Event::Device(DeviceEvent { when: When(story::at(1)), facts }));
        let marker = MarkerEvent { mode_changed: true, ..MarkerEvent::note(story::at(1), long.clone()) };
        report.fold(&Event::Marker(marker));
    }
    for template in [Template::Generic, Template::Micropython, Template::EspIdf] {
        let text = render(&report, Format::Markdown, template);
        let length = text.chars().count();
        assert!((30_000..ISSUE).contains(&length), "{length} characters");
        assert!(text.contains("Left out here, to fit into an issue of 65,536 characters: "), "{template:?}");
        // Nothing is cut in two: every table row and every fence is whole.
        assert!(text.lines().all(|line| !line.starts_with('|') || line.ends_with('|')));
        assert_eq!(text.lines().filter(|line| line.starts_with("```")).count() % 2, 0);
    }
}

#[test]
fn a_long_chain_is_cut_in_the_middle_and_says_so() {
    let mut report = Report::default();
    let mut finding = story::collision(1, 0);
    report.fold(&Event::Finding(finding.clone()));
    for cycle in 1..200 {
        finding.id += 1;
        finding.evidence.truncate(4);
        let (frame, micros) = (10 + 3 * cycle, 1_000_000 * cycle);
        finding.evidence.push(story::row(frame, micros, true, "S", 7, None, 0, "SYN again"));
        finding.evidence.push(story::row(frame + 1, micros + 90, false, ".", 8, Some(9), 0, "stale ACK"));
        report.fold(&Event::Finding(finding.clone()));
    }
    report.fold(&Event::Alert(story::alert(1, AlertPhase::Raised, &[&finding])));
    let text = markdown(&report);
    let ladder = text.split("```").nth(1).unwrap();
    assert!((10..=20).contains(&(ladder.lines().count() - 1)), "{ladder}");
    // 4 of the close and 2 a cycle; 4 + 2 cycles before the gap and one after it are drawn.
    assert!(ladder.contains("...  394 segments left out here"), "{ladder}");
    assert!(text.contains("200 refused SYNs in all"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_stream_gives_a_report_that_fits_and_hides_nothing(events in proptest::collection::vec(story::any::event(), 0..50)) {
        let text = rendered(&events);
        prop_assert!(text.chars().count() < ISSUE, "{} characters", text.chars().count());
        prop_assert!(text.chars().all(|c| c == '\n' || !acts_or_hides(c)));
        let lower = text.to_lowercase();
        for tag in ["<script", "<img", "<a ", "<iframe", "<style"] {
            prop_assert!(!lower.split("```").step_by(2).any(|outside| outside.contains(tag)), "{tag}");
        }
        // A fence opened by the report is closed by the report.
        prop_assert_eq!(text.lines().filter(|line| line.starts_with("```")).count() % 2, 0);
    }

    #[test]
    fn any_stream_gives_json_that_can_be_read_and_hides_nothing(events in proptest::collection::vec(story::any::event(), 0..50)) {
        let text = render(&story::folded(&events), Format::Json, Template::Generic);
        prop_assert!(text.chars().all(|c| c == '\n' || !acts_or_hides(c)));
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read["schema"], 1);
        prop_assert!(read["series"]["buckets"].as_array().unwrap().len() <= 120);
    }
}

/// Ports that are used again while the device's facts are a moment old: each is held once.
#[test]
fn a_port_that_is_let_in_and_closed_again_is_not_held_twice() {
    let when = |at_ms: u64| When(story::at(at_ms * 1_000));
    let device = |held, at_ms| {
        let mut facts = story::facts();
        facts.time_wait.held_now = held;
        Event::Device(DeviceEvent { when: when(at_ms), facts })
    };
    let flow = |change, port: u16, at_ms, client: &str, server: &str| {
        let address: SocketAddr = "10.77.0.2:80".parse().unwrap();
        Event::Flow(FlowEvent {
            when: when(at_ms),
            change,
            client: SocketAddr::from(([10, 77, 0, 1], port)),
            server: address,
            device: Some(address.ip()),
            incarnation: 1,
            frame: 1,
            client_state: client.to_owned(),
            server_state: server.to_owned(),
            client_bytes: 0,
            server_bytes: 0,
        })
    };
    let closed =
        |port, at_ms| flow(FlowChange::Closed, port, at_ms, "CLOSED (inferred)", "TIME-WAIT (proven)");
    let let_in = |port, at_ms| flow(FlowChange::State, port, at_ms, "ESTABLISHED (proven)", "");
    let mut series = Series::default();
    (1..=3).for_each(|port| series.fold(&closed(port, 0)));
    series.fold(&device(3, 100));
    for (port, at_ms) in [(1, 200), (2, 300)] {
        series.fold(&let_in(port, at_ms));
        series.fold(&closed(port, at_ms + 10));
    }
    series.fold(&let_in(3, 400));
    series.fold(&let_in(9, 500));
    let held = |series: &Series| series.buckets.iter().map(|bucket| bucket.held).collect::<Vec<_>>();
    assert_eq!(held(&series), [3, 3, 3, 3, 3, 2]);
    series.fold(&device(0, 600));
    series.fold(&let_in(1, 700));
    series.fold(&closed(4, 800));
    assert_eq!(held(&series)[7..], [0, 1], "what was held has expired");
}
