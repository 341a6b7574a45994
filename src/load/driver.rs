//! Working lanes off: clients side by side on one thread, requests to the caller as they end, an end for certain.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep_until};

use super::LoadError;
use super::client::{Ask, Client};
use super::exchange::{Exchange, Request};
use super::failure::{Failure, Phase};
use super::schedule::{Lane, Span};

/// How soon a stop is noticed.
const STOP_LOOK: Duration = Duration::from_millis(20);

/// Where so many requests could not even be sent, and none before them, there is no way to the device.
const HOPELESS: u64 = 3;

/// What is to be done, and how long at most.
pub(super) struct Work {
    pub ask: Ask,
    pub lanes: Vec<Lane>,
    pub limit: Option<Duration>,
    /// Give up where nothing can be sent at all.
    pub gives_up: bool,
}

/// What the caller is told while it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A request ended, good or bad.
    Ended(Request),
    /// Time passed. Some fifty of these come in a second, so that who shows how far it is can go on showing.
    Waiting,
}

/// Why it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every request was made.
    Done,
    TimeUp,
    /// It was told to stop.
    Stopped,
    /// Not one request could be sent.
    Hopeless,
}

/// Works it off on this thread. Ends by itself, or soon after `stop` is set; requests on their way are then given up
/// and told as [`Failure::Stopped`].
pub(super) fn work(work: Work, stop: &AtomicBool, on_news: &mut dyn FnMut(News)) -> Result<Ended, LoadError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LoadError::Runtime)?;
    Ok(runtime.block_on(drive(work, stop, on_news)))
}

async fn drive(work: Work, stop: &AtomicBool, on_news: &mut dyn FnMut(News)) -> Ended {
    let (tell, mut told) = mpsc::unbounded_channel();
    let (halt, halt_heard) = watch::channel(false);
    let began = Instant::now();
    let until = work.limit.and_then(|limit| began.checked_add(limit));
    let ask = Arc::new(work.ask);
    let mut lanes = JoinSet::new();
    for lane in work.lanes {
        lanes.spawn(work_off(lane, ask.clone(), began, halt_heard.clone(), tell.clone()));
    }
    drop(tell); // the lanes hold the rest: when the last is done the channel ends

    let mut ended = Ended::Done;
    let mut hope = Hope { on: work.gives_up, failed: 0 };
    let mut look = interval(STOP_LOOK);
    loop {
        let early = tokio::select! {
            request = told.recv() => match request {
                Some(request) => {
                    let is_gone = hope.is_gone_after(&request);
                    on_news(News::Ended(request));
                    is_gone.then_some(Ended::Hopeless)
                }
                None => return ended,
            },
            _ = look.tick() => {
                on_news(News::Waiting);
                let time_is_up = until.is_some_and(|until| Instant::now() >= until);
                if stop.load(Ordering::Relaxed) { Some(Ended::Stopped) } else { time_is_up.then_some(Ended::TimeUp) }
            }
        };
        if let (Some(early), Ended::Done) = (early, ended) {
            ended = early;
            let _heard = halt.send(true);
        }
    }
}

/// Whether anything was ever sent.
struct Hope {
    on: bool,
    failed: u64,
}

impl Hope {
    fn is_gone_after(&mut self, request: &Request) -> bool {
        match &request.exchange.result {
            Err(failure) if failure.phase() == Phase::Local => self.failed += 1,
            Err(Failure::Stopped | Failure::NotTried) => {}
            _ => self.on = false,
        }
        self.on && self.failed >= HOPELESS
    }
}

async fn work_off(
    lane: Lane,
    ask: Arc<Ask>,
    began: Instant,
    halt: watch::Receiver<bool>,
    tell: mpsc::UnboundedSender<Request>,
) {
    let keep_alive = ask.keep_alive;
    let mut client = Client::new(ask);
    let mut last = None;
    let mut was_answered = false;
    for turn in 0..lane.turns {
        // A connection that is kept keeps its port; the next one takes the next.
        let port = lane.port(if keep_alive { client.connects() } else { turn });
        let mut request = Request {
            number: lane.number(turn),
            client: lane.client,
            began: began.elapsed(),
            exchange: Exchange { port, ..Exchange::failed(Failure::NotTried) },
        };
        if lane.is_to_be_tried(turn, was_answered) {
            tokio::select! {
                () = sleep_until(began + lane.start(last)) => {}
                () = halted(&halt) => return,
            }
            request.began = began.elapsed();
            request.exchange = tokio::select! {
                exchange = client.exchange(port) => exchange,
                () = halted(&halt) => Exchange { port, ..Exchange::failed(Failure::Stopped) },
            };
            if request.exchange.result == Err(Failure::Stopped) {
                request.exchange.took = client.waited();
            }
            last = Some(Span { began: request.began, ended: began.elapsed() });
        }
        was_answered = request.exchange.result.is_ok();
        if tell.send(request).is_err() || *halt.borrow() {
            return;
        }
    }
}

/// Returns once it is time to stop, which includes that nobody is left to say so.
async fn halted(halt: &watch::Receiver<bool>) {
    let mut halt = halt.clone();
    let _said_or_gone = halt.wait_for(|&halted| halted).await;
}
