//! esp-tcpwatch: why did my ESP32 stop answering?
//!
//! The map of the house (see `docs/architecture.md`):
//!
//! - [`analysis`]: packets in, events out; pure.
//! - [`source`], [`sink`], [`report`], `tui`: what feeds the events and what shows them; siblings that never meet.
//! - [`firmware`], `load`, `lab`: the test firmware's control channel, the traffic that provokes the bug, the twin.
//! - `experiment`: which remedy helps how much: what is run in which order, and what may be concluded.
//! - [`text`]: what strangers wrote, made fit to be shown.
//! - [`cli`]: what was typed and what it means, as plain data.
//! - `app`: the only room that wires the others together.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod analysis;
pub mod cli;
#[cfg(feature = "control")]
pub mod experiment;
pub mod firmware;
pub mod report;
pub mod sink;
pub mod source;
pub mod text;

#[cfg(all(feature = "live", feature = "tui", feature = "control", feature = "metrics"))]
pub mod app;
#[cfg(all(feature = "control", target_os = "linux"))]
pub mod lab;
#[cfg(feature = "control")]
pub mod load;
#[cfg(feature = "tui")]
pub mod tui;
