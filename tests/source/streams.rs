//! Captures that are still being written.

use std::io::{PipeWriter, Write, pipe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use esp_tcpwatch::analysis::input::Input;
use esp_tcpwatch::source::feed::{Feed, feed};
use esp_tcpwatch::source::{Source, SourceError, stream};

use super::octets::*;

struct Streamed {
    writer: PipeWriter,
    feed: Feed,
    stop: Arc<AtomicBool>,
    running: JoinHandle<Result<(), SourceError>>,
}

fn start() -> Streamed {
    let (reader, writer) = pipe().unwrap();
    let (feeder, feed) = feed(8);
    let stop = Arc::new(AtomicBool::new(false));
    let running = thread::spawn({
        let stop = Arc::clone(&stop);
        move || stream::run(Box::new(reader), "stdin", feeder, &stop)
    });
    Streamed { writer, feed, stop, running }
}

/// The next frame's number, while the writer holds the pipe open. A frame that waits for more would never come:
/// a hundred idle ticks are ten seconds.
fn next_frame(feed: &mut Feed) -> u64 {
    for _ in 0..100 {
        match feed.next_input().unwrap() {
            Some(Input::Frame(frame)) => return frame.number,
            Some(Input::Tick(_)) => {}
            other => panic!("expected a frame: {other:?}"),
        }
    }
    panic!("the frame was written and never came");
}

fn frame_arrives_while_the_pipe_is_open(octets: &[u8], first_whole: usize) {
    let mut streamed = start();
    // The first frame whole, and the second but for its last octet.
    streamed.writer.write_all(&octets[..first_whole]).unwrap();
    assert_eq!(next_frame(&mut streamed.feed), 1);
    streamed.writer.write_all(&octets[first_whole..octets.len() - 1]).unwrap();
    assert!(matches!(streamed.feed.next_input().unwrap(), Some(Input::Tick(_))), "half a frame is no frame");
    streamed.writer.write_all(&octets[octets.len() - 1..]).unwrap();
    assert_eq!(next_frame(&mut streamed.feed), 2);
    drop(streamed.writer);
    let (got, outcome) = drain(&mut streamed.feed);
    assert_eq!(got, []);
    outcome.unwrap();
    streamed.running.join().unwrap().unwrap();
}

#[test]
fn a_frame_comes_when_it_is_there_and_not_when_a_buffer_is_full() {
    let pcap = PcapFile::new(Order::Little, MICROS, 1).frame(1, 0, 4, b"once").frame(2, 0, 4, b"more");
    frame_arrives_while_the_pipe_is_open(&pcap.octets, pcap.starts[1]);
    let ng = NgFile::new(Order::Big).interface(1, 0, &[]).packet(0, 1, 4, b"once", &[]).packet(
        0,
        2,
        4,
        b"more",
        &[],
    );
    frame_arrives_while_the_pipe_is_open(&ng.octets, ng.blocks[3].0);
}

#[test]
fn a_writer_that_is_killed_leaves_damage_and_all_frames_before_it() {
    let pcap = PcapFile::new(Order::Little, MICROS, 1).frame(1, 0, 4, b"once").frame(2, 0, 4, b"more");
    let mut streamed = start();
    streamed.writer.write_all(&pcap.octets[..pcap.octets.len() - 1]).unwrap();
    drop(streamed.writer);
    let (got, told) = drain(&mut streamed.feed);
    assert_eq!(got.len(), 1);
    let expected = format!("stdin: damaged at byte {}:", pcap.starts[1]);
    for outcome in [told, streamed.running.join().unwrap()] {
        let text = outcome.unwrap_err().to_string();
        assert!(text.starts_with(&expected), "{text}");
    }
}

#[test]
fn what_is_no_capture_is_refused() {
    for (octets, reason) in [(b"tcpdump: no such device\n".as_slice(), "not a capture"), (b"", "is empty")] {
        let mut streamed = start();
        streamed.writer.write_all(octets).unwrap();
        drop(streamed.writer);
        let (got, told) = drain(&mut streamed.feed);
        assert_eq!(got, []);
        assert!(told.unwrap_err().to_string().contains(reason));
        assert!(streamed.running.join().unwrap().is_err());
    }
}

#[test]
fn a_stop_does_not_wait_for_a_silent_writer() {
    for octets in [Vec::new(), PcapFile::new(Order::Little, MICROS, 1).frame(1, 0, 4, b"once").octets] {
        let mut streamed = start();
        streamed.writer.write_all(&octets).unwrap();
        if !octets.is_empty() {
            assert_eq!(next_frame(&mut streamed.feed), 1);
        }
        streamed.stop.store(true, Ordering::Relaxed);
        streamed.running.join().unwrap().unwrap();
        let (got, outcome) = drain(&mut streamed.feed);
        assert_eq!(got, []);
        outcome.unwrap();
        drop(streamed.writer);
    }
}

#[test]
fn nobody_reading_ends_it() {
    let mut streamed = start();
    drop(streamed.feed);
    let pcap = PcapFile::new(Order::Little, MICROS, 1).frame(1, 0, 4, b"once");
    // The reader may already be gone.
    let _ = streamed.writer.write_all(&pcap.octets);
    streamed.running.join().unwrap().unwrap();
}

#[test]
fn the_writer_waits_for_a_slow_engine() {
    let mut pcap = PcapFile::new(Order::Little, MICROS, 1);
    for second in 0..20_000 {
        pcap = pcap.frame(second, 0, 100, &[7; 100]);
    }
    let mut streamed = start();
    let writing = thread::spawn(move || streamed.writer.write_all(&pcap.octets).unwrap());
    let (got, outcome) = drain(&mut streamed.feed);
    outcome.unwrap();
    assert_eq!(got.len(), 20_000);
    assert!(!got.iter().any(|got| matches!(got, Got::Gap { .. })));
    writing.join().unwrap();
}
