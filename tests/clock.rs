//! The clock that stamps the frames is set while a device is watched: it is told, and nothing is concluded from times that
//! cannot be compared.

use std::time::Duration;

use esp_tcpwatch::analysis::{
    engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
    event::{Event, Start, Summary},
    host::DeviceScope,
    input::{Frame, Gap, GapCause, Input, LinkType},
    rule::RuleSet,
    time::Timestamp,
    wire::notation::{self, Step},
};

const ORIGIN: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const HOUR: Duration = Duration::from_secs(3_600);

struct Watch {
    engine: Engine,
    number: u64,
    events: Vec<Event>,
}

impl Watch {
    fn new() -> Watch {
        let engine = Engine::new(EngineConfig {
            devices: DeviceScope::Espressif,
            rules: RuleSet::built_in().unwrap(),
            flow_events: false,
            segment_events: false,
            start: Start::default(),
            max_flows: DEFAULT_MAX_FLOWS,
        });
        Watch { engine, number: 0, events: Vec::new() }
    }

    fn handle(&mut self, input: Input<'_>) {
        self.engine.handle(input);
        self.events.extend(std::iter::from_fn(|| self.engine.poll_event()));
    }

    /// Frames of a trace, by a clock that says `origin` at its beginning.
    fn play(&mut self, origin: Timestamp, text: &str) {
        for step in &notation::parse(&format!("trace x\n{text}")).unwrap()[0].steps {
            let Step::Frame { at_s, octets } = step else { panic!("{step:?}") };
            self.number += 1;
            self.handle(Input::Frame(Frame {
                number: self.number,
                time: origin.saturating_add(Duration::from_secs_f64(*at_s)),
                link: LinkType::ETHERNET,
                wire_len: octets.len() as u32,
                data: octets,
            }));
        }
    }

    fn set_clock(&mut self, to: Timestamp, forward: bool) {
        let by = to.since(ORIGIN).max(ORIGIN.since(to));
        self.handle(Input::Gap(Gap { at: to, lost: 0, cause: GapCause::Clock { forward, by } }));
    }

    fn end(mut self) -> (Vec<Event>, Summary) {
        self.handle(Input::End);
        let Some(Event::Summary(summary)) = self.events.pop() else { panic!("{:?}", self.events) };
        (self.events, summary)
    }
}

/// The device closes first, and is in TIME-WAIT from then on.
const CLOSED: &str = "\
+0      A > B  S   1000:1000(0)             win 64240  mss 1460
+0.001  B > A  S.  5000:5000(0)   ack 1001  win 5744   mss 1440
+0.002  A > B  .   1001:1001(0)   ack 5001  win 64240
+0.003  A > B  P.  1001:1031(30)  ack 5001  win 64240
+0.010  B > A  P.  5001:5025(24)  ack 1031  win 5714
+0.011  A > B  .   1031:1031(0)   ack 5025  win 64216
+0.012  B > A  F.  5025:5025(0)   ack 1031  win 5714
+0.013  A > B  F.  1031:1031(0)   ack 5026  win 64215
+0.014  B > A  .   5026:5026(0)   ack 1032  win 5713
";
/// A newer SYN on the same ports, refused.
const REFUSED: &str = "\
+1      A > B  S   9000:9000(0)             win 64240  mss 1460
+1.001  B > A  .   5026:5026(0)   ack 1032  win 5713
";
/// And one that is let in.
const LET_IN: &str = "\
+0.2    A > B  S   9000:9000(0)             win 64240  mss 1460
+0.201  B > A  S.  7000:7000(0)   ack 9001  win 5744   mss 1440
+0.202  A > B  .   9001:9001(0)   ack 7001  win 64240
";

#[test]
fn no_time_is_measured_across_a_step_forward() {
    // Less than TIME-WAIT takes: a longer hold would not be believed anyway.
    let later = ORIGIN.saturating_add(Duration::from_secs(60));
    // What would be believed if the clock were believed.
    let mut believing = Watch::new();
    believing.play(ORIGIN, CLOSED);
    believing.play(later, REFUSED);
    let (_, summary) = believing.end();
    assert!(summary.devices[0].msl_s.at_least.is_some_and(|least| least > 20.0), "{summary:?}");

    let mut watch = Watch::new();
    watch.play(ORIGIN, CLOSED);
    watch.set_clock(later, true);
    watch.play(later, REFUSED);
    let (events, summary) = watch.end();
    assert_eq!(summary.devices[0].msl_s.at_least, None, "{summary:?}");
    assert_eq!(summary.devices[0].time_wait.entered, 1, "what was counted stays");
    let told = events.iter().any(|event| match event {
        Event::Capture(capture) => {
            capture.text.contains("set forward, or the host slept, by 60.0 s") && capture.when.0 == later
        }
        _ => false,
    });
    assert!(told, "{events:?}");
    assert_eq!((summary.capture.gaps, summary.capture.dropped), (0, 0));
}

#[test]
fn nothing_is_let_in_too_soon_after_a_step_back() {
    let earlier = ORIGIN.saturating_sub(HOUR);
    let mut watch = Watch::new();
    watch.play(ORIGIN, CLOSED);
    watch.set_clock(earlier, false);
    // Hours may have passed in truth.
    watch.play(earlier, LET_IN);
    let (events, summary) = watch.end();
    assert_eq!(format!("{:?}", summary.devices[0].behaves_as), "Unknown", "{summary:?}");
    assert!(events.iter().all(|event| !matches!(event, Event::Finding(_))), "{events:?}");
    assert_eq!(summary.when.0, earlier.saturating_add(Duration::from_micros(202_000)));
}

#[test]
fn timers_neither_fire_nor_stand_still() {
    const ASKED: &str = "+0  A > B  S   1000:1000(0)  win 64240  mss 1460\n\
                         +1  A > B  S   1000:1000(0)  win 64240  mss 1460\n";
    for (to, forward) in [(ORIGIN.saturating_add(HOUR), true), (ORIGIN.saturating_sub(HOUR), false)] {
        let mut watch = Watch::new();
        watch.play(ORIGIN, CLOSED);
        watch.play(ORIGIN.saturating_add(Duration::from_secs(200)), ASKED);
        watch.set_clock(to, forward);
        let tick = |watch: &mut Watch, seconds| {
            watch.handle(Input::Tick(to.saturating_add(Duration::from_secs(seconds))));
        };
        tick(&mut watch, 1);
        tick(&mut watch, 60);
        let found = |watch: &Watch| watch.events.iter().any(|event| matches!(event, Event::Finding(_)));
        assert!(!found(&watch), "{:?}", watch.events);
        // By the new clock all is as ever.
        watch.play(to.saturating_add(Duration::from_secs(100)), ASKED);
        for second in 101..160 {
            tick(&mut watch, second);
        }
        assert!(found(&watch), "an unanswered SYN is found: {:?}", watch.events);
    }
}

/// Summer time begins and ends, and midnight passes: UTC knows nothing of it.
#[test]
fn times_are_utc_in_every_night_of_the_year() {
    // 2026-03-29T00:59:59Z and 2026-10-25T00:59:59Z, a second before clocks change in Europe; and New Year.
    for (seconds, before, after) in [
        (1_774_745_999, "2026-03-29T00:59:59.000000Z", "2026-03-29T01:00:00.000000Z"),
        (1_792_889_999, "2026-10-25T00:59:59.000000Z", "2026-10-25T01:00:00.000000Z"),
        (1_798_761_599, "2026-12-31T23:59:59.000000Z", "2027-01-01T00:00:00.000000Z"),
    ] {
        let time = Timestamp::from_micros(seconds * 1_000_000);
        assert_eq!(time.to_string(), before);
        assert_eq!(time.saturating_add(Duration::from_secs(1)).to_string(), after);
    }
}
