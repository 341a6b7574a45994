//! Where inputs come from: a capture file, a stream, or an interface.
//!
//! Knows capture formats and libpcap; knows nothing of what the octets of a frame mean.
//! Everything here yields [`Input`]s and names only analysis.

mod batch;
mod error;
pub mod feed;
pub mod file;
pub mod filter;
pub mod interfaces;
#[cfg(feature = "live")]
pub mod live;
mod packet_clock;
mod pcap;
mod pcapng;
mod record;
pub mod stream;
mod window;

pub use error::SourceError;

use crate::analysis::input::{Frame, Input};

/// Something that yields inputs, one at a time.
pub trait Source {
    /// The next input; [`Input::End`] is the last one, `None` follows it.
    ///
    /// After an error the source is finished: everything before the damage has been given, and `None` follows.
    fn next_input(&mut self) -> Result<Option<Input<'_>>, SourceError>;

    /// The same where it is a frame, and a look at what is there already tells so: the shortest way for what comes most.
    /// `None` says nothing of what comes.
    #[inline]
    fn ready_frame(&mut self) -> Option<Frame<'_>> {
        None
    }
}
