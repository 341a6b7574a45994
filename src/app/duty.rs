//! What a run without a screen does besides watching, on its main thread: it writes a report when it is told to, reads its rules
//! again, and lets systemd know that it is alive.
//!
//! Knows what signals ask for, and whom to hand it to. Refuses to know what a report says and what a rule means.

use core::sync::atomic::{AtomicU64, Ordering};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};

use super::{files::Files, rules, service::Service};
use crate::analysis::{
    input::{Input, Marker},
    rule::RuleSet,
};
use crate::report::model::Report;
use crate::text::escape;

/// What may be asked of a run while it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A report, now.
    Report,
    /// Read the rules again.
    Rules,
    /// The run is about to end.
    Stop,
    /// The engine has ended.
    Over,
}

/// The engine's end of it.
pub struct Orders {
    rules: Receiver<RuleSet>,
    /// Grows while the engine moves.
    beats: Arc<AtomicU64>,
    over: Sender<Wish>,
}

impl Orders {
    /// Rules to judge by from here on. Called once an input: that it is called is the sign of life.
    pub fn next(&mut self) -> Option<RuleSet> {
        // One thread counts, so there is nothing to lock.
        self.beats.store(self.beats.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        self.rules.try_recv().ok()
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        // Nobody waits any more where the main thread has gone before.
        let _ = self.over.send(Wish::Over);
    }
}

/// The main thread's end.
pub struct Duty {
    wishes: Receiver<Wish>,
    asks: Sender<Wish>,
    /// Where rules are read again.
    rules: Option<PathBuf>,
    service: Service,
    engine: Option<(Sender<RuleSet>, Arc<AtomicU64>)>,
}

impl Duty {
    /// `rules`: the directory that they came from; `None` where it was none.
    pub fn new(rules: Option<PathBuf>) -> Duty {
        let (asks, wishes) = channel();
        Duty { wishes, asks, rules, service: Service::new(), engine: None }
    }

    /// For whoever hears the signals.
    pub fn asks(&self) -> Sender<Wish> {
        self.asks.clone()
    }

    /// For the engine that is about to run.
    pub fn orders(&mut self) -> Orders {
        let (hand_over, rules) = channel();
        let beats = Arc::new(AtomicU64::new(0));
        self.engine = Some((hand_over, Arc::clone(&beats)));
        Orders { rules, beats, over: self.asks.clone() }
    }

    /// Does what is asked for until the engine has ended. `title`: what is watched.
    pub fn serve(
        &mut self,
        title: &str,
        files: &mut Files,
        report: &Mutex<Report>,
        notes: &Sender<Input<'static>>,
    ) {
        let status = format!("watching {}", escape(title));
        tracing::info!("{status}");
        self.service.ready(&status);
        loop {
            match self.next() {
                Some(Wish::Report) => match files.export(report) {
                    Ok(path) => tracing::info!("report: {}", escape(&path)),
                    Err(error) => tracing::error!("no report was written: {}", escape(&error)),
                },
                Some(Wish::Rules) => {
                    self.service.reloading();
                    self.reload(notes);
                    self.service.ready(&status);
                }
                Some(Wish::Stop) => self.service.stopping(),
                Some(Wish::Over) => {
                    self.service.stopping();
                    break;
                }
                None => {}
            }
            if let Some((_, beats)) = &self.engine {
                self.service.go_on(beats.load(Ordering::Relaxed));
            }
        }
    }

    /// `None`: it is time to be heard of.
    fn next(&self) -> Option<Wish> {
        let wish = match self.service.every() {
            Some(every) => self.wishes.recv_timeout(every),
            None => self.wishes.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match wish {
            Ok(wish) => Some(wish),
            Err(RecvTimeoutError::Timeout) => None,
            // Cannot be: we hold a sender ourselves.
            Err(RecvTimeoutError::Disconnected) => Some(Wish::Over),
        }
    }

    /// A set with a fault changes nothing: half a set would judge otherwise than anybody meant.
    fn reload(&self, notes: &Sender<Input<'static>>) {
        let Some(dir) = &self.rules else {
            tracing::warn!("no rules are read again: there is no --rules directory to read");
            return;
        };
        let shown = dir.display().to_string();
        match rules::reload(dir) {
            Ok(rules) => {
                tracing::info!("rules were read again from {}", escape(&shown));
                if let Some((engine, _)) = &self.engine {
                    // The engine ends first where this fails.
                    let _ = engine.send(rules);
                }
            }
            Err(error) => {
                for fault in format!("{error:#}").lines() {
                    tracing::error!("{}", escape(fault));
                }
                let text =
                    "The rules were not read again, since one is at fault: those in force stay in force.";
                tracing::error!("{text}");
                let _ = notes.send(Input::from(Marker::note(text.to_owned())));
            }
        }
    }
}
