//! What the device holds in TIME-WAIT while a block runs: by its own list, and by what the wire shows.
//!
//! Knows of one block's source ports; what was held for earlier blocks is left out. Judges nothing.

use core::net::SocketAddr;
use core::ops::RangeInclusive;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::analysis::{event::Event, time::Timestamp};
use crate::firmware::{ClientError, Told, pcbs::PcbState, pcbs_blocking};
use crate::report::series::Series;
use crate::sink::Sink;

/// Between two questions, as `watch --control` asks.
const EVERY: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);
/// Finer times are the scheduler's.
const TO_THE_MILLISECOND: f64 = 1e3;

/// The device's own list, asked at once, then every second, and once more when the block is `over`. One that has no list to
/// tell is asked once; an answer that does not come is left out.
pub fn by_the_device(
    control: SocketAddr,
    server: SocketAddr,
    ports: &RangeInclusive<u16>,
    began: Instant,
    over: &AtomicBool,
) -> Vec<(f64, u64)> {
    let mut held = Vec::new();
    loop {
        let is_last = over.load(Ordering::Relaxed);
        let asked = Instant::now();
        match pcbs_blocking(control) {
            Ok(told) => {
                held.push((rounded(began.elapsed().as_secs_f64()), in_time_wait(&told, server, ports)))
            }
            Err(ClientError::Older { .. }) => return held,
            Err(_silent) => {}
        }
        if is_last {
            return held;
        }
        while asked.elapsed() < EVERY && !over.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
        }
    }
}

fn in_time_wait(told: &Told, server: SocketAddr, ports: &RangeInclusive<u16>) -> u64 {
    let is_ours = |remote: Option<SocketAddr>| remote.is_some_and(|remote| ports.contains(&remote.port()));
    let blocks = told.list.blocks.iter().filter(|block| block.state == PcbState::TimeWait);
    let of_server =
        blocks.filter(|block| block.local.ip() == server.ip() && block.local.port() == server.port());
    of_server.filter(|block| is_ours(block.remote)).count() as u64
}

/// Folds the events of a block's engine.
#[derive(Clone, Debug, Default)]
pub struct ByTheWire(Arc<Mutex<Series>>);

impl Sink for ByTheWire {
    fn on_event(&mut self, event: &Event) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fold(event);
        Ok(())
    }
}

impl ByTheWire {
    /// Where it rose or fell, from `began` on: as fine as the series' buckets.
    pub fn steps(&self, began: Timestamp) -> Vec<(f64, u64)> {
        let series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(start) = series.start else { return Vec::new() };
        let (offset, width) = (start.seconds_after(began), series.width.as_secs_f64());
        let mut steps: Vec<(f64, u64)> = Vec::new();
        for (nth, bucket) in series.buckets.iter().enumerate() {
            if steps.last().is_none_or(|(_, held)| *held != bucket.held) {
                steps.push((rounded((offset + width * nth as f64).max(0.0)), bucket.held));
            }
        }
        steps
    }
}

fn rounded(seconds: f64) -> f64 {
    (seconds * TO_THE_MILLISECOND).round() / TO_THE_MILLISECOND
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::event::{FlowChange, FlowEvent};
    use crate::analysis::time::When;
    use crate::firmware::pcbs::{Pcb, PcbList};

    #[test]
    fn only_the_blocks_own_ports_on_its_server_count() {
        let block = |state, local: &str, port: Option<u16>| Pcb {
            state,
            local: local.parse().unwrap(),
            remote: port.map(|port| SocketAddr::from(([10, 77, 0, 1], port))),
            left_ms: None,
            age_ms: None,
        };
        let blocks = vec![
            block(PcbState::TimeWait, "10.77.0.2:80", Some(20_000)),
            block(PcbState::TimeWait, "10.77.0.2:80", Some(20_019)),
            block(PcbState::TimeWait, "10.77.0.2:80", Some(20_020)),
            block(PcbState::TimeWait, "10.77.0.2:8080", Some(20_001)),
            block(PcbState::Established, "10.77.0.2:80", Some(20_002)),
            block(PcbState::TimeWait, "10.77.0.2:80", None),
        ];
        let told = Told {
            asked: std::time::UNIX_EPOCH,
            answered: std::time::UNIX_EPOCH,
            list: PcbList { uptime_ms: 0, tick_ms: 500, msl_ms: 1, pcb_cap: 0, evicted: 0, total: 6, blocks },
        };
        assert_eq!(in_time_wait(&told, "10.77.0.2:80".parse().unwrap(), &(20_000..=20_019)), 2);
    }

    #[test]
    fn the_wire_is_told_in_steps_from_the_beginning_of_the_block() {
        let mut wire = ByTheWire::default();
        assert!(wire.steps(Timestamp::ZERO).is_empty());
        let server: SocketAddr = "10.77.0.2:80".parse().unwrap();
        for (port, at_ms) in [(1, 2_000), (2, 2_450), (3, 2_460)] {
            let closed = FlowEvent {
                when: When(Timestamp::from_micros(at_ms * 1_000)),
                change: FlowChange::Closed,
                client: SocketAddr::from(([10, 77, 0, 1], port)),
                server,
                device: Some(server.ip()),
                incarnation: 1,
                frame: 1,
                client_state: "CLOSED (inferred)".to_owned(),
                server_state: "TIME-WAIT (proven)".to_owned(),
                client_bytes: 0,
                server_bytes: 0,
            };
            wire.on_event(&Event::Flow(closed)).unwrap();
        }
        assert_eq!(wire.steps(Timestamp::from_micros(1_500_000)), [(0.5, 1), (0.9, 3)]);
        assert_eq!(wire.steps(Timestamp::from_micros(9_000_000))[0], (0.0, 1), "never before it began");
    }
}
