//! What happened to a device, told to the detectors: facts with their frames, no judgement.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::analysis::{certainty::Certainty, time::Timestamp, wire::Note};

/// The four steps that put a tuple into TIME-WAIT on the device, as far as they were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// The life that was closed.
    pub incarnation: u32,
    /// The last payload from the client before the device closed.
    pub request: Option<Note>,
    pub device_fin: Note,
    pub client_fin: Note,
    /// The device's ACK of the client's FIN.
    pub entered: Option<Note>,
}

/// Who and when, for everything that happens to one tuple that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Story {
    pub device: IpAddr,
    /// Who opens the connection anew.
    pub client: SocketAddr,
    pub server: SocketAddr,
    /// The life that the new SYN began.
    pub incarnation: u32,
    /// Absent where the close was not seen and is concluded from the refusals themselves.
    pub close: Option<Close>,
    /// When TIME-WAIT began, where that was seen.
    pub entered: Option<Timestamp>,
    /// How sure it is that the tuple was in TIME-WAIT.
    pub certainty: Certainty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostEvent {
    /// One SYN was answered by a stale ACK.
    Refused {
        story: Story,
        syn: Note,
        stale_ack: Note,
        /// Counts the refusals of this TIME-WAIT life, from 1.
        nth: u32,
    },
    /// An exact RST changed nothing: the next SYN met the same stale ACK.
    RstIgnored {
        story: Story,
        /// The stale ACK that the RST answered.
        provoked_by: Note,
        rst: Note,
        syn: Note,
        stale_ack: Note,
        /// Counts the ignored RSTs of this TIME-WAIT life, from 1.
        nth: u32,
    },
    /// A SYN inside the window of the closed life was answered by a RST; the hold survives (lwIP tcp_timewait_input).
    ResetInWindow { story: Story, syn: Note, reset: Note },
    /// The numbers of a tuple no longer keep step with the clock that they kept step with before: the stack started
    /// anew. `before` and `after` are the SYN-ACKs of two lives of one tuple.
    ClockRestarted { device: IpAddr, before: Note, after: Note },
    /// A SYN of a new connection came while the tuple is, or may be, held; whatever the answer will be.
    Reused {
        story: Story,
        syn: Note,
        /// How long the tuple is taken to be held, from the latest possible start.
        assumed: Duration,
    },
}
