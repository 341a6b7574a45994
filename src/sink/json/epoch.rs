//! Seconds since 1970 with microseconds, as JSON: digit for digit what `serde_json` writes. Every event bears some.
//!
//! Refuses all other numbers.

/// Of seconds that have ten digits before the point and six after it: all of them.
///
/// `None` where `value` is not the number nearest to that. Below 4e9 neighbouring numbers are less than a microsecond
/// apart, so each of these decimals has a number of its own, which no shorter decimal means; and the seconds fit into 32 bits.
#[inline]
pub fn digits(value: f64) -> Option<[u8; 17]> {
    if !(1e9..4e9).contains(&value) {
        return None;
    }
    let micros = (value * 1e6 + 0.5) as u64;
    if micros as f64 / 1e6 != value {
        return None;
    }
    let mut text = *b"0000000000.000000";
    put(&mut text[..10], micros / 1_000_000);
    put(&mut text[11..], micros % 1_000_000);
    Some(text)
}

/// Decimal digits two by two, in all of `places`.
#[inline]
fn put(places: &mut [u8], number: u64) {
    let mut left = number as u32;
    for pair in places.as_chunks_mut::<2>().0.iter_mut().rev() {
        *pair = PAIRS[(left % 100) as usize];
        left /= 100;
    }
}

/// `00` to `99`.
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    pairs
};
