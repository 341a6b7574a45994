//! Amounts of memory and of files as people type them: `64M`, `512MiB`, `1G`.
//!
//! Refuses a bare number: `--memory 64` leaves open whether octets or megabytes were meant.

use core::ops::RangeInclusive;

/// Below this nothing would be left for connections.
const LEAST: u64 = 24 << 20;
const MOST: u64 = 64 << 30;
/// Below this a recording would hold a second of a download.
const LEAST_OF_FILES: u64 = 64 << 10;

/// What the analysis may take: a whole number and its unit, `K`, `M` or `G` (powers of 1024, `MB` and `MiB` mean the
/// same), in octets.
pub fn parse(text: &str) -> Result<u64, String> {
    within(text, LEAST..=MOST, "24M to 64G")
}

/// What frames may take, in memory or in files.
pub fn of_files(text: &str) -> Result<u64, String> {
    within(text, LEAST_OF_FILES..=1 << 44, "64K to 16384G")
}

fn within(text: &str, range: RangeInclusive<u64>, words: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size; write it with its unit, as in 64M or 1G");
    let text_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(text_at);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err(wrong()),
    };
    let octets =
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift)).ok_or_else(wrong)?;
    if !range.contains(&octets) {
        return Err(format!("`{text}` is out of range; give {words}"));
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::{of_files, parse};

    #[test]
    fn whole_numbers_with_a_unit_and_nothing_else() {
        for (text, octets) in
            [("64M", 64 << 20), ("24mib", 24 << 20), ("65536K", 64 << 20), ("1G", 1 << 30), ("2GB", 2 << 30)]
        {
            assert_eq!(parse(text), Ok(octets), "{text}");
        }
        for text in ["64", "", "M", "-1M", "1.5G", "64 M", "23M", "65G", "99999999999999999999G", "64Q"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("64").unwrap_err().contains("64M"));
        assert_eq!((of_files("64K"), of_files("512MiB")), (Ok(64 << 10), Ok(512 << 20)));
        assert!(of_files("63K").is_err() && of_files("17000G").is_err());
    }
}
