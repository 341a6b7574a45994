//! The ladder once more, as a Mermaid sequence diagram.
//!
//! Knows so much of Mermaid's grammar that it keeps away from it: a label is letters, digits and blanks, whatever was
//! seen on the wire.

use super::{episode::Episode, ladder::Cut, words::flags};
use crate::analysis::{detect::EvidenceSegment, time::Timestamp};
use crate::text::counted;

/// Letters of a label.
const LABEL: usize = 80;

/// Draws the frames that the ladder draws; `None` where there are none.
pub fn draw(episode: &Episode) -> Option<String> {
    let rows: Vec<&EvidenceSegment> = episode.rows.iter().collect();
    let origin = rows.first()?.epoch;
    let cut = Cut::of(&episode.rows, &rows);
    let mut lines = vec![
        "sequenceDiagram".to_owned(),
        "participant C as Client".to_owned(),
        "participant D as Device".to_owned(),
    ];
    lines.extend(cut.head(&rows).iter().map(|row| arrow(row, origin)));
    lines.extend(cut.left_out(&episode.rows, &rows).map(|words| format!("Note over C,D: {}", label(&words))));
    lines.extend(cut.tail(&rows).iter().map(|row| arrow(row, origin)));
    Some(lines.join("\n    "))
}

fn arrow(row: &EvidenceSegment, origin: Timestamp) -> String {
    let way = if row.from_client { "C->>D" } else { "D->>C" };
    let octets = if row.len > 0 { counted(u64::from(row.len), "octet") } else { String::new() };
    let after = row.epoch.since(origin).as_millis();
    let words = format!("frame {} after {after} ms {} {} {octets}", row.frame, flags(&row.flags), row.role);
    format!("{way}: {}", label(&words))
}

/// `words` with nothing in it that Mermaid could act on.
fn label(words: &str) -> String {
    let kept: String =
        words.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' }).take(LABEL).collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_letters_digits_and_blanks() {
        assert_eq!(label("SYN; end %% <b>\u{1b}[0m ж #35;"), "SYN end b 0m 35");
        assert_eq!(label(&"x".repeat(500)).len(), LABEL);
    }
}
