//! The eleven states, and what an observer may say about which one an endpoint is in.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

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

impl TcpState {
    const ALL: [TcpState; 11] = [
        TcpState::Closed,
        TcpState::Listen,
        TcpState::SynSent,
        TcpState::SynReceived,
        TcpState::Established,
        TcpState::FinWait1,
        TcpState::FinWait2,
        TcpState::CloseWait,
        TcpState::Closing,
        TcpState::LastAck,
        TcpState::TimeWait,
    ];

    /// RFC 9293's name.
    pub const fn name(self) -> &'static str {
        use TcpState::*;
        match self {
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
        }
    }
}

impl fmt::Display for TcpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
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

    /// The inverse of its display.
    fn read(text: &str) -> Option<StateView> {
        if text == "unknown" {
            return Some(StateView::Unknown);
        }
        let (name, certainty) = text.strip_suffix(')')?.split_once(" (")?;
        let state = TcpState::ALL.into_iter().find(|state| state.name() == name)?;
        match certainty {
            "proven" => Some(StateView::Proven(state)),
            "inferred" => Some(StateView::Inferred(state)),
            _ => None,
        }
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

/// As it is displayed: `TIME-WAIT (proven)`, `unknown`.
impl Serialize for StateView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StateView {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Displayed;
        impl de::Visitor<'_> for Displayed {
            type Value = StateView;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a state of RFC 9293 with its certainty, as in `TIME-WAIT (proven)`, or `unknown`",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<StateView, E> {
                StateView::read(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Displayed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_displayed_is_read_again_and_nothing_else() {
        let of = |state| [StateView::Proven(state), StateView::Inferred(state)];
        for view in TcpState::ALL.into_iter().flat_map(of).chain([StateView::Unknown]) {
            let json = serde_json::to_string(&view).unwrap();
            assert_eq!(json, format!("\"{view}\""));
            assert_eq!(serde_json::from_str::<StateView>(&json).unwrap(), view);
        }
        for text in ["", "TIME-WAIT", "TIME-WAIT (sure)", "TIMEWAIT (proven)", "unknown (proven)"] {
            let error = serde_json::from_value::<StateView>(text.into()).unwrap_err().to_string();
            assert!(error.contains("a state of RFC 9293"), "{error}");
        }
    }
}
