//! A run of `drive` in words, once it is over: a page, or one JSON object. Counts nothing itself.

use core::fmt::Write;
use core::net::SocketAddr;
use core::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::analysis::time::{Timestamp, When};
use crate::cli::{
    drive::{DrivePlan, SourcePorts},
    plan::DeviceName,
};
use crate::load::{Numbers, Quantiles};

/// Of the JSON object; new fields may come without a new number.
const SCHEMA: u32 = 1;
const COLUMNS: usize = 80;

/// Everything there is to tell.
pub struct Facts<'a> {
    pub plan: &'a DrivePlan,
    pub target: SocketAddr,
    pub began: Timestamp,
    pub ended: End,
    pub numbers: &'a Numbers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    Done,
    Duration,
    Interrupted,
    Unsendable,
}

#[derive(Serialize)]
struct Object<'a> {
    r#type: &'static str,
    schema: u32,
    #[serde(flatten)]
    began: When,
    device: String,
    address: String,
    port: u16,
    path: &'a str,
    source_ports: String,
    clients: u16,
    keep_alive: bool,
    interval_s: f64,
    connect_timeout_s: f64,
    response_timeout_s: f64,
    ended: End,
    #[serde(flatten)]
    numbers: &'a Numbers,
}

impl Facts<'_> {
    pub fn json(&self) -> Result<String> {
        let plan = self.plan;
        let object = Object {
            r#type: "drive",
            schema: SCHEMA,
            began: When(self.began),
            device: named(&plan.device),
            address: self.target.ip().to_string(),
            port: plan.port,
            path: &plan.path,
            source_ports: ports(plan.source_ports),
            clients: plan.clients,
            keep_alive: plan.keep_alive,
            interval_s: plan.interval.as_secs_f64(),
            connect_timeout_s: plan.connect_timeout.as_secs_f64(),
            response_timeout_s: plan.response_timeout.as_secs_f64(),
            ended: self.ended,
            numbers: self.numbers,
        };
        let mut line = serde_json::to_string(&object)?;
        line.push('\n');
        Ok(line)
    }

    /// Lines of at most 80 columns.
    pub fn text(&self) -> String {
        let mut page = Page(String::new());
        self.head(&mut page);
        self.outcomes(&mut page);
        self.latencies(&mut page);
        self.account(&mut page);
        self.notes(&mut page);
        page.0
    }

    fn head(&self, page: &mut Page) {
        let plan = self.plan;
        page.line(format!("GET http://{}{}", authority(&plan.device, self.target), plan.path));
        let from = match plan.source_ports {
            SourcePorts::Natural => "source ports as the kernel chooses".to_owned(),
            SourcePorts::Range(first, last) if first == last => format!("source port {first}"),
            SourcePorts::Range(first, last) => format!("source ports {first}-{last}"),
        };
        let kept = if plan.keep_alive { ", kept alive" } else { "" };
        page.line(format!(
            "{}, {} apart, {}, {from}{kept}",
            count(plan.requests, "request"),
            exact(plan.interval),
            count(plan.clients.into(), "client"),
        ));
        page.line("");
    }

    fn outcomes(&self, page: &mut Page) {
        page.line(format!("{:<60}{:>10}", "outcome", "requests"));
        for row in &self.numbers.outcomes {
            page.line(format!("{:<60}{:>10}", row.text, row.requests));
        }
        let not_begun = self.numbers.requests.not_begun;
        if not_begun > 0 {
            page.line(format!("{:<60}{not_begun:>10}", "not begun"));
        }
        page.line("");
    }

    fn latencies(&self, page: &mut Page) {
        let (connect, response) = (self.numbers.connect_s, self.numbers.response_s);
        if connect.is_none() && response.is_none() {
            return;
        }
        let row = |name: &str, cells: [String; 5]| {
            let cells: String = cells.iter().map(|cell| format!("{cell:>12}")).collect();
            format!("{name:<10}{cells}")
        };
        page.line(row("", ["count", "p50", "p90", "p99", "max"].map(str::to_owned)));
        for (name, quantiles) in [("connect", connect), ("response", response)] {
            let Some(Quantiles { count, p50, p90, p99, max }) = quantiles else { continue };
            page.line(row(name, [count.to_string(), span(p50), span(p90), span(p99), span(max)]));
        }
        page.line("");
    }

    fn account(&self, page: &mut Page) {
        let numbers = self.numbers;
        let mut entry = |name: &str, text: String| page.line(format!("{name:<13}{text}"));
        let ended = match self.ended {
            End::Done => "",
            End::Duration => ", ended by --duration",
            End::Interrupted => ", interrupted",
            End::Unsendable => ", given up: nothing could be sent",
        };
        let rate = numbers.answered_per_s;
        entry("time", format!("{}, {rate:.2} answers a second{ended}", span(numbers.duration_s)));
        entry("stalls", format!("{} took longer than 1 s", count(numbers.stalls.requests, "request")));
        entry("lost", format!("{:.1} s (what failed and stalled took beyond the median)", numbers.lost_s));
        let connections = &numbers.connections;
        let mut text = format!("{} opened", connections.opened);
        let closed = [
            ("device closed first", connections.closed_by_device),
            ("device reset", connections.reset_by_device),
            ("we closed", connections.closed_by_us),
        ];
        for (how, count) in closed.into_iter().filter(|(_, count)| *count > 0) {
            let _ = write!(text, ", {how} {count}");
        }
        entry("connections", text);
        if let Some(body) = numbers.body_octets {
            entry(
                "answers",
                if body.at_least == body.at_most {
                    format!("{} each", count(body.at_least, "octet"))
                } else {
                    format!("of different length: {} to {} octets", body.at_least, body.at_most)
                },
            );
        }
    }

    fn notes(&self, page: &mut Page) {
        let requests = &self.numbers.requests;
        let held =
            self.numbers.outcomes.iter().any(|row| row.outcome == "port-held") && requests.answered > 0;
        if held {
            page.line("");
            page.line("This computer still held a source port, and nothing was sent: where we close");
            page.line("first, TIME-WAIT is ours. Take more ports, as in --source-ports 40000-40099.");
        }
        if requests.failed > 0 || self.numbers.stalls.requests > 0 {
            page.line("");
            page.line(format!("Why? Run beside it: sudo esp-tcpwatch -d {}", named(&self.plan.device)));
        }
    }
}

struct Page(String);

impl Page {
    fn line(&mut self, text: impl AsRef<str>) {
        let text = text.as_ref();
        if text.chars().count() > COLUMNS {
            self.0.extend(text.chars().take(COLUMNS - 3));
            self.0.push_str("...");
        } else {
            self.0.push_str(text.trim_end());
        }
        self.0.push('\n');
    }
}

/// The device as it was named, with its port unless that is the usual one: what a browser would send as `Host`.
pub fn authority(device: &DeviceName, target: SocketAddr) -> String {
    let host = match device {
        DeviceName::Address(_) if target.is_ipv6() => format!("[{}]", target.ip()),
        device => named(device),
    };
    if target.port() == 80 { host } else { format!("{host}:{}", target.port()) }
}

fn named(device: &DeviceName) -> String {
    match device {
        DeviceName::Address(address) => address.to_string(),
        DeviceName::Name(name) => name.clone(),
    }
}

fn ports(ports: SourcePorts) -> String {
    match ports {
        SourcePorts::Natural => "natural".to_owned(),
        SourcePorts::Range(first, last) if first == last => first.to_string(),
        SourcePorts::Range(first, last) => format!("{first}-{last}"),
    }
}

fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// As it was typed.
fn exact(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_secs_f64() * 1e3)
    } else {
        format!("{} s", duration.as_secs_f64())
    }
}

/// Three digits or so, in the unit that suits.
pub fn span(seconds: f64) -> String {
    match seconds {
        s if s < 0.0995 => format!("{:.2} ms", s * 1e3),
        s if s < 0.9995 => format!("{:.0} ms", s * 1e3),
        s if s < 99.95 => format!("{s:.2} s"),
        s => format!("{s:.0} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::confine::ConfineArgs, load::Tally};

    fn plan() -> DrivePlan {
        DrivePlan {
            device: DeviceName::Address("10.77.0.2".parse().unwrap()),
            port: 80,
            path: "/".to_owned(),
            requests: 1000,
            interval: Duration::from_millis(150),
            source_ports: SourcePorts::Range(40000, 40000),
            clients: 1,
            keep_alive: false,
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(10),
            duration: None,
            json: false,
            confinement: ConfineArgs::default().into(),
        }
    }

    fn facts<T>(plan: &DrivePlan, ended: End, look: impl FnOnce(Facts<'_>) -> T) -> T {
        let numbers = Tally::new(plan.requests).unwrap().numbers(Duration::from_secs(1));
        let target = "10.77.0.2:80".parse().unwrap();
        look(Facts { plan, target, began: Timestamp::from_micros(1), ended, numbers: &numbers })
    }

    #[test]
    fn no_line_is_longer_than_a_terminal_is_wide() {
        let long = DrivePlan {
            device: DeviceName::Name("a".repeat(63)),
            path: format!("/{}", "x".repeat(200)),
            requests: 10_000_000,
            clients: 500,
            interval: Duration::from_micros(123_456),
            source_ports: SourcePorts::Range(10000, 60000),
            keep_alive: true,
            ..plan()
        };
        for plan in [plan(), long] {
            for ended in [End::Done, End::Duration, End::Interrupted, End::Unsendable] {
                let text = facts(&plan, ended, |facts| facts.text());
                let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
                assert!(longest <= COLUMNS, "{longest}: {text}");
                assert!(text.is_ascii());
            }
        }
    }

    #[test]
    fn the_object_tells_what_was_asked_for_in_one_line() {
        let line = facts(&plan(), End::Interrupted, |facts| facts.json().unwrap());
        assert_eq!((line.matches('\n').count(), line.ends_with('\n')), (1, true));
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        for (field, expected) in [
            ("type", serde_json::json!("drive")),
            ("schema", 1.into()),
            ("address", "10.77.0.2".into()),
            ("source_ports", "40000".into()),
            ("interval_s", 0.15.into()),
            ("ended", "interrupted".into()),
            ("connect_s", serde_json::Value::Null),
            ("epoch", 0.000001.into()),
        ] {
            assert_eq!(object[field], expected, "{field}");
        }
    }

    #[test]
    fn the_host_is_what_a_browser_would_send() {
        let address = |text: &str| DeviceName::Address(text.parse().unwrap());
        let table = [
            (address("10.0.0.2"), "10.0.0.2:80", "10.0.0.2"),
            (address("10.0.0.2"), "10.0.0.2:8080", "10.0.0.2:8080"),
            (address("fd77::2"), "[fd77::2]:80", "[fd77::2]"),
            (DeviceName::Name("esp32.local".to_owned()), "[fd77::2]:81", "esp32.local:81"),
        ];
        for (device, target, expected) in table {
            assert_eq!(authority(&device, target.parse().unwrap()), expected);
        }
    }

    #[test]
    fn spans_have_the_unit_that_suits() {
        for (seconds, text) in [
            (0.000_512, "0.51 ms"),
            (0.0123, "12.30 ms"),
            (0.25, "250 ms"),
            (1.0034, "1.00 s"),
            (134.2, "134 s"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
