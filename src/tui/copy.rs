//! What is copied of a thing: one line that can be pasted into a message or a search.
//!
//! Knows which words of a thing identify it elsewhere. Refuses to know clipboards.

use super::model::{Model, Subject};
use super::words;

/// What kind of thing it is, and its line; `None` where it is no longer kept.
pub fn text(model: &Model, subject: Subject) -> Option<(&'static str, String)> {
    let watched = model.shown();
    match subject {
        Subject::Device(address) => Some(("the address", address.to_string())),
        Subject::Flow((client, server)) => {
            // As Wireshark takes it for a filter: the four-tuple both ways.
            let family = if client.is_ipv4() { "ip" } else { "ipv6" };
            let text = format!(
                "{family}.addr == {} && {family}.addr == {} && tcp.port == {} && tcp.port == {}",
                client.ip(),
                server.ip(),
                client.port(),
                server.port()
            );
            Some(("a display filter", text))
        }
        Subject::Alert(id) => {
            let alert = &watched.alert(id)?.alert;
            let frames = alert.frames.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            let text = format!(
                "{} ({}, {}): {} Client {}, frames {frames}",
                alert.rule,
                alert.severity,
                alert.certainty,
                alert.title,
                words::client(alert),
            );
            Some(("the alert", text))
        }
    }
}
