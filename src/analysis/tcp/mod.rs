//! RFC 9293 seen from outside: what each endpoint's state must be, given what crossed the wire.

pub mod endpoint;
pub mod known;
pub mod progress;
pub mod reset;
pub mod state;
pub mod timing;
pub mod transition;
pub mod window;

pub use endpoint::Endpoint;
pub use known::Known;
pub use progress::Kind;
pub use reset::RstValidity;
pub use state::{StateView, TcpState};
pub use timing::RoundTrip;
pub use window::{ReceiveWindow, Scaling};
