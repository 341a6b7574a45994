//! What writes recordings, on a thread of its own, so that a disk that is slow or full keeps nobody waiting.
//!
//! Knows octets and their file. What cannot be written is told once and tried again until it can be; meanwhile the ring
//! keeps what has not been handed over yet.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result};

use super::folder::{Folder, Part};
use crate::text::escape;

/// Chunks that wait for the disk.
const CHUNKS: usize = 128;
/// Between two tries where the disk does not take any more.
const RETRY: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(50);

/// What is to be done.
#[derive(Debug)]
pub enum Message {
    /// A recording of this name begins.
    Begin(String),
    /// Whole blocks of it.
    Octets(Vec<u8>),
    End,
}

/// What came of it.
#[derive(Debug)]
pub enum Told {
    /// Writing fails, and is tried again.
    Failed(String),
    Recovered,
    Written,
    /// It ends early: the budget holds no more.
    Cut(String),
    /// It, or the rest of it, was given up.
    Lost(String),
}

pub struct Writer {
    messages: SyncSender<Message>,
    pub told: Receiver<Told>,
    /// Octets of all recordings.
    used: Arc<AtomicU64>,
    /// Nothing is waited for any more.
    ending: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Makes a thread: call it after the privileges went.
    pub fn begin(folder: Folder) -> Result<Writer> {
        let (messages, received) = sync_channel(CHUNKS);
        let (tells, told) = channel();
        let (used, ending) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let work = Work {
            folder,
            tells,
            used: used.clone(),
            ending: ending.clone(),
            is_failing: false,
            stem: String::new(),
            part: None,
            is_given_up: false,
        };
        let thread = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || work.run(&received))
            .context("cannot make the recorder's thread")?;
        Ok(Writer { messages, told, used, ending, thread })
    }

    /// Gives `message` back where the disk is behind.
    pub fn take(&self, message: Message) -> Result<(), Message> {
        self.messages.try_send(message).map_err(|error| match error {
            std::sync::mpsc::TrySendError::Full(message)
            | std::sync::mpsc::TrySendError::Disconnected(message) => message,
        })
    }

    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// From now on what fails is given up at once.
    pub fn wait_no_more(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// Waits for what it has; what is still to be heard, and whether it came to its end.
    pub fn finish(self) -> (Receiver<Told>, bool) {
        drop(self.messages);
        let is_sound = self.thread.join().is_ok();
        (self.told, is_sound)
    }
}

struct Work {
    folder: Folder,
    tells: Sender<Told>,
    used: Arc<AtomicU64>,
    ending: Arc<AtomicBool>,
    is_failing: bool,
    /// The recording's name.
    stem: String,
    part: Option<Part>,
    /// Nothing more is written of it.
    is_given_up: bool,
}

impl Work {
    fn run(mut self, messages: &Receiver<Message>) {
        if let Err(error) = self.folder.adopt() {
            // A new recording can still be made, or says why not.
            self.tell(Told::Failed(self.cannot(&error)));
            self.is_failing = true;
        }
        self.count();
        while let Ok(message) = messages.recv() {
            match message {
                Message::Begin(stem) => {
                    self.stem = stem;
                    self.is_given_up = false;
                }
                Message::Octets(octets) if self.is_given_up => drop(octets),
                Message::Octets(octets) => self.write(&octets),
                Message::End => self.end(),
            }
            self.count();
        }
    }

    fn write(&mut self, octets: &[u8]) {
        let length = octets.len() as u64;
        let written = self.until_done(|work| {
            let part = match work.part.take() {
                Some(part) => part,
                None => work.folder.create(&work.stem)?,
            };
            let part = work.part.insert(part);
            let has_room = work.folder.make_room(length)?;
            if has_room {
                part.write(octets)?;
                work.folder.used += length;
            }
            Ok(has_room)
        });
        if written == Some(false) {
            self.tell(Told::Cut(format!("{} ends early: --disk-budget holds no more", self.stem)));
        }
        self.is_given_up = written != Some(true);
    }

    fn end(&mut self) {
        if self.part.is_none() {
            return;
        }
        let told = self.until_done(|work| match work.part.as_ref().map(Part::complete) {
            Some(Err(error)) if error.kind() == ErrorKind::NotFound => {
                Ok(Some(Told::Lost(format!("{} was removed while it was written", work.stem))))
            }
            Some(completed) => Ok(completed?.then_some(Told::Written)),
            None => Ok(None),
        });
        self.part = None;
        if let Some(told) = told.flatten() {
            self.tell(told);
        }
    }

    /// `None`: the run is over and it still cannot be done.
    fn until_done<T>(&mut self, mut what: impl FnMut(&mut Work) -> io::Result<T>) -> Option<T> {
        loop {
            let is_last = self.ending.load(Ordering::Relaxed);
            let error = match what(self) {
                Ok(done) => {
                    if core::mem::take(&mut self.is_failing) {
                        self.tell(Told::Recovered);
                    }
                    return Some(done);
                }
                Err(error) => error,
            };
            if is_last {
                self.tell(Told::Lost(format!("{} is not complete. {}", self.stem, self.cannot(&error))));
                return None;
            }
            if !core::mem::replace(&mut self.is_failing, true) {
                self.tell(Told::Failed(self.cannot(&error)));
            }
            let mut slept = Duration::ZERO;
            while slept < RETRY && !self.ending.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
                slept += LOOK;
            }
        }
    }

    fn cannot(&self, error: &io::Error) -> String {
        format!("Cannot write in {}: {error}", escape(&self.folder.path().to_string_lossy()))
    }

    fn count(&self) {
        self.used.store(self.folder.used, Ordering::Relaxed);
    }

    fn tell(&self, told: Told) {
        // Whoever listened may be gone.
        let _ = self.tells.send(told);
    }
}
