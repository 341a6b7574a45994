//! What a run looked like over time: how much was held in TIME-WAIT, what was refused, how long connect() took.
//!
//! Bounded: a fixed number of buckets, which merge in pairs as time goes on. Knows the slowest and the most of each
//! bucket, not single packets. Connect times come from flow events; a stream without them has none.

use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use std::collections::{BTreeMap, VecDeque};

use serde::{Serialize, Serializer};

use crate::analysis::{
    event::{Event, FlowChange, FlowEvent},
    time::Timestamp,
};

/// Buckets at most.
pub const BUCKETS: usize = 120;
const FIRST_WIDTH: Duration = Duration::from_millis(100);
/// Connections whose answer is awaited; the oldest gives way.
const OPENING: usize = 4_096;
/// Devices whose TIME-WAIT is added up.
const DEVICES: usize = 64;

#[derive(Clone, Debug, Default, Serialize)]
pub struct Series {
    /// Where the first bucket begins; absent where nothing happened yet.
    pub start: Option<Timestamp>,
    /// Of each bucket.
    #[serde(rename = "bucket_s", serialize_with = "seconds")]
    pub width: Duration,
    pub buckets: Vec<Bucket>,
    /// By device, as it was told last, which is once a second at most.
    #[serde(skip)]
    held: BTreeMap<IpAddr, u64>,
    /// What entered TIME-WAIT since, and on which device.
    #[serde(skip)]
    entered: BTreeMap<(SocketAddr, SocketAddr), IpAddr>,
    /// What entered before that and was not let in again: it is among what was told to be held.
    #[serde(skip)]
    told: BTreeMap<(SocketAddr, SocketAddr), IpAddr>,
    #[serde(skip)]
    opening: BTreeMap<Life, Timestamp>,
    /// Of those, in the order of their first SYN; some are gone already.
    #[serde(skip)]
    order: VecDeque<Life>,
}

type Life = (SocketAddr, SocketAddr, u32);

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bucket {
    /// The most connections that were held in TIME-WAIT at once, of all devices.
    pub held: u64,
    /// SYNs answered by a stale ACK.
    pub refused: u64,
    /// Connections that were let in.
    pub connected: u64,
    /// The longest that one of those took, from its first SYN, in seconds.
    pub slowest_connect_s: Option<f64>,
}

impl Series {
    /// The buckets alone, without what is needed to fold on.
    #[must_use]
    pub fn ended(&self) -> Series {
        let Series { start, width, buckets, held: _, entered: _, told: _, opening: _, order: _ } = self;
        Series { start: *start, width: *width, buckets: buckets.clone(), ..Series::default() }
    }

    pub fn fold(&mut self, event: &Event) {
        let Some(now) = event.time() else { return };
        match event {
            Event::Finding(finding) if finding.rule == "time-wait-collision" => self.at(now).refused += 1,
            Event::Device(device) => {
                // Up to here it was as before.
                self.at(now);
                let (address, held) = (device.facts.address, device.facts.time_wait.held_now);
                if self.held.len() < DEVICES || self.held.contains_key(&address) {
                    self.held.insert(address, held);
                }
                let (since, others) = core::mem::take(&mut self.entered)
                    .into_iter()
                    .partition(|(_, device)| *device == address);
                self.entered = others;
                let since: BTreeMap<_, _> = since;
                self.told.extend(since.into_iter().take(OPENING.saturating_sub(self.told.len())));
                // As many were told, whoever is not among them any more.
                if held == 0 {
                    self.told.retain(|_, device| *device != address);
                }
                self.rise(now);
            }
            Event::Flow(flow) => self.flow(now, flow),
            Event::Summary(_) => {
                self.at(now);
            }
            Event::Start(_)
            | Event::Segment(_)
            | Event::Finding(_)
            | Event::Alert(_)
            | Event::Capture(_)
            | Event::Marker(_)
            | Event::Progress(_) => {}
        }
    }

    /// Whether this connection was seen to ask and not yet to be let in.
    pub fn awaits(&self, flow: &FlowEvent) -> bool {
        self.opening.contains_key(&(flow.client, flow.server, flow.incarnation))
    }

    fn level(&self) -> u64 {
        super::words::total(self.held.values().copied()).saturating_add(self.entered.len() as u64)
    }

    fn rise(&mut self, now: Timestamp) {
        let held = self.level();
        let bucket = self.at(now);
        bucket.held = bucket.held.max(held);
    }

    fn flow(&mut self, now: Timestamp, flow: &FlowEvent) {
        let life = (flow.client, flow.server, flow.incarnation);
        match flow.change {
            FlowChange::Opened if flow.client_state.starts_with("SYN-SENT") => self.opened(life, now),
            FlowChange::Opened => {}
            FlowChange::State if flow.client_state.starts_with("ESTABLISHED") => {
                // Up to here it was as before; a new life that is let in ends TIME-WAIT, one that only asks does not.
                self.at(now);
                self.left(flow.client, flow.server);
                let Some(opened) = self.opening.remove(&life) else { return };
                let took = now.since(opened).as_secs_f64();
                let bucket = self.at(now);
                bucket.connected += 1;
                bucket.slowest_connect_s = slower(bucket.slowest_connect_s, Some(took));
            }
            FlowChange::State => {}
            FlowChange::Closed => {
                self.opening.remove(&life);
                if let Some(device) = flow.device.filter(|device| is_in_time_wait(flow, *device))
                    && self.entered.len() < OPENING
                {
                    self.at(now);
                    self.entered.insert((flow.client, flow.server), device);
                    self.rise(now);
                }
            }
        }
    }

    /// A new life of this tuple was let in, so the old one is held no more.
    fn left(&mut self, client: SocketAddr, server: SocketAddr) {
        let tuple = (client, server);
        if self.entered.remove(&tuple).is_none()
            && let Some(device) = self.told.remove(&tuple)
            && let Some(held) = self.held.get_mut(&device)
        {
            *held = held.saturating_sub(1);
        }
    }

    fn opened(&mut self, life: Life, now: Timestamp) {
        // The axis begins with the first connection.
        self.at(now);
        while self.opening.len() >= OPENING
            && let Some(oldest) = self.order.pop_front()
        {
            self.opening.remove(&oldest);
        }
        if self.order.len() >= 2 * OPENING {
            let opening = &self.opening;
            self.order.retain(|known| opening.contains_key(known));
        }
        self.opening.insert(life, now);
        self.order.push_back(life);
    }

    /// The bucket of `time`; what came before the first is counted there.
    fn at(&mut self, time: Timestamp) -> &mut Bucket {
        let start = *self.start.get_or_insert(time);
        if self.width.is_zero() {
            self.width = FIRST_WIDTH;
        }
        let since = time.since(start);
        while since.as_nanos() / self.width.as_nanos() >= BUCKETS as u128 {
            self.merge();
        }
        let index = (since.as_nanos() / self.width.as_nanos()) as usize;
        if self.buckets.len() <= index {
            let held = self.level();
            self.buckets.resize(index + 1, Bucket { held, ..Bucket::default() });
        }
        &mut self.buckets[index]
    }

    fn merge(&mut self) {
        self.width = self.width.saturating_mul(2);
        self.buckets = self
            .buckets
            .chunks(2)
            .map(|pair| pair.iter().fold(Bucket::default(), |both, one| both.and(one)))
            .collect();
    }
}

impl Bucket {
    fn and(self, other: &Bucket) -> Bucket {
        Bucket {
            held: self.held.max(other.held),
            refused: self.refused.saturating_add(other.refused),
            connected: self.connected.saturating_add(other.connected),
            slowest_connect_s: slower(self.slowest_connect_s, other.slowest_connect_s),
        }
    }
}

fn is_in_time_wait(flow: &FlowEvent, device: IpAddr) -> bool {
    let state = if flow.server.ip() == device { &flow.server_state } else { &flow.client_state };
    state.starts_with("TIME-WAIT")
}

fn slower(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).max_by(f64::total_cmp)
}

fn seconds<S: Serializer>(width: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(width.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::time::When;

    fn flow(change: FlowChange, state: &str, port: u16, at_ms: u64) -> Event {
        Event::Flow(FlowEvent {
            when: When(Timestamp::from_micros(1_000_000 + at_ms * 1_000)),
            change,
            client: SocketAddr::from(([10, 0, 0, 1], port)),
            server: SocketAddr::from(([10, 0, 0, 2], 80)),
            device: None,
            incarnation: 1,
            frame: 1,
            client_state: state.to_owned(),
            server_state: String::new(),
            client_bytes: 0,
            server_bytes: 0,
        })
    }

    #[test]
    fn a_connect_counts_from_its_first_syn_and_once() {
        let mut series = Series::default();
        series.fold(&flow(FlowChange::Opened, "SYN-SENT (proven)", 1, 0));
        series.fold(&flow(FlowChange::State, "ESTABLISHED (proven)", 1, 3_050));
        series.fold(&flow(FlowChange::State, "ESTABLISHED (inferred)", 1, 3_060));
        // One that was under way already has no first SYN.
        series.fold(&flow(FlowChange::Opened, "ESTABLISHED (inferred)", 2, 3_070));
        series.fold(&flow(FlowChange::State, "ESTABLISHED (proven)", 2, 3_080));
        let connected: u64 = series.buckets.iter().map(|bucket| bucket.connected).sum();
        assert_eq!(connected, 1);
        assert_eq!(series.buckets.last().unwrap().slowest_connect_s, Some(3.05));
    }

    /// The device's facts are told once a second at most; a refusal must not stand before what caused it.
    #[test]
    fn time_wait_is_held_from_the_close_on() {
        let mut series = Series::default();
        series.fold(&flow(FlowChange::Opened, "SYN-SENT (proven)", 1, 0));
        let mut closed = flow(FlowChange::Closed, "CLOSED (inferred)", 1, 250);
        if let Event::Flow(flow) = &mut closed {
            flow.device = Some(flow.server.ip());
            flow.server_state = "TIME-WAIT (proven)".to_owned();
        }
        series.fold(&closed);
        series.fold(&flow(FlowChange::State, "ESTABLISHED (proven)", 9, 400));
        let held: Vec<u64> = series.buckets.iter().map(|bucket| bucket.held).collect();
        assert_eq!(held, [0, 0, 1, 1, 1]);
        series.fold(&flow(FlowChange::Opened, "SYN-SENT (proven)", 1, 500));
        series.fold(&flow(FlowChange::State, "ESTABLISHED (proven)", 9, 600));
        assert_eq!(series.buckets.last().unwrap().held, 1, "it only asks");
        series.fold(&flow(FlowChange::State, "ESTABLISHED (proven)", 1, 700));
        series.fold(&flow(FlowChange::State, "ESTABLISHED (proven)", 9, 800));
        assert_eq!(series.buckets.last().unwrap().held, 0, "it was let in");
    }

    #[test]
    fn buckets_merge_and_lose_no_count() {
        let mut series = Series::default();
        for second in 0..10_000_u64 {
            let port = (second % 60_000) as u16;
            series.fold(&flow(FlowChange::Opened, "SYN-SENT (proven)", port, second * 1_000));
            series.fold(&flow(
                FlowChange::State,
                "ESTABLISHED (proven)",
                port,
                second * 1_000 + second % 900,
            ));
        }
        assert!((BUCKETS / 2..=BUCKETS).contains(&series.buckets.len()), "{}", series.buckets.len());
        assert_eq!(series.buckets.iter().map(|bucket| bucket.connected).sum::<u64>(), 10_000);
        let slowest = series.buckets.iter().filter_map(|bucket| bucket.slowest_connect_s).fold(0.0, f64::max);
        assert_eq!(slowest, 0.899);
    }

    #[test]
    fn a_flood_of_syns_and_an_absurd_clock_take_no_more_room() {
        let mut series = Series::default();
        for number in 0..100_000_u64 {
            let mut event = flow(FlowChange::Opened, "SYN-SENT (proven)", (number % 60_000) as u16, number);
            if let Event::Flow(flow) = &mut event {
                flow.incarnation = (number / 60_000) as u32;
                flow.when.0 = Timestamp::from_nanos(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            }
            series.fold(&event);
            series.fold(&flow(FlowChange::State, "ESTABLISHED (proven)", 1, u64::MAX / 2_000_000));
        }
        assert!(series.opening.len() <= OPENING && series.order.len() <= 2 * OPENING);
        assert!(series.buckets.len() <= BUCKETS);
    }
}
