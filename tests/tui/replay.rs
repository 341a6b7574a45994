//! Opens a saved event stream (JSON Lines) in the terminal screens, at the pace it was recorded.
//!
//!     cargo run --example tui_replay -- tests/data/refused-port.jsonl [--speed 10] [--live] [--ascii] [--no-color]
//!                                       [--theme NAME]
//!                                       [--flood EVENTS-PER-SECOND]
//!                                       [--panic-after SECONDS] [--panic-on-export]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context;
use esp_tcpwatch::analysis::event::Event;
use esp_tcpwatch::tui::{self, Host, TuiOptions};

static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();

extern "C" fn stop(_: i32) {
    if let Some(stop) = STOP.get() {
        stop.store(true, Ordering::SeqCst);
    }
}

/// Every second export fails; with `panics`, the first one panics in the middle of the screen's own loop.
struct Exports {
    asked: u32,
    panics: bool,
}

impl Host for Exports {
    fn export_report(&mut self) -> Result<String, String> {
        self.asked += 1;
        #[expect(clippy::panic, reason = "this is what is to be seen: the terminal survives it")]
        if self.panics {
            panic!("asked to panic");
        }
        if self.asked % 2 == 1 {
            Ok(format!("report-{}.md", self.asked))
        } else {
            Err("the disk is full".to_owned())
        }
    }
}

struct Choice {
    path: String,
    speed: f64,
    live: bool,
    flood: Option<u64>,
    panic_after: Option<f64>,
    panic_on_export: bool,
    options: TuiOptions,
}

fn main() -> anyhow::Result<()> {
    let choice = choose()?;
    let stopped = Arc::clone(STOP.get_or_init(|| Arc::new(AtomicBool::new(false))));
    for signal in [
        nix::sys::signal::Signal::SIGTERM,
        nix::sys::signal::Signal::SIGHUP,
        nix::sys::signal::Signal::SIGINT,
    ] {
        #[expect(unsafe_code, reason = "a handler")]
        // SAFETY: the handler only stores to an atomic.
        unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::Handler(stop)) }?;
    }
    let text = std::fs::read_to_string(&choice.path).with_context(|| choice.path.clone())?;
    let mut events = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let event = serde_json::from_str(line).with_context(|| format!("{}:{}", choice.path, at + 1))?;
        events.push(event);
    }
    // As many in flight as the program itself lets be.
    let (sender, receiver) = sync_channel(2_048);
    let options = choice.options.clone();
    if let Some(seconds) = choice.panic_after {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs_f64(seconds));
            #[expect(clippy::panic, reason = "this is what is to be seen: the terminal survives it")]
            {
                panic!("asked to panic")
            }
        });
    }
    std::thread::spawn(move || match choice.flood {
        Some(rate) => flood(&events, &sender, rate),
        None => play(events, &sender, choice.speed, choice.live),
    });
    tui::run(receiver, options, &stopped, &mut Exports { asked: 0, panics: choice.panic_on_export })?;
    eprintln!("left the screen");
    Ok(())
}

fn choose() -> anyhow::Result<Choice> {
    let mut choice = Choice {
        path: "tests/data/refused-port.jsonl".to_owned(),
        speed: 10.0,
        live: false,
        flood: None,
        panic_after: None,
        panic_on_export: false,
        options: TuiOptions { title: "replay".to_owned(), keep_open_at_end: true, ..TuiOptions::default() },
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number =
            || -> anyhow::Result<f64> { Ok(args.next().context("a number is missing")?.parse()?) };
        match arg.as_str() {
            "--speed" => choice.speed = number()?,
            "--live" => choice.live = true,
            "--flood" => choice.flood = Some(number()? as u64),
            "--panic-after" => choice.panic_after = Some(number()?),
            "--panic-on-export" => choice.panic_on_export = true,
            "--theme" => choice.options.theme = args.next().context("a theme is missing")?.parse()?,
            "--ascii" => choice.options.ascii = true,
            "--no-color" => choice.options.no_color = true,
            _ => choice.path = arg,
        }
    }
    Ok(choice)
}

/// The events at `speed` times their own pace; with `live`, as if from a wire, and without an end.
fn play(events: Vec<Event>, sender: &SyncSender<Event>, speed: f64, live: bool) {
    let begun = Instant::now();
    let mut first = None;
    for mut event in events {
        if let Event::Start(start) = &mut event
            && live
        {
            "live".clone_into(&mut start.source);
            "tap0".clone_into(&mut start.name);
        }
        if let Some(time) = event.time() {
            let first = *first.get_or_insert(time);
            let due = Duration::from_secs_f64(time.seconds_after(first).max(0.0) / speed);
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
        }
        if live && matches!(event, Event::Summary(_)) || sender.send(event).is_err() {
            break;
        }
    }
    if live {
        // A wire has no end: hold the sender.
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// The flow and device events over and over, on ever new ports, at `rate` a second.
fn flood(events: &[Event], sender: &SyncSender<Event>, rate: u64) {
    let begun = Instant::now();
    let mut sent = 0;
    for round in 0.. {
        for event in events {
            let mut event = event.clone();
            match &mut event {
                Event::Start(start) => "live".clone_into(&mut start.source),
                Event::Flow(flow) => flow.client.set_port((1024 + round % 60_000) as u16),
                Event::Summary(_) => continue,
                _ => {}
            }
            if sender.send(event).is_err() {
                return;
            }
            sent += 1;
            let due = Duration::from_secs_f64(sent as f64 / rate as f64);
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
        }
    }
}
