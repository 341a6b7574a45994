//! The TCP options that matter when a connection opens.

use etherparse::{TcpOptionElement, TcpOptionsIterator};

/// What a SYN offered (RFC 9293 §3.1, RFC 7323, RFC 2018). Options of other segments are not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SynOptions {
    pub mss: Option<u16>,
    pub window_scale: Option<u8>,
    pub timestamps: bool,
    pub sack_permitted: bool,
}

impl SynOptions {
    /// Reads up to the first option that is malformed or cut off.
    pub fn parse(octets: &[u8]) -> SynOptions {
        let mut options = SynOptions::default();
        for element in TcpOptionsIterator::from_slice(octets) {
            match element {
                Ok(TcpOptionElement::MaximumSegmentSize(mss)) => options.mss = Some(mss),
                Ok(TcpOptionElement::WindowScale(shift)) => options.window_scale = Some(shift),
                Ok(TcpOptionElement::Timestamp(..)) => options.timestamps = true,
                Ok(TcpOptionElement::SelectiveAcknowledgementPermitted) => options.sack_permitted = true,
                Ok(TcpOptionElement::Noop | TcpOptionElement::SelectiveAcknowledgement(..)) => {}
                Err(_) => break,
            }
        }
        options
    }
}
