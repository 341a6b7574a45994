//! A trace of [`notation`](super::wire::notation) played through an engine: for tests, and for the tests that a rule
//! file brings along.
//!
//! Knows no expectation: it hands back what was found.

use super::{
    detect::Finding,
    engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
    event::{DeviceEvent, Event, FlowEvent, Start, Summary},
    host::DeviceScope,
    input::{Account, Frame, Gap, GapCause, Input, LinkType, Marker},
    rule::RuleSet,
    time::Timestamp,
    wire::notation::Step,
};

/// Events of flows and of devices that are kept of a run: enough to tell what was heard.
const KEPT: usize = 16;
/// When a trace begins, in nanoseconds since 1970: any time will do, as long as it is always the same.
const ORIGIN: u64 = 1_700_000_000_000_000_000;

/// What came out of an engine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Played {
    pub findings: Vec<Finding>,
    /// The first few.
    pub flows: Vec<FlowEvent>,
    pub devices: Vec<DeviceEvent>,
    /// Present as soon as the engine was told the end.
    pub summary: Option<Summary>,
}

/// Plays `steps` to the end under `rules`; devices are known by Espressif's MAC addresses.
pub fn play(steps: &[Step], rules: RuleSet) -> Played {
    let mut engine = Engine::new(EngineConfig {
        devices: DeviceScope::Espressif,
        rules,
        flow_events: true,
        segment_events: false,
        start: Start::default(),
        max_flows: DEFAULT_MAX_FLOWS,
    });
    let mut played = Played::default();
    let (mut number, mut now) = (0, Timestamp::from_nanos(ORIGIN));
    for step in steps {
        match step {
            Step::Frame { at_s, octets } => {
                number += 1;
                now = moment(*at_s);
                engine.handle(Input::Frame(Frame {
                    number,
                    time: now,
                    link: LinkType::ETHERNET,
                    wire_len: octets.len() as u32,
                    data: octets,
                }));
            }
            Step::Tick { at_s } => {
                now = moment(*at_s);
                engine.handle(Input::Tick(now));
            }
            Step::Gap { lost } => {
                engine.handle(Input::Gap(Gap { at: now, lost: *lost, cause: GapCause::Kernel }));
            }
            Step::Account { at_s, account } => {
                let at = moment(*at_s);
                engine.handle(Input::Account(Account { asked: at, answered: at, ..account.clone() }));
            }
            Step::Mode { text } => {
                engine.handle(Input::Marker(Marker {
                    at: now,
                    text: text.clone(),
                    mode_changed: true,
                    device: None,
                    mode: None,
                }));
            }
        }
        played.drain(&mut engine);
    }
    engine.handle(Input::End);
    played.drain(&mut engine);
    played
}

fn moment(at_s: f64) -> Timestamp {
    Timestamp::from_nanos(ORIGIN.saturating_add((at_s * 1e9) as u64))
}

impl Played {
    /// Takes what `engine` has to tell; call it after every input.
    pub fn drain(&mut self, engine: &mut Engine) {
        while let Some(event) = engine.poll_event() {
            match event {
                Event::Finding(finding) => self.findings.push(finding),
                Event::Summary(summary) => self.summary = Some(summary),
                Event::Flow(flow) if self.flows.len() < KEPT => self.flows.push(flow),
                Event::Device(device) if self.devices.len() < KEPT => self.devices.push(device),
                Event::Start(_)
                | Event::Device(_)
                | Event::Segment(_)
                | Event::Flow(_)
                | Event::Alert(_)
                | Event::Capture(_)
                | Event::Marker(_) => {}
            }
        }
    }
}
