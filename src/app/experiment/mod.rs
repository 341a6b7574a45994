//! The `experiment` command: switch, provoke, watch, store, compare; on a device of the network or on the demo's.
//!
//! Knows the order of it all and what is shown. What is run when, and what follows from it, is the experiment room's.

mod bench;
#[cfg(target_os = "linux")]
pub mod demo;
mod holding;
mod keeping;
mod on_screen;
mod page;
mod progress;
pub mod results;
pub mod telling;
mod watching;

use core::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::json;

use super::{
    devices,
    exit::{self, usage},
    key,
    print::print,
    privilege::Invoker,
    sandbox::{self, Needs, Sockets},
    session::Shown,
    shutdown::{self, Stop},
    successor::successor,
    terminal, watch,
};
use crate::cli::{
    experiment::{ExperimentPlan, Shape},
    plan::{DeviceName, View},
};
use crate::experiment::{
    block::Block,
    compare::{self, Comparison, Conclusion},
    schedule::{self, order},
    section::{Section, section},
    spec::{Arm, Spec, Traffic, least_rounds},
    store::{CONTROL, Stored},
};
use crate::firmware::{Key, change::Change, status_blocking};
use crate::source::{feed, filter, interfaces, live::LiveCapture};
use crate::text::escape;

use bench::Bench;
use keeping::Keep;
use on_screen::OnScreen;
use page::Page;
use progress::Telling;
use results::Results;

/// How often one block is begun before it is given up.
const TRIES: u32 = 3;
/// A device that went silent is waited for so long.
const BACK_WITHIN: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(500);

/// Where an experiment takes place.
pub struct Place {
    pub server: SocketAddr,
    pub control: SocketAddr,
    pub key: Key,
    pub capture: LiveCapture,
    /// Where a person watches.
    pub screen: Option<OnScreen>,
}

/// What a run leaves behind, open while it can be given to the user.
pub struct Outputs {
    results: Results,
    keep: Option<Keep>,
    page: Page,
}

impl Outputs {
    pub fn open(
        spec: Spec,
        results: PathBuf,
        shape: &Shape,
        interface: &str,
        invoker: Option<Invoker>,
    ) -> Result<Outputs> {
        let device = named(&spec.device);
        let page = Page::open(&shape.page, &device, invoker)?;
        // The results last: they begin to be written at once.
        let next_turn = results::earlier(&results)?.map_or(0, |stored| stored.next_turn);
        let keep =
            shape.keep.as_ref().map(|keep| Keep::open(keep, interface, next_turn, invoker)).transpose()?;
        let results = Results::open(results, spec, invoker)?;
        Ok(Outputs { results, keep, page })
    }

    /// What is still made or opened: files in their folders, sockets for requests and for the control channel.
    fn needs(&self, screen: Option<&OnScreen>) -> Needs {
        let shown = screen.map(OnScreen::needs).unwrap_or_default();
        let ours = self.page.folders().into_iter().chain(self.keep.iter().map(Keep::folder));
        let writes = shown.writes.into_iter().chain(ours).collect();
        Needs { writes, sockets: Sockets::Network, ..shown }.and_a_capture()
    }
}

pub fn run(plan: ExperimentPlan) -> Result<u8> {
    let successor = successor(plan.confinement.user.as_deref())?;
    let (device, spec, results) = match &plan.resume {
        Some(path) => {
            let Some(stored) = results::earlier(path)? else {
                return Err(usage(format!("{} holds no results yet", path.display())));
            };
            let device = named(&stored.spec.device);
            if stored.is_complete() {
                let page = Page::open(&plan.shape.page, &device, successor)?;
                let needs = Needs { writes: page.folders(), ..Needs::default() };
                sandbox::enter(successor, &plan.confinement, &needs)?;
                return conclude(&stored, page, plan.output.view);
            }
            (device, stored.spec, path.clone())
        }
        None => {
            let device = plan.device.clone().ok_or_else(|| usage("no device is named"))?;
            (device.clone(), spec(&plan.shape, &device)?, results::named(plan.shape.output.as_deref())?)
        }
    };
    check_words(&spec)?;
    let Some(key_file) = &plan.key_file else {
        return Err(usage(
            "these results are not complete: to go on, give --key-file FILE; \
             `esp-tcpwatch report FILE` tells what there is",
        ));
    };
    // Before anything is opened, so that a wrong key file leaves nothing behind.
    let key = key::read(key_file)?;
    let address = devices::address_of(&device)?
        .ok_or_else(|| usage("--device has no address: give it, as in -d 192.168.4.1"))?;
    let interface = match plan.interface {
        Some(name) => name,
        None => interfaces::toward(address)?,
    };
    let screen = OnScreen::open(&plan.output, &interface, address, successor)?;
    let capture = open(interface, address)?;
    let outputs = Outputs::open(spec, results, &plan.shape, capture.interface(), successor)?;
    sandbox::enter(successor, &plan.confinement, &outputs.needs(screen.as_ref()))?;
    let place = Place {
        server: SocketAddr::new(address, plan.port),
        control: SocketAddr::new(address, plan.control_port),
        key,
        capture,
        screen,
    };
    go(place, outputs, plan.output.view)
}

/// What the demo's experiment leaves behind.
pub fn outputs_of_demo(
    shape: &Shape,
    device: IpAddr,
    interface: &str,
    successor: Option<Invoker>,
) -> Result<Outputs> {
    let spec = spec(shape, &DeviceName::Address(device))?;
    Outputs::open(spec, results::named(shape.output.as_deref())?, shape, interface, successor)
}

/// Before anything is opened or anybody's network is left: do the arms mean anything?
pub fn check(shape: &Shape) -> Result<()> {
    check_words(&spec(shape, &DeviceName::Address([10, 77, 0, 2].into()))?)
}

pub fn open(interface: String, device: IpAddr) -> Result<LiveCapture> {
    watch::open(interface, Some(filter::for_devices(&[device])), None, Shown::Lines)
}

/// Runs what is missing, with the privileges gone and one thread as yet. Shows the comparison.
pub fn go(place: Place, outputs: Outputs, view: View) -> Result<u8> {
    let Outputs { mut results, keep, page } = outputs;
    let stop = Stop::default();
    shutdown::listen(&stop, None, terminal::restore)?;
    eprintln!("results: {}", results.path().display());
    if !results.stored().is_complete() {
        let capturing = Stop::default();
        let (feeder, feed) = feed::feed(watch::FEED_BATCHES);
        let device = place.server.ip();
        let (server, control, key) = (place.server, place.control, place.key);
        let thread = watch::spawn(place.capture, feeder, &capturing)?;
        let mut bench = Bench::new(server, control, key, device, feed, keep, stop.clone())?;
        let ran = match place.screen {
            Some(screen) => {
                let stored = results.stored().clone();
                screen.show(&stored, &stop, |telling| run_blocks(&mut bench, &mut results, &stop, telling))
            }
            None => {
                let telling = Telling::new(device, results.stored(), None);
                run_blocks(&mut bench, &mut results, &stop, &telling)
            }
        };
        capturing.raise();
        drop(bench);
        let captured = watch::joined(thread)?;
        ran?;
        captured?;
    }
    conclude(results.stored(), page, view)
}

/// The control first, then every place that has no block yet.
fn run_blocks(bench: &mut Bench, results: &mut Results, stop: &Stop, telling: &Telling) -> Result<()> {
    let spec = results.stored().spec.clone();
    let unfixed = Arm::parse(CONTROL).map_err(usage)?;
    if results.stored().control().is_none() {
        run_block(bench, results, None, &unfixed, stop, telling)?;
    }
    let control = results.stored().control().map(compare::control);
    let shows_the_bug = control.is_some_and(|control| control.shows_the_bug());
    let places = order(&spec);
    while let Some(slot) = results.stored().next_slot()
        && shows_the_bug
        && !stop.is_raised()
    {
        let arm = places.get(slot).and_then(|arm| spec.arms.get(*arm)).context("a place without an arm")?;
        run_block(bench, results, Some(slot), arm, stop, telling)?;
    }
    if !stop.is_raised() {
        telling.over(results.stored());
    }
    Ok(())
}

/// One block that counts, or the error that there is none to be had. Returns early when told to stop.
fn run_block(
    bench: &mut Bench,
    results: &mut Results,
    slot: Option<usize>,
    arm: &Arm,
    stop: &Stop,
    telling: &Telling,
) -> Result<()> {
    let traffic = results.stored().spec.traffic.clone();
    let blocks = results.stored().spec.blocks();
    let mut last = String::new();
    for _ in 0..TRIES {
        let turn = results.begin()?;
        let ports = schedule::ports(&traffic, turn);
        if ports.must_settle {
            telling.settles();
            telling.settled(bench.settle(stop)?);
        }
        telling.begins(results.stored(), slot, &arm.label);
        let block = bench.block(turn, slot, arm, &traffic, ports.first, telling)?;
        if stop.is_raised() {
            // Cut off, so it says nothing; and it is no fault of the device.
            return Ok(());
        }
        let place = slot.map_or("control".to_owned(), |slot| format!("{}/{blocks}", slot + 1));
        let (spoilt, told) = (block.spoilt.clone(), told(&block));
        results.add(block)?;
        telling.ended(results.stored(), &place, &told);
        match spoilt {
            None => return Ok(()),
            Some(why) => last = why,
        }
        telling.waits();
        wait_for(bench.control(), stop)?;
        if stop.is_raised() {
            return Ok(());
        }
    }
    let name =
        slot.map_or("the positive control".to_owned(), |slot| format!("block {} of {blocks}", slot + 1));
    bail!(
        "{name} ({}) was spoilt {TRIES} times, the last time because {}\n  \
         what was measured is kept; when the device is well again: --resume {}",
        arm.label,
        escape(&last),
        results.path().display()
    );
}

/// What came of a block, in a line.
fn told(block: &Block) -> String {
    let (sent, suffered) = (block.sent().count(), block.sent().filter(|reuse| reuse.suffered()).count());
    let told = match &block.spoilt {
        Some(why) => format!("spoilt: {}", escape(why)),
        None if sent == 0 => format!("{} ports held by this computer", block.reuses.len()),
        None => format!("{suffered} of {sent} reused ports suffered, {} refused SYNs", block.collisions()),
    };
    format!("{:<24} {told} ({:.1} s)", block.arm, block.took_s)
}

/// Until it answers again.
fn wait_for(control: SocketAddr, stop: &Stop) -> Result<()> {
    let began = std::time::Instant::now();
    loop {
        match status_blocking(control) {
            Ok(_) => return Ok(()),
            Err(error) if began.elapsed() > BACK_WITHIN => {
                return Err(anyhow!(error).context("the device did not come back"));
            }
            Err(_) if stop.is_raised() => return Ok(()),
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}

fn spec(shape: &Shape, device: &DeviceName) -> Result<Spec> {
    let arms: Vec<Arm> =
        shape.arms.iter().map(|arm| Arm::parse(arm.trim())).collect::<Result<_, _>>().map_err(usage)?;
    let spec = Spec {
        device: match device {
            DeviceName::Address(address) => address.to_string(),
            DeviceName::Name(name) => name.clone(),
        },
        rounds: shape.rounds.unwrap_or_else(|| least_rounds(arms.len())),
        arms,
        seed: shape.seed,
        traffic: Traffic {
            reused: shape.reuse,
            between: shape.between,
            patience_s: shape.patience.as_secs_f64(),
            first_port: shape.source_ports.0,
            last_port: shape.source_ports.1,
        },
    };
    spec.check().map_err(usage)?;
    Ok(spec)
}

fn named(device: &str) -> DeviceName {
    device.parse().map_or_else(|_| DeviceName::Name(device.to_owned()), DeviceName::Address)
}

fn check_words(spec: &Spec) -> Result<()> {
    for arm in &spec.arms {
        Change::from_words(&arm.words).map_err(|error| usage(format!("--arms {}: {error}", arm.label)))?;
    }
    Ok(())
}

fn compared(stored: &Stored) -> (Comparison, Section) {
    let compared = compare::compare(stored);
    let section = section(stored, &compared);
    (compared, section)
}

fn conclude(stored: &Stored, page: Page, view: View) -> Result<u8> {
    let (compared, section) = compared(stored);
    let page = page.write(stored)?;
    if view == View::Json {
        let told = json!({
            "type": "experiment",
            "schema": crate::experiment::store::SCHEMA,
            "spec": stored.spec,
            "comparison": compared,
            "section": section,
        });
        print(serde_json::to_string(&told)? + "\n")?;
    } else {
        let text = section.text();
        let text: String = text.lines().map(|line| escape(line).into_owned() + "\n").collect();
        print(text)?;
    }
    if let Some(page) = page {
        eprintln!("report: {}", page.display());
    }
    Ok(match compared.conclusion {
        Conclusion::AsDeclared => exit::CLEAN,
        Conclusion::FixedShowsTheBug => exit::ALERTED,
        Conclusion::NotMeasurable => exit::FAILED,
    })
}
