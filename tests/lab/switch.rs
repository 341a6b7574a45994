//! A live watch of the device at 10.77.0.2 that is switched as the screen does it, for `tests/control.rs`.
//!
//! Runs inside a lab that is there already (`lab_probe --run`): captures on tap0, asks the device, provokes the bug, notes,
//! switches, provokes it again from other ports. Writes every event, one JSON object a line, and between them what the
//! screen was answered. Judges nothing.
//!
//!     lab_switch [--key FILE] CHANGE…
//!
//! Each CHANGE is one round: the switch (`-`: none, `fixed`, `close=keep-alive`), then ports that are used twice.

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
    use std::net::{IpAddr, SocketAddr};
    use std::path::PathBuf;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::{Duration, Instant};

    use anyhow::{Context, Result, anyhow, bail};
    use esp_tcpwatch::analysis::engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig};
    use esp_tcpwatch::analysis::event::Start;
    use esp_tcpwatch::analysis::host::DeviceScope;
    use esp_tcpwatch::analysis::input::Input;
    use esp_tcpwatch::analysis::rule::RuleSet;
    use esp_tcpwatch::app::{control::Control, files::Files, host::ScreenHost, moves::Moves, shutdown::Stop};
    use esp_tcpwatch::firmware::Key;
    use esp_tcpwatch::load::{self, ReusePlan};
    use esp_tcpwatch::source::live::{self, LiveConfig};
    use esp_tcpwatch::source::{Source, feed};
    use esp_tcpwatch::tui::{Answer, Host};
    use serde_json::{Value, json};

    const DEVICE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 77, 0, 2));
    /// Used twice in each round, from 42000 on.
    const PORTS: u16 = 3;
    /// For whatever is still on the wire.
    const SETTLE: Duration = Duration::from_millis(300);

    pub fn main() -> Result<()> {
        let mut words = std::env::args().skip(1).peekable();
        let mut key = None;
        if words.next_if(|word| word == "--key").is_some() {
            let path = PathBuf::from(words.next().context("--key needs a file")?);
            key = Some(Key::from_hex(&std::fs::read_to_string(path)?)?);
        }
        let capture = live::open(&LiveConfig::on("tap0"))?;
        let (feeder, frames) = feed::feed(64);
        let (tell, asides) = channel();
        let engine = Engine::new(EngineConfig {
            devices: DeviceScope::Named(vec![DEVICE]),
            rules: RuleSet::built_in()?,
            flow_events: false,
            segment_events: false,
            start: Start::default(),
            max_flows: DEFAULT_MAX_FLOWS,
        });
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let capturing = scope.spawn(|| capture.run(feeder, &over));
            let watching = scope.spawn(move || watch(engine, frames, &asides));
            let rounds = rounds(key, words, &tell);
            std::thread::sleep(SETTLE);
            over.store(true, Ordering::Relaxed);
            capturing.join().map_err(|_| anyhow!("the capture"))??;
            watching.join().map_err(|_| anyhow!("the engine"))??;
            rounds
        })
    }

    fn watch(mut engine: Engine, mut frames: feed::Feed, asides: &Receiver<Input<'static>>) -> Result<()> {
        while let Some(input) = frames.next_input()? {
            engine.handle(input);
            while let Ok(aside) = asides.try_recv() {
                engine.handle(aside);
            }
            say(&mut engine)?;
        }
        engine.handle(Input::End);
        say(&mut engine)
    }

    fn say(engine: &mut Engine) -> Result<()> {
        while let Some(event) = engine.poll_event() {
            println!("{}", serde_json::to_string(&event)?);
        }
        Ok(())
    }

    fn rounds(
        key: Option<Key>,
        changes: impl Iterator<Item = String>,
        tell: &Sender<Input<'static>>,
    ) -> Result<()> {
        let asked = [(DEVICE, SocketAddr::new(DEVICE, 7777))];
        let control = Control::begin(&asked, key, tell, &Moves::default())?;
        let (report, mut files, stop) = (Mutex::default(), Files::default(), Stop::default());
        let mut host = ScreenHost {
            report: &report,
            files: &mut files,
            stop: &stop,
            notes: Some(tell.clone()),
            control: Some(&control),
        };
        for (round, change) in (0..).zip(changes) {
            std::thread::sleep(SETTLE);
            if change != "-" {
                let told = switch(&mut host, &change)?;
                println!("{told}");
            }
            host.mark(&format!("round {round}")).map_err(|error| anyhow!(error))?;
            let plan = ReusePlan {
                target: (DEVICE, 80).into(),
                first_port: 42_000 + 10 * round,
                ports: PORTS,
                pause: Duration::from_millis(100),
                connect_timeout: Duration::from_millis(600),
                parallel: usize::from(PORTS),
            };
            load::run(plan, &AtomicBool::new(false), &mut |_| {})?;
        }
        std::thread::sleep(SETTLE);
        control.finish()
    }

    /// As the screen's loop: asks for a switch, and looks for what came of it.
    fn switch(host: &mut ScreenHost<'_>, change: &str) -> Result<Value> {
        if let Err(refused) = host.switch(DEVICE, change) {
            return Ok(json!({ "type": "refused", "change": change, "why": refused }));
        }
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(10) {
            if let Some(Answer { device, outcome }) = host.answers().pop() {
                let (mode, error) = (outcome.clone().ok(), outcome.err());
                return Ok(json!({ "type": "answer", "device": device, "mode": mode, "error": error }));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("no answer to the switch to {change}")
    }
}
