//! What is known of one device: its TIME-WAIT ledger, its MSL, its stack, how it behaves.

pub mod facts;

pub use facts::{Behaviour, DeviceFacts, MslBracket, RstInTimeWait, Stack, SynInTimeWait, TimeWaitFacts};
