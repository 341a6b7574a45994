//! Those who are attached, served on a thread of its own.
//!
//! Knows connections, and gives each what has passed and then what comes. Nobody is waited for: the engine is never, and
//! who reads too slowly is told how much they missed. Hears nothing: whoever says something is shown out.

use core::cell::RefCell;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::io;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use nix::unistd::Gid;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream, unix::OwnedWriteHalf},
    sync::{Notify, mpsc::Receiver},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    super::waiter::Waiter,
    Listening,
    feed::{Feed, Shared, feed},
    peer::may_attach,
    present::Present,
    queue::{Kind, Line, Queue},
};
use crate::analysis::{
    event::{Event, MarkerEvent},
    time::Timestamp,
};
use crate::sink::{Sink, json::JsonLines};
use crate::text::counted;

/// Who may be attached at a time.
const AT_ONCE: usize = 16;
/// At the end of the run, for those who have not read all of it.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How often somebody is told that they miss something.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// After the system would not let us take a connection (no descriptors).
const PAUSE: Duration = Duration::from_millis(200);

/// The thread, which ends when the feed does.
pub struct Serving(Waiter<Result<()>>);

impl Listening {
    /// Serves whoever attaches, until the feed is dropped. Makes a thread: call it after the privileges went.
    ///
    /// # Errors
    /// A runtime or a thread cannot be made.
    pub fn serve(self) -> Result<(Feed, Serving)> {
        let (feed, events, shared) = feed();
        let thread = Waiter::begin("socket", move || serve(self, events, shared))?;
        Ok((feed, Serving(thread)))
    }
}

impl Serving {
    /// Waits until all who are attached have the last word, or for [`LAST_WORDS`]. The feed must be gone.
    pub fn finish(self) -> Result<()> {
        self.0.until_ended()?.unwrap_or(Ok(()))
    }
}

async fn serve(listening: Listening, mut events: Receiver<Event>, shared: Arc<Shared>) -> Result<()> {
    let cannot = || format!("cannot serve those who attach to {}", listening.path.display());
    let listener = listening.listener.try_clone().and_then(UnixListener::from_std).with_context(cannot)?;
    let told = RefCell::new(Told::new(shared));
    let group = listening.group;
    let mut readers = JoinSet::new();
    tokio::select! {
        () = forward(&mut events, &told) => {}
        () = receive(&listener, group, &told, &mut readers) => {}
    }
    // From here on nobody can attach, and another run may have the place.
    drop(listening);
    told.borrow_mut().end();
    // Who is not done by then is not waited for.
    let _ = timeout(LAST_WORDS, async { while readers.join_next().await.is_some() {} }).await;
    Ok(())
}

async fn forward(events: &mut Receiver<Event>, told: &RefCell<Told>) {
    while let Some(event) = events.recv().await {
        told.borrow_mut().tell(&event);
    }
}

async fn receive(
    listener: &UnixListener,
    group: Option<Gid>,
    told: &RefCell<Told>,
    readers: &mut JoinSet<()>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = readers.join_next() => {
                told.borrow_mut().count();
                continue;
            }
        };
        match accepted {
            // Dropped: there is no room, or it is not for them.
            Ok((stream, _)) if readers.len() >= AT_ONCE || !may_attach(&stream, group) => {}
            Ok((stream, _)) => {
                let reader = told.borrow_mut().join();
                // Whoever goes away does no harm.
                readers.spawn_local(async move { drop(attend(stream, &reader).await) });
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn attend(stream: UnixStream, reader: &Reader) -> io::Result<()> {
    let (mut said, out) = stream.into_split();
    tokio::select! {
        // Nobody is asked anything: a word, or that there will be none, is the end of it.
        _ = said.read_u8() => Ok(()),
        told = reader.all(out) => told,
    }
}

/// What the run has told so far, and those who hear it.
struct Told {
    shared: Arc<Shared>,
    present: Present,
    readers: Vec<Weak<Reader>>,
    /// Lines so far.
    number: u64,
    /// Events so far that one who attaches could be told.
    lasting: u64,
    /// Time of the last event that has one, and when it came.
    last: Option<(Timestamp, Instant)>,
}

/// One who is attached.
#[derive(Default)]
struct Reader {
    waiting: RefCell<Waiting>,
    /// There is more, or never will be.
    more: Notify,
}

#[derive(Default)]
struct Waiting {
    queue: Queue,
    now: Timestamp,
    is_over: bool,
}

impl Told {
    fn new(shared: Arc<Shared>) -> Told {
        Told { shared, present: Present::default(), readers: Vec::new(), number: 0, lasting: 0, last: None }
    }

    fn tell(&mut self, event: &Event) {
        if let Some(time) = event.time() {
            self.last = Some((time, Instant::now()));
        }
        let lost = self.shared.lost.swap(0, Ordering::Relaxed);
        let Some(line) = self.line(event) else { return };
        self.lasting += u64::from(line.kind != Kind::Segment) + lost;
        self.present.take(event, &line);
        let now = self.now();
        for reader in self.readers.iter().filter_map(Weak::upgrade) {
            reader.tell(line.clone(), lost, now);
        }
    }

    /// One more reader: what has passed waits for them already, as far as it is kept, and a marker that says how far.
    fn join(&mut self) -> Rc<Reader> {
        let reader = Rc::new(Reader::default());
        let lines = self.present.lines();
        let told = lines.len() as u64;
        for line in lines {
            reader.tell(line, 0, self.now());
        }
        if self.last.is_some() {
            let all = counted(self.lasting, "event");
            let text = format!("attached: {told} of the {all} so far are told again");
            if let Some(line) = self.line(&marker(self.now(), text)) {
                reader.tell(line, 0, self.now());
            }
        }
        self.readers.push(Rc::downgrade(&reader));
        self.count();
        reader
    }

    /// Forgets who left.
    fn count(&mut self) {
        self.readers.retain(|reader| reader.strong_count() > 0);
        self.shared.watched.store(!self.readers.is_empty(), Ordering::Relaxed);
    }

    fn end(&mut self) {
        for reader in self.readers.iter().filter_map(Weak::upgrade) {
            reader.waiting.borrow_mut().is_over = true;
            reader.more.notify_one();
        }
    }

    /// By the clock of the run: that of its events, and the silence since the last.
    fn now(&self) -> Timestamp {
        self.last.map_or(Timestamp::ZERO, |(time, came)| time.saturating_add(came.elapsed()))
    }

    fn line(&mut self, event: &Event) -> Option<Line> {
        self.number += 1;
        Some(Line { number: self.number, kind: Kind::of(event), octets: json(event)?.into() })
    }
}

impl Reader {
    fn tell(&self, line: Line, lost: u64, now: Timestamp) {
        let mut waiting = self.waiting.borrow_mut();
        waiting.queue.push(line);
        waiting.queue.lost(lost);
        waiting.now = now;
        self.more.notify_one();
    }

    /// Writes all that comes, until the run is over.
    async fn all(&self, mut out: OwnedWriteHalf) -> io::Result<()> {
        let mut missed = 0;
        let mut told: Option<Instant> = None;
        loop {
            let (mut batch, caught_up, is_over, now) = {
                let mut waiting = self.waiting.borrow_mut();
                missed += waiting.queue.missed();
                (waiting.queue.take(), waiting.queue.is_empty(), waiting.is_over, waiting.now)
            };
            // Never behind the last line of the run, which is in a batch that catches up.
            let is_due = caught_up || told.is_none_or(|at| at.elapsed() > TOLD_EVERY);
            if missed > 0 && is_due && !batch.is_empty() {
                let text = format!("{} not told here: they came faster than they were read", were(missed));
                batch.splice(0..0, json(&marker(now, text)).unwrap_or_default());
                (missed, told) = (0, Some(Instant::now()));
            }
            out.write_all(&batch).await?;
            if batch.is_empty() {
                if is_over {
                    return out.shutdown().await;
                }
                self.more.notified().await;
            }
        }
    }
}

fn marker(now: Timestamp, text: String) -> Event {
    Event::Marker(MarkerEvent::note(now, text))
}

fn were(events: u64) -> String {
    let verb = if events == 1 { "was" } else { "were" };
    format!("{} {verb}", counted(events, "event"))
}

/// As `--json` writes it.
fn json(event: &Event) -> Option<Vec<u8>> {
    let mut lines = JsonLines::new(Vec::new());
    // Writing to memory cannot fail; an event that cannot be written is one that nobody ever reads.
    lines.on_event(event).ok()?;
    lines.into_inner().ok()
}
