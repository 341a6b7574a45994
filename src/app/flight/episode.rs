//! One recording in the making: from the ring to whole blocks of pcapng.
//!
//! Knows which frames belong to it and what is told of each. Knows nothing of files.

use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::super::evidence;
use super::AFTER;
use crate::analysis::{
    event::CaptureQuality,
    input::{FrameNo, Gap, GapCause},
    time::Timestamp,
};
use crate::report::{
    comments::Comments,
    ring::{Kept, Ring},
};
use crate::sink::record::{Recorder, RecorderInfo};

/// Octets handed over at once: less than the smallest budget.
const CHUNK: usize = 32 << 10;
/// What is encoded waits no longer than this to be handed over.
const HAND_OVER: Duration = Duration::from_millis(250);

/// Frames around one alert, or around several that came close together.
pub struct Episode {
    /// The recording's name, without its ending.
    pub stem: String,
    /// Its comment.
    pub about: String,
    /// The last frame that its first alert cites.
    pub frame: FrameNo,
    /// The time of its first alert, and of the last frame that may belong to it.
    pub opened: Timestamp,
    pub until: Timestamp,
}

/// One in the making.
pub struct Recording {
    recorder: Recorder<Vec<u8>>,
    /// The first frame that is not in it yet.
    pub next: FrameNo,
    /// Frames that are, and those that are told as lost.
    here: u64,
    lost: u64,
    /// The last time that something was handed over.
    handed: Instant,
    /// What is told with the next frame, because those that it is about are in it already.
    pub late: Vec<Arc<str>>,
}

/// How far it came.
pub enum Step {
    Chunk(Vec<u8>),
    /// There is nothing to hand over yet.
    Nothing,
    /// All of the episode is encoded.
    Over,
}

impl Recording {
    pub fn new(info: RecorderInfo) -> Recording {
        Recording {
            recorder: Recorder::new(Vec::new(), info),
            next: 0,
            here: 0,
            lost: 0,
            handed: Instant::now(),
            late: Vec::new(),
        }
    }

    pub fn encode(
        &mut self,
        episode: &Episode,
        ring: &Ring,
        now: Timestamp,
        comments: &Comments,
    ) -> io::Result<Step> {
        let mut is_over = now > episode.until;
        let mut length = self.recorder.octets()?.len();
        for kept in ring.since(self.next) {
            if length >= CHUNK {
                is_over = false;
                break;
            }
            // A clock that was set back must not keep it open for an hour.
            let is_set_back = kept.number > episode.frame && kept.time.saturating_add(AFTER) < episode.opened;
            if kept.time > episode.until || is_set_back {
                is_over = true;
                break;
            }
            self.add(kept, comments)?;
            length = self.recorder.octets()?.len();
        }
        let waits_long = length > 0 && self.handed.elapsed() > HAND_OVER;
        if length >= CHUNK || waits_long {
            self.handed = Instant::now();
            return Ok(Step::Chunk(core::mem::take(self.recorder.octets()?)));
        }
        Ok(if is_over { Step::Over } else { Step::Nothing })
    }

    fn add(&mut self, kept: &Kept, comments: &Comments) -> io::Result<()> {
        // Of frames that came and were forgotten before the disk took them, and of those that the capture lost.
        let forgotten = if self.here > 0 { kept.number.saturating_sub(self.next) } else { 0 };
        let lost = kept.lost.saturating_add(forgotten);
        self.lost = self.lost.saturating_add(lost);
        if lost > 0 {
            self.recorder.on_gap(&Gap { at: kept.time, lost, cause: GapCause::Queue });
        }
        self.here += 1;
        self.next = kept.number + 1;
        let said = comments.of(kept.number).iter().chain(&self.late);
        let said: Vec<String> = said.map(|text| text.to_string()).collect();
        self.late.clear();
        if said.is_empty() {
            return self.recorder.on_frame(&kept.frame());
        }
        self.recorder.on_commented(&kept.frame(), &evidence::placed(kept.number, self.here, said))
    }

    /// What is encoded and not handed over, with the statistics at its end.
    pub fn rest(self) -> Option<Vec<u8>> {
        let quality = CaptureQuality { received: self.here, dropped: self.lost, gaps: 0 };
        self.recorder.finish(quality).ok()
    }
}
