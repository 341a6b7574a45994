//! From the octets of a frame to one TCP segment, or to the reason why there is none.

pub mod decode;
pub mod flags;
pub mod link;
pub mod notation;
pub mod note;
pub mod options;
mod plain;
pub mod segment;
pub mod seq;
pub mod sign;
pub mod skip;
pub mod socket;

pub use decode::decode;
pub use flags::Flags;
pub use note::{Note, right_edge};
pub use options::SynOptions;
pub use segment::Segment;
pub use seq::SeqNum;
pub use sign::{Sign, SignKind};
pub use skip::{Skip, SkipCounts, WHERE_TO_STAND};
pub use socket::Socket;
