//! The host's side of the test firmware.
//!
//! Knows: the control protocol of `docs/control-protocol.md`, how to ask over UDP, and the firmware's sources.
//! Refuses to know: captures, findings, screens, and every other room of this crate.

#[cfg(feature = "control")]
pub mod bundle;
#[cfg(feature = "control")]
pub mod change;
pub mod pcbs;
pub mod protocol;
mod status;

#[cfg(feature = "control")]
mod client;
#[cfg(feature = "control")]
mod signing;
#[cfg(feature = "control")]
pub use client::{Changed, Client, ClientError, Told, change_blocking, pcbs_blocking, status_blocking};
#[cfg(feature = "control")]
pub use signing::{KEY_OCTETS, Key, KeyError};
