//! The way between two threads: order, losses, the end, and time while nothing comes.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use esp_tcpwatch::analysis::input::{Frame, Gap, GapCause, Input, LinkType};
use esp_tcpwatch::analysis::time::Timestamp;
use esp_tcpwatch::source::feed::{Feed, Feeder, feed};
use esp_tcpwatch::source::{Source, SourceError};

use super::octets::{Got, drain};

fn offer(feeder: &mut Feeder, id: u32) {
    feeder.offer(Timestamp::from_micros(u64::from(id)), LinkType::ETHERNET, 60, &id.to_le_bytes());
}

fn id(got: &Got) -> Option<u32> {
    match got {
        Got::Frame { data, .. } => Some(u32::from_le_bytes(data.as_slice().try_into().unwrap())),
        _ => None,
    }
}

/// Numbers are without gaps, and each gap says exactly how many frames are missing at its place.
fn accounted_for(got: &[Got], offered: u32) {
    let (mut number, mut next) = (0, 0);
    for got in got {
        match got {
            Got::Frame { number: given, .. } => {
                number += 1;
                assert_eq!(*given, number);
                assert_eq!(id(got), Some(next));
                next += 1;
            }
            Got::Gap { lost, cause, .. } => {
                assert_eq!(*cause, GapCause::Queue);
                assert!(*lost > 0);
                next += *lost as u32;
            }
            Got::Tick | Got::End => {}
        }
    }
    assert_eq!(next, offered);
}

fn tick(feed: &mut Feed) -> Timestamp {
    match feed.next_input().unwrap() {
        Some(Input::Tick(time)) => time,
        other => panic!("expected a tick: {other:?}"),
    }
}

#[test]
fn frames_and_gaps_keep_their_order() {
    let (mut feeder, mut feed) = feed(4);
    let gap = Gap { at: Timestamp::from_micros(1), lost: 5, cause: GapCause::Kernel };
    offer(&mut feeder, 0);
    feeder.gap(gap);
    offer(&mut feeder, 1);
    feeder.flush();
    feeder.gap(Gap { cause: GapCause::Interface, ..gap });
    offer(&mut feeder, 2);
    drop(feeder);
    let (got, outcome) = drain(&mut feed);
    outcome.unwrap();
    let kinds: Vec<_> = got
        .iter()
        .map(|got| match got {
            Got::Gap { cause: GapCause::Kernel, .. } => "kernel",
            Got::Gap { .. } => "interface",
            _ => "frame",
        })
        .collect();
    assert_eq!(kinds, ["frame", "kernel", "frame", "interface", "frame"]);
}

#[test]
fn what_does_not_fit_becomes_a_gap_at_its_place() {
    const OFFERED: u32 = 10_000;
    let (mut feeder, mut feed) = feed(2);
    for id in 0..OFFERED {
        offer(&mut feeder, id);
    }
    // Room again: the gap goes before the frames that follow it.
    for _ in 0..300 {
        feed.next_input().unwrap();
    }
    feeder.flush();
    assert!(!feeder.is_holding());
    for id in OFFERED..OFFERED + 10 {
        offer(&mut feeder, id);
    }
    feeder.finish(&Ok(()));
    let (got, outcome) = drain(&mut feed);
    outcome.unwrap();
    let gaps: Vec<_> = got.iter().filter(|got| matches!(got, Got::Gap { .. })).collect();
    // Two batches on the way and one in hand.
    let lost = u64::from(OFFERED) - 3 * 256;
    assert_eq!(
        gaps,
        [&Got::Gap { nanos: u64::from(OFFERED - 1) * 1000, lost, cause: GapCause::Queue }],
        "one gap, at the time of the last frame lost"
    );
    let ids: Vec<_> = got.iter().filter_map(id).collect();
    assert_eq!(ids, (300..768).chain(OFFERED..OFFERED + 10).collect::<Vec<_>>());
}

#[test]
fn a_loss_at_the_very_end_is_told() {
    let (mut feeder, mut feed) = feed(1);
    for id in 0..1000 {
        offer(&mut feeder, id);
    }
    drop(feeder);
    let (got, outcome) = drain(&mut feed);
    outcome.unwrap();
    assert!(matches!(got.last(), Some(Got::Gap { .. })));
    accounted_for(&got, 1000);
}

#[test]
fn under_pressure_every_frame_arrives_or_is_counted() {
    const OFFERED: u32 = 300_000;
    let (mut feeder, mut feed) = feed(2);
    let reading = thread::spawn(move || drain(&mut feed));
    for id in 0..OFFERED {
        offer(&mut feeder, id);
        if id % 97 == 0 {
            feeder.flush();
        }
    }
    feeder.finish(&Ok(()));
    let (got, outcome) = reading.join().unwrap();
    outcome.unwrap();
    accounted_for(&got, OFFERED);
}

#[test]
fn a_source_that_can_wait_loses_nothing() {
    const SENT: u32 = 100_000;
    let (mut feeder, mut feed) = feed(1);
    let reading = thread::spawn(move || drain(&mut feed));
    for id in 0..SENT {
        let data = id.to_le_bytes();
        let time = Timestamp::from_micros(u64::from(id));
        let frame = Frame { number: u64::from(id) + 7, time, link: LinkType::RAW, wire_len: 4, data: &data };
        assert!(feeder.send(&frame));
    }
    drop(feeder);
    let (got, outcome) = reading.join().unwrap();
    outcome.unwrap();
    assert_eq!(got.iter().filter_map(id).collect::<Vec<_>>(), (0..SENT).collect::<Vec<_>>());
    assert!(matches!(got[0], Got::Frame { number: 7, .. }), "a frame keeps the number of its capture");
}

#[test]
fn frames_of_every_size_pass() {
    let (mut feeder, mut feed) = feed(64);
    let sizes = [0, 1, 65_535, 65_536, 65_537, 262_144, 3, 0];
    for size in sizes {
        feeder.offer(Timestamp::ZERO, LinkType::ETHERNET, 0, &vec![9; size]);
    }
    drop(feeder);
    let (got, _) = drain(&mut feed);
    let got: Vec<_> = got
        .iter()
        .map(|got| match got {
            Got::Frame { data, .. } => data.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(got, sizes);
}

#[test]
fn an_error_comes_after_the_frames_before_it() {
    let (mut feeder, mut feed) = feed(4);
    offer(&mut feeder, 0);
    feeder.finish(&Err(SourceError::Vanished { interface: "tap0".into(), what: "gone".into() }));
    let (got, outcome) = drain(&mut feed);
    assert_eq!(got.iter().filter_map(id).collect::<Vec<_>>(), [0]);
    assert!(matches!(outcome, Err(SourceError::Vanished { .. })));
}

#[test]
fn a_feeder_notices_that_nobody_reads() {
    let (mut feeder, reader) = feed(1);
    assert!(!feeder.is_abandoned());
    let waiting = thread::spawn(move || {
        let frame =
            Frame { number: 1, time: Timestamp::ZERO, link: LinkType::RAW, wire_len: 0, data: &[0; 60_000] };
        while feeder.send(&frame) {}
        feeder.is_abandoned()
    });
    drop(reader);
    assert!(waiting.join().unwrap());
}

#[test]
fn before_the_first_frame_time_is_the_systems_or_unknown() {
    let (feeder, mut unknown) = feed(1);
    assert_eq!(tick(&mut unknown), Timestamp::ZERO);
    drop(feeder);
    let (mut feeder, mut live) = feed(1);
    feeder.follow_system_clock();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let time = tick(&mut live).nanos();
    // It stays a little behind, lest it overtake a frame that is still on its way.
    assert!(time + 1_000_000_000 > now && time < now + 60_000_000_000, "{time} is not about {now}");
}

#[test]
fn an_idle_link_lets_the_packets_clock_run_on() {
    let (mut feeder, mut feed) = feed(4);
    let last = Timestamp::from_micros(1_000_000);
    let before = Instant::now();
    feeder.offer(last, LinkType::ETHERNET, 0, b"");
    // Captures do reorder: time is not taken back.
    feeder.offer(Timestamp::from_micros(400_000), LinkType::ETHERNET, 0, b"");
    feeder.flush();
    for _ in 0..2 {
        assert!(matches!(feed.next_input().unwrap(), Some(Input::Frame(_))));
    }
    let mut told = last;
    for _ in 0..4 {
        let time = tick(&mut feed);
        assert!(time >= told, "a tick went back");
        assert!(time.since(last) <= before.elapsed(), "a tick ran ahead of the clock");
        told = time;
    }
    // Four ticks of 100 ms, one lag of 50 ms.
    assert!(told.since(last) >= Duration::from_millis(300), "{:?}", told.since(last));
    offer(&mut feeder, 9_000_000);
    drop(feeder);
    let (got, _) = drain(&mut feed);
    assert_eq!(got.iter().filter_map(id).collect::<Vec<_>>(), [9_000_000]);
}
