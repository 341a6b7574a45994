//! The test firmware of the devices that are watched: asked about once a second, and switched on request.
//!
//! Knows when to ask again, and what goes first: a request to switch. One thread a device, so that a silent one keeps
//! nobody waiting. What is worth telling is `told`'s to say; the protocol is the firmware room's.

mod told;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{mpsc, mpsc::error::TrySendError, oneshot},
    time::{Instant, sleep_until},
};

use self::told::{Occasion, Told};
use super::account::account;
use crate::analysis::input::{Input, Marker};
use crate::firmware::{self, Client, ClientError, Key, change::Change, protocol::Status};
use crate::tui::Answer;

/// How often a device is asked that answers.
const EVERY: Duration = Duration::from_secs(1);
/// How rarely one is asked that does not, after a while.
const RARELY: Duration = Duration::from_secs(30);
/// Switches that may wait for one device.
const WAITING: usize = 4;

/// The devices that are asked.
pub struct Control {
    devices: Vec<Device>,
    answers: Receiver<Answer>,
    has_key: bool,
}

struct Device {
    address: IpAddr,
    switches: mpsc::Sender<Change>,
    /// Dropped: the thread ends, whatever it waits for.
    goes_on: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Control {
    /// Begins to ask each of `devices`, an address and its control channel, on a thread of its own. What is heard goes to
    /// `tell`. Without `key` nothing can be switched.
    ///
    /// # Errors
    /// A runtime or a thread cannot be made.
    pub fn begin(
        devices: &[(IpAddr, SocketAddr)],
        key: Option<Key>,
        tell: &Sender<Input<'static>>,
    ) -> Result<Control> {
        let (answered, answers) = channel();
        let mut asked = Control { devices: Vec::new(), answers, has_key: key.is_some() };
        for (address, control) in devices {
            let (switches, wanted) = mpsc::channel(WAITING);
            let (goes_on, ended) = oneshot::channel();
            let asking = Asking {
                address: *address,
                client: Client::new(*control),
                key: key.clone(),
                told: Told::new(*address),
                tell: tell.clone(),
                answered: answered.clone(),
                has_list: true,
                pause: EVERY,
            };
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build()
                .context("cannot make the runtime that asks a device")?;
            let thread = std::thread::Builder::new()
                .name("control".into())
                .spawn(move || until(&runtime, ended, asking.run(wanted)))
                .context("cannot make the thread that asks a device")?;
            asked.devices.push(Device { address: *address, switches, goes_on, thread });
        }
        Ok(asked)
    }

    /// Hands a switch of `device` to its thread: `fixed`, or `close=keep-alive msl_ms=3000`. Never waits; what came of
    /// it is among the [answers](Control::answers).
    ///
    /// # Errors
    /// Why it cannot be tried, for the user.
    pub fn switch(&self, device: IpAddr, words: &str) -> Result<(), String> {
        let words: Vec<&str> = words.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        let change = Change::from_words(&words).map_err(|error| error.to_string())?;
        if change.is_empty() {
            return Err("switch to what? A mode, or REMEDY=VALUE".to_owned());
        }
        let known = self.devices.iter().find(|known| known.address == device);
        let known = known.ok_or_else(|| {
            format!("{device} is not asked for its test firmware in this run: name it with --device")
        })?;
        if !self.has_key {
            return Err(format!(
                "to switch {device} takes its key: start with --key-file FILE, the key that its firmware was built or \
                 started with"
            ));
        }
        known.switches.try_send(change).map_err(|error| match error {
            TrySendError::Full(_) => {
                format!("{device} has not yet confirmed {WAITING} switches before this one; wait for it")
            }
            TrySendError::Closed(_) => "the run is over".to_owned(),
        })
    }

    /// What came of switches since the last question. Never waits.
    pub fn answers(&self) -> Vec<Answer> {
        self.answers.try_iter().collect()
    }

    /// Asks no more, at once: a switch that is not confirmed yet stays so.
    pub fn finish(self) -> Result<()> {
        let mut ended = Ok(());
        for Device { goes_on, thread, .. } in self.devices {
            drop(goes_on);
            ended = ended.and(thread.join());
        }
        ended.map_err(|_| anyhow!("asking a device stopped with a programming error; please report it"))
    }
}

fn until(runtime: &Runtime, ended: oneshot::Receiver<()>, work: impl Future<Output = ()>) {
    runtime.block_on(async {
        tokio::select! {
            _ = ended => {}
            () = work => {}
        }
    });
}

/// One device's thread.
struct Asking {
    address: IpAddr,
    client: Client,
    key: Option<Key>,
    told: Told,
    tell: Sender<Input<'static>>,
    answered: Sender<Answer>,
    /// `false`: its firmware is too old to tell its connections.
    has_list: bool,
    /// From one question to the next.
    pause: Duration,
}

/// What one question brought.
struct Heard {
    at: SystemTime,
    status: Result<Status, ClientError>,
    list: Option<Result<firmware::Told, ClientError>>,
}

/// Nobody hears what is told any more.
struct Unheard;

impl Asking {
    async fn run(mut self, mut wanted: mpsc::Receiver<Change>) {
        let mut next = Instant::now();
        loop {
            let is_heard = tokio::select! {
                biased;
                change = wanted.recv() => {
                    let Some(change) = change else { return };
                    let is_heard = self.switch(&change).await;
                    next = Instant::now() + EVERY;
                    is_heard
                }
                heard = self.ask(next) => {
                    let is_heard = self.hear(heard);
                    next = Instant::now().max(next + self.pause);
                    is_heard
                }
            };
            if is_heard.is_err() {
                return;
            }
        }
    }

    /// Given up at any point for a switch: a question changes nothing, and is asked again.
    async fn ask(&self, when: Instant) -> Heard {
        sleep_until(when).await;
        let status = self.client.status().await;
        let at = SystemTime::now();
        let list = if status.is_ok() && self.has_list { Some(self.client.pcbs().await) } else { None };
        Heard { at, status, list }
    }

    fn hear(&mut self, heard: Heard) -> Result<(), Unheard> {
        match heard.status {
            Ok(status) => {
                self.pause = EVERY;
                let marker = self.told.status(&status, heard.at, Occasion::Asked);
                self.mark(marker)?;
            }
            Err(error) => {
                self.pause = (self.pause * 2).min(RARELY);
                let marker = self.told.silence(&error);
                self.mark(marker)?;
            }
        }
        match heard.list {
            Some(Ok(list)) => self.say(Input::Account(account(self.address, &list))),
            Some(Err(error)) => {
                self.has_list = !matches!(error, ClientError::Older { .. });
                let marker = self.told.no_list(&error);
                self.mark(marker)
            }
            None => Ok(()),
        }
    }

    async fn switch(&mut self, change: &Change) -> Result<(), Unheard> {
        // `Control::switch` refuses where there is none.
        let Some(key) = &self.key else { return Ok(()) };
        let (marker, outcome) = match self.client.change(key, change).await {
            Ok(changed) => (
                self.told.status(&changed.status, changed.at, Occasion::Switched),
                Ok(changed.status.mode_in_words()),
            ),
            Err(error) => (Some(self.told.not_switched(&change.in_words(), &error)), Err(error.to_string())),
        };
        // In this order: whoever has the answer finds the marker in the stream, or on its way there.
        self.mark(marker)?;
        self.answered.send(Answer { device: self.address, outcome }).map_err(|_| Unheard)
    }

    fn mark(&self, marker: Option<Marker>) -> Result<(), Unheard> {
        marker.map_or(Ok(()), |marker| self.say(Input::Marker(marker)))
    }

    fn say(&self, input: Input<'static>) -> Result<(), Unheard> {
        self.tell.send(input).map_err(|_| Unheard)
    }
}
