//! The flight recorder: at each alert the frames before it, and those of the next seconds, become a recording.
//!
//! Knows alerts, the ring in which frames wait, and what is told of each frame. Encodes a little at a time, on the
//! engine's thread; a thread of its own writes. Never waits for the disk: what the ring forgets before the disk takes it is
//! told as lost in the recording.

mod episode;
mod folder;
mod writer;

use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;

use episode::{Episode, Recording, Step};
pub use folder::Folder;
use writer::{Message, Told, Writer};

use super::privilege::Invoker;
use crate::analysis::{
    detect::Finding,
    event::Event,
    input::FrameNo,
    rule::{Alert, AlertPhase},
    time::Timestamp,
};
use crate::cli::recorder::RecorderPlan;
use crate::report::{
    comments::{self, Comments},
    ring::Ring,
};
use crate::sink::record::RecorderInfo;
use crate::text::counted;

/// How long a recording goes on after an alert, and how long at most after the first of those that it is of.
const AFTER: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(60);
/// Recordings that are asked for and not written yet; a later alert joins the last one.
const EPISODES: usize = 8;
/// Octets encoded before the next frame is looked at.
const TURN: usize = 4 << 20;
/// Frames with comments, and findings whose frames have all been written and that are told with the next one.
const COMMENTED: usize = 8_192;
const LATE: usize = 8;
/// At the end of a run the disk has this long to take what is left.
const LANDING: Duration = Duration::from_secs(10);

/// The flight recorder, before it runs.
pub struct FlightRecorder {
    pub folder: Folder,
    /// Octets of frames that wait, and how old they may get.
    pub size: usize,
    pub age: Duration,
}

impl FlightRecorder {
    /// Makes its folder, for `successor`; call it while we may.
    pub fn open(plan: &RecorderPlan, successor: Option<Invoker>) -> Result<FlightRecorder> {
        let folder = Folder::open(&plan.folder, plan.budget, successor)?;
        Ok(FlightRecorder { folder, size: plan.size, age: plan.age })
    }

    /// Where recordings are made, named and removed.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

pub struct Flight {
    writer: Writer,
    /// Of every recording; the comment is each one's own.
    info: RecorderInfo,
    folder: PathBuf,
    comments: Comments,
    episodes: VecDeque<Episode>,
    /// Of the first episode, once it has begun.
    recording: Option<Recording>,
    /// What the writer has not taken.
    waiting: VecDeque<Message>,
    news: Vec<News>,
    tally: Tally,
    /// What was not written and never will be.
    lost: Option<String>,
}

/// So far in this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Recordings that are complete.
    pub written: u64,
    /// Times that writing failed, or a recording was cut short or given up.
    pub failures: u64,
    /// What all recordings in the folder take, octets.
    pub used: u64,
}

/// What everybody who looks at the run is to know.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// Worth a line in the stream.
    Note(String),
    /// And one on stderr.
    Trouble(String),
}

/// How it ended.
#[derive(Debug)]
pub struct Landed {
    pub folder: PathBuf,
    pub written: u64,
    /// The last recording ends early, and why.
    pub cut: Option<String>,
    pub error: Option<io::Error>,
}

impl Flight {
    /// Makes a thread: call it after the privileges went. `info` without its comment.
    pub fn begin(folder: Folder, info: RecorderInfo) -> Result<Flight> {
        Ok(Flight {
            folder: folder.path().to_owned(),
            writer: Writer::begin(folder)?,
            info,
            comments: Comments::default(),
            episodes: VecDeque::new(),
            recording: None,
            waiting: VecDeque::new(),
            news: Vec::new(),
            tally: Tally::default(),
            lost: None,
        })
    }

    /// Findings are told with the frames that they cite, and alerts begin recordings.
    pub fn on_event(&mut self, event: &Event, ring: &Ring) {
        match event {
            Event::Finding(finding) => self.on_finding(finding, ring),
            Event::Alert(alert) => self.on_alert(alert),
            Event::Start(_) | Event::Segment(_) | Event::Flow(_) | Event::Device(_) => {}
            Event::Capture(_) | Event::Marker(_) | Event::Progress(_) | Event::Summary(_) => {}
        }
    }

    fn on_finding(&mut self, finding: &Finding, ring: &Ring) {
        self.comments.keep(ring.first().unwrap_or(FrameNo::MAX), COMMENTED);
        self.comments.cite(finding);
        if let Some(recording) = &mut self.recording
            && recording.late.len() < LATE
            && finding.frames.iter().all(|frame| *frame < recording.next)
        {
            recording.late.push(comments::said(finding));
        }
    }

    /// A new one begins a recording, or joins one that goes on.
    fn on_alert(&mut self, alert: &Alert) {
        match alert.phase {
            AlertPhase::Raised => {}
            AlertPhase::Grown | AlertPhase::Ended => return,
        }
        let Alert { id, rule, severity, title, .. } = alert;
        let said = format!("Alert {id}, {rule} ({severity}): {title}");
        let last = alert.frames.last().copied();
        if let Some(frame) = last {
            self.comments.add(frame, said.as_str().into());
        }
        if let Some(recording) = &mut self.recording
            && recording.late.len() < LATE
            && last.is_none_or(|frame| frame < recording.next)
        {
            recording.late.push(said.as_str().into());
        }
        let at = alert.when.0;
        let is_full = self.episodes.len() >= EPISODES;
        let going_on = self.episodes.back_mut().filter(|episode| {
            is_full || (episode.opened..=episode.opened.saturating_add(LONGEST - AFTER)).contains(&at)
        });
        let stem = match going_on {
            Some(episode) => {
                episode.until = episode.until.max(at.saturating_add(AFTER));
                episode.stem.clone()
            }
            None => {
                let stem = folder::stem(alert);
                self.episodes.push_back(Episode {
                    stem: stem.clone(),
                    about: format!(
                        "{}. {said}\nThe frames before it that were still at hand, and those of the {} s after it. Not \
                         redacted: `esp-tcpwatch report` makes of it what can be shown to others.",
                        folder::MARK,
                        AFTER.as_secs()
                    ),
                    frame: last.unwrap_or(0),
                    opened: at,
                    until: at.saturating_add(AFTER),
                });
                stem
            }
        };
        self.news.push(News::Note(format!("recorder: alert {id} ({rule}) goes into {stem}.pcapng")));
    }

    /// Encodes and hands over some of what is to be written. `now`: the time of the last frame or tick.
    pub fn go_on(&mut self, ring: &Ring, now: Timestamp) {
        while let Ok(told) = self.writer.told.try_recv() {
            self.hear(told);
        }
        self.turn(ring, now);
    }

    /// What happened since it was asked last.
    pub fn news(&mut self) -> Vec<News> {
        core::mem::take(&mut self.news)
    }

    pub fn tally(&self) -> Tally {
        Tally { used: self.writer.used(), ..self.tally }
    }

    /// Writes what the ring holds for each recording that was begun, and ends.
    pub fn finish(mut self, ring: &Ring) -> Landed {
        self.writer.wait_no_more();
        let begun = Instant::now();
        loop {
            self.turn(ring, Timestamp::MAX);
            if self.episodes.is_empty() && self.waiting.is_empty() {
                break;
            }
            if begun.elapsed() > LANDING {
                let count = counted(self.episodes.len().max(1) as u64, "recording");
                self.lost = Some(format!("the disk is too slow: {count} not complete"));
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let Flight { writer, folder, mut lost, tally, .. } = self;
        let (told, is_sound) = writer.finish();
        let mut landed = Landed { folder, written: tally.written, cut: None, error: None };
        for told in told.try_iter() {
            match told {
                Told::Written => landed.written += 1,
                Told::Cut(what) => landed.cut = Some(what),
                Told::Lost(what) => lost = Some(what),
                // Either it was written in the end, or it is told as lost.
                Told::Failed(_) | Told::Recovered => {}
            }
        }
        if !is_sound {
            lost = Some("the recorder stopped with a programming error; please report it".to_owned());
        }
        landed.error = lost.map(io::Error::other);
        landed
    }

    fn hear(&mut self, told: Told) {
        let news = match told {
            Told::Written => {
                self.tally.written += 1;
                return;
            }
            Told::Failed(what) => format!("recorder: {what}; the capture goes on, and it is tried again"),
            Told::Recovered => {
                self.news.push(News::Trouble("recorder: recordings can be written again".to_owned()));
                return;
            }
            Told::Cut(what) => format!("recorder: {what}"),
            Told::Lost(what) => {
                self.lost = Some(what.clone());
                format!("recorder: {what}")
            }
        };
        self.tally.failures += 1;
        self.news.push(News::Trouble(news));
    }

    fn turn(&mut self, ring: &Ring, now: Timestamp) {
        let mut left = TURN;
        while left > 0 && self.hand_over() {
            let Some(episode) = self.episodes.front() else { return };
            let Some(recording) = &mut self.recording else {
                let info = RecorderInfo { comment: Some(episode.about.clone()), ..self.info.clone() };
                self.waiting.push_back(Message::Begin(episode.stem.clone()));
                self.recording = Some(Recording::new(info));
                continue;
            };
            let step = match recording.encode(episode, ring, now, &self.comments) {
                Ok(step) => step,
                Err(error) => {
                    let what = format!("{} ends early: {error}", episode.stem);
                    self.hear(Told::Lost(what));
                    Step::Over
                }
            };
            match step {
                Step::Chunk(octets) => {
                    left = left.saturating_sub(octets.len());
                    self.waiting.push_back(Message::Octets(octets));
                }
                Step::Nothing => return,
                Step::Over => {
                    self.episodes.pop_front();
                    if let Some(rest) = self.recording.take().and_then(Recording::rest) {
                        self.waiting.push_back(Message::Octets(rest));
                    }
                    self.waiting.push_back(Message::End);
                }
            }
        }
    }

    /// Whether the writer took all that was waiting.
    fn hand_over(&mut self) -> bool {
        while let Some(message) = self.waiting.pop_front() {
            if let Err(message) = self.writer.take(message) {
                self.waiting.push_front(message);
                return false;
            }
        }
        true
    }
}
