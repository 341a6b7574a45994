//! Whether a RST is one that its receiver has to obey.

/// RFC 5961 §3.2, as far as it can be judged from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RstValidity {
    /// It bears the very number that is expected next, or would be if all that was sent before arrived: it resets.
    /// In SYN-SENT: it acknowledges the SYN.
    Exact,
    /// Inside the window, and not exact: answered by a challenge ACK; before RFC 5961 it reset.
    InWindow,
    /// Dropped in silence.
    OutOfWindow,
    /// What is expected next, or how large the window is, was not seen.
    Unknown,
}
