//! What the screen asks of the program around it: a report, a note in the stream, a switch of a device.
//!
//! Knows whom to hand each to. Refuses to know keys and screens, and how a device is switched.

use core::net::IpAddr;
use std::sync::Mutex;
use std::sync::mpsc::Sender;

use super::{control::Control, files::Files, shutdown::Stop};
use crate::analysis::input::{Input, Marker};
use crate::report::model::Report;
use crate::tui::{Answer, Host};

/// The longest note, in characters.
const NOTE_MAX: usize = 200;

/// What a run has for its screen.
pub struct ScreenHost<'a> {
    pub report: &'a Mutex<Report>,
    pub files: &'a mut Files,
    /// Tells of SIGUSR1.
    pub stop: &'a Stop,
    /// Takes notes into the stream; `None`: the stream was over before anybody saw it.
    pub notes: Option<Sender<Input<'static>>>,
    /// `None`: no device's test firmware is asked.
    pub control: Option<&'a Control>,
}

impl Host for ScreenHost<'_> {
    fn export_report(&mut self) -> Result<String, String> {
        self.files.export(self.report)
    }

    fn is_asked_for_report(&mut self) -> bool {
        self.stop.takes_report()
    }

    fn mark(&mut self, note: &str) -> Result<(), String> {
        let notes = self.notes.as_ref().ok_or("a file is read as it is; notes are for a run that goes on")?;
        let note = note.trim();
        if note.is_empty() {
            return Err("an empty note says nothing".to_owned());
        }
        let marker = Marker::note(note.chars().take(NOTE_MAX).collect());
        notes.send(Input::from(marker)).map_err(|_| "the run is over".to_owned())
    }

    fn switch(&mut self, device: IpAddr, change: &str) -> Result<(), String> {
        let control = self.control.ok_or(
            "no device's test firmware is asked in this run: watch live with --control, and --key-file FILE to switch",
        )?;
        control.switch(device, change)
    }

    fn answers(&mut self) -> Vec<Answer> {
        self.control.map(Control::answers).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::analysis::time::Timestamp;

    fn ask<T>(notes: Option<Sender<Input<'static>>>, with: impl FnOnce(&mut ScreenHost<'_>) -> T) -> T {
        let (report, mut files) = (Mutex::default(), Files::default());
        let stop = &Stop::default();
        with(&mut ScreenHost { report: &report, files: &mut files, stop, notes, control: None })
    }

    #[test]
    fn a_note_is_a_marker_of_now() {
        let (notes, told) = channel();
        ask(Some(notes), |host| {
            host.mark(&format!(" {} ", "x".repeat(300))).unwrap();
            let Input::Marker(marker) = told.recv().unwrap() else { panic!("a marker was meant") };
            let expected = (NOTE_MAX, Timestamp::ZERO, false);
            assert_eq!((marker.text.len(), marker.at, marker.mode_changed), expected);
            assert!(host.mark(" ").is_err());
            drop(told);
            assert_eq!(host.mark("late").unwrap_err(), "the run is over");
        });
    }

    #[test]
    fn what_a_run_cannot_do_is_refused_with_what_would() {
        ask(None, |host| {
            assert!(host.mark("x").unwrap_err().contains("a file"));
            let refusal = host.switch("10.0.0.2".parse().unwrap(), "fixed").unwrap_err();
            assert!(refusal.contains("--control") && refusal.contains("--key-file"), "{refusal}");
            assert!(host.answers().is_empty());
        });
    }
}
