//! The bounded way from a capture thread to the engine's thread.
//!
//! Knows batches, the order of frames and losses. Knows neither libpcap nor files. Batches go round and round: in steady
//! state nothing is allocated a packet.
//!
//! Two ways in: [`Feeder::offer`] never waits and turns what does not fit into a [`Gap`] at that very place;
//! [`Feeder::send`] waits, for a source that can.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::{
    Source, SourceError,
    batch::{Batch, Item},
    packet_clock::{Origin, PacketClock},
    record::Head,
};
use crate::analysis::input::{Frame, FrameNo, Gap, GapCause, Input, LinkType};
use crate::analysis::time::Timestamp;

/// Empty batches kept for later.
const SPARE: usize = 8;

/// A way for `capacity` batches (of up to 256 frames or 64 KiB).
pub fn feed(capacity: usize) -> (Feeder, Feed) {
    let shared = Arc::new(Shared {
        way: Mutex::new(Way {
            ready: VecDeque::new(),
            spare: Vec::with_capacity(SPARE),
            ended: None,
            abandoned: false,
            reader_waits: false,
            feeder_waits: false,
            origin: Origin::Packets,
        }),
        arrived: Condvar::new(),
        left: Condvar::new(),
        capacity: capacity.max(1),
    });
    let feeder = Feeder { shared: Arc::clone(&shared), batch: Batch::new(), missed: None };
    let feed = Feed {
        shared,
        batch: Batch::new(),
        cursor: 0,
        number: 0,
        clock: PacketClock::default(),
        state: State::Flowing,
    };
    (feeder, feed)
}

struct Shared {
    way: Mutex<Way>,
    /// A batch has arrived, or the end.
    arrived: Condvar,
    /// A batch was taken, or the reader went away.
    left: Condvar,
    capacity: usize,
}

struct Way {
    ready: VecDeque<Batch>,
    spare: Vec<Batch>,
    ended: Option<Result<(), SourceError>>,
    abandoned: bool,
    /// Who sleeps until the other end does something. To wake nobody is a system call as well.
    reader_waits: bool,
    feeder_waits: bool,
    origin: Origin,
}

impl Shared {
    fn way(&self) -> MutexGuard<'_, Way> {
        // Whoever panicked left the way in order: each change is one step.
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of the way, and wakes the reader if it sleeps.
    fn tell_reader(&self, mut way: MutexGuard<'_, Way>) {
        let waits = core::mem::take(&mut way.reader_waits);
        drop(way);
        if waits {
            self.arrived.notify_one();
        }
    }

    /// The same for the feeder.
    fn tell_feeder(&self, mut way: MutexGuard<'_, Way>) {
        let waits = core::mem::take(&mut way.feeder_waits);
        drop(way);
        if waits {
            self.left.notify_one();
        }
    }
}

/// The capture thread's end. Dropping it ends the feed.
pub struct Feeder {
    shared: Arc<Shared>,
    batch: Batch,
    /// Frames that did not fit since the last that did, and the latest of them.
    missed: Option<Gap>,
}

impl Feeder {
    /// Ticks before the first frame carry the system's time.
    pub fn follow_system_clock(&mut self) {
        self.shared.way().origin = Origin::System;
    }

    /// Adds a frame under the next number, or counts it as lost where the way is full. Never waits.
    pub fn offer(&mut self, time: Timestamp, link: LinkType, wire_len: u32, data: &[u8]) {
        if !self.batch.has_room_for(data.len()) || self.missed.is_some() {
            self.flush();
            if !self.batch.is_empty() {
                let lost = self.missed.map_or(1, |gap| gap.lost + 1);
                self.missed = Some(Gap { at: time, lost, cause: GapCause::Queue });
                return;
            }
        }
        self.tell_missed();
        self.batch.push_frame(None, Head { time, link, wire_len }, data);
    }

    /// Adds a frame under its own number, and waits while the way is full. `false`: nobody reads any more.
    pub fn send(&mut self, frame: &Frame<'_>) -> bool {
        if !self.batch.has_room_for(frame.data.len()) && !self.flush_waiting() {
            return false;
        }
        let head = Head { time: frame.time, link: frame.link, wire_len: frame.wire_len };
        self.batch.push_frame(Some(frame.number), head, frame.data);
        true
    }

    /// Frames that were lost at this place.
    pub fn gap(&mut self, gap: Gap) {
        self.tell_missed();
        self.batch.push_gap(gap);
    }

    /// Hands over what was added, unless the way is full: then it stays here, in order, for the next time.
    pub fn flush(&mut self) {
        if !self.is_holding() {
            return;
        }
        let mut way = self.shared.way();
        if hand_over(&mut way, &mut self.batch, self.shared.capacity)
            && let Some(gap) = self.missed.take()
        {
            self.batch.push_gap(gap);
            hand_over(&mut way, &mut self.batch, self.shared.capacity);
        }
        self.shared.tell_reader(way);
    }

    /// Hands over what was added, waiting for room. `false`: nobody reads any more.
    pub fn flush_waiting(&mut self) -> bool {
        let mut way = self.shared.way();
        while !hand_over(&mut way, &mut self.batch, self.shared.capacity) {
            if way.abandoned {
                return false;
            }
            way.feeder_waits = true;
            way = self.shared.left.wait(way).unwrap_or_else(PoisonError::into_inner);
        }
        let abandoned = way.abandoned;
        self.shared.tell_reader(way);
        !abandoned
    }

    /// Whether something waits here for room on the way.
    pub fn is_holding(&self) -> bool {
        !self.batch.is_empty() || self.missed.is_some()
    }

    /// Whether the other end is gone.
    pub fn is_abandoned(&self) -> bool {
        self.shared.way().abandoned
    }

    /// The end: what was added is read first, then the error if there is one, or the end.
    pub fn finish(mut self, outcome: &Result<(), SourceError>) {
        self.end(outcome.clone());
    }

    fn tell_missed(&mut self) {
        if let Some(gap) = self.missed.take() {
            self.batch.push_gap(gap);
        }
    }

    fn end(&mut self, outcome: Result<(), SourceError>) {
        self.tell_missed();
        let mut way = self.shared.way();
        if way.ended.is_none() {
            // One batch more than there is room for: it holds the tail, and nothing comes after it.
            hand_over(&mut way, &mut self.batch, usize::MAX);
            way.ended = Some(outcome);
        }
        self.shared.tell_reader(way);
    }

    /// What ends the feed from another thread, while the feeder's own waits for a writer.
    pub(super) fn closer(&self) -> Closer {
        Closer { shared: Arc::clone(&self.shared) }
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.end(Ok(()));
    }
}

/// Moves `batch` onto the way. `false`: the way is full and nothing was moved.
fn hand_over(way: &mut Way, batch: &mut Batch, capacity: usize) -> bool {
    if batch.is_empty() {
        return true;
    }
    let now = Instant::now();
    // Onto the last batch while the reader is behind: many small batches would fill the way with few frames.
    if let Some(last) = way.ready.back_mut()
        && last.take_in(batch)
    {
        last.at = now;
        return true;
    }
    if way.ready.len() >= capacity {
        return false;
    }
    let empty = way.spare.pop().unwrap_or_else(Batch::new);
    let mut full = core::mem::replace(batch, empty);
    full.at = now;
    way.ready.push_back(full);
    true
}

pub(super) struct Closer {
    shared: Arc<Shared>,
}

impl Closer {
    /// The feed ends after what is already on the way.
    pub fn close(&self) {
        let mut way = self.shared.way();
        way.ended.get_or_insert(Ok(()));
        self.shared.tell_reader(way);
    }
}

/// The engine's end.
pub struct Feed {
    shared: Arc<Shared>,
    batch: Batch,
    cursor: usize,
    number: FrameNo,
    clock: PacketClock,
    state: State,
}

enum State {
    Flowing,
    Ended,
}

enum Arrival {
    Batch(Batch),
    Idle(Origin),
    End(Result<(), SourceError>),
}

impl Source for Feed {
    fn next_input(&mut self) -> Result<Option<Input<'_>>, SourceError> {
        loop {
            match self.batch.item(self.cursor) {
                Some(Item::Frame { .. }) => return Ok(self.ready_frame().map(Input::Frame)),
                Some(Item::Gap(gap)) => return Ok(Some(Input::Gap(self.pass(gap)))),
                None => {}
            }
            if matches!(self.state, State::Ended) {
                return Ok(None);
            }
            match self.arrival() {
                Arrival::Batch(batch) => {
                    self.batch = batch;
                    self.cursor = 0;
                }
                Arrival::Idle(origin) => {
                    return Ok(Some(Input::Tick(self.clock.tick(Instant::now(), origin))));
                }
                Arrival::End(outcome) => {
                    self.state = State::Ended;
                    outcome?;
                    return Ok(Some(Input::End));
                }
            }
        }
    }

    #[inline]
    fn ready_frame(&mut self) -> Option<Frame<'_>> {
        let Some(Item::Frame { number, head, start, length }) = self.batch.item(self.cursor) else {
            return None;
        };
        self.cursor += 1;
        self.number = number.unwrap_or(self.number + 1);
        self.clock.frame(head.time, self.batch.at);
        Some(Frame {
            number: self.number,
            time: head.time,
            link: head.link,
            wire_len: head.wire_len,
            data: self.batch.octets(start, length),
        })
    }
}

impl Feed {
    fn pass(&mut self, gap: Gap) -> Gap {
        self.cursor += 1;
        if let GapCause::Clock { .. } = gap.cause {
            self.clock.set(gap.at, self.batch.at);
        }
        gap
    }

    /// Gives the used batch back and takes the next, or waits for it.
    fn arrival(&mut self) -> Arrival {
        let mut used = core::mem::replace(&mut self.batch, Batch::new());
        used.clear();
        let mut way = self.shared.way();
        let deadline = self.clock.next_tick(Instant::now(), way.origin);
        if used.has_memory() && way.spare.len() < SPARE {
            way.spare.push(used);
        }
        self.cursor = 0;
        loop {
            if let Some(batch) = way.ready.pop_front() {
                self.shared.tell_feeder(way);
                return Arrival::Batch(batch);
            }
            if let Some(outcome) = way.ended.clone() {
                return Arrival::End(outcome);
            }
            let wait = deadline.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return Arrival::Idle(way.origin);
            }
            way.reader_waits = true;
            way = self.shared.arrived.wait_timeout(way, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let mut way = self.shared.way();
        way.abandoned = true;
        way.ready.clear();
        self.shared.tell_feeder(way);
    }
}
