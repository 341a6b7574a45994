//! What was seen of an endpoint: one bit each. Beside eight numbers of four octets an `Option` each would take as much again.

/// Which numbers of an endpoint were seen: a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known(u8);

impl Known {
    pub const ISS: Known = Known(1);
    pub const SND_NXT: Known = Known(1 << 1);
    pub const SND_UNA: Known = Known(1 << 2);
    pub const RCV_NXT: Known = Known(1 << 3);
    pub const WINDOW: Known = Known(1 << 4);
    /// The right edge of its window.
    pub const EDGE: Known = Known(1 << 5);
    pub const FIN: Known = Known(1 << 6);

    #[inline]
    pub const fn has(self, one: Known) -> bool {
        self.0 & one.0 != 0
    }

    /// `value`, if `one` was seen.
    #[inline]
    pub const fn of<T: Copy>(self, one: Known, value: T) -> Option<T> {
        if self.has(one) { Some(value) } else { None }
    }

    #[inline]
    pub const fn add(&mut self, one: Known) {
        self.0 |= one.0;
    }
}
