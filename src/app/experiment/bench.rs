//! One block, from the switch to the three accounts of it.
//!
//! Knows in which order a block is done, and what spoils it. Whether a remedy helped is not asked here.

use core::net::{IpAddr, SocketAddr};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, anyhow};

use super::super::{account::timestamp, exit::usage, shutdown::Stop};
use super::{holding, keeping::Keep, progress::Telling, watching::Watcher};
use crate::analysis::event::Summary;
use crate::experiment::{
    block::{Age, Block, Device, Firsts, Held, Reuse, Wire},
    spec::{Arm, Traffic},
};
use crate::firmware::{
    Key,
    change::Change,
    change_blocking,
    protocol::{CloseMode, Status},
    status_blocking,
};
use crate::load::{self, DrivePlan, Failure, News, Request, SourcePorts};
use crate::source::feed::Feed;

/// Between a port's first use and its second, at least.
const PAUSE: Duration = Duration::from_millis(150);
/// The newest are used again before the oldest: a device with a cap has then freed the oldest by new ports alone.
const BEFORE_THE_OLDEST: Duration = Duration::from_millis(300);
/// Until what is on the wire has come, and was analysed.
const SETTLE: Duration = Duration::from_millis(400);
const FIRST_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Between two requests on a connection that is kept.
const INTERVAL: Duration = Duration::from_millis(200);
/// Connections kept side by side: a device has few.
const AT_A_TIME: u16 = 4;
const LOOK: Duration = Duration::from_secs(1);

pub struct Bench {
    server: SocketAddr,
    control: SocketAddr,
    key: Key,
    watcher: Watcher,
    /// Absent while an engine has it, and after one died.
    feed: Option<Feed>,
    keep: Option<Keep>,
    stop: Stop,
}

/// What came of the traffic.
#[derive(Default)]
struct Driven {
    firsts: Firsts,
    reuses: Vec<Reuse>,
}

impl Bench {
    pub fn new(
        server: SocketAddr,
        control: SocketAddr,
        key: Key,
        device: IpAddr,
        feed: Feed,
        keep: Option<Keep>,
        stop: Stop,
    ) -> Result<Bench> {
        Ok(Bench { server, control, key, watcher: Watcher::new(device)?, feed: Some(feed), keep, stop })
    }

    pub fn control(&self) -> SocketAddr {
        self.control
    }

    /// Switches, provokes and watches. What spoils the block is told in it; an error is ours.
    pub fn block(
        &mut self,
        turn: u64,
        slot: Option<usize>,
        arm: &Arm,
        traffic: &Traffic,
        first_port: u16,
        telling: &Telling,
    ) -> Result<Block> {
        let change = Change::from_words(&arm.words).map_err(usage)?;
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut block = Block::begun(turn, slot, arm.label.clone(), now);
        let (began, began_at) = (Instant::now(), timestamp(SystemTime::now()));
        let before = match change_blocking(self.control, &self.key, &change) {
            Ok(changed) => {
                telling.switched(self.server.ip(), &changed);
                changed.status
            }
            // No waiting helps against these.
            Err(
                error @ (crate::firmware::ClientError::NoKey { .. }
                | crate::firmware::ClientError::WrongKey { .. }
                | crate::firmware::ClientError::Fixed { .. }
                | crate::firmware::ClientError::Denied { .. }),
            ) => return Err(anyhow!(error)),
            Err(error) => {
                block.spoilt = Some(format!("it could not be switched: {error}"));
                return Ok(block);
            }
        };
        if let Some(word) = arm.words.iter().find(|word| !confirms(&before, &arm.words, word)) {
            block.spoilt = Some(format!("it took the switch, and then did not say {word}"));
            return Ok(block);
        }
        let recorder = self.keep.as_ref().map(|keep| keep.begin(&mut block)).transpose()?;
        let feed = self.feed.take().context("the capture is gone")?;
        let watching = self.watcher.start(feed, recorder)?;
        let (driven, held) = self.drive_and_ask(&before, traffic, first_port, began, telling);
        let after = status_blocking(self.control);
        let watched = watching.finish()?;
        self.feed = Some(watched.feed);
        let driven = driven?;
        (block.firsts, block.reuses) = (driven.firsts, driven.reuses);
        block.took_s = to_the_microsecond(began.elapsed().as_secs_f64());
        block.wire = Some(wire(&watched.summary, self.server.ip()));
        block.held = Held { wire: watched.held.steps(began_at), device: held? };
        block.recording = block.recording.filter(|_| watched.is_recorded);
        match after {
            Err(error) => block.spoilt = Some(format!("it went silent: {error}")),
            Ok(after) => {
                block.spoilt = spoilt(&before, &after, began.elapsed())
                    .or_else(|| few_answers(&block.firsts, before.remedies.close));
                block.device = Some(device(&before, &after));
            }
        }
        Ok(block)
    }

    /// Until the device holds nothing in TIME-WAIT: by its own count, and no longer than it may by its own MSL. How long that
    /// took.
    pub fn settle(&mut self, stop: &Stop) -> Result<Duration> {
        let watching = self.watcher.start(self.feed.take().context("the capture is gone")?, None)?;
        let began = Instant::now();
        let settled = loop {
            if stop.is_raised() {
                break Ok(());
            }
            let status = match status_blocking(self.control) {
                Ok(status) => status,
                Err(error) => {
                    break Err(anyhow!(error).context("the device does not tell what it still holds"));
                }
            };
            let longest = 2 * u64::from(status.remedies.msl_ms.unwrap_or(60_000)) + 5_000;
            if status.pcbs.time_wait == 0 {
                break Ok(());
            }
            if began.elapsed() > Duration::from_millis(longest) {
                break Err(anyhow!(
                    "the device still holds {} connections in TIME-WAIT after {longest} ms: does anybody else use it?",
                    status.pcbs.time_wait
                ));
            }
            std::thread::sleep(LOOK);
        };
        self.feed = Some(watching.finish()?.feed);
        settled.map(|()| began.elapsed())
    }

    /// The traffic until what came of it has settled; and what the device says that it holds meanwhile.
    fn drive_and_ask(
        &self,
        status: &Status,
        traffic: &Traffic,
        first_port: u16,
        began: Instant,
        telling: &Telling,
    ) -> (Result<Driven>, Result<Vec<(f64, u64)>>) {
        let last_port = u32::from(first_port) + traffic.ports().saturating_sub(1);
        let ports = first_port..=u16::try_from(last_port).unwrap_or(u16::MAX);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let asking =
                scope.spawn(|| holding::by_the_device(self.control, self.server, &ports, began, &over));
            let driven = self.drive(status, traffic, first_port, telling);
            std::thread::sleep(SETTLE);
            over.store(true, Ordering::Relaxed);
            let held =
                asking.join().map_err(|_| anyhow!("asking the device stopped with a programming error"));
            (driven, held)
        })
    }

    fn drive(
        &self,
        status: &Status,
        traffic: &Traffic,
        first_port: u16,
        telling: &Telling,
    ) -> Result<Driven> {
        match status.remedies.close {
            CloseMode::KeepAlive => self.keep(traffic, first_port, telling),
            CloseMode::ServerFirst | CloseMode::ClientFirst | CloseMode::Reset | CloseMode::Other => {
                self.reuse(traffic, first_port, telling)
            }
        }
    }

    /// Every port once; then the newest again, and a little later the oldest.
    fn reuse(&self, traffic: &Traffic, first_port: u16, telling: &Telling) -> Result<Driven> {
        let ports = u16::try_from(traffic.ports()).context("too many ports in a block")?;
        let mut connected = vec![false; usize::from(ports)];
        let mut answered = 0;
        let firsts = DrivePlan { connect_timeout: FIRST_WITHIN, clients: 1, ..self.plan(first_port, ports) };
        for request in self.requests(&firsts, telling)? {
            answered += u64::from(request.exchange.result.is_ok());
            if let (Some(port), Some(_)) = (request.exchange.port, request.exchange.connect)
                && let Some(place) = connected.get_mut(usize::from(port.wrapping_sub(first_port)))
            {
                *place = true;
            }
        }
        std::thread::sleep(PAUSE);
        let patience = Duration::from_secs_f64(traffic.patience_s);
        let again = |first: u16| DrivePlan { connect_timeout: patience, ..self.plan(first, traffic.reused) };
        let (oldest, newest) = (again(first_port), again(first_port + (ports - traffic.reused)));
        let (oldest, newest) = std::thread::scope(|scope| {
            let newest = scope.spawn(|| self.requests(&newest, telling));
            std::thread::sleep(BEFORE_THE_OLDEST);
            let oldest = self.requests(&oldest, telling);
            (oldest, newest.join())
        });
        let newest = newest.map_err(|_| anyhow!("the client stopped with a programming error"))?;
        let was_used = |reuse: &Reuse| {
            let place = reuse.port.map(|port| usize::from(port.wrapping_sub(first_port)));
            place.and_then(|place| connected.get(place)).is_some_and(|connected| *connected)
        };
        let of_age =
            |requests: Vec<Request>, age| requests.into_iter().map(move |request| reuse(request, age));
        let reuses = of_age(oldest?, Age::Oldest).chain(of_age(newest?, Age::Newest));
        Ok(Driven {
            reuses: reuses.filter(was_used).collect(),
            firsts: Firsts { asked: u64::from(ports), answered },
        })
    }

    /// Where the server keeps connections, so does the client: its second request needs no second connection, and where
    /// the server did not keep it after all, the second one comes from the same port.
    fn keep(&self, traffic: &Traffic, first_port: u16, telling: &Telling) -> Result<Driven> {
        let mut driven = Driven::default();
        for (age, group) in [(Age::Oldest, 0), (Age::Newest, traffic.reused)] {
            let mut done = 0;
            while done < traffic.reused {
                let clients = AT_A_TIME.min(traffic.reused - done);
                let plan = DrivePlan {
                    requests: 2 * u64::from(clients),
                    interval: INTERVAL,
                    keep_alive: true,
                    connect_timeout: Duration::from_secs_f64(traffic.patience_s),
                    ..self.plan(first_port + group + done, clients)
                };
                for request in self.requests(&plan, telling)? {
                    if request.number < u64::from(clients) {
                        driven.firsts.asked += 1;
                        driven.firsts.answered += u64::from(request.exchange.result.is_ok());
                    } else {
                        driven.reuses.push(reuse(request, age));
                    }
                }
                done += clients;
            }
        }
        Ok(driven)
    }

    /// One request from each of `ports` ports, each by a client of its own.
    fn plan(&self, first_port: u16, ports: u16) -> DrivePlan {
        DrivePlan {
            target: self.server,
            host: self.server.to_string(),
            path: "/".to_owned(),
            requests: ports.into(),
            interval: Duration::ZERO,
            ports: SourcePorts::Rotating {
                first: first_port,
                last: first_port.saturating_add(ports.saturating_sub(1)),
            },
            clients: ports.into(),
            keep_alive: false,
            connect_timeout: FIRST_WITHIN,
            response_timeout: ANSWER_WITHIN,
            limit: None,
        }
    }

    fn requests(&self, plan: &DrivePlan, telling: &Telling) -> Result<Vec<Request>> {
        let mut requests = Vec::new();
        load::drive(plan, self.stop.flag(), &mut |news| {
            if let News::Ended(request) = news {
                telling.requested();
                requests.push(request);
            }
        })?;
        Ok(requests)
    }
}

fn reuse(request: Request, age: Age) -> Reuse {
    let exchange = request.exchange;
    let failure = exchange.result.as_ref().err();
    Reuse {
        port: exchange.port,
        age,
        outcome: failure.map_or("answered", Failure::kind).to_owned(),
        errno: failure.and_then(Failure::errno).map(|errno| errno.name().to_owned()),
        connect_s: exchange.connect.map(|connect| to_the_microsecond(connect.as_secs_f64())),
        took_s: to_the_microsecond(exchange.took.as_secs_f64()),
        kept: failure.is_none() && exchange.connect.is_none(),
    }
}

/// The status says of itself what `word` asked for. A mode is not named any more once single remedies go over it.
fn confirms(status: &Status, words: &[String], word: &str) -> bool {
    let Some((name, value)) = word.split_once('=') else { return words.len() > 1 || status.mode == word };
    let remedies = serde_json::to_value(status.remedies).unwrap_or_default();
    match remedies.get(name) {
        Some(serde_json::Value::String(said)) => said == value,
        Some(said) => value.parse::<u64>().ok().is_some_and(|value| said.as_u64() == Some(value)),
        None => false,
    }
}

/// Why what was measured between these two is not of this arm.
fn spoilt(before: &Status, after: &Status, between: Duration) -> Option<String> {
    let ran = after.uptime_ms.checked_sub(before.uptime_ms);
    // Counters may run slow; a clock that stands still for half of the time was set anew.
    let is_anew = ran.is_none_or(|ran| u128::from(ran) * 2 < between.as_millis());
    if before.boot != after.boot || is_anew {
        Some("the device restarted".to_owned())
    } else if before.remedies != after.remedies {
        Some(format!("it left its mode and is in {} now", after.mode))
    } else {
        None
    }
}

/// Where most first uses of fresh ports fail, something else is wrong than the bug; but a device that closes with a reset
/// takes the end of its answers with it.
fn few_answers(firsts: &Firsts, close: CloseMode) -> Option<String> {
    let too_few = firsts.answered * 2 < firsts.asked && close != CloseMode::Reset;
    let (answered, asked) = (firsts.answered, firsts.asked);
    too_few.then(|| format!("only {answered} of {asked} first requests were answered"))
}

fn wire(summary: &Summary, device: IpAddr) -> Wire {
    let facts = summary.devices.iter().find(|facts| facts.address == device);
    Wire {
        frames: summary.frames,
        dropped: summary.capture.dropped,
        findings: summary.findings.clone(),
        entered: facts.map_or(0, |facts| facts.time_wait.entered),
        msl_at_least_s: facts.and_then(|facts| facts.msl_s.at_least),
        msl_at_most_s: facts.and_then(|facts| facts.msl_s.at_most),
        behaves_as: facts
            .and_then(|facts| serde_json::to_value(facts.behaves_as).ok())
            .and_then(|word| word.as_str().map(str::to_owned))
            .unwrap_or_default(),
    }
}

/// Counters wrap, so their differences do.
fn device(before: &Status, after: &Status) -> Device {
    let (met, had) = (&after.time_wait, &before.time_wait);
    Device {
        mode: after.mode.clone(),
        firmware: format!("{} on {}, {}", after.firmware, after.chip, after.stack),
        boot: after.boot,
        stale_acks: met.stale_acks().wrapping_sub(had.stale_acks()),
        rsts: met.rsts.wrapping_sub(had.rsts),
        rsts_honoured: met.rsts_honoured.wrapping_sub(had.rsts_honoured),
        syns_accepted: met.syns_accepted.wrapping_sub(had.syns_accepted),
        evicted: met.evicted.wrapping_sub(had.evicted),
        served: after.http.served.wrapping_sub(before.http.served),
        errors: after.http.errors.wrapping_sub(before.http.errors),
        time_wait: after.pcbs.time_wait,
    }
}

fn to_the_microsecond(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
