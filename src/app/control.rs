//! The test firmware of the devices that are watched: asked about once a second, and switched on request.
//!
//! Knows when to ask again, and what goes first: a request to switch. One thread a device, so that a silent one keeps
//! nobody waiting. What is worth telling is `told`'s to say; the protocol is the firmware room's.

mod told;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::SystemTime;

use anyhow::Result;
use tokio::{
    sync::{mpsc, mpsc::error::TrySendError},
    time::{Instant, sleep_until},
};

use self::told::{Occasion, Told};
use super::{account::account, moves::Moves, waiter::Waiter};
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
    moves: Moves,
}

struct Device {
    address: IpAddr,
    switches: mpsc::Sender<Change>,
    thread: Waiter<()>,
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
        moves: &Moves,
    ) -> Result<Control> {
        let (answered, answers) = channel();
        let mut asked =
            Control { devices: Vec::new(), answers, has_key: key.is_some(), moves: moves.clone() };
        for (address, control) in devices {
            let (switches, wanted) = mpsc::channel(WAITING);
            let asking = Asking {
                address: *address,
                control: *control,
                moves: moves.clone(),
                client: Client::new(*control),
                key: key.clone(),
                told: Told::new(*address),
                tell: tell.clone(),
                answered: answered.clone(),
                has_list: true,
                pause: EVERY,
            };
            let thread = Waiter::begin("control", move || asking.run(wanted))?;
            asked.devices.push(Device { address: *address, switches, thread });
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
        let known = self.devices.iter().find(|known| self.moves.latest(known.address) == device);
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
        for device in self.devices {
            ended = ended.and(device.thread.give_up().map(drop));
        }
        ended
    }
}

/// One device's thread.
struct Asking {
    /// Where it is.
    address: IpAddr,
    control: SocketAddr,
    moves: Moves,
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
            self.go_along();
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

    /// A device with another address is asked there from the next question on.
    fn go_along(&mut self) {
        let address = self.moves.latest(self.address);
        if address == self.address {
            return;
        }
        self.address = address;
        self.control.set_ip(address);
        self.client = Client::new(self.control);
        self.told.go_to(address);
        self.pause = EVERY;
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
            Some(Ok(list)) => self.say(Input::from(account(self.address, &list))),
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
        marker.map_or(Ok(()), |marker| self.say(Input::from(marker)))
    }

    fn say(&self, input: Input<'static>) -> Result<(), Unheard> {
        self.tell.send(input).map_err(|_| Unheard)
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::thread::JoinHandle;

    use super::*;

    /// A device of older firmware: it tells of itself, and knows no list. Counts how often it was asked for one.
    fn older() -> (SocketAddr, JoinHandle<u32>) {
        older_at("127.0.0.1:0".parse().unwrap())
    }

    fn older_at(at: SocketAddr) -> (SocketAddr, JoinHandle<u32>) {
        let socket = UdpSocket::bind(at).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(1_500))).unwrap();
        let address = socket.local_addr().unwrap();
        let answering = std::thread::spawn(move || {
            let (mut octets, mut lists) = ([0; 1024], 0);
            while let Ok((length, peer)) = socket.recv_from(&mut octets) {
                let asked: serde_json::Value = serde_json::from_slice(&octets[..length]).unwrap();
                let mut answer = serde_json::json!({ "v": 1, "id": asked["id"], "ok": true });
                if asked["op"] == "status" {
                    answer["status"] = serde_json::json!({
                        "protocol": 1, "firmware": "0.0.9", "chip": "esp32", "stack": "lwIP", "uptime_ms": 1,
                        "mode": "unfixed",
                        "remedies": { "msl_ms": 60_000, "rst_in_time_wait": "ignore", "syn_in_time_wait": "refuse",
                                      "close": "server-first", "pcb_cap": 0 },
                    });
                } else {
                    lists += 1;
                    answer["ok"] = false.into();
                    answer["error"] = "unknown-op".into();
                    answer["detail"] = "".into();
                }
                socket.send_to(answer.to_string().as_bytes(), peer).unwrap();
            }
            lists
        });
        (address, answering)
    }

    fn marker(input: Input<'static>) -> Marker {
        match input {
            Input::Marker(marker) => *marker,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn older_firmware_is_asked_for_its_list_once() {
        let (control, answering) = older();
        let (tell, told) = channel();
        let asked = Control::begin(&[(control.ip(), control)], None, &tell, &Moves::default()).unwrap();
        assert_eq!(marker(told.recv().unwrap()).mode.as_deref(), Some("unfixed"));
        assert!(marker(told.recv().unwrap()).text.contains("firmware is older"));
        assert!(told.recv_timeout(Duration::from_millis(2_300)).is_err(), "nothing more is told");
        asked.finish().unwrap();
        assert_eq!(answering.join().unwrap(), 1);
    }

    #[test]
    fn a_device_that_does_not_answer_is_told_of_once_and_keeps_no_one_waiting() {
        // Bound and never read.
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let control = silent.local_addr().unwrap();
        let (tell, told) = channel();
        let key = Key::from_hex(&"00".repeat(32)).unwrap();
        let asked = Control::begin(&[(control.ip(), control)], Some(key), &tell, &Moves::default()).unwrap();
        assert!(marker(told.recv().unwrap()).text.contains("is not known: "));
        assert!(told.recv_timeout(Duration::from_secs(4)).is_err(), "it was told once");
        let device = control.ip();
        let refusals: Vec<_> = (0..20).filter_map(|_| asked.switch(device, "fixed").err()).collect();
        assert!(refusals.len() >= 20 - WAITING - 1, "{}", refusals.len());
        assert!(refusals[0].contains("has not yet confirmed 4 switches"), "{}", refusals[0]);
        let since = Instant::now();
        asked.finish().unwrap();
        assert!(
            since.elapsed() < Duration::from_millis(500),
            "it waits for no answer: {:?}",
            since.elapsed()
        );
    }

    #[test]
    fn what_cannot_be_switched_is_refused_at_once() {
        let (control, _answering) = older();
        let (tell, _told) = channel();
        let asked = Control::begin(&[(control.ip(), control)], None, &tell, &Moves::default()).unwrap();
        for (device, words, told) in [
            (control.ip(), "fixed", "--key-file FILE"),
            (control.ip(), "msl=1", "there are msl_ms"),
            (control.ip(), " , ", "switch to what"),
            ([10, 0, 0, 9].into(), "fixed", "--device"),
        ] {
            let refusal = asked.switch(device, words).unwrap_err();
            assert!(refusal.contains(told), "{words}: {refusal}");
        }
        asked.finish().unwrap();
    }

    #[test]
    fn a_device_with_another_address_is_asked_and_switched_there() {
        // All of 127.0.0.0/8 is this host.
        let (control, _answering) = older_at("127.77.0.9:0".parse().unwrap());
        let before: IpAddr = [127, 77, 0, 2].into();
        let (tell, told) = channel();
        let moves = Moves::default();
        let asked = Control::begin(&[(before, SocketAddr::new(before, control.port()))], None, &tell, &moves)
            .unwrap();
        moves.tell(before, control.ip());
        let mode = loop {
            let marker = marker(told.recv_timeout(Duration::from_secs(20)).unwrap());
            if marker.mode.is_some() {
                break marker;
            }
        };
        assert_eq!(mode.device, Some(control.ip()));
        assert!(mode.text.starts_with("127.77.0.9 runs the test firmware"), "{}", mode.text);
        assert!(asked.switch(control.ip(), "fixed").unwrap_err().contains("--key-file"));
        assert!(asked.switch(before, "fixed").unwrap_err().contains("--device"));
        asked.finish().unwrap();
    }

    #[test]
    fn a_device_that_is_silent_is_asked_ever_more_rarely() {
        let (tell, told) = channel();
        let (answered, _answers) = channel();
        let address: IpAddr = [10, 0, 0, 9].into();
        let mut asking = Asking {
            address,
            control: (address, 7777).into(),
            moves: Moves::default(),
            client: Client::new((address, 7777).into()),
            key: None,
            told: Told::new(address),
            tell,
            answered,
            has_list: true,
            pause: EVERY,
        };
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let silent = Err(ClientError::Silent { device: (address, 7777).into() });
            assert!(asking.hear(Heard { at: SystemTime::now(), status: silent, list: None }).is_ok());
            pauses.push(asking.pause.as_secs());
        }
        assert_eq!(pauses, [2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(told.try_iter().count(), 1);
    }
}
