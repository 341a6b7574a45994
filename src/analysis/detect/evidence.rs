//! The ladder rows that explain a finding: the close that led to it, then the frames that are it.

use core::fmt;

use super::finding::EvidenceSegment;
use crate::analysis::{
    host::Story,
    wire::{Flags, Note},
};

/// Rows that most findings have at most: those of a close, and what came of it.
const ROWS: usize = 8;

/// Octets that the words of most findings find room in, so that they are written without moving.
pub const ROOM: usize = 320;

/// The close of the old connection, in the order of the wire.
pub fn of_close(story: &Story) -> Vec<EvidenceSegment> {
    let Some(close) = story.close else { return Vec::new() };
    let steps = [
        (close.request, true, "request"),
        (Some(close.device_fin), false, "device closes first"),
        (Some(close.client_fin), true, "client closes"),
        (close.entered, false, "device ACKs: TIME-WAIT begins"),
    ];
    let mut rows = Vec::with_capacity(ROWS);
    rows.extend(
        steps
            .into_iter()
            .filter_map(|(note, from_client, role)| note.map(|note| row(&note, from_client, role))),
    );
    rows.sort_by_key(|row| row.frame);
    rows
}

pub fn row(note: &Note, from_client: bool, role: &'static str) -> EvidenceSegment {
    EvidenceSegment {
        frame: note.frame,
        epoch: note.time,
        from_client,
        flags: note.flags.letters(),
        seq: note.seq.0,
        ack: note.flags.has(Flags::ACK).then_some(note.ack.0),
        len: note.len,
        window: note.window,
        role: role.into(),
    }
}

/// Seconds with microseconds, which is what the event stream carries.
pub fn seconds(span: f64) -> f64 {
    (span * 1e6).round() / 1e6
}

/// Seconds in a sentence, with milliseconds: octet for octet what `{:.3}` makes of them, by integers where they
/// are whole microseconds.
pub struct Seconds(pub f64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seconds(span) = *self;
        let micros = (span * 1e6).round();
        let (millis, rest) = (micros as u64 / 1_000, micros as u64 % 1_000);
        let is_whole = span.is_sign_positive() && span < 1e9 && micros / 1e6 == span;
        // A half is a little more or a little less than that, and by this it is rounded.
        if !is_whole || rest == 500 {
            return write!(f, "{span:.3}");
        }
        let millis = millis + u64::from(rest > 500);
        write!(f, "{}.{:03}", millis / 1_000, millis % 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn seconds_are_what_the_standard_library_writes(micros: u64, real: f64) {
            for micros in [micros, micros % 2_000_000_000, micros % 2_000, micros % 10_000 * 500] {
                let span = micros as f64 / 1e6;
                for span in [span, -span, span.next_up(), span.next_down(), real] {
                    prop_assert_eq!(Seconds(span).to_string(), format!("{span:.3}"));
                }
            }
        }
    }
}
