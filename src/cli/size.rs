//! Amounts of memory and of files as people type them: `64M`, `512MiB`, `1G`.
//!
//! Refuses a bare number: `--memory 64` leaves open whether octets or megabytes were meant.

use core::ops::RangeInclusive;

/// Below this nothing would be left for connections.
const MEMORY: RangeInclusive<u64> = 24 << 20..=64 << 30;
/// What is handed on at once must fit into a piece.
const PIECE: RangeInclusive<u64> = 1 << 20..=64 << 30;
/// Below this a recording would hold a second of a download.
const FRAMES: RangeInclusive<u64> = 64 << 10..=1 << 44;

/// Reads what `--memory` takes, into octets.
pub fn memory(text: &str) -> Result<u64, String> {
    within(text, MEMORY, "24M to 64G")
}

/// Reads what `--rotate` takes, into octets.
pub fn piece(text: &str) -> Result<u64, String> {
    within(text, PIECE, "1M to 64G")
}

/// What frames may take, in memory or in files, in octets.
pub fn of_files(text: &str) -> Result<u64, String> {
    within(text, FRAMES, "64K to 16384G")
}

fn within(text: &str, bounds: RangeInclusive<u64>, told: &str) -> Result<u64, String> {
    let octets = octets(text)?;
    if bounds.contains(&octets) { Ok(octets) } else { Err(format!("`{text}` is out of range; give {told}")) }
}

/// A whole number and its unit, `K`, `M` or `G` (powers of 1024, `MB` and `MiB` mean the same).
fn octets(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size; write it with its unit, as in 64M or 1G");
    let text_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(text_at);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::{memory, of_files, piece};

    #[test]
    fn whole_numbers_with_a_unit_and_nothing_else() {
        for (text, octets) in
            [("64M", 64 << 20), ("24mib", 24 << 20), ("65536K", 64 << 20), ("1G", 1 << 30), ("2GB", 2 << 30)]
        {
            assert_eq!(memory(text), Ok(octets), "{text}");
        }
        for text in ["64", "", "M", "-1M", "1.5G", "64 M", "23M", "65G", "99999999999999999999G", "64Q"] {
            assert!(memory(text).is_err(), "{text}");
        }
        assert!(memory("64").unwrap_err().contains("64M"));
        assert_eq!(piece("1M"), Ok(1 << 20));
        assert!(piece("1023K").unwrap_err().contains("1M to 64G"));
        assert_eq!((of_files("64K"), of_files("512MiB")), (Ok(64 << 10), Ok(512 << 20)));
        assert!(of_files("63K").is_err() && of_files("17000G").is_err());
    }
}
