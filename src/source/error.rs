//! What can go wrong between the wire and the engine, in words that name the place and the next step.

use core::net::IpAddr;
use std::io;
use std::sync::Arc;

use crate::analysis::wire::WHERE_TO_STAND;

/// Why a source could not start, or ended early.
///
/// It can be cloned because it has two readers: the feed tells it to the engine's side, in its place among the
/// frames, and the capture's thread returns it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{name}: cannot be opened: {error}\n  check the path and that you may read the file")]
    Open { name: String, error: Arc<io::Error> },

    #[error(
        "{name}: reading failed at byte {offset}: {error}\n  what came before was used; read a copy of the rest"
    )]
    Read { name: String, offset: u64, error: Arc<io::Error> },

    #[error(
        "{name}: is empty\n  a capture begins with a file header even when it has no frame; capture again"
    )]
    Empty { name: String },

    #[error(
        "{name}: is not a capture: {what}\n  pcap and pcapng can be read (tcpdump -w, dumpcap, Wireshark)"
    )]
    NotACapture { name: String, what: String },

    #[error(
        "{name}: damaged at byte {offset}: {what}\n  every frame before it was used; capture again to see what followed"
    )]
    Damaged { name: String, offset: u64, what: String },

    #[error("{interface}: capturing needs a privilege that this process lacks ({what})\n  run it as root")]
    Permission { interface: String, what: String },

    #[error(
        "{interface}: there is no such interface ({what})\n  `esp-tcpwatch interfaces` lists them; name one with -i"
    )]
    NoSuchInterface { interface: String, what: String },

    #[error(
        "{interface}: cannot capture: {what}\n  check that it is up; `esp-tcpwatch interfaces` lists others"
    )]
    Capture { interface: String, what: String },

    /// Of an interface, or of a capture that holds nothing else.
    #[error("{name}: no TCP can be read from it\n  {WHERE_TO_STAND}")]
    MonitorMode { name: String },

    #[error("{interface}: the filter `{filter}` is refused: {what}\n  man pcap-filter has the grammar of -f")]
    Filter { interface: String, filter: String, what: String },

    #[error(
        "{interface}: the interface went away while it was watched ({what})\n  bring it up again and start anew"
    )]
    Vanished { interface: String, what: String },

    #[error("the interfaces of this machine cannot be listed: {error}\n  name one with -i")]
    Interfaces { error: Arc<io::Error> },

    #[error("{address}: no interface leads there ({what})\n  name the interface with -i")]
    NoRoute { address: IpAddr, what: String },

    #[error(
        "{name}: the thread that reads it cannot be made: {error}\n  raise the limit on threads (ulimit -u)"
    )]
    Thread { name: String, error: Arc<io::Error> },
}

impl SourceError {
    /// Whether more privilege would have helped.
    pub fn is_permission(&self) -> bool {
        match self {
            SourceError::Permission { .. } => true,
            SourceError::Open { error, .. } => error.kind() == io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }
}
