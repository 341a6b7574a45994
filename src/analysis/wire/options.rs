//! The TCP options that matter when a connection opens.

use etherparse::{TcpOptionElement, TcpOptionReadError, TcpOptionsIterator};

use super::flags::Flags;

/// What a SYN offered (RFC 9293 §3.1, RFC 7323, RFC 2018). Options of other segments are not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SynOptions {
    pub mss: Option<u16>,
    pub window_scale: Option<u8>,
    pub timestamps: bool,
    pub sack_permitted: bool,
    /// Every option was read: what is not here was not offered.
    pub whole: bool,
}

impl SynOptions {
    /// Those of a segment with `flags`, of which `captured` was captured and `len` octets were sent.
    #[inline(always)]
    pub(super) fn of(flags: Flags, captured: &[u8], len: usize) -> SynOptions {
        if !flags.has(Flags::SYN) {
            return SynOptions::default();
        }
        let options = SynOptions::parse(captured);
        SynOptions { whole: options.whole && captured.len() == len, ..options }
    }

    /// Reads up to the first option that is malformed or cut off; options of unknown kinds are passed over.
    #[inline(never)]
    pub fn parse(octets: &[u8]) -> SynOptions {
        let mut options = SynOptions { whole: true, ..SynOptions::default() };
        let mut elements = TcpOptionsIterator::from_slice(octets);
        loop {
            let here = elements.rest();
            match elements.next() {
                Some(Ok(TcpOptionElement::MaximumSegmentSize(mss))) => options.mss = Some(mss),
                Some(Ok(TcpOptionElement::WindowScale(shift))) => options.window_scale = Some(shift),
                Some(Ok(TcpOptionElement::Timestamp(..))) => options.timestamps = true,
                Some(Ok(TcpOptionElement::SelectiveAcknowledgementPermitted)) => {
                    options.sack_permitted = true;
                }
                Some(Ok(TcpOptionElement::Noop | TcpOptionElement::SelectiveAcknowledgement(..))) => {}
                None => return options,
                Some(Err(error)) => match past_unknown(&error, here) {
                    Some(rest) => elements = TcpOptionsIterator::from_slice(rest),
                    None => return SynOptions { whole: false, ..options },
                },
            }
        }
    }
}

/// What follows an option of an unknown kind: RFC 9293 §3.1 gives each its length, so that it can be passed over.
fn past_unknown<'a>(error: &TcpOptionReadError, option: &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::from(*option.get(1)?);
    match error {
        TcpOptionReadError::UnknownId(_) if len >= 2 => option.get(len..),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Flags, SynOptions};

    #[test]
    fn an_option_that_the_snaplen_cut_is_not_read() {
        let sent = [2, 4, 5, 180, 1, 3, 3, 7];
        for (kept, mss, scale) in
            [(8, Some(1_460), Some(7)), (7, Some(1_460), None), (4, Some(1_460), None), (3, None, None)]
        {
            let options = SynOptions::of(Flags::SYN, &sent[..kept], sent.len());
            assert_eq!((options.mss, options.window_scale, options.whole), (mss, scale, kept == 8), "{kept}");
        }
        assert_eq!(SynOptions::of(Flags::ACK, &sent, sent.len()), SynOptions::default());
    }

    #[test]
    fn what_is_missing_is_told_from_what_could_not_be_read() {
        let linux = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
        let cases: &[(&str, &[u8], Option<u8>, bool)] = &[
            ("none at all", &[], None, true),
            ("lwIP: an MSS alone", &[2, 4, 5, 160], None, true),
            ("Linux", &linux, Some(7), true),
            ("nothing counts after the end", &[0, 3, 3, 7], None, true),
            ("an unknown kind before it (RFC 7413)", &[34, 2, 3, 3, 7], Some(7), true),
            ("an unknown kind with octets", &[253, 4, 1, 2, 1, 3, 3, 14], Some(14), true),
            ("an unknown kind without a length", &[34], None, false),
            ("an unknown kind that cannot be that short", &[34, 1, 3, 3, 7], None, false),
            ("an unknown kind beyond the end", &[34, 9, 3, 3, 7], None, false),
            ("a scale of a wrong length", &[2, 4, 5, 160, 3, 2, 7], None, false),
            ("a scale that was cut off", &[1, 3, 3], None, false),
        ];
        for (name, octets, scale, whole) in cases {
            let options = SynOptions::parse(octets);
            assert_eq!((options.window_scale, options.whole), (*scale, *whole), "{name}");
        }
    }
}
