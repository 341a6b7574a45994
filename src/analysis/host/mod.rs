//! What is known of one device: its TIME-WAIT ledger, its MSL, its stack, how it behaves.

pub mod account;
pub mod attempt;
pub mod behaviour;
pub mod blocks;
pub mod bracket;
pub mod device;
pub mod espressif;
pub mod event;
pub mod facts;
pub mod fingerprint;
pub mod held;
pub mod hold;
pub mod hosts;
pub mod isn_clock;
pub mod ledger;
pub mod listed;
pub mod liveness;
pub mod pcb_cap;
pub mod remarks;
pub mod uptime;
pub mod whereabouts;

pub use account::{Comparison, Disagreement, Opinions};
pub use device::Device;
pub use event::{Close, HostEvent, Story};
pub use facts::{
    AccountFacts, Behaviour, Blocked, Delay, DelayFacts, DeviceFacts, MslBracket, Outcome, PcbCap,
    RstInTimeWait, Stack, SynInTimeWait, TimeWaitFacts,
};
pub use held::Held;
pub use hosts::{Change, DeviceScope, Hosts, Moved};
pub use listed::Listed;
pub use liveness::{Liveness, Unanswered};
pub use whereabouts::Why;
