//! Decisions of random tests: taken from bytes that somebody else has chosen, proptest or a fuzzer, so that each of them can be
//! changed and made smaller on its own; or, where there are too many for that, from a seed. When the bytes are used up every
//! choice is the first one, so what stands first should be simple.

/// Where decisions come from.
pub struct Choices<'b> {
    source: Source<'b>,
}

enum Source<'b> {
    Bytes(&'b [u8]),
    Seed(u64),
}

impl<'b> Choices<'b> {
    pub fn of(bytes: &'b [u8]) -> Choices<'b> {
        Choices { source: Source::Bytes(bytes) }
    }

    /// Endless.
    pub fn seeded(seed: u64) -> Choices<'static> {
        Choices { source: Source::Seed(seed) }
    }

    /// One of `0..count`.
    pub fn below(&mut self, count: usize) -> usize {
        match count {
            0..=1 => 0,
            2..=256 => usize::from(self.byte()) * count / 256,
            _ => (usize::from(self.byte()) * 256 + usize::from(self.byte())) * count / 65_536,
        }
    }

    /// One of `low..high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low) as usize) as i64
    }

    /// Rarely so, the more rarely the larger `count` is.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) + 1 == count
    }

    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    pub fn word(&mut self, words: &[&str]) -> String {
        self.pick(words).to_string()
    }

    /// The index of one of the weights, as likely as it is heavy.
    pub fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut place = self.below(weights.iter().sum());
        let is_here = |weight: &usize| {
            let here = place < *weight;
            place = place.saturating_sub(*weight);
            here
        };
        weights.iter().position(is_here).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        match &mut self.source {
            Source::Bytes(bytes) => match bytes.split_first() {
                Some((first, rest)) => {
                    *bytes = rest;
                    *first
                }
                None => 0,
            },
            Source::Seed(state) => {
                // SplitMix64.
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut mixed = *state;
                mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                (mixed >> 56) as u8
            }
        }
    }
}
