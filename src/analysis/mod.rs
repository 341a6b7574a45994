//! What a capture proves about TCP: packets in, one ordered stream of events out.
//!
//! This wing is deaf and blind. It asks no clock, opens no file or socket, spawns and prints nothing;
//! time is the packets' own. Rooms name only those before them:
//! `wire <- tcp <- flow <- host <- detect <- rule <- engine <- play`.
#![deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]

pub mod certainty;
pub mod detect;
pub mod engine;
pub mod event;
pub mod flow;
pub mod host;
pub mod input;
pub mod play;
pub mod rule;
pub mod summary;
pub mod tcp;
pub mod time;
pub mod wire;
