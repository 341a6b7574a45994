//! The TCP options that matter when a connection opens.

use super::flags::Flags;

// Kinds of options (RFC 9293 §3.1, RFC 7323 §2 and §3, RFC 2018 §2 and §3).
const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;

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

    /// Reads up to the first option that is malformed or cut off; options of unknown kinds are passed over, for each tells its
    /// length (RFC 9293 §3.1).
    #[inline(never)]
    pub fn parse(mut octets: &[u8]) -> SynOptions {
        let mut options = SynOptions { whole: true, ..SynOptions::default() };
        loop {
            let (option, rest) = match *octets {
                [] | [END, ..] => return options,
                [NO_OPERATION, ref rest @ ..] => {
                    octets = rest;
                    continue;
                }
                [_, len, ..] if len >= 2 && usize::from(len) <= octets.len() => {
                    octets.split_at(usize::from(len))
                }
                [_, ..] => return SynOptions { whole: false, ..options },
            };
            match *option {
                [MSS, _, high, low] => options.mss = Some(u16::from_be_bytes([high, low])),
                [WINDOW_SCALE, _, shift] => options.window_scale = Some(shift),
                [SACK_PERMITTED, _] => options.sack_permitted = true,
                [TIMESTAMPS, 10, ..] => options.timestamps = true,
                [SACK, 10 | 18 | 26 | 34, ..] => {}
                // Of a length that its kind never has.
                [MSS | WINDOW_SCALE | SACK_PERMITTED | SACK | TIMESTAMPS, ..] => {
                    return SynOptions { whole: false, ..options };
                }
                _ => {}
            }
            octets = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use etherparse::{TcpOptionElement, TcpOptionReadError, TcpOptionsIterator};
    use proptest::prelude::*;

    use super::{Flags, SynOptions};

    /// The same by etherparse, which stops at kinds that it does not know.
    fn by_etherparse(octets: &[u8]) -> SynOptions {
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
                Some(Err(TcpOptionReadError::UnknownId(_)))
                    if here.len() >= 2 && (2..=here.len()).contains(&usize::from(here[1])) =>
                {
                    elements = TcpOptionsIterator::from_slice(&here[usize::from(here[1])..]);
                }
                Some(Err(_)) => return SynOptions { whole: false, ..options },
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_etherparse_reads(
            octets in prop::collection::vec(prop_oneof![4 => 0..12u8, 1 => any::<u8>()], 0..=40),
        ) {
            prop_assert_eq!(SynOptions::parse(&octets), by_etherparse(&octets));
        }
    }

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
