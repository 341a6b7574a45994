//! Octets read as numbers and pieces, as long as there are any. Behind the end everything is zero, so that a shorter
//! input means something too.

/// The link types that the decoder reads, and some that it does not.
pub const LINKS: [u32; 12] = [1, 101, 113, 276, 228, 229, 0, 12, 105, 108, 127, 9_999];

pub struct Octets<'a>(pub &'a [u8]);

impl<'a> Octets<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub fn u8(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from(self.u32()) << 32 | u64::from(self.u32())
    }

    /// A number whose length in bits is as likely to be small as to be large: 0, then 1 to some 2^32.
    pub fn span(&mut self) -> u64 {
        let code = u64::from(self.u8());
        if code == 0 { 0 } else { (8 + (code & 7)) << (code >> 3) >> 3 }
    }
}
