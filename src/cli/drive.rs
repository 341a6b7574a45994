//! The `drive` command: what was typed, and what it means.
//!
//! Knows which values make sense together. Which address a name has, and whether it can be reached, is `app`'s.

use core::time::Duration;

use clap::Args;

use super::confine::{ConfineArgs, Confinement};
use super::plan::{DeviceName, PlanError, error, one_device};

const NOTES: &str = "\
The default is the test of the bug report: 1000 requests, one every 150 ms
(MicroPython issues 12819 and 15844). To make sure that it shows, use one
source port again and again:

  esp-tcpwatch drive -d 192.168.4.1 --source-ports 40000 --requests 50
  esp-tcpwatch drive -d 192.168.4.1 --source-ports 40000-40009 --clients 5
  esp-tcpwatch drive -d 192.168.4.1 --path '/big?10240'      larger answers
  esp-tcpwatch drive -d 192.168.4.1 --keep-alive             should show nothing

It needs no privilege, and sends to this device and port alone. Watch beside it
with `sudo esp-tcpwatch -d IP`: this command counts, that one explains.

A request takes at most both deadlines, and where its source port is still held
by this computer, two seconds for that. Ctrl-C ends it with the numbers so far.

Counted are: outcomes; the time to connect, and from the request to the last
octet of the answer; stalls, which are requests that took longer than 1 s; and
the time lost, which is what failed and stalled requests took beyond the median
of those that were answered, of all clients together.

--json prints one object at the end and nothing else on stdout:
  type \"drive\", schema, time and epoch of the start, device, address, port, path,
  source_ports, clients, keep_alive, interval_s, connect_timeout_s,
  response_timeout_s, ended (done, duration, interrupted, unsendable),
  requests (planned, answered, failed, unsent, unfinished, not_begun),
  duration_s, answered_per_s, outcomes (outcome, errno, status, requests, text),
  connect_s and response_s (count, p50, p90, p99, max), stalls (over_s, requests),
  lost_s, connections (opened, closed_by_device, reset_by_device, closed_by_us),
  body_octets (at_least, at_most)

Exit code 0: it did its work, also where the device failed: the numbers say so.
2: the command line is wrong. 4: not one request could be sent.";

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub struct DriveArgs {
    /// The device, by address or name
    #[arg(short, long, value_name = "IP")]
    pub device: Option<String>,
    /// Its port
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// What to ask for
    #[arg(long, default_value = "/")]
    pub path: String,
    /// How many requests, of all clients together
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub requests: u64,
    /// From the start of a request to the start of its client's next; a slow one delays the next
    #[arg(long, value_name = "TIME", default_value = "150ms", value_parser = super::span::parse)]
    pub interval: Duration,
    /// Source ports: natural (the kernel chooses), one port, or FIRST-LAST, used in turn
    #[arg(long, value_name = "PORTS", default_value = "natural", value_parser = source_ports)]
    pub source_ports: SourcePorts,
    /// Clients side by side, each with source ports of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub clients: u16,
    /// Make many requests on one connection, and a new connection when the server closes it
    #[arg(long)]
    pub keep_alive: bool,
    /// How long a connection may take
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = super::span::parse)]
    pub connect_timeout: Duration,
    /// How long a whole answer may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = super::span::parse)]
    pub response_timeout: Duration,
    /// Stop after this time, as in 30s, 5m, 1h
    #[arg(long, value_name = "TIME", value_parser = super::span::parse)]
    pub duration: Option<Duration>,
    /// The numbers as one JSON object on stdout, and nothing else there
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub confine: ConfineArgs,
}

/// Where connections come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourcePorts {
    Natural,
    /// In turn; one port is a range of one.
    Range(u16, u16),
}

#[derive(Clone, Debug, PartialEq)]
pub struct DrivePlan {
    pub device: DeviceName,
    pub port: u16,
    pub path: String,
    pub requests: u64,
    pub interval: Duration,
    pub source_ports: SourcePorts,
    pub clients: u16,
    pub keep_alive: bool,
    pub connect_timeout: Duration,
    pub response_timeout: Duration,
    pub duration: Option<Duration>,
    pub json: bool,
    pub confinement: Confinement,
}

/// The ports below belong to the system's own services, and binding one takes a privilege.
const LOWEST: u16 = 1024;

fn source_ports(text: &str) -> Result<SourcePorts, String> {
    if text == "natural" {
        return Ok(SourcePorts::Natural);
    }
    let number = |text: &str| {
        text.trim().parse::<u16>().map_err(|_| {
            format!("`{text}` is no port; give natural, a port as in 40000, or FIRST-LAST as in 40000-40009")
        })
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    if first < LOWEST {
        return Err(format!("source ports below {LOWEST} belong to the system; begin at {LOWEST} or higher"));
    }
    if last < first {
        return Err(format!("{first}-{last} runs backwards; give the lower port first"));
    }
    Ok(SourcePorts::Range(first, last))
}

pub(super) fn drive(args: DriveArgs) -> Result<DrivePlan, PlanError> {
    let device = one_device(args.device.as_deref(), "drive")?;
    if !args.path.starts_with('/') || !args.path.chars().all(|c| c.is_ascii_graphic()) {
        return Err(error(
            format!("--path {:?} cannot be asked for", args.path),
            "begin with /, and write spaces and letters beyond ASCII as %XX",
        ));
    }
    if let SourcePorts::Range(first, last) = args.source_ports
        && u32::from(args.clients) > u32::from(last - first) + 1
    {
        return Err(error(
            format!("{} clients cannot have source ports of their own from these", args.clients),
            format!(
                "give a port for each: --source-ports {first}-{}, or --source-ports natural",
                first.saturating_add(args.clients - 1)
            ),
        ));
    }
    Ok(DrivePlan {
        device,
        port: args.port,
        path: args.path,
        requests: args.requests,
        interval: args.interval,
        source_ports: args.source_ports,
        clients: args.clients,
        keep_alive: args.keep_alive,
        connect_timeout: args.connect_timeout,
        response_timeout: args.response_timeout,
        duration: args.duration,
        json: args.json,
        confinement: args.confine.into(),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Plan, args::Cli};

    fn plan(words: &str) -> Result<DrivePlan, String> {
        let words = ["esp-tcpwatch", "drive"].into_iter().chain(words.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|e| e.to_string())?;
        match Plan::try_from(cli).map_err(|e| e.to_string())? {
            Plan::Drive(plan) => Ok(plan),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_left_out_is_the_test_of_the_bug_report() {
        let ms = Duration::from_millis;
        let plan = plan("-d 10.0.0.2").unwrap();
        assert_eq!((plan.port, plan.path.as_str(), plan.requests), (80, "/", 1000));
        assert_eq!((plan.interval, plan.source_ports, plan.clients), (ms(150), SourcePorts::Natural, 1));
        assert_eq!((plan.connect_timeout, plan.response_timeout), (ms(5000), ms(10_000)));
        assert_eq!((plan.keep_alive, plan.json, plan.duration), (false, false, None));
    }

    #[test]
    fn source_ports_are_natural_one_or_a_range() {
        let table = [
            ("natural", SourcePorts::Natural),
            ("40000", SourcePorts::Range(40000, 40000)),
            ("1024-65535", SourcePorts::Range(1024, 65535)),
        ];
        for (text, expected) in table {
            assert_eq!(source_ports(text), Ok(expected), "{text}");
        }
        for text in ["", "x", "0", "80", "1023-2000", "65536", "5-", "-5", "40009-40000", "40000-40001-40002"]
        {
            assert!(source_ports(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_says_what_to_type() {
        let table = [
            ("", "--device"),
            ("-d 10.0.0.2,10.0.0.3", "one device"),
            ("-d 10.0.0.2 -d 10.0.0.3", "cannot be used multiple times"),
            ("-d 10.0.0.2:80", "without a port"),
            ("-d 224.0.0.1", "own address"),
            ("-d 10.0.0.2 --path big", "begin with /"),
            ("-d 10.0.0.2 --path /ü", "%XX"),
            ("-d 10.0.0.2 --port 0", "--port"),
            ("-d 10.0.0.2 --requests 0", "--requests"),
            ("-d 10.0.0.2 --interval 150", "with units"),
            ("-d 10.0.0.2 --source-ports 80", "1024"),
            ("-d 10.0.0.2 --source-ports 9-8", "1024"),
            ("-d 10.0.0.2 --source-ports 40000 --clients 4", "40000-40003"),
            ("-d 10.0.0.2 --source-ports 40000-40002 --clients 4", "40000-40003"),
            ("-d 10.0.0.2 --clients 0", "--clients"),
        ];
        for (words, next) in table {
            let message = plan(words).expect_err(words);
            assert!(message.contains(next), "{words}: {message}");
        }
        assert!(plan("-d 10.0.0.2 --source-ports 40000-40003 --clients 4").is_ok());
    }
}
