//! The loop between stream, keys and screen.
//!
//! Knows when to look, when to draw and when to stop: input is never starved by events and is answered at once, a frame
//! is drawn only for a change: at most thirty times a second on average, and fifteen for what only events change. Refuses to know what a message does and how a terminal works.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use super::model::Model;
use super::theme::Theme;
use super::update::{Effect, Msg, update};
use super::{Ended, Host, TuiOptions};
use crate::analysis::event::Event;

/// The least time between two frames on average, and the longest time that keys are waited for while events come.
const FRAME: Duration = Duration::from_millis(34);
/// The least time between two frames of which no key is the reason: numbers that rise are read no faster.
const UNASKED: Duration = Duration::from_millis(67);
/// The longest time that keys are waited for where no event came for a while: a key or a resize ends it at once.
const IDLE: Duration = Duration::from_millis(125);
/// The same where no event can come any more.
const OVER: Duration = Duration::from_millis(500);
/// Frames that keys may have before their time; later ones make up for them.
const AHEAD: u32 = 2;
/// The longest time that events are folded without a look at the keys.
const FOLD: Duration = Duration::from_millis(4);
/// How often ages are drawn anew while nothing happens.
const AGES: Duration = Duration::from_secs(1);
/// Keys taken at once, so that a pasted book does not starve the events either.
const KEYS_AT_ONCE: usize = 64;

/// What the loop needs of a terminal.
pub trait Console {
    fn size(&mut self) -> io::Result<(u16, u16)>;
    fn draw(&mut self, model: &Model) -> io::Result<()>;
    /// The next key or resize, waited for no longer than `wait`.
    fn input(&mut self, wait: Duration) -> io::Result<Option<Msg>>;
    /// Returns after the shell let us go on, with the size that the terminal has then.
    fn suspend(&mut self) -> io::Result<(u16, u16)>;
    /// Hands `text` to the terminal's clipboard; whether the terminal takes it, it does not say.
    fn copy(&mut self, text: &str) -> io::Result<()>;
    /// An error when the terminal is no longer there, or no longer ours; the size that it has, where it had to be entered
    /// anew and all must be drawn again.
    fn check(&mut self) -> io::Result<Option<(u16, u16)>>;
}

pub fn run_on(
    console: &mut dyn Console,
    events: &Receiver<Event>,
    options: TuiOptions,
    stop: &AtomicBool,
    host: &mut dyn Host,
) -> io::Result<Ended> {
    let theme = Theme { name: options.theme, ascii: options.ascii, no_color: options.no_color };
    let mut model = Model::new(options.title, theme);
    model.keymap = options.keys;
    let (columns, rows) = console.size()?;
    update(&mut model, Msg::Resized(columns, rows));
    let mut changed = true;
    let mut pace = Pace::default();
    // A key waits for its frame.
    let mut pressed = false;
    let mut heard = Instant::now();
    let mut aged = heard;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok(Ended::Quit);
        }
        if let Some((columns, rows)) = console.check()? {
            update(&mut model, Msg::Resized(columns, rows));
            changed = true;
        }
        // A key is answered before more events are looked at.
        let at_once = pressed && pace.until_frame(true).is_zero();
        let folded = if at_once { Folded { any: false, more: true } } else { fold(&mut model, events) };
        if folded.any {
            changed = true;
            heard = Instant::now();
        }
        for answer in host.answers() {
            update(&mut model, Msg::Answered(answer));
            changed = true;
        }
        if host.is_asked_for_report() {
            update(&mut model, Msg::Exported(host.export_report()));
            changed = true;
        }
        if model.is_over() && !options.keep_open_at_end {
            return Ok(Ended::Quit);
        }
        if model.shows_ages() && aged.elapsed() >= AGES {
            aged = Instant::now();
            update(&mut model, Msg::Silent(heard.elapsed()));
            changed = true;
        }
        let until_frame = pace.until_frame(pressed);
        if changed && until_frame.is_zero() {
            pace.frame();
            console.draw(&model)?;
            (changed, pressed) = (false, false);
        }
        let wait = match (folded.more, changed) {
            (true, _) => Duration::ZERO,
            // Events are taken no less often than they would be drawn for a key.
            (false, true) => until_frame.min(FRAME),
            (false, false) if model.stream_over => OVER,
            (false, false) if heard.elapsed() < AGES => FRAME,
            (false, false) => IDLE,
        };
        let mut next = console.input(wait)?;
        for _ in 0..KEYS_AT_ONCE {
            let Some(msg) = next else { break };
            (changed, pressed) = (true, true);
            for effect in update(&mut model, msg) {
                let answer = match effect {
                    Effect::Quit => return Ok(Ended::Quit),
                    Effect::Suspend => {
                        let (columns, rows) = console.suspend()?;
                        Msg::Resized(columns, rows)
                    }
                    Effect::Export => Msg::Exported(host.export_report()),
                    Effect::Copy(text) => {
                        console.copy(&text)?;
                        continue;
                    }
                    Effect::Mark(note) => Msg::Marked(host.mark(&note)),
                    Effect::Switch(device, change) => Msg::Asked(device, host.switch(device, &change)),
                };
                update(&mut model, answer);
            }
            next = console.input(Duration::ZERO)?;
        }
    }
}

/// When the next frame may be drawn.
#[derive(Default)]
struct Pace {
    due: Option<Instant>,
    last: Option<Instant>,
}

impl Pace {
    fn until_frame(&self, pressed: bool) -> Duration {
        let left = |at: Instant| at.saturating_duration_since(Instant::now());
        let wait = self.due.map_or(Duration::ZERO, left);
        if pressed {
            wait.saturating_sub(AHEAD * FRAME)
        } else {
            wait.max(self.last.map_or(Duration::ZERO, |last| left(last + UNASKED)))
        }
    }

    /// A frame is drawn now.
    fn frame(&mut self) {
        let now = Instant::now();
        self.due = Some(self.due.map_or(now, |due| due.max(now)) + FRAME);
        self.last = Some(now);
    }
}

struct Folded {
    any: bool,
    /// Time was up before the channel was empty.
    more: bool,
}

fn fold(model: &mut Model, events: &Receiver<Event>) -> Folded {
    let mut any = false;
    if model.stream_over {
        return Folded { any, more: false };
    }
    let begun = Instant::now();
    while begun.elapsed() < FOLD {
        let msg = match events.try_recv() {
            Ok(event) => Msg::Event(Box::new(event)),
            Err(TryRecvError::Empty) => return Folded { any, more: false },
            Err(TryRecvError::Disconnected) => {
                update(model, Msg::StreamOver);
                return Folded { any: true, more: false };
            }
        };
        update(model, msg);
        any = true;
    }
    Folded { any, more: true }
}
