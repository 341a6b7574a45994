//! Whether the system's clock was set while an interface is watched, or the host slept: it stamps the frames.
//!
//! Holds the clock against the monotonic one, which nobody can set and which sleeps with the host. Knows no frame. What both do
//! together (an adjustment in small steps, as NTP makes it) is no step.

use core::time::Duration;
use std::time::{Instant, SystemTime};

use crate::analysis::input::GapCause;
use crate::analysis::time::Timestamp;

/// Less than this confuses no timer.
pub const STEP: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Clock {
    /// What both said when they last agreed.
    system: Timestamp,
    monotonic: Instant,
    /// They disagreed at the last look.
    is_suspect: bool,
}

impl Clock {
    pub fn new(system: Timestamp, monotonic: Instant) -> Clock {
        Clock { system, monotonic, is_suspect: false }
    }

    /// A frame came with a time that is not near that of the one before.
    pub fn look(&mut self, system: Timestamp, monotonic: Instant) -> Option<GapCause> {
        let expected = self.system.saturating_add(monotonic.saturating_duration_since(self.monotonic));
        let forward = system > expected;
        let by = if forward { system.since(expected) } else { expected.since(system) };
        self.is_suspect = by > STEP;
        if !self.is_suspect {
            (self.system, self.monotonic) = (system, monotonic);
            return None;
        }
        Some(GapCause::Clock { forward, by })
    }

    /// No frame has come that would show it. Told at the second look only: the kernel may still hold frames from before.
    pub fn look_idly(&mut self, system: Timestamp, monotonic: Instant) -> Option<GapCause> {
        let was_suspect = self.is_suspect;
        self.look(system, monotonic).filter(|_| was_suspect)
    }

    /// The step was told: time goes on from here.
    pub fn accept(&mut self, system: Timestamp, monotonic: Instant) {
        *self = Clock::new(system, monotonic);
    }
}

#[cfg(target_os = "linux")]
const NANOS_PER_UNIT: i64 = 1;
#[cfg(not(target_os = "linux"))]
const NANOS_PER_UNIT: i64 = 1_000;

/// The fields of a timeval, whose widths differ from system to system.
pub fn stamp(seconds: impl Into<i64>, fraction: impl Into<i64>) -> Timestamp {
    let seconds = seconds.into().saturating_mul(1_000_000_000);
    let nanos = seconds.saturating_add(fraction.into().saturating_mul(NANOS_PER_UNIT));
    Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

/// What stamps the frames of an interface.
pub fn system_time() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_told_in_its_direction_and_once() {
        let (start, began) = (Timestamp::from_micros(1_700_000_000_000_000), Instant::now());
        let after = |seconds: u64| began + Duration::from_secs(seconds);
        let mut clock = Clock::new(start, began);
        let hour = Duration::from_secs(3_600);
        // Together, and nearly so.
        assert_eq!(clock.look(start.saturating_add(hour), began + hour), None);
        let now = start.saturating_add(hour).saturating_add(Duration::from_millis(10_900));
        assert_eq!(clock.look(now, after(3_610)), None);
        let back = now.saturating_sub(hour);
        let expected = GapCause::Clock { forward: false, by: hour };
        assert_eq!(clock.look(back, after(3_610)), Some(expected));
        clock.accept(back, after(3_610));
        assert_eq!(clock.look(back.saturating_add(Duration::from_secs(5)), after(3_615)), None);
        let told = clock.look(back.saturating_add(hour), after(3_615));
        assert_eq!(told, Some(GapCause::Clock { forward: true, by: hour - Duration::from_secs(5) }));
    }

    #[test]
    fn without_a_frame_it_takes_two_looks() {
        let (start, began) = (Timestamp::from_micros(1_700_000_000_000_000), Instant::now());
        let mut clock = Clock::new(start, began);
        let set = start.saturating_add(Duration::from_secs(60));
        assert_eq!(clock.look_idly(set, began), None);
        assert!(clock.look_idly(set, began).is_some());
        // It was set, and set right again before the second.
        let mut clock = Clock::new(start, began);
        assert_eq!(clock.look_idly(set, began), None);
        assert_eq!((clock.look_idly(start, began), clock.look_idly(set, began)), (None, None));
    }
}
