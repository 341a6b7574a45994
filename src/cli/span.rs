//! Spans of time as people type them: `30s`, `5m`, `1h30m`, `250ms`.
//!
//! Knows no clock, and refuses a bare number: `--duration 5` leaves open whether seconds or minutes were meant.

use core::time::Duration;

/// Reads one or more `<number><unit>` parts, units `ms`, `s`, `m`, `h`, the number possibly with decimals.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no span of time; write it with units, as in 30s, 5m, 1h30m or 500ms");
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(unit_at);
        let unit_end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let factor = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let part = Duration::try_from_secs_f64(number * factor).map_err(|_| wrong())?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = tail;
    }
    if total.is_zero() {
        return Err(format!("`{text}` is no time at all; give a span above zero, as in 30s"));
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_type() {
        let table = [
            ("30s", 30_000),
            ("5m", 300_000),
            ("5min", 300_000),
            ("1h30m", 5_400_000),
            ("500ms", 500),
            ("1.5s", 1_500),
            (" 2s ", 2_000),
        ];
        for (text, millis) in table {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_what_could_mean_two_things_or_nothing() {
        for text in ["", "5", "s", "5 s", "0s", "-1s", "5d", "1..2s", "9999999999999999999999h", "5s3"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
