//! The traffic that provokes the bug, sent to one device and counted.
//!
//! Knows how a run is shown while it lasts, and what its end is called. What is sent and when is the load room's; why
//! the device behaves as it does is for a watcher beside it to say.

mod bar;
mod page;

use core::net::{IpAddr, SocketAddr};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};

use super::{
    devices,
    exit::{self, usage},
    print::print,
    sandbox::{self, Needs, Sockets},
    shutdown::{self, Stop},
    successor::successor,
    terminal,
};
use crate::analysis::time::Timestamp;
use crate::cli::{
    drive::{DrivePlan, SourcePorts},
    plan::DeviceName,
};
use crate::load::{self, Ended, Failure, LoadError, News, Numbers, Phase, Tally};

use bar::Bar;
use page::Facts;

pub fn run(plan: DrivePlan) -> Result<u8> {
    let target = SocketAddr::new(address_of(&plan.device)?, plan.port);
    // Whoever typed sudo out of habit: nothing here needs it, and answers of strangers are about to be read.
    let needs = Needs { sockets: Sockets::Network, ..Needs::default() };
    sandbox::enter(successor(plan.confinement.user.as_deref())?, &plan.confinement, &needs)?;
    let stop = Stop::default();
    shutdown::listen(&stop, None, terminal::restore)?;

    let load = load_plan(&plan, target);
    let mut tally = Tally::new(plan.requests)?;
    let mut bar = Bar::new();
    let (began, clock) = (now(), Instant::now());
    let ended = load::drive(&load, stop.flag(), &mut |news| {
        if let News::Ended(request) = news {
            tally.count(&request);
        }
        bar.show(&tally);
    });
    bar.clear();
    let ended = ended.map_err(as_error)?;
    let numbers = tally.numbers(clock.elapsed());
    let nothing_was_sent = nothing_was_sent(ended, &numbers);
    let facts = Facts { plan: &plan, target, began, ended: how(ended, nothing_was_sent), numbers: &numbers };
    print(if plan.json { facts.json()? } else { facts.text() })?;
    if nothing_was_sent {
        return Err(anyhow!("{}", advice(&tally, &plan, target)));
    }
    Ok(exit::CLEAN)
}

fn load_plan(plan: &DrivePlan, target: SocketAddr) -> load::DrivePlan {
    load::DrivePlan {
        target,
        host: page::authority(&plan.device, target),
        path: plan.path.clone(),
        requests: plan.requests,
        interval: plan.interval,
        ports: match plan.source_ports {
            SourcePorts::Natural => load::SourcePorts::Natural,
            SourcePorts::Range(first, last) => load::SourcePorts::Rotating { first, last },
        },
        clients: plan.clients.into(),
        keep_alive: plan.keep_alive,
        connect_timeout: plan.connect_timeout,
        response_timeout: plan.response_timeout,
        limit: plan.duration,
    }
}

/// One address, since it is one device.
fn address_of(device: &DeviceName) -> Result<IpAddr> {
    // A name without an address is not mistyped for sure: the device may be off. So this is no usage error here.
    let found = devices::address_of(device).map_err(|error| anyhow!("{error}"))?;
    found.ok_or_else(|| anyhow!("--device has no address: give it, as in -d 192.168.4.1"))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

fn as_error(error: LoadError) -> anyhow::Error {
    match error {
        LoadError::Runtime(_) | LoadError::Histogram(_) => anyhow::Error::new(error),
        mistyped => usage(mistyped),
    }
}

/// Given up for that, or too short for giving up.
fn nothing_was_sent(ended: Ended, numbers: &Numbers) -> bool {
    let requests = &numbers.requests;
    let none = requests.unsent > 0 && requests.answered + requests.failed + requests.unfinished == 0;
    none || ended == Ended::Hopeless
}

fn how(ended: Ended, nothing_was_sent: bool) -> page::End {
    match ended {
        _ if nothing_was_sent => page::End::Unsendable,
        Ended::Done | Ended::Hopeless => page::End::Done,
        Ended::TimeUp => page::End::Duration,
        Ended::Stopped => page::End::Interrupted,
    }
}

/// What stood in the way of every single request, and what to do about it.
fn advice(tally: &Tally, plan: &DrivePlan, target: SocketAddr) -> String {
    let local = tally.failures().filter(|(failure, _)| failure.phase() == Phase::Local);
    let Some((failure, _)) = local.max_by_key(|(_, count)| *count) else {
        return format!("not one request could be sent to {target}");
    };
    let ip = target.ip();
    let next = match (failure, failure.errno().map(load::Errno::name)) {
        (Failure::PortHeld(_), _) => {
            let port = match plan.source_ports {
                SourcePorts::Range(first, _) => first,
                SourcePorts::Natural => 0,
            };
            format!(
                "another program here has it, or an old connection lingers: `ss -tan sport = :{port}` tells; \
                 or choose others, as in --source-ports 50000-50009"
            )
        }
        (Failure::Unreachable(_), _) => {
            format!("is it on, and is this computer on its network? `ip route get {ip}` and `ping {ip}` tell")
        }
        (_, Some("EACCES" | "EPERM")) => {
            "a firewall rule of this computer forbids it: `sudo nft list ruleset` shows them".to_owned()
        }
        (_, Some("EMFILE" | "ENFILE")) => {
            "too many files are open: give fewer --clients, or raise `ulimit -n`".to_owned()
        }
        (_, Some("EINVAL")) if ip.is_ipv6() => {
            "a link-local address (fe80::) means nothing without its interface: give the IPv4 address"
                .to_owned()
        }
        _ => format!("`ip route get {ip}` tells what this computer would do"),
    };
    format!("not one request could be sent to {target}: {failure}\n  {next}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_one_address_and_a_name_without_one_is_no_slip_of_the_fingers() {
        let name = |name: &str| address_of(&DeviceName::Name(name.to_owned()));
        assert!(name("localhost").unwrap().is_loopback());
        let error = name("esp-tcpwatch.invalid").unwrap_err();
        assert_eq!(exit::code_of(&error), exit::FAILED);
        assert!(error.to_string().contains("-d 192.168.4.1"), "{error}");
    }
}
