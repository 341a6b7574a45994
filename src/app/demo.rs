//! The bug, shown and caught without hardware: the twin is the device, our own client reuses its ports, and the
//! watcher watches, live, exactly as it would a real ESP32.
//!
//! Knows the story and its order. The network is the lab's, the traffic the load driver's, the judgement the
//! engine's; the device's own account of what it met is told beside ours, so that nobody has to take our word.

use core::net::SocketAddr;
use core::time::Duration;
use std::path::Path;
use std::sync::mpsc::Sender;

use anyhow::{Context, Result, anyhow};

use super::{
    exit,
    files::Files,
    flight::FlightRecorder,
    look,
    moves::Moves,
    output,
    pipeline::WhenStopped,
    print::print,
    rules,
    sandbox::{self, Needs, Sockets},
    session::{Outcome, Running, Session, Shown},
    shutdown::{self, Stop},
    successor::successor,
    terminal,
    twin_key::TwinKey,
    watch,
};
use crate::analysis::{
    event::{Start, Summary},
    host::DeviceScope,
    input::{Input, Marker},
    time::Timestamp,
};
use crate::cli::{args::DemoMode, plan::DemoPlan};
use crate::firmware::{protocol::Status, status_blocking};
use crate::lab::{self, Lab, LabConfig};
use crate::load::{self, ReusePlan, Totals};
use crate::source::{feed, filter};

/// Long enough for four refused tries, short enough for a pipe to wait.
const PATIENCE: Duration = Duration::from_secs(4);
/// Before a person at a terminal there is time for more.
const PATIENCE_AT_A_SCREEN: Duration = Duration::from_secs(12);
/// From the last try to the device's account: whatever is on the wire arrives.
const SETTLE: Duration = Duration::from_millis(300);
const FIRST_PORT: u16 = 40_000;

pub fn run(plan: DemoPlan) -> Result<u8> {
    if let Some(shape) = &plan.experiment {
        return super::experiment::demo::run(&plan, shape);
    }
    let shown = Shown::of(plan.output.view);
    let look = look::of(&plan.output)?;
    let rules = rules::load(plan.output.rules.as_deref())?;
    // Asked before the lab may take us where nobody else is.
    let successor = successor(plan.confinement.user.as_deref())?;
    let key = TwinKey::new()?;
    let config = LabConfig {
        twin: lab::find_twin(plan.twin.as_deref())?,
        twin_args: twin_args(&plan, &key),
        seed: plan.seed,
        // As whom we go on ourselves: we could not end a twin that stayed root.
        twin_user: successor.map(|successor| (successor.uid.as_raw(), successor.gid.as_raw())),
        has_power_switch: false,
    };
    let lab = Lab::enter(&config)?;
    let successor = successor.filter(|_| lab.has_other_users());
    let key = key.into_key();
    let device = lab.device();
    let filter = filter::for_devices(&[device]);
    let capture = watch::open(lab.interface().to_owned(), Some(filter.clone()), None, shown)?;
    let files = Files::open(&with_report(&plan, shown).output, &[], successor, None)?;
    let recorder = plan.recorder.as_ref().map(|plan| FlightRecorder::open(plan, successor)).transpose()?;
    let folder = recorder.as_ref().map(FlightRecorder::folder);
    let needs = files.needs(shown, shown == Shown::Screen).and_a_capture().and_recordings(folder);
    let needs = Needs { sockets: Sockets::Network, ..needs };
    let remarks = sandbox::enter(successor, &plan.confinement, &needs)?;

    let stop = Stop::default();
    shutdown::listen(&stop, None, terminal::restore)?;
    if shown == Shown::Lines {
        print(story(&plan, &lab))?;
    }
    let start = Start {
        tool: super::TOOL.to_owned(),
        source: "live".to_owned(),
        name: lab.interface().to_owned(),
        filter: Some(filter),
        snaplen: Some(watch::DEFAULT_SNAPLEN),
        ..Start::default()
    };
    let (feeder, feed) = feed::feed(watch::FEED_BATCHES);
    let capturing = watch::spawn(capture, feeder, &stop)?;
    let session = Session {
        title: "demo".to_owned(),
        shown,
        look,
        metrics: None,
        socket: None,
        duty: None,
        events: None,
        recorder,
        flow_events: plan.output.flow_events,
        segment_events: plan.output.segment_events,
        memory: plan.output.memory,
        files,
        rules,
        devices: DeviceScope::Named(vec![device]),
        start,
        moves: Moves::default(),
        stop: stop.clone(),
        when_stopped: WhenStopped::AtEnd,
        remarks,
    };
    let mut running = session.start(feed)?;
    running.ask(&[(device, lab.control())], Some(key))?;
    let client = Client {
        plan: ReusePlan {
            target: lab.server(),
            first_port: FIRST_PORT,
            ports: plan.ports,
            pause: Duration::from_millis(100),
            connect_timeout: plan.patience.unwrap_or(match shown {
                Shown::Screen => PATIENCE_AT_A_SCREEN,
                Shown::Lines | Shown::Json => PATIENCE,
            }),
            parallel: usize::from(plan.ports),
        },
        control: lab.control(),
        asides: running.asides(),
        stop: stop.clone(),
        // Before a screen the person decides when it is over.
        ends_the_run: shown != Shown::Screen,
    };
    let provoking = client.start()?;
    let mut outcome = Running::finish(running)?;
    stop.raise();
    outcome.error = watch::joined(capturing)?.err().map(anyhow::Error::new).or(outcome.error);
    let provoked = provoking.join().map_err(|_| anyhow!("the client stopped with a programming error"))?;
    lab.finish()?;
    conclude(remedied(&plan), shown, outcome, provoked)
}

fn twin_args(plan: &DemoPlan, key: &TwinKey) -> Vec<String> {
    let mode = ["--mode".to_owned(), plan.mode.word().to_owned()];
    let remedies = plan.remedies.iter().flat_map(|(option, value)| [(*option).to_owned(), value.clone()]);
    mode.into_iter().chain(key.arguments()).chain(remedies).collect()
}

/// Without a screen there is always a report: it is what the demo leaves behind.
fn with_report(plan: &DemoPlan, shown: Shown) -> DemoPlan {
    let mut plan = plan.clone();
    if shown == Shown::Lines {
        plan.output.report.get_or_insert_with(|| output::timed_name(Path::new("."), "esp-tcpwatch-demo"));
    }
    plan
}

fn story(plan: &DemoPlan, lab: &Lab) -> String {
    let behaviour = match plan.mode {
        _ if !plan.remedies.is_empty() => "with the remedies that were asked for",
        DemoMode::Unfixed => {
            "as ESP-IDF ships it: after closing, it holds each connection in TIME-WAIT for 120 s"
        }
        DemoMode::Fixed => "with the remedies: a reused port is let in",
    };
    format!(
        "The device is the real lwIP at {}, {behaviour}.\n\
         The client at {} fetches a page from each of {} source ports, then connects again from the same ports.\n\n",
        lab.device(),
        lab.client(),
        plan.ports,
    )
}

/// Who provokes the bug, and asks the device afterwards.
struct Client {
    plan: ReusePlan,
    control: SocketAddr,
    asides: Sender<Input<'static>>,
    stop: Stop,
    ends_the_run: bool,
}

/// What the client and the device have to say.
struct Provoked {
    totals: Totals,
    account: Status,
}

impl Client {
    fn start(self) -> Result<std::thread::JoinHandle<Result<Provoked>>> {
        std::thread::Builder::new()
            .name("client".into())
            .spawn(move || {
                let provoked = self.provoke();
                if self.ends_the_run || provoked.is_err() {
                    self.stop.raise();
                }
                provoked
            })
            .context("cannot make the client's thread")
    }

    fn provoke(&self) -> Result<Provoked> {
        let totals = load::run(self.plan, self.stop.flag(), &mut |_| {})?;
        std::thread::sleep(SETTLE);
        let account = status_blocking(self.control).context("the twin does not tell its account")?;
        let counts = &account.time_wait;
        // The screen may be closed already; then nobody needs the marker.
        let _ = self.asides.send(Input::from(Marker {
            // Now, by the packets' clock: ours would run ahead of frames that are still on their way.
            at: Timestamp::ZERO,
            text: format!("twin account: syns={} rsts={}", counts.syns, counts.rsts),
            mode_changed: false,
            device: None,
            mode: None,
        }));
        Ok(Provoked { totals, account })
    }
}

fn conclude(remedied: bool, shown: Shown, outcome: Outcome, provoked: Result<Provoked>) -> Result<u8> {
    if let Some(error) = outcome.error {
        return Err(error);
    }
    let Provoked { totals, account } = provoked?;
    let summary = outcome.summary.unwrap_or_default();
    let ours = Counts::seen(&summary);
    let collisions = summary.findings.get("time-wait-collision").copied().unwrap_or(0);
    let theirs = Counts { syns: account.time_wait.syns.into(), rsts: account.time_wait.rsts.into() };
    let caught = collisions > 0;
    let mut text = format!(
        "\nThe client got a page from {} of {} ports; used again, {} did not get in and {} did{}.\n\
         The device counts {theirs} that met a connection in TIME-WAIT; esp-tcpwatch saw {ours}.\n{}\n",
        totals.first_answered,
        totals.ports,
        totals.reuse_refused(),
        totals.reuse_connected,
        if totals.stopped { ", and then it was interrupted" } else { "" },
        verdict(remedied, caught, ours == theirs),
    );
    if let Some(path) = &outcome.report {
        text.push_str(&format!("Report: {}\n", path.display()));
    }
    if let Some(path) = &outcome.evidence {
        text.push_str(&format!("Evidence: {}\n", path.display()));
    }
    match shown {
        Shown::Json => eprintln!("{}", text.trim()),
        Shown::Lines | Shown::Screen => print(text)?,
    }
    Ok(if caught { exit::CLEAN } else { exit::FAILED })
}

/// Something was switched on that may let a reused port in.
fn remedied(plan: &DemoPlan) -> bool {
    plan.mode == DemoMode::Fixed || !plan.remedies.is_empty()
}

fn verdict(remedied: bool, caught: bool, agree: bool) -> &'static str {
    match (caught, remedied, agree) {
        (true, _, true) => "They agree: the bug was shown and caught.",
        (true, _, false) => {
            "The bug was shown and caught, but the two counts differ: frames were lost, or one of us is wrong."
        }
        (false, false, _) => "The bug was NOT shown: no reused port was refused (exit code 4).",
        (false, true, _) => {
            "With these remedies there is no bug to show: no reused port was refused (exit code 4, as nothing was caught)."
        }
    }
}

/// What met a connection in TIME-WAIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    syns: u64,
    rsts: u64,
}

impl Counts {
    fn seen(summary: &Summary) -> Counts {
        let sum = |count: fn(&crate::analysis::host::TimeWaitFacts) -> u64| {
            summary.devices.iter().map(|device| count(&device.time_wait)).sum()
        };
        Counts { syns: sum(|facts| facts.syns), rsts: sum(|facts| facts.rsts) }
    }
}

impl core::fmt::Display for Counts {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} SYNs and {} RSTs", self.syns, self.rsts)
    }
}
