//! The terminal: the event stream as a person watches it.
//!
//! Knows events and a terminal. Refuses to know the engine, the source and the file system: what a key asks for
//! outside the screen is handed to the [`Host`], so a saved run opens in the same screens as a live one.

use core::net::IpAddr;
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Receiver;

use crate::analysis::event::Event;

pub use keys::{Keymap, KeymapError};
pub use palette::{ThemeName, UnknownTheme};

mod copy;
pub mod dialogue;
pub mod event_loop;
pub mod keymap;
pub mod keys;
pub mod model;
pub mod order;
pub mod packets;
pub mod palette;
pub mod place;
mod terminal;
pub mod theme;
pub mod update;
pub mod view;
pub mod vitals;
pub mod watched;
mod words;

/// What the screens ask of the program around them.
pub trait Host {
    /// Writes the report of what was seen so far. `Ok`: the path, to be shown to the user.
    fn export_report(&mut self) -> Result<String, String>;

    /// Whether somebody who is not at the keys wants that report, since the last question. Never waits.
    fn is_asked_for_report(&mut self) -> bool {
        false
    }

    /// Puts a note of the user's into the stream; it comes back as a marker.
    fn mark(&mut self, _note: &str) -> Result<(), String> {
        Err("notes are for a run that goes on".to_owned())
    }

    /// Begins to switch the test firmware of `device`: `fixed`, or `close=keep-alive`, as `mode` takes them. What came
    /// of it is among the `answers`, and in the stream as a marker. `Err`: it cannot be tried, and why.
    fn switch(&mut self, _device: IpAddr, _change: &str) -> Result<(), String> {
        Err("devices are switched while they are watched live".to_owned())
    }

    /// What came of what was begun, since the last question. Never waits.
    fn answers(&mut self) -> Vec<Answer> {
        Vec::new()
    }
}

/// What came of a switch: the device's mode now, or why it was not switched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub device: IpAddr,
    pub outcome: Result<String, String>,
}

#[derive(Clone, Debug, Default)]
pub struct TuiOptions {
    /// What is being done, for the header: `demo`, `watch`, a file's name.
    pub title: String,
    /// Which colours.
    pub theme: ThemeName,
    /// Which keys.
    pub keys: Keymap,
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
