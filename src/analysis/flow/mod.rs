//! Four-tuples and their lives: which segment belongs to which incarnation of which connection.

pub mod before;
pub mod by_tuple;
pub mod event;
pub mod flow_state;
pub mod incarnation;
pub mod lone_syn;
pub mod segment;
pub mod table;
pub mod tuple;

pub use before::Before;
pub use by_tuple::{ByTuple, Place};
pub use event::{FlowChange, FlowEvent};
pub use flow_state::Flow;
pub use incarnation::{Belongs, Incarnation, PastLife};
pub use lone_syn::LoneSyn;
pub use segment::SegmentEvent;
pub use table::{Entry, FlowId, FlowTable, Unknown};
pub use tuple::{FourTuple, Side};
