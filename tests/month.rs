//! A month of connections in a minute or two: `make soak`. Alone in its process, for it measures what that takes.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::time::{Duration, Instant};

/// Octets of this process that are in memory.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

/// A month of one device, as packet time goes: a connection every ten seconds, each hundredth of them on ports that are used
/// again too soon, with the rules read again each day and a report folded all along.
#[test]
#[ignore = "soak: a minute or two"]
fn a_month_of_connections_takes_no_more_memory_than_its_first_days() {
    use esp_tcpwatch::analysis::{
        engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
        event::{Event, Start},
        host::DeviceScope,
        input::{Frame, Input, LinkType},
        rule::RuleSet,
        time::Timestamp,
        wire::notation::{self, Step},
    };
    use esp_tcpwatch::report::model::Report;

    const DAYS: u64 = 30;
    const A_DAY: u64 = 24 * 360;
    let text = fs::read_to_string("tests/scripts/time-wait-collision.seg").unwrap();
    let trace = notation::parse(&text).unwrap().swap_remove(0);
    let frames: Vec<(f64, Vec<u8>)> = trace
        .steps
        .iter()
        .map(|step| match step {
            Step::Frame { at_s, octets } => (*at_s, octets.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    let client = support::source_port(&frames[0].1);
    let rules = RuleSet::built_in().unwrap();
    let mut engine = Engine::new(EngineConfig {
        devices: DeviceScope::Espressif,
        rules: rules.clone(),
        flow_events: true,
        segment_events: false,
        start: Start::default(),
        max_flows: DEFAULT_MAX_FLOWS,
    });
    let mut report = Report::default();
    let (mut number, mut alerts, mut last) = (0, 0, None);
    let mut resident_after = Vec::new();
    let began = Instant::now();
    for day in 0..DAYS {
        for connection in 0..A_DAY {
            let count = day * A_DAY + connection;
            let at = Timestamp::from_micros((1_700_000_000 + 10 * count) * 1_000_000);
            // The rest of the trace is the second connection on the same ports.
            let length = if count.is_multiple_of(100) { frames.len() } else { 9 };
            for (after, octets) in &frames[..length] {
                let mut octets = octets.clone();
                number += 1;
                support::renumber(&mut octets, client, 10_000 + (count % 50_000) as u16);
                engine.handle(Input::Frame(Frame {
                    number,
                    time: at.saturating_add(Duration::from_secs_f64(*after)),
                    link: LinkType::ETHERNET,
                    wire_len: octets.len() as u32,
                    data: &octets,
                }));
                while let Some(event) = engine.poll_event() {
                    alerts += u64::from(matches!(event, Event::Alert(_)));
                    report.fold(&event);
                }
            }
        }
        engine.reload(rules.clone());
        resident_after.push(resident());
    }
    engine.handle(Input::End);
    while let Some(event) = engine.poll_event() {
        if let Event::Summary(summary) = event {
            last = Some(summary);
        }
    }
    let last = last.unwrap();
    let (early, late) = (resident_after[9], resident_after[DAYS as usize - 1]);
    println!(
        "{number} frames, {} incarnations, {alerts} alert events in {:.0} s; in memory after ten days {:.1} MiB, after the month {:.1}",
        last.incarnations,
        began.elapsed().as_secs_f64(),
        early as f64 / 1_048_576.0,
        late as f64 / 1_048_576.0,
    );
    assert!(last.incarnations >= DAYS * A_DAY, "{last:?}");
    assert_eq!(last.findings["time-wait-collision"], 2 * (DAYS * A_DAY).div_ceil(100), "{last:?}");
    assert!(late < early + 8 * 1_048_576, "{resident_after:?}");
}
