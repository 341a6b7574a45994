//! The engine's loop: a source's inputs go in, the one ordered stream of events goes out to everyone who reads it.
//!
//! Knows the order of things and when a run is over. Knows nothing of files, interfaces or terminals, and decides
//! nothing about packets.

mod asides;
mod keeping;
mod late;

use core::time::Duration;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::{
    duty::Orders,
    flight::{Flight, Landed},
    log,
    moves::Moves,
    pieces::Pieces,
    screen::ScreenFeed,
    shutdown::Stop,
    socket::Feed,
};
use crate::analysis::{
    engine::Engine,
    event::{CaptureQuality, Event, MarkerEvent, Summary},
    input::{Frame, Gap, GapCause, Input, Marker},
    rule::Severity,
    time::Timestamp,
};
use crate::report::{excerpt::Excerpt, model::Report, ring::Ring};
use crate::sink::{Sink, Wanted, json::JsonLines, metrics::Metrics, record::Recorder};
use crate::source::{Source, SourceError};

/// After the stop flag went up, the source has this long to hand over what it still holds.
const GRACE: Duration = Duration::from_secs(2);
/// A reader behind a pipe waits no longer than this for an event, and for an alert not at all. (One who reads what came of a
/// file may wait: there the events come too fast for that.)
const FLUSH_EVERY: Duration = Duration::from_millis(50);
const COUNT_EVERY: Duration = Duration::from_millis(100);

/// When the loop ends after the stop flag went up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenStopped {
    /// A file: nothing is lost that could not be read again.
    AtOnce,
    /// A capture or a stream: its thread hands over what it still holds and then says `End`.
    AtEnd,
}

/// Everything that is fed.
pub struct Pipeline {
    pub engine: Engine,
    pub sink: Option<Box<dyn Sink + Send>>,
    /// The file of the events; the same ones as `sink` takes.
    pub events: Option<JsonLines<Pieces>>,
    /// What `sink` takes; the screen and the report take whatever the engine tells.
    pub wanted: Wanted,
    pub screen: Option<ScreenFeed>,
    /// For those who attach.
    pub attached: Option<Feed>,
    /// Where somebody will read it.
    pub report: Option<Arc<Mutex<Report>>>,
    /// The last frames, where somebody asks for them: the evidence of a report, or the flight recorder.
    pub ring: Option<Ring>,
    /// Keeps the frames that findings cite, where evidence was asked for.
    pub excerpt: Option<Excerpt>,
    pub flight: Option<Flight>,
    pub recorder: Option<Recorder<BufWriter<File>>>,
    pub metrics: Option<Metrics>,
    /// What comes from elsewhere than the source: markers, and what the device says of itself.
    pub asides: Receiver<Input<'static>>,
    /// What a run without a screen is told while it goes on.
    pub orders: Option<Orders>,
    /// Who is told where devices are that have another address.
    pub moves: Moves,
    pub stop: Stop,
    pub when_stopped: WhenStopped,
}

/// How it ended.
#[derive(Debug, Default)]
pub struct Finished {
    pub worst: Option<Severity>,
    /// The last event.
    pub summary: Option<Summary>,
    pub excerpt: Option<Excerpt>,
    pub flight: Option<Landed>,
    pub source: Option<SourceError>,
    /// What could not be written: stdout or the recording.
    pub stdout: Option<io::Error>,
    pub recording: Option<io::Error>,
    /// Events that their file could not take.
    pub events_lost: u64,
}

impl Pipeline {
    pub fn run(self, source: &mut impl Source) -> Finished {
        let mut running = Running::of(self);
        running.run(source);
        running.finished
    }

    /// Whether anybody beside the engine sees the frames, or is looked after between two of them.
    fn is_attended(&self) -> bool {
        self.screen.is_some()
            || self.attached.is_some()
            || self.ring.is_some()
            || self.excerpt.is_some()
            || self.flight.is_some()
            || self.recorder.is_some()
            || self.metrics.is_some()
    }
}

/// An interface that goes and comes belongs into the log; frames that are lost do not, there may be many.
fn log_gap(gap: &Gap) {
    match gap.cause {
        GapCause::Gone | GapCause::Back(_) | GapCause::Link { .. } | GapCause::Clock { .. } => {
            if let Some(text) = gap.told() {
                tracing::warn!("{text}");
            }
        }
        GapCause::Kernel | GapCause::Interface | GapCause::Queue => {}
    }
}

struct Running {
    parts: Pipeline,
    /// See [`Pipeline::is_attended`].
    is_attended: bool,
    finished: Finished,
    /// What a recording is told at its end.
    quality: CaptureQuality,
    /// When stdout was flushed last.
    flushed: Option<Instant>,
    /// Something was told since.
    is_unflushed: bool,
    /// From when on the engine's counts are told to the metrics again, by the frames' time.
    counted: Timestamp,
    /// When the recording was last handed on, by the frames' time.
    recorded: Timestamp,
    /// When it was asked last what comes from elsewhere, by the frames' time.
    asked: Timestamp,
    /// The time of the last frame or tick.
    now: Timestamp,
}

impl Running {
    fn of(parts: Pipeline) -> Running {
        Running {
            is_attended: parts.is_attended(),
            parts,
            finished: Finished::default(),
            quality: CaptureQuality::default(),
            flushed: None,
            is_unflushed: false,
            counted: Timestamp::ZERO,
            recorded: Timestamp::ZERO,
            asked: Timestamp::ZERO,
            now: Timestamp::ZERO,
        }
    }

    fn run(&mut self, source: &mut impl Source) {
        // The start event: a reader learns at once what is being watched.
        self.tell();
        let mut stopped: Option<Instant> = None;
        loop {
            if self.parts.stop.is_raised() {
                let since = *stopped.get_or_insert_with(Instant::now);
                if self.parts.when_stopped == WhenStopped::AtOnce {
                    break;
                }
                if since.elapsed() > GRACE {
                    self.give_up(source);
                    break;
                }
            }
            let idle = if let Some(frame) = source.ready_frame() {
                self.take_frame(frame);
                false
            } else {
                match source.next_input() {
                    Ok(None | Some(Input::End)) => break,
                    Ok(Some(input)) => self.take(input),
                    Err(error) => {
                        self.finished.source = Some(error);
                        break;
                    }
                }
            };
            if idle || self.is_time_to_ask() {
                self.take_asides();
                self.take_orders();
            }
            self.tell();
            if self.is_attended {
                self.go_on_recording();
                self.wait_for_the_screen();
            }
            if idle {
                self.flush();
                self.flush_recording();
            }
        }
        self.finish();
    }

    /// A file can wait for a slow screen; what comes from a wire cannot, and the screen feed gives way instead.
    fn wait_for_the_screen(&mut self) {
        if self.parts.when_stopped != WhenStopped::AtOnce {
            return;
        }
        while let Some(screen) = &mut self.parts.screen
            && screen.is_full()
            && !self.parts.stop.is_raised()
        {
            std::thread::sleep(Duration::from_millis(1));
            screen.forward();
        }
    }

    #[inline]
    fn take_frame(&mut self, frame: Frame<'_>) {
        if self.is_attended {
            self.take(Input::Frame(frame));
        } else {
            self.now = frame.time;
            self.parts.engine.handle(Input::Frame(frame));
        }
    }

    /// Returns whether the source is idle.
    fn take(&mut self, input: Input<'_>) -> bool {
        let (is_frame, idle) = (matches!(input, Input::Frame(_)), matches!(input, Input::Tick(_)));
        match &input {
            Input::Frame(Frame { time: now, .. }) | Input::Tick(now) => self.now = *now,
            Input::Gap(gap) => log_gap(gap),
            Input::Marker(_) | Input::Account(_) | Input::Progress(_) | Input::End => {}
        }
        self.show(&input);
        self.parts.engine.handle(input);
        self.count(is_frame.then_some(self.now), idle);
        idle
    }

    /// What those beside the engine see of an input, before the engine does.
    fn show(&mut self, input: &Input<'_>) {
        self.keep(input);
        if let Some(attached) = &self.parts.attached {
            let wanted = self.parts.wanted.segments || self.parts.screen.is_some();
            self.parts.engine.tell_segments(wanted || attached.is_watched());
        }
    }

    /// Tells the metrics what was counted, ten times a second. `frame`: the time of the one that was looked at.
    fn count(&mut self, frame: Option<Timestamp>, idle: bool) {
        let Some(metrics) = &mut self.parts.metrics else { return };
        if let Some(time) = frame.filter(|time| *time >= self.counted) {
            self.counted = time.saturating_add(COUNT_EVERY);
            // Clocks of two machines, where the capture is another's: never less than nothing.
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            metrics.on_lag((now.as_secs_f64() - time.epoch_seconds()).max(0.0));
        } else if !idle {
            return;
        }
        metrics.on_counts(self.parts.engine.counts(), self.parts.engine.tracked());
        if let Some(flight) = &self.parts.flight {
            let tally = flight.tally();
            metrics.on_recordings(tally.written, tally.failures, tally.used);
        }
    }

    fn finish(&mut self) {
        self.take_asides();
        if let (Some(_), Some(error)) = (&self.parts.screen, &self.finished.source) {
            // Whoever sits before the screen would otherwise only see that nothing comes any more.
            self.parts.engine.handle(Input::from(Marker::note(error.to_string())));
        }
        self.parts.engine.handle(Input::End);
        self.tell();
        self.flush();
        if let Some(Ok(pieces)) = self.parts.events.take().map(JsonLines::into_inner) {
            self.finished.events_lost = pieces.lost();
        }
        if let (Some(flight), Some(ring)) = (self.parts.flight.take(), &self.parts.ring) {
            self.finished.flight = Some(flight.finish(ring));
        }
        self.finished.worst = self.parts.engine.worst();
        self.finished.excerpt = self.parts.excerpt.take();
        if let Some(recorder) = self.parts.recorder.take()
            && let Err(error) = recorder.finish(self.quality)
        {
            self.finished.recording.get_or_insert(error);
        }
        if let Some(mut screen) = self.parts.screen.take() {
            while !screen.forward() && !self.parts.stop.is_raised() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    #[inline]
    fn tell(&mut self) {
        // On a wire what was told before goes with the next frame, which may tell nothing.
        let is_owed = self.is_unflushed && self.parts.when_stopped == WhenStopped::AtEnd;
        if is_owed || self.parts.engine.has_event() {
            self.tell_events();
        }
    }

    // Most frames have nothing to tell.
    #[inline(never)]
    fn tell_events(&mut self) {
        let (mut told, mut is_alert) = (false, false);
        while let Some(event) = self.parts.engine.poll_event() {
            is_alert |= matches!(event, Event::Alert(_));
            if let Some(report) = &self.parts.report {
                report.lock().unwrap_or_else(PoisonError::into_inner).fold(&event);
            }
            if let Some(metrics) = &mut self.parts.metrics {
                metrics.on_event(&event);
            }
            if let Event::Marker(MarkerEvent { device: Some(to), formerly: Some(from), .. }) = &event {
                self.parts.moves.tell(*from, *to);
            }
            if let Event::Summary(summary) = &event {
                self.finished.summary = Some(summary.clone());
            }
            if let (Some(excerpt), Event::Finding(finding)) = (&mut self.parts.excerpt, &event) {
                excerpt.cite(finding, self.parts.ring.as_ref());
            }
            if let (Some(flight), Some(ring)) = (&mut self.parts.flight, &self.parts.ring) {
                flight.on_event(&event, ring);
            }
            if let Some(attached) = &self.parts.attached {
                attached.show(&event);
            }
            let wanted = self.parts.wanted.takes(&event);
            if let Some(sink) = &mut self.parts.sink
                && wanted
                && let Err(error) = sink.on_event(&event)
            {
                self.stdout_failed(error);
            }
            if let Some(events) = &mut self.parts.events
                && wanted
                && let Err(error) = events.on_event(&event)
            {
                log::warn(format_args!("an event was not written to its file: {error}"));
            }
            if let Some(screen) = &mut self.parts.screen {
                screen.show(event);
            }
            told = true;
        }
        self.is_unflushed |= told;
        let is_live = self.parts.when_stopped == WhenStopped::AtEnd;
        let is_due = told || is_live && self.is_unflushed;
        if is_due && (is_live && is_alert || self.flushed.is_none_or(|at| at.elapsed() > FLUSH_EVERY)) {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.flushed = Some(Instant::now());
        self.is_unflushed = false;
        if let Some(sink) = &mut self.parts.sink
            && let Err(error) = sink.flush()
        {
            self.stdout_failed(error);
        }
        if let Some(events) = &mut self.parts.events {
            // What its file does not take is told by the file.
            let _ = events.flush();
        }
        if let Some(screen) = &mut self.parts.screen {
            screen.forward();
        }
    }

    /// Whoever read stdout has gone: the end of the run, and nobody's fault.
    fn stdout_failed(&mut self, error: io::Error) {
        self.parts.sink = None;
        self.parts.stop.raise();
        if error.kind() != ErrorKind::BrokenPipe {
            self.finished.stdout = Some(error);
        }
    }
}
