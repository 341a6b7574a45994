//! The numbers of a run: outcomes counted, latencies in HDR histograms (three digits, up to an hour), and what it cost.
//!
//! Pure. Of a million requests it keeps as much as of ten. It counts and does not explain: a stall is a stall, whoever
//! is to blame.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::{CreationError, Histogram};
use serde::Serialize;

use super::LoadError;
use super::exchange::{Closer, Request};
use super::failure::{Errno, Failure, Phase};

/// A request that takes longer is a stall.
pub const STALL: Duration = Duration::from_secs(1);

const MOST: Duration = Duration::from_secs(3600);

/// The requests so far.
#[derive(Debug)]
pub struct Tally {
    planned: u64,
    answered: u64,
    failures: BTreeMap<Failure, u64>,
    stalls: u64,
    opened: u64,
    closed_by_device: u64,
    reset_by_device: u64,
    closed_by_us: u64,
    body: Option<(u64, u64)>,
    connect: Latencies,
    response: Latencies,
    /// Connect and response together, of requests that were answered.
    whole: Latencies,
    /// The same of those that failed or stalled.
    slow: Latencies,
}

/// What came of it all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Numbers {
    pub requests: Requests,
    pub duration_s: f64,
    /// Answered requests by all of the time.
    pub answered_per_s: f64,
    pub outcomes: Vec<Row>,
    /// Over connections that came about; `None` without any.
    pub connect_s: Option<Quantiles>,
    /// Over requests that were answered: from the request to the last octet of the answer.
    pub response_s: Option<Quantiles>,
    pub stalls: Stalls,
    /// What failed and stalled requests took beyond the median of those that were answered.
    pub lost_s: f64,
    pub connections: Connections,
    /// The bodies of the answers.
    pub body_octets: Option<Extremes>,
}

/// Each of the planned is one of the other five.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Requests {
    pub planned: u64,
    pub answered: u64,
    pub failed: u64,
    /// Did not leave this computer, as far as it knows.
    pub unsent: u64,
    /// On their way when the end came.
    pub unfinished: u64,
    pub not_begun: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// `answered`, or [`Failure::kind`].
    pub outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    pub requests: u64,
    /// The same for people.
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    pub count: u64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Stalls {
    pub over_s: f64,
    pub requests: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Connections {
    pub opened: u64,
    /// By a FIN, before we did: the device is left with TIME-WAIT.
    pub closed_by_device: u64,
    pub reset_by_device: u64,
    /// This computer is left with TIME-WAIT.
    pub closed_by_us: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Extremes {
    pub at_least: u64,
    pub at_most: u64,
}

impl Tally {
    pub fn new(planned: u64) -> Result<Tally, LoadError> {
        Ok(Tally {
            planned,
            answered: 0,
            failures: BTreeMap::new(),
            stalls: 0,
            opened: 0,
            closed_by_device: 0,
            reset_by_device: 0,
            closed_by_us: 0,
            body: None,
            connect: Latencies::new()?,
            response: Latencies::new()?,
            whole: Latencies::new()?,
            slow: Latencies::new()?,
        })
    }

    pub fn count(&mut self, request: &Request) {
        let exchange = &request.exchange;
        if let Some(connect) = exchange.connect {
            self.opened += 1;
            self.connect.record(connect);
        }
        match exchange.closed_by {
            Some(Closer::Device) => self.closed_by_device += 1,
            Some(Closer::DeviceReset) => self.reset_by_device += 1,
            Some(Closer::Us) => self.closed_by_us += 1,
            None => {}
        }
        let is_stall = exchange.took > STALL;
        self.stalls += u64::from(is_stall);
        match &exchange.result {
            Ok(answered) => {
                self.answered += 1;
                self.response.record(answered.response);
                self.whole.record(exchange.took);
                let (least, most) = self.body.unwrap_or((answered.body, answered.body));
                self.body = Some((least.min(answered.body), most.max(answered.body)));
            }
            Err(failure) => *self.failures.entry(failure.clone()).or_default() += 1,
        }
        let is_failure = exchange.result.as_ref().is_err_and(|failure| is_the_devices(failure.phase()));
        if is_stall || is_failure {
            self.slow.record(exchange.took);
        }
    }

    pub fn planned(&self) -> u64 {
        self.planned
    }

    /// Requests that came to an end, good or bad.
    pub fn ended(&self) -> u64 {
        self.answered + self.failures.values().sum::<u64>()
    }

    pub fn answered(&self) -> u64 {
        self.answered
    }

    pub fn stalls(&self) -> u64 {
        self.stalls
    }

    /// Failures, those included that are no fault of the device.
    pub fn failures(&self) -> impl Iterator<Item = (&Failure, u64)> {
        self.failures.iter().map(|(failure, &count)| (failure, count))
    }

    /// Connect and response together, of requests that were answered.
    pub fn median(&self) -> Option<Duration> {
        (self.answered > 0).then(|| self.whole.median())
    }

    pub fn numbers(&self, duration: Duration) -> Numbers {
        let failed = |wanted: fn(Phase) -> bool| -> u64 {
            self.failures().filter(|(failure, _)| wanted(failure.phase())).map(|(_, count)| count).sum()
        };
        let requests = Requests {
            planned: self.planned,
            answered: self.answered,
            failed: failed(is_the_devices),
            unsent: failed(|phase| phase == Phase::Local),
            unfinished: failed(|phase| phase == Phase::Stop),
            not_begun: self.planned.saturating_sub(self.ended()),
        };
        let seconds = duration.as_secs_f64();
        Numbers {
            requests,
            duration_s: rounded(seconds, 1e6),
            answered_per_s: rounded(self.answered as f64 / seconds.max(1e-6), 1e3),
            outcomes: self.rows(),
            connect_s: self.connect.quantiles(),
            response_s: self.response.quantiles(),
            stalls: Stalls { over_s: STALL.as_secs_f64(), requests: self.stalls },
            lost_s: rounded(self.slow.beyond(self.median().unwrap_or_default()).as_secs_f64(), 1e3),
            connections: Connections {
                opened: self.opened,
                closed_by_device: self.closed_by_device,
                reset_by_device: self.reset_by_device,
                closed_by_us: self.closed_by_us,
            },
            body_octets: self.body.map(|(at_least, at_most)| Extremes { at_least, at_most }),
        }
    }

    fn rows(&self) -> Vec<Row> {
        let answered = Row {
            outcome: "answered",
            errno: None,
            status: None,
            requests: self.answered,
            text: "answered".to_owned(),
        };
        let failed = self.failures().map(|(failure, requests)| Row {
            outcome: failure.kind(),
            errno: failure.errno().map(Errno::name).map(str::to_owned),
            status: if let Failure::Status(status) = failure { Some(*status) } else { None },
            requests,
            text: failure.to_string(),
        });
        core::iter::once(answered).chain(failed).collect()
    }
}

fn is_the_devices(phase: Phase) -> bool {
    match phase {
        Phase::Connect | Phase::Send | Phase::Receive | Phase::Answer => true,
        Phase::Local | Phase::Stop => false,
    }
}

fn rounded(number: f64, by: f64) -> f64 {
    (number * by).round() / by
}

/// Microseconds in a histogram, and the longest of them to the last digit.
#[derive(Debug)]
struct Latencies {
    histogram: Histogram<u64>,
    longest: Duration,
}

impl Latencies {
    fn new() -> Result<Self, CreationError> {
        Ok(Latencies { histogram: Histogram::new_with_bounds(1, micros(MOST), 3)?, longest: Duration::ZERO })
    }

    fn record(&mut self, latency: Duration) {
        self.histogram.saturating_record(micros(latency));
        self.longest = self.longest.max(latency);
    }

    fn median(&self) -> Duration {
        Duration::from_micros(self.histogram.value_at_quantile(0.5)).min(self.longest)
    }

    fn quantiles(&self) -> Option<Quantiles> {
        let max = rounded(self.longest.as_secs_f64(), 1e6);
        // A histogram answers with the upper end of a step, which may lie above anything that was.
        let at = |quantile| (self.histogram.value_at_quantile(quantile) as f64 / 1e6).min(max);
        let count = self.histogram.len();
        (count > 0).then(|| Quantiles { count, p50: at(0.5), p90: at(0.9), p99: at(0.99), max })
    }

    /// The sum of what each took beyond `usual`.
    fn beyond(&self, usual: Duration) -> Duration {
        let usual = micros(usual);
        let each = self
            .histogram
            .iter_recorded()
            .map(|step| step.value_iterated_to().saturating_sub(usual).saturating_mul(step.count_at_value()));
        Duration::from_micros(each.fold(0, u64::saturating_add))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::exchange::{Answered, Exchange};

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn request(exchange: Exchange) -> Request {
        Request { number: 0, client: 0, began: Duration::ZERO, exchange }
    }

    fn answered(connect: u64, response: u64, body: u64) -> Request {
        request(Exchange {
            connect: Some(ms(connect)),
            bytes: body + 19,
            took: ms(connect + response),
            closed_by: Some(Closer::Device),
            result: Ok(Answered { response: ms(response), body }),
            ..Exchange::failed(Failure::NotTried)
        })
    }

    fn failed(failure: Failure, took: u64) -> Request {
        request(Exchange { took: ms(took), ..Exchange::failed(failure) })
    }

    fn tally(planned: u64, requests: impl IntoIterator<Item = Request>) -> Numbers {
        let mut tally = Tally::new(planned).unwrap();
        requests.into_iter().for_each(|request| tally.count(&request));
        tally.numbers(Duration::from_secs(20))
    }

    #[test]
    fn a_healthy_run_lost_nothing_and_stalled_never() {
        let numbers = tally(100, (0..100).map(|n| answered(1, n, 24)));
        assert_eq!((numbers.lost_s, numbers.stalls.requests), (0.0, 0));
        assert_eq!((numbers.requests.answered, numbers.requests.failed), (100, 0));
        assert_eq!(numbers.answered_per_s, 5.0);
        assert_eq!(numbers.outcomes.len(), 1);
        assert_eq!(numbers.body_octets, Some(Extremes { at_least: 24, at_most: 24 }));
        let response = numbers.response_s.unwrap();
        let near = |value: f64, expected: f64| (value - expected).abs() <= expected * 0.001;
        assert!(near(response.p50, 0.049) && near(response.p90, 0.089) && near(response.p99, 0.098));
        assert_eq!((response.count, response.max), (100, 0.099));
    }

    #[test]
    fn what_failed_and_stalled_is_lost_beyond_the_median() {
        // The median is 10 ms. Lost: 1.99 + 4.99 s, and nothing by the quick refusal.
        let requests = (0..9)
            .map(|_| answered(5, 5, 24))
            .chain([answered(1995, 5, 30), failed(Failure::ConnectDeadline, 5000)])
            .chain([failed(Failure::Status(503), 1)]);
        let numbers = tally(20, requests);
        assert!((numbers.lost_s - 6.98).abs() < 0.01, "{}", numbers.lost_s);
        assert_eq!(numbers.stalls, Stalls { over_s: 1.0, requests: 2 });
        let Requests { answered, failed, not_begun, .. } = numbers.requests;
        assert_eq!((answered, failed, not_begun), (10, 2, 8));
        assert_eq!(numbers.body_octets, Some(Extremes { at_least: 24, at_most: 30 }));
        let row = numbers.outcomes.iter().find(|row| row.outcome == "http-status").unwrap();
        assert_eq!((row.status, row.requests), (Some(503), 1));
    }

    #[test]
    fn with_nothing_answered_all_of_the_time_is_lost() {
        let numbers = tally(3, (0..3).map(|_| failed(Failure::ConnectDeadline, 5000)));
        assert!((numbers.lost_s - 15.0).abs() < 0.02, "{}", numbers.lost_s);
        assert_eq!((numbers.connect_s, numbers.response_s, numbers.body_octets), (None, None, None));
    }

    #[test]
    fn what_did_not_leave_is_not_the_devices() {
        let held = || Failure::of_connect(&std::io::Error::from(nix::errno::Errno::EADDRINUSE));
        let numbers = tally(4, [failed(held(), 0), failed(held(), 0), failed(Failure::Stopped, 3000)]);
        let Requests { planned, answered, failed, unsent, unfinished, not_begun } = numbers.requests;
        assert_eq!((planned, answered, failed, unsent, unfinished, not_begun), (4, 0, 0, 2, 1, 1));
        assert_eq!(numbers.outcomes[1].errno.as_deref(), Some("EADDRINUSE"));
        // The one that was cut off had waited: that is known, and told.
        assert_eq!(numbers.stalls.requests, 1);
    }

    #[test]
    fn beyond_an_hour_all_is_the_same() {
        let numbers = tally(1, [answered(0, 10_000_000, 1)]);
        let response = numbers.response_s.unwrap();
        assert_eq!(response.max, 10_000.0);
        assert!(response.p50 >= 3600.0);
    }
}
