//! The mode of a device's test firmware in the stream: which alert has which, and what a switch ends and leaves alone.

use core::net::IpAddr;

use esp_tcpwatch::analysis::{
    engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
    event::{Event, Start},
    host::{DeviceFacts, DeviceScope, SynInTimeWait},
    input::{Frame, Input, LinkType, Marker},
    rule::{Alert, AlertPhase, RuleSet},
    time::Timestamp,
    wire::notation::{self, Step},
};

const ONE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(10, 77, 0, 2));
const OTHER: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(10, 77, 0, 3));
/// Where an Ethernet frame has the last octet of its IPv4 source, and of its destination.
const LAST_OCTETS: [usize; 2] = [29, 33];

/// An engine that watches two devices, and the frames of a reused port that is refused twice by one of them.
struct Played {
    engine: Engine,
    steps: Vec<(f64, Vec<u8>)>,
    frame: u64,
    events: Vec<Event>,
}

impl Played {
    fn new() -> Played {
        let text = std::fs::read_to_string("tests/scripts/time-wait-collision.seg").unwrap();
        let trace = notation::parse(&text).unwrap().swap_remove(0);
        let frame = |step| match step {
            Step::Frame { at_s, octets } => (at_s, octets),
            other => panic!("{other:?}"),
        };
        let engine = Engine::new(EngineConfig {
            devices: DeviceScope::Named(vec![ONE, OTHER]),
            rules: RuleSet::built_in().unwrap(),
            flow_events: false,
            segment_events: false,
            start: Start::default(),
            max_flows: DEFAULT_MAX_FLOWS,
        });
        Played { engine, steps: trace.steps.into_iter().map(frame).collect(), frame: 0, events: Vec::new() }
    }

    /// The refusals of `device`, from `begin` seconds on; with the close before them where `whole`.
    fn refuses(&mut self, device: IpAddr, begin: f64, whole: bool) {
        let steps: Vec<_> = self.steps.iter().skip(if whole { 0 } else { 9 }).cloned().collect();
        for (at_s, mut octets) in steps {
            let IpAddr::V4(address) = device else { unreachable!() };
            for place in LAST_OCTETS.into_iter().filter(|place| octets[*place] == 2).collect::<Vec<_>>() {
                octets[place] = address.octets()[3];
            }
            self.frame += 1;
            self.engine.handle(Input::Frame(Frame {
                number: self.frame,
                time: at(begin + at_s),
                link: LinkType::ETHERNET,
                wire_len: octets.len() as u32,
                data: &octets,
            }));
            self.drain();
        }
    }

    fn marker(&mut self, device: Option<IpAddr>, mode: Option<&str>, mode_changed: bool, at: Timestamp) {
        let mode = mode.map(str::to_owned);
        let marker = Marker { at, text: "told".to_owned(), mode_changed, device, mode };
        self.engine.handle(Input::from(marker));
        self.drain();
    }

    fn drain(&mut self) {
        self.events.extend(core::iter::from_fn(|| self.engine.poll_event()));
    }

    fn end(mut self) -> Told {
        self.engine.handle(Input::End);
        self.drain();
        Told(self.events)
    }
}

struct Told(Vec<Event>);

impl Told {
    fn collisions(&self, device: IpAddr, phase: AlertPhase) -> Vec<&Alert> {
        let alerts = self.0.iter().filter_map(|event| match event {
            Event::Alert(alert) => Some(alert),
            _ => None,
        });
        alerts
            .filter(|alert| {
                (alert.rule.as_str(), alert.device, alert.phase) == ("time-wait-collision", device, phase)
            })
            .collect()
    }

    fn facts(&self, device: IpAddr) -> &DeviceFacts {
        let Some(Event::Summary(summary)) = self.0.last() else { panic!("no summary") };
        summary.devices.iter().find(|facts| facts.address == device).unwrap()
    }

    fn place(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.0.iter().position(wanted).unwrap()
    }
}

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_nanos(1_700_000_000_000_000_000 + (seconds * 1e9) as u64)
}

fn modes(alerts: &[&Alert]) -> Vec<Option<String>> {
    alerts.iter().map(|alert| alert.mode.clone()).collect()
}

fn mode(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn an_alert_has_the_mode_that_was_told_before_it_and_keeps_it() {
    let mut played = Played::new();
    played.refuses(ONE, 0.0, true);
    played.marker(Some(ONE), Some("unfixed"), false, Timestamp::ZERO);
    played.refuses(ONE, 1.0, false);
    let told = played.end();
    // Nothing was switched: it is one alert, and was raised before anybody knew a mode.
    assert_eq!(modes(&told.collisions(ONE, AlertPhase::Raised)), [None]);
    assert_eq!(modes(&told.collisions(ONE, AlertPhase::Ended)), [None]);
    assert_eq!(told.facts(ONE).mode, mode("unfixed"));
}

#[test]
fn a_switch_ends_the_alert_of_the_old_mode_and_what_goes_on_is_raised_in_the_new_one() {
    let mut played = Played::new();
    played.marker(Some(ONE), Some("unfixed"), false, Timestamp::ZERO);
    played.refuses(ONE, 0.0, true);
    played.marker(Some(ONE), Some("unfixed, msl_ms=3000"), true, at(0.5));
    played.refuses(ONE, 1.0, false);
    let told = played.end();
    let raised = told.collisions(ONE, AlertPhase::Raised);
    assert_eq!(modes(&raised), [mode("unfixed"), mode("unfixed, msl_ms=3000")]);
    assert_ne!(raised[0].id, raised[1].id);
    let ended = told.collisions(ONE, AlertPhase::Ended);
    assert_eq!(modes(&ended), modes(&raised));
    assert_eq!(ended.iter().map(|alert| alert.count).collect::<Vec<_>>(), [2, 2]);
    let is_switch = |event: &Event| matches!(event, Event::Marker(marker) if marker.mode_changed);
    let is_end = |event: &Event| matches!(event, Event::Alert(alert) if alert.phase == AlertPhase::Ended);
    assert!(told.place(is_end) < told.place(is_switch), "the old alert ends before the switch is told");
}

/// A marker is here before the frames of its time: those from before it are judged by the old mode.
#[test]
fn a_switch_waits_for_the_frames_that_were_sent_before_it() {
    let mut played = Played::new();
    played.marker(Some(ONE), Some("unfixed"), false, Timestamp::ZERO);
    played.marker(Some(ONE), Some("fixed"), true, at(0.22));
    played.refuses(ONE, 0.0, true);
    let told = played.end();
    // Refused at 0.215 s and at 0.227 s.
    let raised = told.collisions(ONE, AlertPhase::Raised);
    assert_eq!(modes(&raised), [mode("unfixed"), mode("fixed")]);
    let Some(Event::Marker(switch)) = told.0.iter().rfind(|event| matches!(event, Event::Marker(_))) else {
        panic!("no marker")
    };
    assert_eq!(switch.when.0, at(0.22));
}

#[test]
fn a_marker_whose_time_never_comes_is_told_at_the_end_and_many_are_bounded() {
    let mut played = Played::new();
    for second in (0..200).rev() {
        played.marker(Some(ONE), Some("fixed"), false, at(f64::from(second)));
    }
    let early = played.events.iter().filter(|event| matches!(event, Event::Marker(_))).count();
    assert_eq!(early, 200 - 64, "the oldest gave way");
    let told = played.end();
    let all = told.0.iter().filter(|event| matches!(event, Event::Marker(_))).count();
    assert_eq!(all, 200);
    let Event::Summary(_) = told.0.last().unwrap() else { panic!("the summary is last") };
}

#[test]
fn a_switch_of_one_device_leaves_the_other_alone() {
    let mut played = Played::new();
    played.refuses(ONE, 0.0, true);
    played.refuses(OTHER, 1.0, true);
    played.marker(Some(ONE), Some("fixed"), true, Timestamp::ZERO);
    played.refuses(OTHER, 2.0, false);
    let told = played.end();
    assert_eq!(told.facts(ONE).syn_in_time_wait, SynInTimeWait::Unknown, "it binds no longer");
    assert_eq!(told.facts(OTHER).syn_in_time_wait, SynInTimeWait::Refused);
    assert_eq!((told.facts(ONE).mode.clone(), told.facts(OTHER).mode.clone()), (mode("fixed"), None));
    let of_other = told.collisions(OTHER, AlertPhase::Raised);
    assert_eq!(of_other.len(), 1, "its alert goes on");
    assert_eq!(told.collisions(OTHER, AlertPhase::Ended)[0].count, 4);
}

/// A marker that names nobody is about everybody.
#[test]
fn a_switch_of_every_device_ends_every_alert() {
    let mut played = Played::new();
    played.refuses(ONE, 0.0, true);
    played.refuses(OTHER, 1.0, true);
    played.marker(None, None, true, Timestamp::ZERO);
    for device in [ONE, OTHER] {
        let ended = Told(played.events.clone()).collisions(device, AlertPhase::Ended).len();
        assert_eq!(ended, 1, "{device}");
    }
}
