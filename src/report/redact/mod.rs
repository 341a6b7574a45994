//! What identifies people and places, replaced before anything leaves for the public.
//!
//! Knows addresses, link-layer addresses and names, and gives each a stand-in that is the same everywhere it
//! appears: in the text of a report and in the octets of a packet. Opens no file and reads no clock; what it is given
//! comes out changed, or not at all.
//!
//! - `stand_ins` holds the map; `text` finds what must be replaced in words; `frame` does so in a captured frame,
//!   with `ip` for what is inside it; `model` goes through the whole report, with `experiment` for one in it.

mod experiment;
pub mod frame;
mod icmp;
mod ip;
mod model;
mod stand_ins;
mod text;

pub use model::redacted;
pub use stand_ins::Redactor;
