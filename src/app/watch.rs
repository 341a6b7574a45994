//! Watching an interface, in the one order that is safe: everything is checked, then opened, then every privilege
//! is given up, and only then is there a second thread and a first octet to decode.

use core::net::{IpAddr, SocketAddr};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use anyhow::{Context, Result};

use super::{
    beside::Beside,
    devices,
    exit::{NotPermitted, usage},
    key, look,
    moves::Moves,
    pipeline::WhenStopped,
    privilege, rules,
    sandbox::{self, Sockets},
    session::{Session, Shown},
    shutdown::Stop,
    successor::successor,
};
use crate::analysis::{event::Start, host::DeviceScope};
use crate::cli::plan::{ControlPlan, DeviceName, From, WatchPlan};
use crate::source::{
    SourceError,
    feed::{self, Feeder},
    filter, interfaces,
    live::{self, Delay, LiveCapture, LiveConfig},
};

/// Octets kept of each frame unless told otherwise.
pub const DEFAULT_SNAPLEN: u32 = live::SNAPLEN as u32;
/// Batches of frames between capture and engine.
pub const FEED_BATCHES: usize = 1024;

pub fn run(plan: WatchPlan) -> Result<u8> {
    let From::Live { interface, filter, snaplen } = plan.from.clone() else {
        return super::replay::run(plan);
    };
    let shown = Shown::of(plan.output.view);
    let look = look::of(&plan.output)?;
    let rules = rules::load(plan.output.rules.as_deref())?;
    let devices = devices::resolve(&plan.devices)?;
    let asked = plan.control.as_ref().map(|control| channels(control, &plan.devices)).transpose()?;
    let key =
        plan.control.as_ref().and_then(|control| control.key_file.as_deref()).map(key::read).transpose()?;
    let interface = match interface {
        Some(name) => name,
        None => towards(&devices)?,
    };
    // A filter of the user's own stays as it is.
    let is_ours = filter.is_none() && !devices.is_empty();
    let filter = filter.or_else(|| is_ours.then(|| filter::for_devices(&devices)));
    let successor = successor(plan.confinement.user.as_deref())?;
    let capture = open(interface, filter.clone(), snaplen, shown)?;
    let beside = Beside::open(&plan, successor)?;
    let mut needs = beside.needs(&plan).and_a_capture();
    if asked.is_some() {
        needs.sockets = Sockets::Network;
    }
    let remarks = sandbox::enter(successor, &plan.confinement, &needs)?;

    let stop = Stop::default();
    beside.listen(&plan, &stop)?;
    let start = Start {
        tool: super::TOOL.to_owned(),
        source: "live".to_owned(),
        name: capture.interface().to_owned(),
        filter,
        snaplen: snaplen.or(Some(DEFAULT_SNAPLEN)),
        ..Start::default()
    };
    let (capture, moves) = if is_ours {
        let (moved, moves) = channel();
        (capture.following(&devices, moves), Moves::to_capture(moved))
    } else {
        (capture, Moves::default())
    };
    let (feeder, feed) = feed::feed(FEED_BATCHES);
    let thread = spawn(capture, feeder, &stop)?;
    let Beside { files, metrics, socket, recorder, events, duty, has_terminal: _ } = beside;
    let session = Session {
        title: start.name.clone(),
        shown,
        look,
        flow_events: plan.output.flow_events,
        segment_events: plan.output.segment_events,
        memory: plan.output.memory,
        files,
        metrics,
        socket,
        events,
        duty,
        recorder,
        rules,
        devices: if devices.is_empty() { DeviceScope::Espressif } else { DeviceScope::Named(devices) },
        start,
        moves,
        stop: stop.clone(),
        when_stopped: WhenStopped::AtEnd,
        remarks,
    };
    let mut running = session.start(feed)?;
    if let Some(asked) = asked {
        running.ask(&asked, key)?;
    }
    let mut outcome = running.finish()?;
    stop.raise();
    outcome.error = joined(thread)?.err().map(anyhow::Error::new).or(outcome.error);
    outcome.exit_code()
}

/// Where each of `devices` is asked for what it says of itself.
fn channels(control: &ControlPlan, devices: &[DeviceName]) -> Result<Vec<(IpAddr, SocketAddr)>> {
    let mut channels = Vec::new();
    for name in devices {
        if let Some(address) = devices::address_of(name)? {
            channels.push((address, SocketAddr::new(address, control.port)));
        }
    }
    channels.dedup();
    Ok(channels)
}

/// Opens the capture, or says what would permit it.
pub fn open(
    interface: String,
    filter: Option<String>,
    snaplen: Option<u32>,
    shown: Shown,
) -> Result<LiveCapture> {
    let config = LiveConfig {
        interface,
        filter,
        snaplen: i32::try_from(snaplen.unwrap_or(DEFAULT_SNAPLEN)).context("--snaplen is too large")?,
        buffer: live::BUFFER,
        delay: match shown {
            Shown::Screen => Delay::ForAScreen,
            Shown::Lines | Shown::Json => Delay::ForLines,
        },
    };
    live::open(&config).map_err(|error| {
        if error.is_permission() {
            let text = error.to_string();
            let what = text.lines().next().unwrap_or_default();
            NotPermitted(format!("{what}\n  {}", privilege::how_to_be_permitted())).into()
        } else {
            anyhow::Error::new(error)
        }
    })
}

pub type CaptureThread = JoinHandle<Result<(), SourceError>>;

pub fn spawn(capture: LiveCapture, feeder: Feeder, stop: &Stop) -> Result<CaptureThread> {
    let stop = stop.clone();
    std::thread::Builder::new()
        .name("capture".into())
        .spawn(move || capture.run(feeder, stop.flag()))
        .context("cannot make the capture's thread")
}

pub fn joined(thread: CaptureThread) -> Result<Result<(), SourceError>> {
    thread
        .join()
        .map_err(|_| anyhow::anyhow!("the capture stopped with a programming error; please report it"))
}

/// The interface that all devices are reached by.
fn towards(devices: &[IpAddr]) -> Result<String> {
    let mut chosen: Option<(String, IpAddr)> = None;
    for device in devices {
        let name = interfaces::toward(*device)?;
        match &chosen {
            None => chosen = Some((name, *device)),
            Some((first, other)) if *first != name => {
                return Err(usage(format!(
                    "{other} is reached by {first} but {device} by {name}\n  \
                     one run watches one interface: name it with -i, or run twice"
                )));
            }
            Some(_) => {}
        }
    }
    chosen.map(|(name, _)| name).context("no device is named, and no interface either")
}
