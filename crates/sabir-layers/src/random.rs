//! Numbers to choose by: not secret, cheap, and the same in every run where they are seeded.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// `SplitMix64` (Steele, Lea, Flood 2014): one addition a number, so that many callers share it without a lock.
#[derive(Debug)]
pub(crate) struct Random(AtomicU64);

/// Other numbers in every process.
impl Default for Random {
    fn default() -> Self {
        Self::seeded(RandomState::new().build_hasher().finish())
    }
}

impl Random {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        mix(self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP))
    }

    /// A number below `end`; 0 where that is 0.
    pub(crate) fn below(&self, end: u64) -> u64 {
        let scaled = u128::from(self.next()) * u128::from(end);
        u64::try_from(scaled >> 64).expect("the upper half of 128 bits")
    }

    /// A place in a list of so many.
    pub(crate) fn index(&self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("below a usize")
    }
}

/// Spreads a number over all 64 bits; of different numbers, different ones.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_met_as_often_and_a_seed_repeats() {
        let (random, again) = (Random::seeded(7), Random::seeded(7));
        let mut met = [0_u32; 5];
        for _ in 0..50_000 {
            let at = random.index(5);
            assert_eq!(at, again.index(5));
            met[at] += 1;
        }
        assert!(met.iter().all(|n| n.abs_diff(10_000) < 300), "{met:?}");
        assert_eq!(random.below(0), 0);
    }
}
