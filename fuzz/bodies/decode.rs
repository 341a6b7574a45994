//! One frame, of any link type: a link type's place in [`LINKS`], the octets on the wire that were not captured, and
//! the octets.

use esp_tcpwatch::analysis::{
    flow::FourTuple,
    input::{Frame, LinkType},
    time::Timestamp,
    wire::{decode, sign},
};
use esp_tcpwatch::report::redact::Redactor;

use super::octets::{LINKS, Octets};

pub fn run(data: &[u8]) {
    let mut octets = Octets(data);
    let link = LinkType(LINKS[usize::from(octets.u8()) % LINKS.len()]);
    let cut = u32::from(octets.u8());
    let data = octets.0;
    // Now and then the capture kept none of what was on the wire, or claims to have kept more than was there.
    let wire_len = if cut == u32::from(u8::MAX) { 0 } else { data.len() as u32 + cut };
    let frame = Frame { number: 1, time: Timestamp::from_micros(1), link, wire_len, data };
    let read = decode(&frame);
    if let Ok(segment) = &read {
        let _ = segment.seq_end();
        let (tuple, side) = FourTuple::of(segment);
        let (back, _) = FourTuple::between(segment.destination, segment.source);
        assert!(tuple == back, "a four-tuple is the same in both directions");
        assert_eq!(tuple.socket(side), segment.source);
        assert_eq!(tuple.socket(side.other()), segment.destination);
    }
    let _ = sign::read(&frame);
    redacted(&frame);
}

/// What is kept of it for the public reads as the original did, but for the addresses.
fn redacted(frame: &Frame<'_>) {
    let mut redactor = Redactor::default();
    let Some(out) = redactor.frame(frame.link, frame.data) else { return };
    assert!(out.len() <= frame.data.len());
    let before = decode(frame);
    let after = decode(&Frame { data: &out, ..*frame });
    if let (Ok(before), Ok(after)) = (before, &after) {
        assert_eq!(redactor.socket(before.source), after.source);
        assert_eq!(redactor.socket(before.destination), after.destination);
        assert_eq!((before.seq, before.ack, before.flags), (after.seq, after.ack, after.flags));
        assert_eq!((before.len, before.window, before.ip_id), (after.len, after.window, after.ip_id));
    }
    assert_eq!(redactor.frame(frame.link, frame.data), Some(out), "a second time gives the same");
}
