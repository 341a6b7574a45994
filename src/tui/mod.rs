//! The terminal: the event stream as a person watches it.
//!
//! Knows events and a terminal. Refuses to know the engine, the source and the file system: what a key asks for
//! outside the screen is handed to the [`Host`], so a saved run opens in the same screens as a live one.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Receiver;

use crate::analysis::event::Event;

pub mod event_loop;
pub mod keymap;
pub mod model;
mod terminal;
pub mod theme;
pub mod update;
pub mod view;
pub mod watched;
mod words;

/// What the screens ask of the program around them.
pub trait Host {
    /// Writes the report of what was seen so far. `Ok`: the path, to be shown to the user.
    fn export_report(&mut self) -> Result<String, String>;
}

#[derive(Clone, Debug, Default)]
pub struct TuiOptions {
    /// What is being done, for the header: `demo`, `watch`, a file's name.
    pub title: String,
    /// Draw with ASCII only.
    pub ascii: bool,
    /// No colour; bold, reverse and words carry everything.
    pub no_color: bool,
    /// Stay open with the verdict when the stream ends, until a key closes the screen.
    pub keep_open_at_end: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Quit,
}

/// Shows the stream until the user quits or `stop` is set; the terminal is restored on every way out.
///
/// Must be called on the main thread: job control stops and wakes that one.
pub fn run(
    events: Receiver<Event>,
    options: TuiOptions,
    stop: &AtomicBool,
    host: &mut dyn Host,
) -> io::Result<Ended> {
    let mut screen = terminal::Screen::enter()?;
    event_loop::run_on(&mut screen, &events, options, stop, host)
}
