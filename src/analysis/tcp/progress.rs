//! What one segment adds to its stream: news, a repetition, a probe, a hole.
//!
//! Judged against the sender as it was before the segment, by sequence ranges and not by frame counts
//! (a capture may hold super-segments that the network card was still to cut, or had joined).

use serde::{Deserialize, Serialize};

use super::endpoint::Endpoint;
use crate::analysis::wire::{Flags, Segment};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Syn,
    SynAgain,
    SynAck,
    SynAckAgain,
    Reset,
    /// Payload or a FIN that continues what was sent before.
    News,
    /// Payload or a FIN that was on the wire before, wholly.
    Again,
    /// It begins beyond what was seen: something before it was lost, or comes later.
    BeyondAHole,
    /// RFC 9293 §3.8.4: no payload, or one old octet, just before SND.NXT, all of it acknowledged.
    KeepAlive,
    /// The same shape, or one new octet, against a window of zero (RFC 9293 §3.8.6.1).
    WindowProbe,
    /// No payload, and it acknowledges more than before.
    AckOfNews,
    /// No payload, nothing new acknowledged, the window as before while data is under way (RFC 5681 §2).
    DuplicateAck,
    /// No payload, nothing new acknowledged, another window.
    WindowUpdate,
    /// No payload and nothing new at all.
    IdleAck,
}

/// `sender` and `receiver` as they were before `segment`.
#[inline]
pub fn kind(segment: &Segment, sender: &Endpoint, receiver: &Endpoint) -> Kind {
    let flags = segment.flags;
    if flags.has(Flags::RST) {
        return Kind::Reset;
    }
    if flags.has(Flags::SYN) {
        let again = sender.iss() == Some(segment.seq);
        return match (flags.has(Flags::ACK), again) {
            (false, false) => Kind::Syn,
            (false, true) => Kind::SynAgain,
            (true, false) => Kind::SynAck,
            // A first SYN-ACK bears the number of the SYN that crossed it, in a simultaneous open.
            (true, true) if sender.rcv_nxt().is_none() => Kind::SynAck,
            (true, true) => Kind::SynAckAgain,
        };
    }
    let Some(next) = sender.snd_nxt() else {
        return if segment.seq_len() > 0 { Kind::News } else { Kind::AckOfNews };
    };
    let stands_at = next.distance_to(segment.seq);
    // One before SND.NXT stands its own FIN, where it sent one: that is a late segment, and no probe.
    let all_acked = !sender.has_fin() && sender.snd_una().is_some_and(|una| una.reaches(next));
    let receiver_closed = receiver.window() == Some(0);
    if !flags.has(Flags::FIN) && segment.len <= 1 {
        if stands_at == -1 && all_acked {
            return if receiver_closed { Kind::WindowProbe } else { Kind::KeepAlive };
        }
        if stands_at == 0 && segment.len == 1 && receiver_closed {
            return Kind::WindowProbe;
        }
    }
    if segment.seq_len() > 0 {
        return match (stands_at, next.precedes(segment.seq_end())) {
            (1.., _) => Kind::BeyondAHole,
            (_, true) => Kind::News,
            (_, false) => Kind::Again,
        };
    }
    let news = match (segment.acknowledges(), sender.rcv_nxt()) {
        (Some(ack), Some(known)) => known.precedes(ack),
        (Some(_), None) => true,
        (None, _) => false,
    };
    let under_way = match (receiver.snd_nxt(), receiver.snd_una()) {
        (Some(next), Some(una)) => una.precedes(next),
        _ => false,
    };
    match (news, sender.window() == Some(segment.window), under_way) {
        (true, _, _) => Kind::AckOfNews,
        (false, false, _) => Kind::WindowUpdate,
        (false, true, true) => Kind::DuplicateAck,
        (false, true, false) => Kind::IdleAck,
    }
}
