//! How far a run of `drive` has come: one line on standard error, and only where that is a terminal.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use terminal_size::{Width, terminal_size_of};

use super::page::span;
use crate::load::Tally;

/// Often enough to be watched, seldom enough for a slow line.
const AGAIN: Duration = Duration::from_millis(100);
const CELLS: u64 = 20;
/// A terminal echoes `^C`. In a line that is full it would begin another, and ours would stay.
const SPARE: usize = 3;

pub struct Bar {
    is_shown: bool,
    began: Instant,
    drawn: Option<Instant>,
}

impl Bar {
    pub fn new() -> Bar {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Bar { is_shown: io::stderr().is_terminal() && !is_dumb, began: Instant::now(), drawn: None }
    }

    pub fn show(&mut self, tally: &Tally) {
        let now = Instant::now();
        if !self.is_shown || self.drawn.is_some_and(|drawn| now - drawn < AGAIN) || !takes_more() {
            return;
        }
        self.drawn = Some(now);
        let columns = terminal_size_of(io::stderr()).map_or(80, |(Width(columns), _)| usize::from(columns));
        say(&format!("\r{}\x1b[K", line(tally, now - self.began, columns.saturating_sub(SPARE))));
    }

    pub fn clear(&mut self) {
        if self.drawn.take().is_some() {
            say("\r\x1b[K");
        }
    }
}

/// Whether standard error would take a line now. One that stands still (Ctrl-S) must not hold up what is measured.
fn takes_more() -> bool {
    let stderr = io::stderr();
    let mut wanted = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    poll(&mut wanted, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// A bar that cannot be drawn is no reason to end.
fn say(text: &str) {
    let mut stderr = io::stderr();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

fn line(tally: &Tally, elapsed: Duration, columns: usize) -> String {
    let (ended, planned) = (tally.ended(), tally.planned());
    let full = (ended.saturating_mul(CELLS) / planned.max(1)).min(CELLS);
    let cells: String = (0..CELLS).map(|cell| if cell < full { '#' } else { '.' }).collect();
    let median = tally.median().map(|median| format!(", median {}", span(median.as_secs_f64())));
    let text = format!(
        "[{cells}] {ended}/{planned}  {} s  {} failed, {} stalled{}",
        elapsed.as_secs(),
        ended - tally.answered(),
        tally.stalls(),
        median.unwrap_or_default(),
    );
    text.chars().take(columns).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_fits_any_terminal() {
        let tally = Tally::new(10_000_000).unwrap();
        let second = Duration::from_secs(1);
        assert_eq!(line(&tally, second, 77), "[....................] 0/10000000  1 s  0 failed, 0 stalled");
        assert_eq!(line(&tally, second, 10), "[.........");
        assert_eq!(line(&tally, second, 0), "");
    }
}
