//! The report, held by snapshots, and what no stream may make it do.

mod story;

use esp_tcpwatch::{
    analysis::event::Event,
    report::{markdown, model::Report},
};

fn rendered(events: &[Event]) -> String {
    let mut report = Report::default();
    for event in events {
        report.fold(event);
    }
    markdown::render(&report)
}

#[test]
fn eleven_collisions() {
    insta::assert_snapshot!(rendered(&story::eleven_collisions()));
}

#[test]
fn healthy() {
    insta::assert_snapshot!(rendered(&story::healthy()));
}

#[test]
fn hostile() {
    insta::assert_snapshot!(rendered(&story::hostile()));
}
