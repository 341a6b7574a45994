//! The terminal that we were started from: whether there is one, and its last line of defence: when a second signal ends the process
//! at once, the screen is left as found.
//!
//! Knows only how to undo what a screen does; showing one is `tui`'s business.

use core::sync::atomic::{AtomicBool, Ordering};
use std::io;

use crossterm::{cursor, event, execute, terminal};

static SCREEN_IS_UP: AtomicBool = AtomicBool::new(false);

/// From here on [`restore`] has something to undo.
pub fn screen_is_up(up: bool) {
    SCREEN_IS_UP.store(up, Ordering::Relaxed);
}

/// Whether this process has a controlling terminal, whose going away SIGHUP would tell of. Ask before the sandbox.
pub fn is_controlling() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// Harmless where no screen was up. Errors are not told: the process is about to be gone.
pub fn restore() {
    if SCREEN_IS_UP.load(Ordering::Relaxed) {
        let _ = terminal::disable_raw_mode();
        let _ = execute!(
            io::stdout(),
            event::DisableMouseCapture,
            event::DisableBracketedPaste,
            terminal::LeaveAlternateScreen,
            cursor::Show
        );
    }
}
