//! The eleven states, and what an observer may say about which one an endpoint is in.

use core::fmt;

/// RFC 9293 §3.3.2. Ignorance is no state: see [`StateView`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TcpState {
    Closed,
    Listen,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
}

impl fmt::Display for TcpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use TcpState::*;
        f.write_str(match self {
            Closed => "CLOSED",
            Listen => "LISTEN",
            SynSent => "SYN-SENT",
            SynReceived => "SYN-RECEIVED",
            Established => "ESTABLISHED",
            FinWait1 => "FIN-WAIT-1",
            FinWait2 => "FIN-WAIT-2",
            CloseWait => "CLOSE-WAIT",
            Closing => "CLOSING",
            LastAck => "LAST-ACK",
            TimeWait => "TIME-WAIT",
        })
    }
}

/// The observation law: what an endpoint sent proves its state; what was sent to it lets it be inferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StateView {
    #[default]
    Unknown,
    Inferred(TcpState),
    Proven(TcpState),
}

impl StateView {
    pub const fn state(self) -> Option<TcpState> {
        match self {
            StateView::Unknown => None,
            StateView::Inferred(state) | StateView::Proven(state) => Some(state),
        }
    }

    pub fn is(self, state: TcpState) -> bool {
        self.state() == Some(state)
    }

    /// The same state, no longer proven: frames were lost since.
    pub const fn weakened(self) -> StateView {
        match self {
            StateView::Unknown => StateView::Unknown,
            StateView::Inferred(state) | StateView::Proven(state) => StateView::Inferred(state),
        }
    }
}

impl fmt::Display for StateView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateView::Unknown => f.write_str("unknown"),
            StateView::Inferred(state) => write!(f, "{state} (inferred)"),
            StateView::Proven(state) => write!(f, "{state} (proven)"),
        }
    }
}
