//! How long the last calls took, and how often a second one may be made.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many calls are remembered.
const KEPT: usize = 128;
/// Of fewer calls, the 95th percentile is but the slowest.
const ENOUGH: usize = 20;
/// What one second call costs, in thousandths.
const PRICE: u64 = 1000;
/// The most second calls that are saved up for.
const MOST_SAVED: u64 = 10 * PRICE;

/// The last calls of one place.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// To the whole answer.
    pub(super) whole: Latencies,
    /// To the first event of a stream.
    pub(super) first: Latencies,
    saved: AtomicU64,
}

impl Recent {
    /// Takes in one more call: it earns a share of a second one, in thousandths.
    pub(super) fn earn(&self, share: u64) {
        let earned = |saved: u64| Some(saved.saturating_add(share).min(MOST_SAVED));
        let _ = self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, earned);
    }

    /// Whether a second call can be paid for; it is.
    pub(super) fn spend(&self) -> bool {
        self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| saved.checked_sub(PRICE)).is_ok()
    }
}

/// The times of the last calls, in the order in which they came, and sorted.
#[derive(Debug, Default)]
pub(super) struct Latencies(Mutex<(VecDeque<Duration>, Vec<Duration>)>);

impl Latencies {
    pub(super) fn add(&self, took: Duration) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (order, sorted) = &mut *held;
        if order.len() == KEPT
            && let Some(oldest) = order.pop_front()
            && let Ok(at) = sorted.binary_search(&oldest)
        {
            sorted.remove(at);
        }
        order.push_back(took);
        sorted.insert(sorted.partition_point(|other| *other < took), took);
    }

    /// What 95 of 100 calls were faster than, or as fast; `None` while too few are known.
    pub(super) fn p95(&self) -> Option<Duration> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sorted = &held.1;
        if sorted.len() < ENOUGH { None } else { sorted.get((sorted.len() * 95).div_ceil(100) - 1).copied() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn the_percentile_is_that_of_the_last_calls_sorted() {
        let (latencies, random) = (Latencies::default(), Random::seeded(3));
        let mut all = Vec::new();
        for n in 1..600 {
            let took = Duration::from_millis(random.below(50));
            latencies.add(took);
            all.push(took);
            let mut last = all[all.len().saturating_sub(KEPT)..].to_vec();
            last.sort();
            let want = (n >= ENOUGH).then(|| {
                *last.iter().find(|t| last.iter().filter(|o| o <= t).count() * 100 >= last.len() * 95).unwrap()
            });
            assert_eq!(latencies.p95(), want, "of {n}");
        }
    }

    #[test]
    fn what_is_spent_was_earned() {
        let recent = Recent::default();
        let mut spent = 0;
        for calls in 1..=1000 {
            recent.earn(50);
            spent += u64::from(calls % 3 == 0 && recent.spend());
            assert!(spent * 20 <= calls, "{spent} of {calls}");
        }
        assert!(spent >= 49);
        (0..10_000).for_each(|_| recent.earn(50));
        assert_eq!((0..100).filter(|_| recent.spend()).count(), 10, "no more is saved up");
    }
}
