//! What the screen asks of the program around it: a report, a note in the stream, a switch of a device.
//!
//! Knows whom to hand each to. Refuses to know keys and screens, and how a device is switched.

use core::net::IpAddr;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use super::{
    control::Control,
    output::{self, OutputFile},
};
use crate::analysis::{
    input::{Input, Marker},
    time::Timestamp,
};
use crate::report::{markdown, model::Report};
use crate::tui::{Answer, Host};

/// The longest note, in characters.
const NOTE_MAX: usize = 200;

/// What a run has for its screen.
pub struct ScreenHost<'a> {
    pub report: Arc<Mutex<Report>>,
    /// Where a report goes that is asked for from the screen.
    pub exports: PathBuf,
    /// Takes notes into the stream; `None`: the stream was over before anybody saw it.
    pub notes: Option<Sender<Input<'static>>>,
    /// `None`: no device's test firmware is asked.
    pub control: Option<&'a Control>,
}

impl Host for ScreenHost<'_> {
    fn export_report(&mut self) -> Result<String, String> {
        let path = self.exports.join(output::timed_name("esp-tcpwatch"));
        let written =
            OutputFile::open(&path, None).and_then(|mut file| file.write_all(&rendered(&self.report)));
        written.map(|()| path.display().to_string()).map_err(|error| format!("{error:#}"))
    }

    fn mark(&mut self, note: &str) -> Result<(), String> {
        let notes = self.notes.as_ref().ok_or("a file is read as it is; notes are for a run that goes on")?;
        let note = note.trim();
        if note.is_empty() {
            return Err("an empty note says nothing".to_owned());
        }
        let marker = Marker {
            // Now, by the packets' clock.
            at: Timestamp::ZERO,
            text: note.chars().take(NOTE_MAX).collect(),
            mode_changed: false,
            device: None,
            mode: None,
        };
        notes.send(Input::Marker(marker)).map_err(|_| "the run is over".to_owned())
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

/// The report of what was seen so far.
pub fn rendered(report: &Mutex<Report>) -> String {
    // Cloned, so that the engine does not wait while the words are found.
    let report = report.lock().unwrap_or_else(PoisonError::into_inner).clone();
    markdown::render(&report)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn host(notes: Option<Sender<Input<'static>>>) -> ScreenHost<'static> {
        ScreenHost { report: Arc::default(), exports: PathBuf::new(), notes, control: None }
    }

    #[test]
    fn a_note_is_a_marker_of_now() {
        let (notes, told) = channel();
        let mut host = host(Some(notes));
        host.mark(&format!(" {} ", "x".repeat(300))).unwrap();
        let Input::Marker(marker) = told.recv().unwrap() else { panic!("a marker was meant") };
        assert_eq!((marker.text.len(), marker.at, marker.mode_changed), (NOTE_MAX, Timestamp::ZERO, false));
        assert!(host.mark(" ").is_err());
        drop(told);
        assert_eq!(host.mark("late").unwrap_err(), "the run is over");
    }

    #[test]
    fn what_a_run_cannot_do_is_refused_with_what_would() {
        let mut host = host(None);
        assert!(host.mark("x").unwrap_err().contains("a file"));
        let refusal = host.switch("10.0.0.2".parse().unwrap(), "fixed").unwrap_err();
        assert!(refusal.contains("--control") && refusal.contains("--key-file"), "{refusal}");
        assert!(host.answers().is_empty());
    }
}
