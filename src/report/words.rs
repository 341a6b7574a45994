//! Numbers, times and lists as a person reads them.

use core::fmt::Display;

use crate::analysis::{detect::EvidenceSegment, time::Timestamp};

/// A sum that a stream with absurd numbers cannot break.
pub fn total(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

pub fn list<T: Display>(items: &[T], most: usize) -> String {
    let mut text = items.iter().take(most).map(T::to_string).collect::<Vec<_>>().join(", ");
    if items.len() > most {
        text.push_str(&format!(" and {} more", items.len() - most));
    }
    text
}

/// A span that a person can picture: `85 µs`, `1.6 ms`, `0.200 s`, `67.5 s`.
pub fn span(seconds: f64) -> String {
    let size = seconds.abs();
    if !size.is_finite() {
        "an unknown time".to_owned()
    } else if size == 0.0 {
        "0 s".to_owned()
    } else if size < 0.000_999_5 {
        format!("{:.0} µs", seconds * 1e6)
    } else if size < 0.099_95 {
        format!("{:.1} ms", seconds * 1e3)
    } else if size < 9.9995 {
        format!("{seconds:.3} s")
    } else if size < 1e9 {
        format!("{seconds:.1} s")
    } else {
        format!("{seconds:e} s")
    }
}

/// Seconds with microseconds after `origin`, as Wireshark shows them: `+0.200411`.
pub fn after(time: Timestamp, origin: Timestamp) -> String {
    format!("{:+.6}", time.seconds_after(origin))
}

/// `2026-11-22 23:43:48.993133 UTC`.
pub fn utc(time: Timestamp) -> String {
    let full = time.to_string();
    match full.strip_suffix('Z') {
        Some(plain) => format!("{} UTC", plain.replacen('T', " ", 1)),
        None => format!("{full} s since 1970"),
    }
}

/// tcpdump's letters as Wireshark's words: `S.` is `SYN ACK`.
pub fn flags(letters: &str) -> String {
    let mut words = Vec::new();
    for letter in letters.chars().take(9) {
        words.push(match letter {
            'S' => "SYN",
            'F' => "FIN",
            'R' => "RST",
            'P' => "PSH",
            'U' => "URG",
            '.' => "ACK",
            'E' => "ECE",
            'W' => "CWR",
            // Not one of ours: shown as it came, without what could act.
            _ => return crate::text::escape(letters).into_owned(),
        });
    }
    if words.is_empty() { "no flags".to_owned() } else { words.join(" ") }
}

/// Whether this opens a connection.
pub fn is_opening(row: &EvidenceSegment) -> bool {
    row.from_client && row.flags == "S"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_picturable() {
        for (seconds, words) in [
            (0.0, "0 s"),
            (0.000_085, "85 µs"),
            (0.001_6, "1.6 ms"),
            (0.2, "0.200 s"),
            (67.519_5, "67.5 s"),
            (f64::NAN, "an unknown time"),
            (1e300, "1e300 s"),
        ] {
            assert_eq!(span(seconds), words);
        }
    }

    #[test]
    fn flags_are_words() {
        assert_eq!(flags("S."), "SYN ACK");
        assert_eq!(flags("."), "ACK");
        assert_eq!(flags(""), "no flags");
        assert_eq!(flags("x\x1b"), "x\\u{1b}");
    }
}
