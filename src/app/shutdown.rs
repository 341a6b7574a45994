//! The one flag that ends a run, and who may raise it: SIGINT, SIGTERM, SIGHUP and the end of `--duration`; and the signals that ask
//! something of a run that goes on. No signal that means something to one run ends another.
//!
//! Knows nothing of what stops when the flag goes up, nor of what becomes of a wish. Call [`listen`] after the privileges are
//! dropped: it makes a thread.

use core::{sync::atomic::AtomicBool, sync::atomic::Ordering, time::Duration};
use std::sync::{Arc, mpsc::Sender};

use anyhow::{Context, Result};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal as Number, sigaction};
use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use super::duty::Wish;

/// Shells report a program that SIGINT ended as 128 + 2.
const FORCED: i32 = 130;

/// Raised once, never lowered.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    stop: AtomicBool,
    /// For a run that has a screen: a signal asked for a report.
    report: AtomicBool,
}

impl Stop {
    pub fn raise(&self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }

    pub fn is_raised(&self) -> bool {
        self.0.stop.load(Ordering::Relaxed)
    }

    pub fn flag(&self) -> &AtomicBool {
        &self.0.stop
    }

    /// Whether SIGUSR1 came since the last question. Only [`listen`] lets it come here.
    pub fn takes_report(&self) -> bool {
        self.0.report.swap(false, Ordering::Relaxed)
    }
}

/// Raises `stop` at the first signal or after `limit`; a second signal ends the process at once, after `last_words`. Of SIGUSR1
/// `stop` tells whoever [asks](Stop::takes_report).
///
/// The handlers are in place when this returns.
pub fn listen(stop: &Stop, limit: Option<Duration>, last_words: fn()) -> Result<()> {
    begin(stop, limit, last_words, None)
}

/// The same for a run without a screen, of which SIGUSR1 and SIGHUP ask something while it goes on. `has_terminal`: SIGHUP
/// says that this terminal has gone, and ends the run.
pub fn listen_for_wishes(
    stop: &Stop,
    limit: Option<Duration>,
    asks: Sender<Wish>,
    has_terminal: bool,
) -> Result<()> {
    begin(stop, limit, || {}, Some(Wishes { asks, hangup_ends: has_terminal }))
}

fn begin(stop: &Stop, limit: Option<Duration>, last_words: fn(), wishes: Option<Wishes>) -> Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot make the runtime that waits for signals")?;
    let signals = {
        let _inside = runtime.enter();
        Signals::new(stop, wishes).context("cannot handle signals")?
    };
    let stop = stop.clone();
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || runtime.block_on(wait(signals, stop, limit, last_words)))
        .context("cannot make the thread that waits for signals")?;
    Ok(())
}

async fn wait(mut signals: Signals, stop: Stop, limit: Option<Duration>, last_words: fn()) {
    let time_is_up = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => core::future::pending().await,
        }
    };
    let is_up = tokio::select! {
        () = signals.until_ended() => false,
        () = time_is_up => true,
    };
    stop.raise();
    signals.ask(Wish::Stop);
    if is_up {
        // The first Ctrl-C after the time is up is still a polite one.
        signals.until_ended().await;
    }
    signals.until_ended().await;
    last_words();
    std::process::exit(FORCED);
}

/// What signals ask for besides the end.
struct Wishes {
    asks: Sender<Wish>,
    hangup_ends: bool,
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` under nohup: whoever ignored it on purpose is not to be overruled.
    hangup: Option<Signal>,
    user: Signal,
    stop: Stop,
    /// Where there is somebody to ask.
    wishes: Option<Wishes>,
    /// Handled, so that a file which reaches the size that its user is allowed (RLIMIT_FSIZE) is a write that fails and
    /// not the end of the run.
    _too_large: Signal,
}

impl Signals {
    fn new(stop: &Stop, wishes: Option<Wishes>) -> Result<Signals> {
        let hangup = if hangup_is_ignored()? { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
            user: signal(SignalKind::user_defined1())?,
            stop: stop.clone(),
            wishes,
            _too_large: signal(SignalKind::from_raw(Number::SIGXFSZ as i32))?,
        })
    }

    /// Hands wishes on until a signal comes that means the end.
    async fn until_ended(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                () = next(&mut self.hangup) => match &self.wishes {
                    Some(Wishes { hangup_ends: false, .. }) => self.ask(Wish::Rules),
                    Some(_) | None => return,
                },
                _ = self.user.recv() => match &self.wishes {
                    Some(_) => self.ask(Wish::Report),
                    None => self.stop.0.report.store(true, Ordering::Relaxed),
                },
            }
        }
    }

    fn ask(&self, wish: Wish) {
        if let Some(wishes) = &self.wishes {
            // Nobody listens any more where the run is over.
            let _ = wishes.asks.send(wish);
        }
    }
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => core::future::pending().await,
    }
}

#[expect(unsafe_code, reason = "sigaction is the only way to ask")]
fn hangup_is_ignored() -> Result<bool> {
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: no handler of ours is installed by this; it asks by setting SIG_IGN, and restores what it found.
    unsafe {
        let before = sigaction(Number::SIGHUP, &ignore)?;
        sigaction(Number::SIGHUP, &before)?;
        Ok(matches!(before.handler(), SigHandler::SigIgn))
    }
}
