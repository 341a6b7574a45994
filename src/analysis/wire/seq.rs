//! Sequence numbers and their modular arithmetic.

use core::fmt;

/// A position in TCP sequence space (RFC 9293 §3.4).
///
/// Order is modular and not transitive, so this type has no `Ord`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeqNum(pub u32);

impl SeqNum {
    /// Signed octets from `self` forward to `later`; exact while the two are less than 2^31 apart.
    pub const fn distance_to(self, later: SeqNum) -> i32 {
        later.0.wrapping_sub(self.0) as i32
    }

    /// The position `octets` further on.
    pub const fn plus(self, octets: u32) -> SeqNum {
        SeqNum(self.0.wrapping_add(octets))
    }

    /// `self` lies before `other`.
    pub const fn precedes(self, other: SeqNum) -> bool {
        self.distance_to(other) > 0
    }

    /// `self` lies at or after `other`: an acknowledgment `self` covers everything before `other`.
    pub const fn reaches(self, other: SeqNum) -> bool {
        other.distance_to(self) >= 0
    }

    /// The later of the two.
    pub const fn later_of(self, other: SeqNum) -> SeqNum {
        if self.precedes(other) { other } else { self }
    }
}

impl fmt::Display for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::SeqNum;

    #[test]
    fn order_wraps() {
        let before = SeqNum(u32::MAX - 4);
        let after = before.plus(10);
        assert_eq!(after, SeqNum(5));
        assert_eq!(before.distance_to(after), 10);
        assert_eq!(after.distance_to(before), -10);
        assert!(before.precedes(after) && after.reaches(before) && !before.reaches(after));
        assert!(after.reaches(after) && !after.precedes(after));
        assert_eq!(before.later_of(after), after);
    }

    proptest::proptest! {
        /// The naive oracle: the same arithmetic in 64 bits, around an unwrapped base.
        #[test]
        fn agrees_with_unwrapped_numbers(base in 0u64..1 << 33, step in 0u64..1 << 31) {
            let (from, to) = (SeqNum(base as u32), SeqNum((base + step) as u32));
            proptest::prop_assert_eq!(i64::from(from.distance_to(to)), step as i64);
            proptest::prop_assert_eq!(from.precedes(to), step > 0);
            proptest::prop_assert!(to.reaches(from));
        }
    }
}
