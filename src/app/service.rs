//! What systemd is told of a run that it started: ready, reading its rules again, stopping, and still at work.
//!
//! Where nobody asks ($NOTIFY_SOCKET is not set) nothing is said. Refuses to know what the run does: that it goes on is a number
//! that grows, which others count.

use core::time::Duration;

use sd_notify::NotifyState;

use super::log;

/// The service manager, as far as it listens.
#[derive(Debug)]
pub struct Service {
    /// It ends a service that was not heard of for so long.
    watchdog: Option<Duration>,
    /// What the count was when it was last told that work goes on.
    told: Option<u64>,
    is_stopping: bool,
}

/// Whether somebody listens; then a socket must be made each time something is said.
pub fn is_asked_for() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some_and(|name| !name.is_empty())
}

impl Service {
    pub fn new() -> Service {
        Service { watchdog: sd_notify::watchdog_enabled(), told: None, is_stopping: false }
    }

    /// How often [`Service::go_on`] must be called at least. `None`: nobody waits for it.
    pub fn every(&self) -> Option<Duration> {
        // Half of it is the advice of sd_watchdog_enabled(3); a busy host may make us late.
        self.watchdog.map(|limit| limit / 3)
    }

    /// The capture is open and the engine runs.
    pub fn ready(&self, status: &str) {
        say(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => say(&[NotifyState::Reloading, now]),
            Err(_) => say(&[NotifyState::Reloading]),
        }
    }

    pub fn stopping(&mut self) {
        if !self.is_stopping {
            self.is_stopping = true;
            say(&[NotifyState::Stopping]);
        }
    }

    /// Feeds the watchdog where `count` is another than last time: an engine that stands still is to be found dead.
    pub fn go_on(&mut self, count: u64) {
        if self.watchdog.is_some() && self.told != Some(count) {
            self.told = Some(count);
            say(&[NotifyState::Watchdog]);
        }
    }
}

fn say(what: &[NotifyState<'_>]) {
    if is_asked_for()
        && let Err(error) = sd_notify::notify(what)
    {
        log::warn(format_args!("systemd cannot be told what this run does: {error}"));
    }
}
