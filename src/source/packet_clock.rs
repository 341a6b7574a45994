//! The packets' clock: what time it is where nothing comes, and when that is worth telling.
//!
//! It is carried on by the monotonic clock: the system's may be set while we watch.

use core::time::Duration;
use std::time::{Instant, SystemTime};

use crate::analysis::time::Timestamp;

/// Where nothing comes, the engine is told each full tick of packet time, and so long after the last frame at the latest.
pub const TICK: Duration = Duration::from_millis(100);
/// A tick stays so far behind the clock. The kernel hands frames over in blocks, some milliseconds old: a tick that
/// overtook one of them would fire a timer that the replay of the recording does not.
const LAG: Duration = Duration::from_millis(50);

/// What time it is before the first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Unknown: a stream may replay what happened years ago, and a tick of today would make all of it late.
    Packets,
    /// The system's clock, which is what stamps the frames of an interface.
    System,
}

#[derive(Debug, Default)]
pub struct PacketClock {
    /// The latest frame's time, and when it came by the monotonic clock.
    last: Option<(Timestamp, Instant)>,
    /// The latest time that any input bore.
    told: Timestamp,
}

impl PacketClock {
    /// A frame of this time came at `at`. Captures do reorder: time is not taken back.
    pub fn frame(&mut self, time: Timestamp, at: Instant) {
        self.told = self.told.max(time);
        self.last = Some((self.told, at));
    }

    /// The clock was set: time goes on from there, be it earlier.
    pub fn set(&mut self, time: Timestamp, at: Instant) {
        self.told = time;
        self.last = Some((time, at));
    }

    /// The time that a tick at `now` bears.
    pub fn tick(&mut self, now: Instant, origin: Origin) -> Timestamp {
        self.told = self.told.max(self.time_at(now, origin));
        self.told
    }

    /// When the next tick is due if nothing comes. Detectors look at the clock at each full tick: told of it as soon as it is
    /// there, none of them waits for the next. Before the first frame they have nothing to wait for.
    pub fn next_tick(&self, now: Instant, origin: Origin) -> Instant {
        let latest = now + TICK;
        if self.last.is_none() {
            return latest;
        }
        let time = self.time_at(latest, origin);
        let full = time.round_down(TICK);
        let earlier = if full > self.told { time.since(full) } else { Duration::ZERO };
        latest.checked_sub(earlier).unwrap_or(latest)
    }

    fn time_at(&self, now: Instant, origin: Origin) -> Timestamp {
        match (self.last, origin) {
            (Some((time, since)), _) => {
                time.saturating_add(now.saturating_duration_since(since).saturating_sub(LAG))
            }
            (None, Origin::System) => system_time(),
            (None, Origin::Packets) => Timestamp::ZERO,
        }
    }
}

fn system_time() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let nanos = u64::try_from(since_epoch.saturating_sub(LAG).as_nanos()).unwrap_or(u64::MAX);
    Timestamp::from_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// When ticks come after a frame of `time`, and what they bear, in milliseconds from that frame on.
    fn ticks(time: u64) -> Vec<(u128, u64)> {
        let (began, frame) = (Instant::now(), Timestamp::from_nanos(time * MS));
        let mut clock = PacketClock::default();
        clock.frame(frame, began);
        let mut now = began;
        (0..4)
            .map(|_| {
                now = clock.next_tick(now, Origin::Packets);
                let told = clock.tick(now, Origin::Packets);
                (now.duration_since(began).as_millis(), told.nanos() / MS - time)
            })
            .collect()
    }

    #[test]
    fn a_full_tick_is_told_as_soon_as_it_is_there() {
        assert_eq!(ticks(1_000), [(100, 50), (150, 100), (250, 200), (350, 300)]);
        assert_eq!(ticks(1_030), [(100, 50), (120, 70), (220, 170), (320, 270)]);
        assert_eq!(ticks(1_080), [(70, 20), (170, 120), (270, 220), (370, 320)]);
    }

    #[test]
    fn before_the_first_frame_a_tick_comes_a_tick_later() {
        let (clock, now) = (PacketClock::default(), Instant::now());
        assert_eq!(clock.next_tick(now, Origin::Packets), now + TICK);
        assert_eq!(clock.next_tick(now, Origin::System), now + TICK);
    }
}
