//! Placeholders in a rule's words. They are checked when a rule is loaded and filled in when it speaks.

use core::fmt::Write;

use super::super::{detect::Finding, wire::Socket};

/// What may stand in braces in `title` and `why`.
pub const PLACEHOLDERS: &[&str] = &["device", "client", "server", "count", "certainty"];

/// The first placeholder of `text` that nobody fills: its name and its octet offset.
pub fn unknown_placeholder(text: &str) -> Option<(&str, usize)> {
    pieces(text).find_map(|piece| match piece {
        Piece::Placeholder { name, at } if !PLACEHOLDERS.contains(&name) => Some((name, at)),
        Piece::Placeholder { .. } | Piece::Text(_) => None,
    })
}

/// `text` with its placeholders filled from the first finding of an alert that counts `count`.
pub fn fill(text: &str, finding: &Finding, count: u64) -> String {
    /// Octets that what is filled in most often finds room in.
    const FILLED: usize = 64;
    pieces(text).fold(String::with_capacity(text.len() + FILLED), |mut filled, piece| {
        // Writing to a String cannot fail.
        let _ = match piece {
            Piece::Text(words) => filled.write_str(words),
            Piece::Placeholder { name, .. } => match name {
                "device" => write!(filled, "{}", finding.device),
                "client" => write!(filled, "{}", Socket(finding.client)),
                "server" => write!(filled, "{}", Socket(finding.server)),
                "count" => write!(filled, "{count}"),
                "certainty" => write!(filled, "{}", finding.certainty),
                unknown => filled.write_str(unknown),
            },
        };
        filled
    })
}

enum Piece<'a> {
    Text(&'a str),
    Placeholder { name: &'a str, at: usize },
}

/// Splits `text` at `{name}`; a brace without its partner is text.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let words = match rest.find('{') {
            Some(0) => match rest.find('}') {
                Some(close) => {
                    let piece = Piece::Placeholder { name: &rest[1..close], at };
                    at += close + 1;
                    return Some(piece);
                }
                None => rest,
            },
            Some(open) => &rest[..open],
            None => rest,
        };
        at += words.len();
        Some(Piece::Text(words))
    })
}
