//! How long to wait before the next try.

use std::time::Duration;

use crate::random::Random;

/// Exponential backoff with full jitter: before retry `n` (from 0) a wait between nothing and `first × factorⁿ`, at most
/// `most`. All of it is drawn, so that callers who failed together do not come back together ("Exponential Backoff and
/// Jitter", AWS Architecture Blog, 2015).
///
/// ```
/// use std::time::Duration;
/// use sabir_layers::Backoff;
///
/// let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2)).factor(3.0);
/// assert_eq!(backoff.ceiling(1), Duration::from_millis(300));
/// assert_eq!(backoff.ceiling(9), Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    factor: f64,
}

impl Default for Backoff {
    /// 100 ms, doubled up to 2 s.
    fn default() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(2))
    }
}

impl Backoff {
    /// Waits of at most `first`, doubled with each retry, and never more than `most`.
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, factor: 2.0 }
    }

    /// Sets by how much the longest wait grows with each retry. Less than 1, or no number, counts as 1.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor.max(1.0);
        self
    }

    /// The longest wait before retry `n`, from 0.
    pub fn ceiling(&self, n: u32) -> Duration {
        let growth = self.factor.powi(i32::try_from(n).unwrap_or(i32::MAX));
        let seconds = self.first.as_secs_f64() * growth;
        // What no `Duration` can hold is more than any `most`; nothing times infinity is no number, and no wait.
        match Duration::try_from_secs_f64(seconds) {
            Ok(ceiling) => ceiling.min(self.most),
            Err(_) if seconds.is_nan() => Duration::ZERO,
            Err(_) => self.most,
        }
    }

    /// A wait before retry `n`, drawn.
    pub(crate) fn wait(&self, n: u32, random: &Random) -> Duration {
        let nanos = u64::try_from(self.ceiling(n).as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(random.below(nanos.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_keep_to_their_bounds_and_spread_over_them() {
        let random = Random::seeded(7);
        for _ in 0..200 {
            let (first, most) = (random.below(3_001), random.below(60_001));
            let factor = 1.0 + f64::from(u32::try_from(random.below(41)).expect("small")) / 10.0;
            let backoff = Backoff::new(Duration::from_millis(first), Duration::from_millis(most)).factor(factor);
            for n in 0..20 {
                let ceiling = backoff.ceiling(n);
                assert!(ceiling <= Duration::from_millis(most) && ceiling <= backoff.ceiling(n + 1), "{backoff:?} {n}");
                assert!(backoff.wait(n, &random) <= ceiling, "{backoff:?} {n}");
            }
        }
        let backoff = Backoff::default();
        assert_eq!([0, 1, 4, 5].map(|n| backoff.ceiling(n).as_millis()), [100, 200, 1600, 2000]);
        let waits: Vec<_> = (0..1_000).map(|_| backoff.wait(9, &random).as_millis()).collect();
        for quarter in 0..4 {
            let inside = waits.iter().filter(|wait| **wait / 500 == quarter).count();
            assert!((200..300).contains(&inside), "{inside} of 1,000 in quarter {quarter}");
        }
    }

    #[test]
    fn no_setting_is_too_strange() {
        let hour = Duration::from_secs(3600);
        assert_eq!(Backoff::new(Duration::MAX, hour).ceiling(u32::MAX), hour);
        assert_eq!(Backoff::new(Duration::ZERO, hour).factor(9.0).ceiling(u32::MAX), Duration::ZERO);
        assert_eq!(Backoff::new(hour, Duration::MAX).factor(f64::NAN).ceiling(3), hour);
        assert_eq!(Backoff::new(hour, Duration::MAX).factor(0.1).ceiling(3), hour);
    }
}
