//! The report: what a maintainer needs to be convinced, folded from the event stream and rendered.
//!
//! Knows the events, and nothing of where they came from: a live run half-way through, a capture file
//! and a saved run give the same report. Opens no file: who asked for the report decides where it goes.
//!
//! - [`model`] folds, with bounded memory; [`episode`] is one connection that met trouble, with its frames.
//! - [`markdown`] renders; [`story`] tells the causal chain, [`ladder`] draws it, [`device`] puts the device's facts
//!   in words, [`cost`] counts, [`advice`] gives the remedies with their true arithmetic, [`check`] says how to verify.
//! - [`redact`] gives what identifies people a stand-in, in the model and in frames; [`excerpt`] keeps the frames cited.
//! - [`words`] writes numbers and times; [`safe`] lets no text from outside be more than text.

pub mod advice;
pub mod check;
pub mod cost;
pub mod device;
pub mod episode;
pub mod excerpt;
pub mod ladder;
pub mod markdown;
pub mod model;
pub mod redact;
pub mod safe;
pub mod story;
pub mod words;
