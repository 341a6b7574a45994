//! What is told while an experiment runs: a line a block, or, where the screens show it, its progress in their stream.
//!
//! Knows what was told last. Refuses to measure and to judge: the numbers are the results', the words the section's.

use core::net::IpAddr;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::analysis::input::{ArmProgress, Doing, Input, Marker, Progress};
use crate::app::account::timestamp;
use crate::experiment::{compare, section::section, spec::BLOCKS_IN_A_ROUND, store::Stored};
use crate::firmware::Changed;

/// Told from the experiment's thread and from those of its clients.
pub struct Telling {
    /// `None`: lines on stderr.
    screen: Option<Sender<Input<'static>>>,
    known: Mutex<Known>,
}

struct Known {
    progress: Progress,
    /// When the block at hand began.
    began: Instant,
    /// As when it began.
    left_s: Option<f64>,
    mode: Option<String>,
}

impl Telling {
    /// Into the stream of the screens where there are some.
    pub fn new(device: IpAddr, stored: &Stored, screen: Option<Sender<Input<'static>>>) -> Telling {
        let progress = Progress {
            device,
            doing: Doing::Control,
            arm: None,
            block: 0,
            blocks: stored.spec.blocks() as u64,
            requests: 0,
            arms: arms(stored, false),
            left_s: None,
            last: None,
            verdict: None,
        };
        Telling {
            screen,
            known: Mutex::new(Known { progress, began: Instant::now(), left_s: None, mode: None }),
        }
    }

    /// A block begins, the positive control where it has no place.
    pub fn begins(&self, stored: &Stored, slot: Option<usize>, arm: &str) {
        self.tell(|known| {
            known.began = Instant::now();
            known.left_s = stored.left_s();
            let progress = &mut known.progress;
            progress.doing = if slot.is_none() { Doing::Control } else { Doing::Block };
            progress.block = slot.map_or(0, |slot| slot as u64 + 1);
            progress.arm = Some(arm.to_owned());
            progress.requests = 0;
        });
    }

    pub fn requested(&self) {
        self.tell(|known| known.progress.requests += 1);
    }

    /// The device confirmed the arm's words.
    pub fn switched(&self, device: IpAddr, changed: &Changed) {
        let Some(screen) = &self.screen else { return };
        let mode = changed.status.mode_in_words();
        let before = self.known().mode.replace(mode.clone());
        let marker = Marker {
            at: timestamp(changed.at),
            text: format!("{device} was switched to {mode} by the experiment"),
            mode_changed: before.as_ref() != Some(&mode),
            device: Some(device),
            mode: Some(mode),
        };
        // The screen may be closed already; then nobody needs it.
        let _ = screen.send(Input::from(marker));
    }

    pub fn settles(&self) {
        self.say("every source port was used once: waiting until the device has let go of all");
        self.tell(|known| known.progress.doing = Doing::Settling);
    }

    /// How long it took.
    pub fn settled(&self, took: Duration) {
        self.say(&format!("it had after {:.1} s", took.as_secs_f64()));
    }

    pub fn waits(&self) {
        self.tell(|known| known.progress.doing = Doing::Waiting);
    }

    /// A block is in the results: `place` and arm, and what came of it.
    pub fn ended(&self, stored: &Stored, place: &str, told: &str) {
        self.say(&format!("{place:<8} {told}"));
        self.tell(|known| {
            known.progress.arms = arms(stored, false);
            known.progress.last =
                Some(format!("{place} {}", told.split_whitespace().collect::<Vec<_>>().join(" ")));
        });
    }

    /// Nothing is run any more, because all was run or because nothing can be shown.
    pub fn over(&self, stored: &Stored) {
        self.tell(|known| {
            known.left_s = None;
            let progress = &mut known.progress;
            progress.doing = Doing::Over;
            progress.arm = None;
            progress.arms = arms(stored, true);
            progress.verdict = Some(section(stored, &compare::compare(stored)).verdict.join(" "));
        });
    }

    fn say(&self, line: &str) {
        if self.screen.is_none() {
            eprintln!("{line}");
        }
    }

    fn tell(&self, change: impl FnOnce(&mut Known)) {
        let Some(screen) = &self.screen else { return };
        let mut known = self.known();
        change(&mut known);
        let passed = known.began.elapsed().as_secs_f64();
        known.progress.left_s = known.left_s.map(|left| (left - passed).max(0.0));
        // The screen may be closed already.
        let _ = screen.send(Input::Progress(Box::new(known.progress.clone())));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change is whole by itself.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn arms(stored: &Stored, over: bool) -> Vec<ArmProgress> {
    let planned = u64::from(stored.spec.rounds * BLOCKS_IN_A_ROUND);
    let numbers = compare::compare(stored).arms.into_iter();
    numbers
        .map(|arm| ArmProgress {
            arm: arm.label,
            blocks: arm.blocks,
            planned,
            reuses: arm.reuses,
            failed: arm.failed,
            stalled: arm.stalled,
            collisions: arm.collisions,
            ignored_rsts: arm.ignored_rsts,
            verdict: over.then(|| arm.verdict.words().to_owned()),
        })
        .collect()
}
