//! Percentiles of any number of times in a few kilobytes.

/// Values up to this are kept exactly; above, each doubling has half as many steps.
const EXACT: u64 = 128;
const STEPS: usize = 64;
/// Of all 57 doublings above that a 64-bit value can have.
const BUCKETS: usize = 128 + 57 * STEPS;

/// Counts of values, in steps that are never wider than a 64th of the value (as `HdrHistogram` has them).
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: u128,
    least: u64,
    most: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], count: 0, sum: 0, least: u64::MAX, most: 0 }
    }
}

impl Histogram {
    pub(super) fn record(&mut self, value: u64) {
        if let Some(count) = self.counts.get_mut(bucket(value)) {
            *count += 1;
        }
        self.count += 1;
        self.sum += u128::from(value);
        self.least = self.least.min(value);
        self.most = self.most.max(value);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The mean, exact but for its fraction; `None` of nothing.
    pub(super) fn mean(&self) -> Option<u64> {
        let mean = self.sum.checked_div(u128::from(self.count))?;
        u64::try_from(mean).ok()
    }

    pub(super) fn most(&self) -> Option<u64> {
        (self.count > 0).then_some(self.most)
    }

    /// The least value that so many thousandths of all values do not pass (nearest rank): exact up to 127, at most a
    /// 64th above the true one elsewhere. `None` of nothing.
    pub(super) fn at(&self, thousandths: u64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let rank = (u128::from(self.count) * u128::from(thousandths.min(1_000))).div_ceil(1_000).max(1);
        let mut passed = 0_u128;
        for (bucket, count) in self.counts.iter().enumerate() {
            passed += u128::from(*count);
            if passed >= rank {
                return Some(last_of(bucket).clamp(self.least, self.most));
            }
        }
        Some(self.most)
    }
}

/// The bucket of a value.
fn bucket(value: u64) -> usize {
    if value < EXACT {
        return usize::try_from(value).unwrap_or(0);
    }
    // 64 to 127 of what is left when the last `shift` bits are cut off.
    let shift = value.ilog2() - 6;
    let step = usize::try_from(value >> shift).unwrap_or(STEPS) - STEPS;
    128 + (shift as usize - 1) * STEPS + step
}

/// The greatest value of a bucket.
fn last_of(bucket: usize) -> u64 {
    let Some(above) = bucket.checked_sub(128) else { return bucket as u64 };
    let (shift, step) = (above / STEPS + 1, above % STEPS + STEPS);
    let first = (step as u64) << shift;
    first + ((1_u64 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_the_bucket_that_ends_at_or_just_above_it() {
        let mut value = 1_u64;
        let near = (0..64).flat_map(|bit| [1_u64 << bit, (1_u64 << bit) - 1, (1_u64 << bit) | (1_u64 << bit) >> 3]);
        let random = (0..100_000).map(|_| {
            value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            value >> (value % 60)
        });
        for value in near.chain(random).chain([0, u64::MAX]) {
            let (at, last) = (bucket(value), last_of(bucket(value)));
            assert!(at < BUCKETS, "{value}");
            assert!(last >= value && last - value <= value / 64, "{value} in {at}, which ends at {last}");
            assert!(at == 0 || last_of(at - 1) < value, "{value} is not in the one before");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_values() {
        let mut seed = 7_u64;
        for length in [1_u64, 2, 3, 10, 99, 100, 101, 5_000] {
            let mut histogram = Histogram::default();
            let mut values: Vec<u64> = (0..length)
                .map(|_| {
                    seed ^= seed << 13;
                    seed ^= seed >> 7;
                    seed ^= seed << 17;
                    seed % 3_000_000
                })
                .collect();
            for value in &values {
                histogram.record(*value);
            }
            values.sort_unstable();
            for thousandths in [0_u64, 1, 500, 900, 950, 990, 999, 1_000] {
                let rank = (length * thousandths).div_ceil(1_000).max(1);
                let exact = values[usize::try_from(rank).expect("small") - 1];
                let said = histogram.at(thousandths).expect("some");
                assert!(said >= exact && said - exact <= exact / 64, "{length} {thousandths}: {said}, not {exact}");
            }
            assert_eq!(histogram.most(), values.last().copied());
            assert_eq!(histogram.mean(), Some(values.iter().sum::<u64>() / length));
        }
        assert_eq!((Histogram::default().at(500), Histogram::default().mean()), (None, None));
    }
}
