//! How many retries a provider may be burdened with.

use std::sync::atomic::{AtomicU64, Ordering};

/// One retry, in the unit in which shares are counted.
const RETRY: u64 = 1_000;

/// A share of the calls that may be tried again, and how many may be on top: what keeps retries from finishing off a
/// provider that is down. Every call earns `share` of a retry, and what is not used is kept, up to `reserve` retries.
/// So over any stretch of time there are at most `share × calls + reserve` retries (after Finagle's `RetryBudget`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    earned: u64,
    kept: u64,
}

impl Allowance {
    pub(crate) fn new(share: f64, reserve: u32) -> Self {
        // A share beyond any number of attempts, and one that is no number, must not become something else.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 1,000,000")]
        let earned = (share.clamp(0.0, 1_000.0) * 1_000.0) as u64;
        Self { earned, kept: u64::from(reserve) * RETRY }
    }

    /// What is kept at first: the whole reserve.
    pub(crate) fn purse(self) -> Purse {
        Purse(AtomicU64::new(self.kept))
    }
}

/// What one provider's calls have earned and not used.
#[derive(Debug)]
pub(crate) struct Purse(AtomicU64);

impl Purse {
    /// A call is made.
    pub(crate) fn earn(&self, allowance: Allowance) {
        // Without a reserve, what calls earn must still be able to become a retry, and a call to use what it earns.
        let most = allowance.kept.max(allowance.earned).max(RETRY);
        let add = |held: u64| (held < most).then(|| (held + allowance.earned).min(most));
        // Nothing to do where it is full.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Takes a retry, where there is one.
    pub(crate) fn spend(&self) -> bool {
        let take = |held: u64| held.checked_sub(RETRY);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Any calls and any wishes to retry; over every stretch of them the law holds.
    #[test]
    fn retries_are_a_share_of_the_calls_and_the_reserve() {
        for seed in 0..200 {
            let random = Random::seeded(seed);
            let (share, reserve) = (random.below(1_501), u32::try_from(random.below(21)).expect("small"));
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let allowance = Allowance::new(share as f64 / 1_000.0, reserve);
            let purse = allowance.purse();
            let greed = random.below(10);
            // How far the retries of the worst stretch so far are ahead of what its calls earned.
            let (mut ahead, mut worst) = (0_i64, 0_i64);
            for _ in 0..2_000 {
                if random.below(10) < greed {
                    ahead += if purse.spend() { 1_000 } else { 0 };
                } else {
                    purse.earn(allowance);
                    ahead -= i64::try_from(share).expect("small");
                }
                ahead = ahead.max(0);
                worst = worst.max(ahead);
            }
            let bound = (i64::from(reserve.max(1)) * 1_000).max(i64::try_from(share).expect("small"));
            assert!(worst <= bound, "seed {seed}: {worst} over a reserve of {bound}");
        }
    }

    #[test]
    fn nothing_is_allowed_where_nothing_is() {
        let none = Allowance::new(f64::NAN, 0);
        let purse = none.purse();
        (0..10_000).for_each(|_| purse.earn(none));
        assert!(!purse.spend());
        let fifth = Allowance::new(0.2, 0);
        let purse = fifth.purse();
        let retries = (0..100).filter(|_| {
            purse.earn(fifth);
            purse.spend()
        });
        assert_eq!(retries.count(), 20);
    }
}
