//! Counting values in buckets whose width grows with the value: bounded memory, a known error, no lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Each power of two is cut into this many buckets, so a percentile is at most 1/16 off.
const PARTS: u64 = 8;
const PART_BITS: u32 = PARTS.trailing_zeros();
/// Up to 2^40: twelve days in [`UNITS`], a trillion tokens. What is beyond counts as that.
const OCTAVES: u32 = 40;
const BUCKETS: usize = 8 + (OCTAVES - PART_BITS) as usize * 8;

/// A time is counted in units of 10 ms / 1024, so that 10 ms · 2^n, the bounds that OpenTelemetry's conventions for
/// generative AI advise, are bounds of buckets.
fn units(time: Duration) -> u64 {
    u64::try_from(time.as_nanos() * 8 / 78_125).unwrap_or(u64::MAX)
}

/// How often values were seen, by size.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }
}

impl Histogram {
    pub(crate) fn time(&self, time: Duration) {
        self.add(units(time), 1);
    }

    /// Counts a value `times` times.
    pub(crate) fn add(&self, value: u64, times: u64) {
        // A bucket holds its upper bound and not its lower one, as Prometheus wants it.
        self.buckets[bucket(value.saturating_sub(1))].fetch_add(times, Relaxed);
        self.sum.fetch_add(value.saturating_mul(times), Relaxed);
    }

    /// What was seen so far.
    pub(crate) fn seen(&self) -> Seen {
        Seen { counts: self.buckets.iter().map(|n| n.load(Relaxed)).collect(), sum: self.sum.load(Relaxed) }
    }
}

/// What a histogram had seen at some time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    counts: Vec<u64>,
    pub(crate) sum: u64,
}

impl Seen {
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.counts.resize(self.counts.len().max(other.counts.len()), 0);
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// How many values were at most 2^`power`.
    pub(crate) fn up_to(&self, power: u32) -> u64 {
        self.counts.iter().take(bucket(1 << power)).sum()
    }

    /// The value below which a share of all values is, taken from the middle of its bucket; `None` of nothing.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let rank = ((count as f64 * share).ceil() as u64).clamp(1, count);
        let mut passed = 0;
        let at = self.counts.iter().position(|n| {
            passed += n;
            passed >= rank
        })?;
        let (from, to) = bounds(at);
        #[expect(clippy::cast_precision_loss, reason = "a bound is at most 2^40")]
        Some((from + 1 + to) as f64 / 2.0)
    }

    /// [`quantile`](Self::quantile) of times.
    pub(crate) fn time(&self, share: f64) -> Option<Duration> {
        self.quantile(share).map(|units| Duration::from_secs_f64(units * UNIT_SECONDS))
    }

    /// The sum of all times, in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a sum that loses its last digits is still the sum")]
        let sum = self.sum as f64;
        sum * UNIT_SECONDS
    }
}

/// The length of a unit of [`units`].
const UNIT_SECONDS: f64 = 0.01 / 1024.0;

fn bucket(value: u64) -> usize {
    let value = value.min((1 << OCTAVES) - 1);
    if value < PARTS {
        return usize::try_from(value).expect("less than 8");
    }
    let octave = value.ilog2();
    let part = (value >> (octave - PART_BITS)) - PARTS;
    usize::try_from(PARTS + u64::from(octave - PART_BITS) * PARTS + part).expect("fewer than 2^10 buckets")
}

/// The least value of a bucket, and the least of the one after it.
fn bounds(bucket: usize) -> (u64, u64) {
    let bucket = bucket as u64;
    if bucket < PARTS {
        return (bucket, bucket + 1);
    }
    let (octave, part) = ((bucket - PARTS) / PARTS, (bucket - PARTS) % PARTS);
    ((PARTS + part) << octave, (PARTS + part + 1) << octave)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_between_the_bounds_of_its_bucket() {
        let mut value = 1u64;
        while value < 1 << OCTAVES {
            for near in [value - 1, value, value + 1] {
                let (from, to) = bounds(bucket(near));
                assert!((from..to).contains(&near), "{near} is not in {from}..{to}");
                assert!(to - from <= 1.max(near / PARTS + 1), "{near}: {from}..{to} is too wide");
            }
            value = value * 3 / 2 + 1;
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_close_and_bounds_exact() {
        let histogram = Histogram::default();
        for n in 1..=1000 {
            histogram.time(Duration::from_millis(n));
        }
        let seen = histogram.seen();
        assert_eq!(seen.count(), 1000);
        for (share, exact) in [(0.5, 0.5), (0.95, 0.95), (0.99, 0.99)] {
            let found = seen.time(share).expect("seen").as_secs_f64();
            assert!((found / exact - 1.0).abs() < 1.0 / 16.0, "{share}: {found} for {exact}");
        }
        // 640 ms is 2^16 units.
        assert_eq!(seen.up_to(16), 640);
        assert!((seen.seconds() - 500.5).abs() < 0.02);
        histogram.add(1 << 16, 1);
        assert_eq!(histogram.seen().up_to(16), 641);
        assert_eq!(Histogram::default().seen().time(0.5), None);
    }
}
