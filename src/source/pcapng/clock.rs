//! An interface's clock in pcapng: in what units it counts (`if_tsresol`) and from when (`if_tsoffset`).

use crate::analysis::time::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    unit: Unit,
    /// Nanoseconds to add.
    offset: i128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Nanoseconds a unit.
    Coarse(u64),
    /// Units a nanosecond.
    Fine(u64),
    /// 2^-n seconds.
    Binary(u8),
    /// So fine that 2^64 of them are less than a nanosecond.
    Nothing,
}

impl Clock {
    /// `tsresol`: the negative power of ten, or of two where the top bit is set. `tsoffset`: seconds.
    pub fn new(tsresol: u8, tsoffset: i64) -> Clock {
        let power = tsresol & 0x7f;
        let unit = if tsresol & 0x80 != 0 {
            Unit::Binary(power)
        } else if power <= 9 {
            Unit::Coarse(10_u64.pow(9 - u32::from(power)))
        } else {
            10_u64.checked_pow(u32::from(power) - 9).map_or(Unit::Nothing, Unit::Fine)
        };
        Clock { unit, offset: i128::from(tsoffset) * 1_000_000_000 }
    }

    /// Times before 1970 and after 2554 become the nearest end.
    pub fn time(self, units: u64) -> Timestamp {
        let nanos = match self.unit {
            // The usual clocks, micro- and nanoseconds from the epoch, in plain 64 bits.
            Unit::Coarse(nanos) if self.offset == 0 => {
                return Timestamp::from_nanos(units.saturating_mul(nanos));
            }
            Unit::Coarse(nanos) => u128::from(units) * u128::from(nanos),
            Unit::Fine(units_a_nano) => u128::from(units / units_a_nano),
            // 64 bits of units and 30 of a second's nanoseconds fit in 128.
            Unit::Binary(power) => (u128::from(units) * 1_000_000_000) >> power,
            Unit::Nothing => 0,
        };
        let nanos = nanos as i128 + self.offset;
        Timestamp::from_nanos(nanos.clamp(0, i128::from(u64::MAX)) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_in_every_resolution() {
        // (tsresol, tsoffset, units, nanoseconds)
        let cases = [
            (6, 0, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
            (9, 0, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
            (0, 0, 1_700_000_000, 1_700_000_000_000_000_000),
            (3, 0, 1_700_000_000_123, 1_700_000_000_123_000_000),
            (12, 0, 1_700_000_123_456_789_012, 1_700_000_123_456_789),
            (19, 0, u64::MAX, 1_844_674_407),
            (127, 0, u64::MAX, 0),
            (0x80, 0, 5, 5_000_000_000),
            (0x80 | 10, 0, 1024 * 1_700_000_000 + 512, 1_700_000_000_500_000_000),
            (0x80 | 32, 0, 3 << 31, 1_500_000_000),
            (0xff, 0, u64::MAX, 0),
            (6, 1_700_000_000, 250_000, 1_700_000_000_250_000_000),
            (6, -10, 11_000_000, 1_000_000_000),
            (6, -10, 9_000_000, 0),
            (0, 0, u64::MAX, u64::MAX),
            (0, i64::MAX, u64::MAX, u64::MAX),
            (6, i64::MIN, u64::MAX, 0),
        ];
        for (tsresol, tsoffset, units, nanos) in cases {
            let time = Clock::new(tsresol, tsoffset).time(units);
            assert_eq!(time.nanos(), nanos, "tsresol {tsresol:#x}, tsoffset {tsoffset}, {units} units");
        }
    }
}
