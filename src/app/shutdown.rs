//! The one flag that ends a run, and who may raise it: SIGINT, SIGTERM, SIGHUP and the end of `--duration`.
//!
//! Knows nothing of what stops when the flag goes up. Call [`listen`] after the privileges are dropped:
//! it makes a thread.

use core::{sync::atomic::AtomicBool, sync::atomic::Ordering, time::Duration};
use std::sync::Arc;

use anyhow::{Context, Result};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal as Number, sigaction};
use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
};

/// Shells report a program that SIGINT ended as 128 + 2.
const FORCED: i32 = 130;

/// Raised once, never lowered.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub fn flag(&self) -> &AtomicBool {
        &self.0
    }
}

/// Raises `stop` at the first signal or after `limit`; a second signal ends the process at once, after `last_words`.
///
/// The handlers are in place when this returns.
pub fn listen(stop: &Stop, limit: Option<Duration>, last_words: fn()) -> Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot make the runtime that waits for signals")?;
    let signals = {
        let _inside = runtime.enter();
        Signals::new().context("cannot handle signals")?
    };
    let stop = stop.clone();
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || runtime.block_on(wait(signals, stop, limit, last_words)))
        .context("cannot make the thread that waits for signals")?;
    Ok(())
}

async fn wait(mut signals: Signals, stop: Stop, limit: Option<Duration>, last_words: fn()) {
    if let Some(limit) = limit {
        tokio::select! {
            () = signals.next() => stop.raise(),
            () = tokio::time::sleep(limit) => {
                stop.raise();
                // The first Ctrl-C after the time is up is still a polite one.
                signals.next().await;
            }
        }
    } else {
        signals.next().await;
        stop.raise();
    }
    signals.next().await;
    last_words();
    std::process::exit(FORCED);
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` under nohup: whoever ignored it on purpose is not to be overruled.
    hangup: Option<Signal>,
    /// Handled, so that a file which reaches the size that its user is allowed (RLIMIT_FSIZE) is a write that fails and
    /// not the end of the run.
    _too_large: Signal,
}

impl Signals {
    fn new() -> Result<Signals> {
        let hangup = if hangup_is_ignored()? { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
            _too_large: signal(SignalKind::from_raw(Number::SIGXFSZ as i32))?,
        })
    }

    async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => core::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
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
