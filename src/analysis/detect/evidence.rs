//! The ladder rows that explain a finding: the close that led to it, then the frames that are it.

use super::finding::EvidenceSegment;
use crate::analysis::{
    host::Story,
    wire::{Flags, Note},
};

/// Rows that most findings have at most: those of a close, and what came of it.
const ROWS: usize = 8;

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
