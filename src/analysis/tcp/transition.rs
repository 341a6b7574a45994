//! The state machine as tables: after what an endpoint sent, and after what was offered to it.
//!
//! `None`: RFC 9293 permits no such segment from (or gives no meaning to it in) that state.
//! That is evidence, not an error.

use super::state::TcpState::{self, *};

/// Sent a SYN without ACK.
pub fn after_own_syn(from: TcpState) -> Option<TcpState> {
    match from {
        Closed | Listen | SynSent => Some(SynSent), // §3.10.1 OPEN; a retransmission stays
        SynReceived => Some(SynReceived),           // simultaneous open, SYN sent again
        Established | FinWait1 | FinWait2 | CloseWait | Closing | LastAck | TimeWait => None,
    }
}

/// Sent SYN and ACK.
pub fn after_own_syn_ack(from: TcpState) -> Option<TcpState> {
    match from {
        Closed | Listen | SynSent | SynReceived => Some(SynReceived), // §3.10.7.2, §3.10.7.3
        Established | FinWait1 | FinWait2 | CloseWait | Closing | LastAck | TimeWait => None,
    }
}

/// Sent a FIN.
pub fn after_own_fin(from: TcpState) -> Option<TcpState> {
    match from {
        SynReceived | Established => Some(FinWait1), // §3.10.4 CLOSE
        CloseWait => Some(LastAck),                  // §3.10.4 CLOSE
        FinWait1 | Closing | LastAck => Some(from),  // the same FIN again
        Closed | Listen | SynSent | FinWait2 | TimeWait => None,
    }
}

/// Sent an acknowledgment of the peer's SYN (its own SYN being acknowledged already).
pub fn after_own_ack_of_syn(from: TcpState) -> Option<TcpState> {
    match from {
        SynSent | SynReceived => Some(Established), // §3.10.7.3, §3.10.7.4
        Established | FinWait1 | FinWait2 | CloseWait | Closing | LastAck | TimeWait => Some(from),
        Closed | Listen => None,
    }
}

/// Sent an acknowledgment of the peer's FIN. `own_fin_acked`: the peer had acknowledged this endpoint's FIN.
pub fn after_own_ack_of_fin(from: TcpState, own_fin_acked: bool) -> Option<TcpState> {
    match (from, own_fin_acked) {
        (SynReceived | Established | CloseWait, _) => Some(CloseWait), // §3.10.7.4, eighth: FIN
        (FinWait1 | Closing, false) => Some(Closing),
        (FinWait1 | FinWait2 | Closing | TimeWait, true) | (FinWait2 | TimeWait, false) => Some(TimeWait),
        (LastAck, _) => Some(LastAck),
        (Closed | Listen | SynSent, _) => None,
    }
}

/// Sent a RST.
pub fn after_own_rst(from: TcpState) -> Option<TcpState> {
    match from {
        SynSent => Some(SynSent), // §3.10.7.3: an unacceptable ACK is answered by a RST, and the attempt goes on
        Closed | Listen => Some(from), // §3.10.7.1
        SynReceived | Established | FinWait1 | FinWait2 | CloseWait | Closing | LastAck | TimeWait => {
            Some(Closed)
        }
    }
}

/// A SYN was offered.
pub fn offered_syn(to: TcpState) -> Option<TcpState> {
    match to {
        Closed | Listen => Some(SynReceived), // §3.10.7.2
        SynSent => Some(SynReceived),         // simultaneous open
        SynReceived => Some(SynReceived),
        Established | FinWait1 | FinWait2 | CloseWait | Closing | LastAck | TimeWait => None,
    }
}

/// An acknowledgment of this endpoint's SYN was offered.
pub fn offered_ack_of_syn(to: TcpState) -> Option<TcpState> {
    match to {
        SynSent | SynReceived => Some(Established), // §3.10.7.3, §3.10.7.4
        Closed | Listen => None,
        Established | FinWait1 | FinWait2 | CloseWait | Closing | LastAck | TimeWait => Some(to),
    }
}

/// An acknowledgment of this endpoint's FIN was offered.
pub fn offered_ack_of_fin(to: TcpState) -> Option<TcpState> {
    match to {
        FinWait1 => Some(FinWait2), // §3.10.7.4, fifth
        Closing => Some(TimeWait),
        LastAck => Some(Closed),
        FinWait2 | TimeWait => Some(to),
        Closed | Listen | SynSent | SynReceived | Established | CloseWait => None,
    }
}

/// A FIN was offered. `own_fin_acked`: this endpoint's FIN is acknowledged, by the same segment at the latest.
pub fn offered_fin(to: TcpState, own_fin_acked: bool) -> Option<TcpState> {
    match (to, own_fin_acked) {
        (SynReceived | Established | CloseWait, _) => Some(CloseWait), // §3.10.7.4, eighth
        (FinWait1 | Closing, false) => Some(Closing),
        (FinWait1 | FinWait2 | Closing | TimeWait, true) | (FinWait2 | TimeWait, false) => Some(TimeWait),
        (LastAck, _) => Some(LastAck),
        (Closed | Listen | SynSent, _) => None,
    }
}

/// A RST with the exact sequence number was offered.
pub fn offered_rst(to: TcpState) -> Option<TcpState> {
    match to {
        Listen => Some(Listen),     // §3.10.7.2: ignored
        TimeWait => Some(TimeWait), // RFC 1337: may be ignored, and lwIP does; only what is sent later tells
        Closed | SynSent | SynReceived | Established | FinWait1 | FinWait2 | CloseWait | Closing
        | LastAck => Some(Closed),
    }
}
