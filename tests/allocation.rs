//! The way of a packet from its source to the engine allocates nothing: neither reading a file nor the feed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Cursor;

use esp_tcpwatch::analysis::engine::{Engine, EngineConfig};
use esp_tcpwatch::analysis::event::{Event, Start};
use esp_tcpwatch::analysis::host::DeviceScope;
use esp_tcpwatch::analysis::input::{Input, LinkType};
use esp_tcpwatch::analysis::rule::{Listeners, RuleSet, own::Kind, own::sample::Sample};
use esp_tcpwatch::analysis::time::Timestamp;
use esp_tcpwatch::source::Source;
use esp_tcpwatch::source::feed::feed;
use esp_tcpwatch::source::file::CaptureFile;

#[expect(dead_code, reason = "shared with tests/source.rs, which uses all of it")]
#[path = "source/octets.rs"]
mod octets;

use octets::{MICROS, NgFile, Order, PcapFile};

/// Counts what this thread asks for; other tests have threads of their own.
struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more.
    let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its nature")]
// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn asked_during(work: impl FnOnce()) -> u64 {
    let before = ASKED.get();
    work();
    ASKED.get() - before
}

const FRAMES: u32 = 20_000;

#[test]
fn reading_a_file_allocates_nothing_a_packet() {
    let mut pcap = PcapFile::new(Order::Little, MICROS, 1);
    let mut ng = NgFile::new(Order::Big).interface(1, 0, &[]);
    for second in 0..FRAMES {
        pcap = pcap.frame(second, 0, 100, &[7; 99]);
        // Dumpcap writes flags with every packet.
        ng = ng.packet(0, u64::from(second), 100, &[7; 99], &[(2, &[0; 4])]);
    }
    for octets in [pcap.octets, ng.octets] {
        let mut file = CaptureFile::from_reader(Box::new(Cursor::new(octets)), "test").unwrap();
        // The first interface is described before the first frame.
        file.next_input().unwrap();
        let mut frames = 1;
        let asked = asked_during(|| {
            while let Some(Input::Frame(_)) = file.next_input().unwrap() {
                frames += 1;
            }
        });
        assert_eq!((frames, asked), (FRAMES, 0));
    }
}

#[test]
fn the_feed_allocates_nothing_a_packet() {
    let (mut feeder, mut feed) = feed(64);
    let mut pass = |frames: u32| {
        asked_during(|| {
            for _ in 0..frames / 500 {
                for micros in 0..500 {
                    feeder.offer(Timestamp::from_micros(micros), LinkType::ETHERNET, 100, &[7; 99]);
                }
                feeder.flush();
                for _ in 0..500 {
                    assert!(matches!(feed.next_input().unwrap(), Some(Input::Frame(_))));
                }
            }
        })
    };
    // The first batches get their memory; after that it goes round.
    pass(5_000);
    assert_eq!(pass(FRAMES), 0);
}

/// The same capture of the real lwIP with `segment` events and without: what they cost is the growing of one queue.
#[test]
fn segments_in_the_stream_allocate_nothing_a_packet() {
    let [without, with] = [false, true].map(|segment_events| {
        let capture = include_bytes!("captures/msl-3s.pcapng").to_vec();
        let mut file = CaptureFile::from_reader(Box::new(Cursor::new(capture)), "test").unwrap();
        let mut engine = Engine::new(EngineConfig {
            devices: DeviceScope::Auto,
            rules: RuleSet::built_in().unwrap(),
            flow_events: false,
            segment_events,
            start: Start::default(),
            max_flows: 64,
        });
        let mut segments = 0;
        let asked = asked_during(|| {
            while let Some(input) = file.next_input().unwrap() {
                engine.handle(input);
                while let Some(event) = engine.poll_event() {
                    segments += u64::from(matches!(event, Event::Segment(_)));
                }
            }
        });
        assert_eq!(segments > 30, segment_events, "{segments}");
        asked
    });
    assert!(with <= without + 4, "{with} and not {without}");
}

#[test]
fn without_rules_of_users_own_their_hearing_allocates_nothing() {
    let mut listeners = Listeners::of(&RuleSet::built_in().unwrap());
    let samples = Kind::ALL.map(Sample::new);
    let asked = asked_during(|| {
        for sample in &samples {
            listeners.hear(sample.heard());
            assert!(listeners.next_finding().is_none() && !listeners.hear_flows());
        }
    });
    assert_eq!(asked, 0);
}
