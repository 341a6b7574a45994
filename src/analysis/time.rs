//! Packet time: the only clock that analysis knows.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeStruct};

/// Nanoseconds since 1970-01-01T00:00:00Z, taken from a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    pub const ZERO: Timestamp = Timestamp(0);
    pub const MAX: Timestamp = Timestamp(u64::MAX);

    pub const fn from_nanos(nanos: u64) -> Self {
        Timestamp(nanos)
    }

    pub const fn from_micros(micros: u64) -> Self {
        Timestamp(micros.saturating_mul(1_000))
    }

    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to `self`; zero where `earlier` is the later one (captures do reorder).
    pub const fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Seconds from `origin` to `self`, negative where `self` is the earlier one.
    pub fn seconds_after(self, origin: Timestamp) -> f64 {
        if self.0 >= origin.0 { self.since(origin).as_secs_f64() } else { -origin.since(self).as_secs_f64() }
    }

    pub const fn saturating_add(self, span: Duration) -> Timestamp {
        let nanos = span.as_nanos();
        Timestamp(if nanos > u64::MAX as u128 { u64::MAX } else { self.0.saturating_add(nanos as u64) })
    }

    pub const fn saturating_sub(self, span: Duration) -> Timestamp {
        let nanos = span.as_nanos();
        Timestamp(if nanos > self.0 as u128 { 0 } else { self.0 - nanos as u64 })
    }

    /// The last whole multiple of `span` since the epoch.
    pub const fn round_down(self, span: Duration) -> Timestamp {
        match self.0.checked_rem(span.as_nanos() as u64) {
            Some(past) => Timestamp(self.0 - past),
            None => self,
        }
    }

    /// Seconds since the epoch, cut to whole microseconds: the contract's `epoch`.
    pub fn epoch_seconds(self) -> f64 {
        (self.0 / 1_000) as f64 / 1e6
    }

    /// Whether the two lie at least `span` apart, whichever comes first.
    #[inline]
    pub const fn is_far_from(self, other: Timestamp, span: Duration) -> bool {
        self.0.abs_diff(other.0) as u128 >= span.as_nanos()
    }

    /// The inverse of [`Timestamp::epoch_seconds`]; nonsense (negative, NaN, beyond range) becomes the nearest end.
    pub fn from_epoch_seconds(seconds: f64) -> Timestamp {
        Timestamp::from_micros((seconds * 1e6).round() as u64)
    }
}

/// RFC 3339, UTC, microseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Rfc3339::of(*self).as_str())
    }
}

/// By hand, since every event bears one: the last year that nanoseconds reach is 2554. In whole words: so the standard library
/// looks at words, where it makes a `str` of all.
#[repr(align(8))]
struct Rfc3339([u8; 32]);

impl Rfc3339 {
    fn of(time: Timestamp) -> Rfc3339 {
        let (seconds, micros) = (time.0 / 1_000_000_000, time.0 / 1_000 % 1_000_000);
        let (year, month, day) = date(seconds / 86_400);
        let mut text = *b"0000-00-00T00:00:00.000000Z     ";
        put(&mut text[..4], year);
        put(&mut text[5..7], month);
        put(&mut text[8..10], day);
        put(&mut text[11..13], seconds / 3_600 % 24);
        put(&mut text[14..16], seconds / 60 % 60);
        put(&mut text[17..19], seconds % 60);
        put(&mut text[20..26], micros);
        Rfc3339(text)
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.0).ok().and_then(|text| text.get(..27)).unwrap_or_default()
    }
}

/// Decimal digits, in all of `places`.
fn put(places: &mut [u8], mut number: u64) {
    for place in places.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day in the Gregorian calendar, so many days after 1970-01-01.
///
/// Counted in eras of 400 years, and years that begin in March: so the leap day is a year's last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153; // 0 is March
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (since, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
    (400 * era + year + since, month, day)
}

/// As one number: `epoch` seconds with microseconds.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.epoch_seconds())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Timestamp::from_epoch_seconds)
    }
}

/// A timestamp that is written as the contract's pair `time` and `epoch`; meant to be flattened into an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct When(pub Timestamp);

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pair = serializer.serialize_struct("When", 2)?;
        self.write_fields(&mut pair)?;
        pair.end()
    }
}

impl When {
    /// Adds the pair to the fields of an object.
    pub fn write_fields<O: SerializeStruct>(&self, object: &mut O) -> Result<(), O::Error> {
        object.serialize_field("time", Rfc3339::of(self.0).as_str())?;
        object.serialize_field("epoch", &self.0)
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Pair {
            epoch: Timestamp,
        }
        Pair::deserialize(deserializer).map(|pair| When(pair.epoch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prints_utc_with_microseconds() {
        assert_eq!(
            Timestamp::from_nanos(1_795_391_028_323_001_999).to_string(),
            "2026-11-22T23:43:48.323001Z"
        );
        assert_eq!(Timestamp::ZERO.to_string(), "1970-01-01T00:00:00.000000Z");
    }

    proptest! {
        #[test]
        fn the_calendar_is_jiffs(nanos: u64) {
            let time = jiff::Timestamp::from_nanosecond(i128::from(nanos / 1_000 * 1_000)).unwrap();
            prop_assert_eq!(Timestamp::from_nanos(nanos).to_string(), format!("{time:.6}"));
        }
    }

    #[test]
    fn every_day_has_its_date() {
        let last = u64::MAX / 1_000_000_000 / 86_400;
        for day in 0..=last {
            let seconds = day * 86_400;
            let time = jiff::Timestamp::from_second(seconds as i64).unwrap();
            assert_eq!(Timestamp::from_micros(seconds * 1_000_000).to_string(), format!("{time:.6}"));
        }
    }

    #[test]
    fn sums_and_differences_stay_within_the_clock() {
        let one = Timestamp::from_nanos(1_000);
        assert_eq!(one.saturating_add(Duration::MAX).nanos(), u64::MAX);
        assert_eq!(one.saturating_add(Duration::from_nanos(5)).nanos(), 1_005);
        assert_eq!(one.saturating_sub(Duration::MAX), Timestamp::ZERO);
        assert_eq!(one.saturating_sub(Duration::from_nanos(5)).nanos(), 995);
    }

    #[test]
    fn a_pair_survives_json() {
        let when = When(Timestamp::from_micros(1_795_391_028_323_001));
        let text = serde_json::to_string(&when).unwrap();
        assert_eq!(text, r#"{"time":"2026-11-22T23:43:48.323001Z","epoch":1795391028.323001}"#);
        assert_eq!(serde_json::from_str::<When>(&text).unwrap(), when);
    }
}
