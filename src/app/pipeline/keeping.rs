//! What is kept of the frames: the recording, the ring of the last ones, and what the flight recorder makes of it.
//!
//! Knows the order in which they are handed on. What is written, and where, is known by those who write.

use core::time::Duration;
use std::io;

use super::super::{flight::News, log};
use super::Running;
use crate::analysis::input::{Frame, Gap, Input, Marker};
use crate::report::ring;

/// A recording that is killed lacks no more than this, by the frames' time.
const RECORD_EVERY: Duration = Duration::from_millis(500);

impl Running {
    /// Of each input what is kept of it.
    pub(super) fn keep(&mut self, input: &Input<'_>) {
        match input {
            Input::Frame(frame) => {
                self.record(frame);
                self.remember(frame);
            }
            Input::Gap(gap) => self.note_gap(gap),
            Input::Tick(now) => {
                if let Some(ring) = &mut self.parts.ring {
                    ring.forget_aged(*now);
                }
            }
            Input::Marker(_) | Input::Account(_) | Input::Progress(_) | Input::End => {}
        }
    }

    /// For whoever asks for it later.
    fn remember(&mut self, frame: &Frame<'_>) {
        // Only the evidence of a report chooses by four-tuple.
        let tuple = self.parts.excerpt.as_ref().and_then(|_| ring::tuple_of(frame));
        if let Some(ring) = &mut self.parts.ring {
            ring.push(frame, tuple);
        }
        if let Some(excerpt) = &mut self.parts.excerpt {
            excerpt.offer(frame, tuple);
        }
    }

    fn note_gap(&mut self, gap: &Gap) {
        if let Some(ring) = &mut self.parts.ring {
            ring.on_gap(gap.lost);
        }
        if let Some(recorder) = &mut self.parts.recorder {
            recorder.on_gap(gap);
        }
        self.quality.dropped += gap.lost;
        self.quality.gaps += u64::from(gap.is_counted());
    }

    /// What the flight recorder has to say goes into the stream, and what it could not do on stderr as well.
    pub(super) fn go_on_recording(&mut self) {
        let (Some(flight), Some(ring)) = (&mut self.parts.flight, &self.parts.ring) else { return };
        flight.go_on(ring, self.now);
        let news = flight.news();
        if news.is_empty() {
            return;
        }
        for news in news {
            let text = match news {
                News::Note(text) => text,
                News::Trouble(text) => {
                    if self.parts.screen.is_none() {
                        eprintln!("esp-tcpwatch: {text}");
                    }
                    text
                }
            };
            self.parts.engine.handle(Input::from(Marker::note(text)));
        }
        self.tell();
    }

    /// The recording comes before the analysis: a frame that upset us is the one worth keeping.
    fn record(&mut self, frame: &Frame<'_>) {
        self.quality.received += 1;
        if let Some(recorder) = &mut self.parts.recorder
            && let Err(error) = recorder.on_frame(frame)
        {
            self.recording_failed(error);
        }
        // Either way: the clock may have been set.
        if frame.time.is_far_from(self.recorded, RECORD_EVERY) {
            self.recorded = frame.time;
            self.flush_recording();
        }
    }

    /// What a recording that is killed here holds for sure.
    pub(super) fn flush_recording(&mut self) {
        if let Some(recorder) = &mut self.parts.recorder
            && self.quality.received > 0
            && let Err(error) = recorder.flush()
        {
            self.recording_failed(error);
        }
    }

    /// The watch goes on: losing the recording (a full disk) is no reason to go blind.
    fn recording_failed(&mut self, error: io::Error) {
        self.parts.recorder = None;
        if self.parts.screen.is_none() {
            log::warn(format_args!("the recording ends here: {error}"));
        }
        self.finished.recording = Some(error);
    }
}
