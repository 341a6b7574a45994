//! What a source still holds when a run must end: too much to look into, and not to be passed over in silence.

use std::time::{Duration, Instant};

use super::Running;
use crate::analysis::input::{Gap, GapCause, Input};
use crate::source::Source;

/// What a full queue holds is counted in a fraction of this.
const COUNT_FOR: Duration = Duration::from_millis(500);

impl Running {
    /// Counts what the source still hands over, and tells it as lost.
    pub(super) fn give_up(&mut self, source: &mut dyn Source) {
        let since = Instant::now();
        let mut lost = 0;
        while since.elapsed() < COUNT_FOR {
            match source.next_input() {
                Ok(Some(Input::Frame(_))) => lost += 1,
                Ok(Some(Input::Gap(gap))) => {
                    self.take(Input::Gap(gap));
                }
                Ok(Some(Input::Marker(_) | Input::Account(_) | Input::Progress(_))) => {}
                Ok(Some(Input::Tick(_) | Input::End) | None) => break,
                Err(error) => {
                    self.finished.source = Some(error);
                    break;
                }
            }
        }
        if lost > 0 {
            self.take(Input::Gap(Gap { at: self.now, lost, cause: GapCause::Queue }));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::analysis::{
        engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
        event::Start,
        host::DeviceScope,
        input::{Frame, LinkType},
        rule::RuleSet,
        time::Timestamp,
    };
    use crate::app::{
        moves::Moves,
        pipeline::{Pipeline, WhenStopped},
        shutdown::Stop,
    };
    use crate::sink::Wanted;
    use crate::source::SourceError;

    /// Frames and a loss among them; then nothing more comes.
    struct Backlog(u64);

    impl Source for Backlog {
        fn next_input(&mut self) -> Result<Option<Input<'_>>, SourceError> {
            self.0 += 1;
            let time = Timestamp::from_micros(self.0);
            Ok(Some(match self.0 {
                3 => Input::Gap(Gap { at: time, lost: 10, cause: GapCause::Kernel }),
                1..=6 => Input::Frame(Frame {
                    number: self.0,
                    time,
                    link: LinkType::ETHERNET,
                    wire_len: 4,
                    data: &[0; 4],
                }),
                _ => Input::Tick(time),
            }))
        }
    }

    #[test]
    fn what_nobody_looked_into_is_told_as_lost() {
        let (_asides, received) = channel();
        let pipeline = Pipeline {
            engine: Engine::new(EngineConfig {
                devices: DeviceScope::Espressif,
                rules: RuleSet::built_in().unwrap(),
                flow_events: false,
                segment_events: false,
                start: Start::default(),
                max_flows: DEFAULT_MAX_FLOWS,
            }),
            sink: None,
            events: None,
            wanted: Wanted::default(),
            screen: None,
            attached: None,
            report: None,
            ring: None,
            excerpt: None,
            flight: None,
            recorder: None,
            metrics: None,
            asides: received,
            moves: Moves::default(),
            orders: None,
            stop: Stop::default(),
            when_stopped: WhenStopped::AtEnd,
        };
        let mut running = Running::of(pipeline);
        running.give_up(&mut Backlog(0));
        running.finish();
        let summary = running.finished.summary.unwrap();
        assert_eq!((summary.frames, summary.capture.dropped, summary.capture.gaps), (0, 15, 2));
    }
}
