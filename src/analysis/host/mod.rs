//! What is known of one device: its TIME-WAIT ledger, its MSL, its stack, how it behaves.

pub mod account;
pub mod behaviour;
pub mod bracket;
pub mod device;
pub mod espressif;
pub mod event;
pub mod facts;
pub mod fingerprint;
pub mod hold;
pub mod hosts;
pub mod ledger;
pub mod liveness;

pub use account::{Comparison, Disagreement, Opinions};
pub use device::Device;
pub use event::{Close, HostEvent, Story};
pub use facts::{
    AccountFacts, Behaviour, DeviceFacts, MslBracket, RstInTimeWait, Stack, SynInTimeWait, TimeWaitFacts,
};
pub use hosts::{DeviceScope, Hosts};
pub use liveness::{Liveness, Unanswered};
