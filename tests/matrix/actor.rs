//! Plays the steps of one scenario in a lab, with the program watching: for `tests/matrix.rs`, since a lab cannot be
//! entered inside a test harness.
//!
//! Knows how to do each step and to say what it saw (JSON, one object a line). Judges nothing.
//!
//!     lab_actor PROGRAM FOLDER SEED STEPS [TWIN ARGUMENTS]
//!
//! In FOLDER it leaves `events.jsonl` (what the program said), `live.pcapng` (what it recorded) and `stderr.txt`.

mod connections;
mod step;

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the lab is made of Linux's namespaces");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{self, File};
    use std::net::UdpSocket;
    use std::path::{Path, PathBuf};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use anyhow::{Context, Result, bail, ensure};
    use caps::{CapSet, Capability};
    use esp_tcpwatch::firmware::protocol::{Faults, Status};
    use esp_tcpwatch::firmware::{Client, ClientError, status_blocking};
    use esp_tcpwatch::lab::{Lab, LabConfig, find_twin};
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::connections::Connections;
    use super::step::{Said, Step};

    /// For what takes a moment, however busy the machine is.
    const SOON: Duration = Duration::from_secs(10);
    const LOOK_AGAIN: Duration = Duration::from_millis(10);

    pub fn main() -> Result<()> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let [program, folder, seed, steps, twin_args @ ..] = words.as_slice() else {
            bail!("lab_actor PROGRAM FOLDER SEED STEPS [TWIN ARGUMENTS]")
        };
        let steps: Vec<Step> = serde_json::from_str(steps)?;
        let lab = Lab::enter(&LabConfig {
            twin: find_twin(None)?,
            twin_args: twin_args.to_vec(),
            seed: seed.parse()?,
            has_power_switch: steps.iter().any(|step| matches!(step, Step::TurnOn)),
            ..LabConfig::default()
        })?;
        hand_down_what_it_takes()?;
        let watcher = Watcher::start(Path::new(program), Path::new(folder), &lab)?;
        let held = Connections::to(lab.server());
        let mut actor = Actor { lab, watcher, held, flood: None };
        // The first frames are ours, not the scenario's: ARP is settled.
        actor.status()?;
        for step in &steps {
            actor.play(step).with_context(|| format!("{step:?}"))?;
        }
        // And so is the last: a recording that ends with it has all the time in it that the watcher saw pass.
        let account = actor.status()?;
        say(&Said::Account(Box::new(account)))?;
        say(&Said::Watched(actor.watcher.stop()?))?;
        actor.lab.finish().context("at the end")
    }

    /// To capture and to flush a neighbour, of an ordinary user's power over a namespace of its own: an exec would take it.
    fn hand_down_what_it_takes() -> Result<()> {
        for power in [Capability::CAP_NET_RAW, Capability::CAP_NET_ADMIN] {
            for set in [CapSet::Inheritable, CapSet::Ambient] {
                caps::raise(None, set, power)?;
            }
        }
        Ok(())
    }

    struct Actor {
        lab: Lab,
        watcher: Watcher,
        held: Connections,
        flood: Option<Flood>,
    }

    impl Actor {
        fn play(&mut self, step: &Step) -> Result<()> {
            match step {
                Step::Fault(words) => return self.set(serde_json::from_value(words.clone())?),
                Step::Ask { count, side_by_side, first_port, patience } => {
                    say(&Said::Tally(self.held.ask(*count, *side_by_side, *first_port, *patience)))?;
                }
                Step::AskFrom { ports, patience } => say(&Said::Tally(self.held.ask_from(ports, *patience)))?,
                Step::Open { count, patience } => {
                    say(&Said::Tally(self.held.open(*count, None, *patience)?))?
                }
                Step::OpenFrom { port, patience } => {
                    say(&Said::Tally(self.held.open(1, Some(*port), *patience)?))?;
                }
                Step::Say => self.held.say(usize::MAX),
                Step::SayOnNewest(count) => self.held.say(*count),
                Step::Pour => self.held.pour(),
                Step::Hear { patience } => say(&Said::Tally(self.held.hear(*patience)?))?,
                Step::ShutDown => self.held.shut_down(),
                Step::Close => self.held.close(),
                Step::Abort => self.held.abort()?,
                Step::Forget => self.held.forget()?,
                Step::Until { rule, count, within } => {
                    let deadline = Instant::now() + *within;
                    while self.watcher.findings_of(rule)? < *count {
                        ensure!(Instant::now() < deadline, "it was not told within {within:?}");
                        std::thread::sleep(LOOK_AGAIN);
                    }
                }
                Step::UntilDevice { place, count, within } => self.until_device(place, *count, *within)?,
                Step::Quiet(time) => std::thread::sleep(*time),
                Step::FlushNeighbour => {
                    let words = ["neigh", "flush", "dev", self.lab.interface()];
                    ensure!(Command::new("ip").args(words).status()?.success(), "ip {words:?}");
                }
                Step::Knock { for_ } => self.knock(*for_)?,
                Step::Flood { rate, for_ } => self.flood = Some(Flood::start(*rate, *for_, &self.lab)?),
                Step::FloodOver => {
                    let flood = self.flood.take().context("there is no flood")?;
                    say(&Said::Flooded(flood.over()?))?;
                }
                Step::Freeze => self.watcher.signal(Signal::SIGSTOP)?,
                Step::Thaw => self.watcher.signal(Signal::SIGCONT)?,
                Step::TurnOff => self.lab.turn_off()?,
                Step::TurnOn => self.lab.turn_on()?,
            }
            Ok(())
        }

        /// A link that loses frames loses these too: longer than one request's patience.
        fn status(&self) -> Result<Status> {
            insist(|| status_blocking(self.lab.control()))
        }

        fn set(&self, faults: Faults) -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
            let client = Client::new(self.lab.control());
            insist(|| runtime.block_on(client.set_faults(faults))).map(drop)
        }

        fn until_device(&self, place: &str, count: u64, within: Duration) -> Result<()> {
            let deadline = Instant::now() + within;
            loop {
                let account = serde_json::to_value(self.status()?)?;
                if account.pointer(place).and_then(serde_json::Value::as_u64) == Some(count) {
                    return Ok(());
                }
                ensure!(Instant::now() < deadline, "within {within:?} it came to {account}");
                std::thread::sleep(LOOK_AGAIN * 10);
            }
        }

        /// To a port where nobody listens; what comes back is not looked at.
        fn knock(&self, time: Duration) -> Result<()> {
            let socket = UdpSocket::bind((self.lab.client(), 0))?;
            let deadline = Instant::now() + time;
            while Instant::now() < deadline {
                // Refused without an answer to ARP, which is what was to be seen.
                let _sent = socket.send_to(b"?", (self.lab.device(), 9));
                std::thread::sleep(LOOK_AGAIN * 10);
            }
            Ok(())
        }
    }

    fn insist<T>(mut ask: impl FnMut() -> Result<T, ClientError>) -> Result<T> {
        for _ in 0..4 {
            match ask() {
                Err(ClientError::Silent { .. }) => {}
                other => return other.map_err(Into::into),
            }
        }
        Ok(ask()?)
    }

    /// The program, in the namespace of the lab. Its words go to files: this process must keep to one thread.
    struct Watcher {
        child: Child,
        events: PathBuf,
    }

    impl Watcher {
        fn start(program: &Path, folder: &Path, lab: &Lab) -> Result<Watcher> {
            let events = folder.join("events.jsonl");
            let child = Command::new(program)
                .args(["--iface", lab.interface(), "-d", &lab.device().to_string(), "--json", "-w"])
                .arg(folder.join("live.pcapng"))
                // Whoever runs the tests through sudo is not meant by them.
                .env_remove("SUDO_UID")
                .env_remove("SUDO_GID")
                .stdin(Stdio::null())
                .stdout(File::create(&events)?)
                .stderr(File::create(folder.join("stderr.txt"))?)
                .spawn()?;
            let watcher = Watcher { child, events };
            let deadline = Instant::now() + SOON;
            // It captures from before it says so.
            while watcher.events_of("\"type\":\"start\"")? == 0 {
                ensure!(Instant::now() < deadline, "the watcher did not start");
                std::thread::sleep(LOOK_AGAIN);
            }
            Ok(watcher)
        }

        fn findings_of(&self, rule: &str) -> Result<usize> {
            let text = fs::read_to_string(&self.events)?;
            let is_one = |line: &&str| {
                let event: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
                event["type"] == "finding" && event["rule"] == rule
            };
            Ok(text.lines().filter(is_one).count())
        }

        fn events_of(&self, words: &str) -> Result<usize> {
            let text = fs::read_to_string(&self.events)?;
            Ok(text.lines().filter(|line| line.contains(words)).count())
        }

        fn signal(&self, signal: Signal) -> Result<()> {
            Ok(kill(Pid::from_raw(self.child.id().cast_signed()), signal)?)
        }

        /// As Ctrl-C does; returns its exit code.
        fn stop(&mut self) -> Result<i32> {
            self.signal(Signal::SIGINT)?;
            let deadline = Instant::now() + SOON;
            loop {
                if let Some(status) = self.child.try_wait()? {
                    return status.code().with_context(|| format!("the watcher: {status}"));
                }
                ensure!(Instant::now() < deadline, "the watcher did not end");
                std::thread::sleep(LOOK_AGAIN);
            }
        }
    }

    impl Drop for Watcher {
        fn drop(&mut self) {
            // After an error on the way; otherwise it has ended.
            let _over = self.child.kill().and_then(|()| self.child.wait());
        }
    }

    /// The sender of the bench, in the namespace of the lab; it ends by itself.
    struct Flood(Option<Child>);

    impl Flood {
        fn start(rate: u32, lasting: Duration, lab: &Lab) -> Result<Flood> {
            let sender = std::env::current_exe()?.with_file_name("bench_sender");
            let child = Command::new(&sender)
                .args([lab.interface(), "syn", &lab.device().to_string()])
                .args([rate.to_string(), lasting.as_secs_f64().to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .with_context(|| format!("{}; `cargo build --example bench_sender`", sender.display()))?;
            Ok(Flood(Some(child)))
        }

        /// Waits for its end; returns how many frames it sent.
        fn over(mut self) -> Result<u64> {
            let child = self.0.take().context("it is over")?;
            let said = child.wait_with_output()?;
            ensure!(said.status.success(), "the flood: {}", said.status);
            let told: serde_json::Value = serde_json::from_slice(&said.stdout)?;
            told["sent"].as_u64().context("it did not say how many it sent")
        }
    }

    impl Drop for Flood {
        fn drop(&mut self) {
            // After an error on the way; otherwise it has ended.
            if let Some(child) = &mut self.0 {
                let _over = child.kill().and_then(|()| child.wait());
            }
        }
    }

    fn say(said: &Said) -> Result<()> {
        println!("{}", serde_json::to_string(said)?);
        Ok(())
    }
}
