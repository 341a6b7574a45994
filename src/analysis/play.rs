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
    let mut engine = engine(rules);
    play_in(&mut engine, steps, |_| {})
}

fn engine(rules: RuleSet) -> Engine {
    Engine::new(EngineConfig {
        devices: DeviceScope::Espressif,
        rules,
        flow_events: true,
        segment_events: false,
        start: Start::default(),
        max_flows: DEFAULT_MAX_FLOWS,
    })
}

/// `between`: what is done to the engine after each step.
fn play_in(engine: &mut Engine, steps: &[Step], mut between: impl FnMut(&mut Engine)) -> Played {
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
                engine.handle(Input::from(Account { asked: at, answered: at, ..account.clone() }));
            }
            Step::Mode { text } => {
                engine.handle(Input::from(Marker {
                    at: now,
                    text: text.clone(),
                    mode_changed: true,
                    device: None,
                    mode: None,
                }));
            }
        }
        between(engine);
        played.drain(engine);
    }
    engine.handle(Input::End);
    played.drain(engine);
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
                | Event::Marker(_)
                | Event::Progress(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{detect::REGISTRY, wire::notation};

    /// The scripts of all detectors.
    const SCRIPTS: &[&str] = &[
        include_str!("../../tests/scripts/accept-overflow.seg"),
        include_str!("../../tests/scripts/ack-loop.seg"),
        include_str!("../../tests/scripts/app-stall.seg"),
        include_str!("../../tests/scripts/capture-gap.seg"),
        include_str!("../../tests/scripts/data-stall.seg"),
        include_str!("../../tests/scripts/device-reboot.seg"),
        include_str!("../../tests/scripts/device-silent.seg"),
        include_str!("../../tests/scripts/half-closed.seg"),
        include_str!("../../tests/scripts/half-open.seg"),
        include_str!("../../tests/scripts/handshake-stall.seg"),
        include_str!("../../tests/scripts/ignored-rst.seg"),
        include_str!("../../tests/scripts/keepalive-failure.seg"),
        include_str!("../../tests/scripts/ledger-mismatch.seg"),
        include_str!("../../tests/scripts/not-on-path.seg"),
        include_str!("../../tests/scripts/reset-close.seg"),
        include_str!("../../tests/scripts/rst-storm.seg"),
        include_str!("../../tests/scripts/stale-ack.seg"),
        include_str!("../../tests/scripts/syn-reset-in-window.seg"),
        include_str!("../../tests/scripts/syn-unanswered.seg"),
        include_str!("../../tests/scripts/time-wait-buildup.seg"),
        include_str!("../../tests/scripts/time-wait-collision.seg"),
        include_str!("../../tests/scripts/time-wait-reuse.seg"),
        include_str!("../../tests/scripts/window-shrink.seg"),
        include_str!("../../tests/scripts/zero-window.seg"),
    ];

    /// `steps`, without every `nth` of them from `first` on.
    fn thinned(steps: &[Step], nth: usize, first: usize) -> Vec<Step> {
        let kept = steps.iter().enumerate().filter(|(at, _)| at % nth != first);
        kept.map(|(_, step)| step.clone()).collect()
    }

    #[test]
    fn a_detector_that_is_not_called_would_have_found_nothing() {
        assert_eq!(SCRIPTS.len(), REGISTRY.len(), "a detector's script is missing above");
        let rules = RuleSet::built_in().unwrap();
        let mut findings = 0;
        for trace in SCRIPTS.iter().flat_map(|text| notation::parse(text).unwrap()) {
            let mut traces = vec![trace.steps.clone()];
            for nth in 2..8 {
                traces.extend((0..nth).map(|first| thinned(&trace.steps, nth, first)));
            }
            for steps in traces {
                let called = play(&steps, rules.clone());
                let mut all = engine(rules.clone());
                all.hear_everything();
                assert_eq!(called, play_in(&mut all, &steps, |_| {}), "{}: {steps:?}", trace.name);
                findings += called.findings.len();
            }
        }
        assert!(findings > 1_000, "only {findings} findings were compared");
    }

    /// An override with numbers of its own makes a detector more, before all the others: each of them moves, and must go on
    /// with what it knows. The rule that is changed each time begins anew.
    #[test]
    fn rules_that_come_between_two_frames_change_nothing_of_the_others() {
        const CHANGED: &str = "accept-overflow";
        let plain = RuleSet::built_in().unwrap();
        let (_, text) = crate::analysis::rule::built_in_sources()[0];
        let more = "\n[[override]]\nport = 9\n[override.parameters]\nwithin_s = 2.0\n";
        let files = [(format!("{CHANGED}.toml"), text.to_owned() + more)];
        let other = RuleSet::with_files(&files).unwrap();
        let of_others = |played: Played| -> Vec<Finding> {
            let others = played.findings.into_iter().filter(|finding| finding.rule != CHANGED);
            others.map(|finding| Finding { id: 0, caused_by: Vec::new(), ..finding }).collect()
        };
        let mut findings = 0;
        for trace in SCRIPTS.iter().flat_map(|text| notation::parse(text).unwrap()) {
            let mut is_other = false;
            let mut reloaded = engine(plain.clone());
            let played = play_in(&mut reloaded, &trace.steps, |engine| {
                is_other = !is_other;
                engine.reload(if is_other { other.clone() } else { plain.clone() });
            });
            let played = of_others(played);
            findings += played.len();
            assert_eq!(played, of_others(play(&trace.steps, plain.clone())), "{}", trace.name);
        }
        assert!(findings > 100, "only {findings} findings were compared");
    }
}
