//! Chance that is the same each time: SplitMix64.

#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A sequence number to begin with.
    pub fn sequence(&mut self) -> u32 {
        (self.number() >> 32) as u32
    }

    /// From `least` to before `most`, which must be more.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.number() % (most - least)
    }

    pub fn one_in(&mut self, many: u64) -> bool {
        self.number().is_multiple_of(many)
    }
}
