//! RFC 9293 seen from outside: what each endpoint's state must be, given what crossed the wire.

pub mod endpoint;
pub mod progress;
pub mod state;
pub mod transition;

pub use endpoint::Endpoint;
pub use progress::Kind;
pub use state::{StateView, TcpState};
