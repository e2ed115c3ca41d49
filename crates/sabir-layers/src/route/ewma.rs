//! How long calls took of late.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// After so long, what was measured counts for 1/e. Finagle's default, and tower's.
const DECAY: Duration = Duration::from_secs(10);

/// A peak-sensitive moving average (Finagle's): it rises at once to a slow call, and comes down slowly with faster ones
/// and with time, so that a place that was slow is tried again.
#[derive(Debug, Default)]
pub(super) struct PeakEwma(Mutex<Measured>);

#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    seconds: f64,
    at: Duration,
}

impl Measured {
    /// What is left of it after a while.
    fn decayed(self, now: Duration) -> f64 {
        self.seconds * weight(now.saturating_sub(self.at))
    }
}

impl PeakEwma {
    /// Takes in how long a call took.
    pub(super) fn observe(&self, took: Duration, now: Duration) {
        let mut measured = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (took, old) = (took.as_secs_f64(), weight(now.saturating_sub(measured.at)));
        let seconds = if took > measured.seconds { took } else { measured.seconds * old + took * (1.0 - old) };
        *measured = Measured { seconds, at: now.max(measured.at) };
    }

    /// Takes in that a call had not ended after so long: it may have taken any time more.
    pub(super) fn at_least(&self, waited: Duration, now: Duration) {
        if waited.as_secs_f64() > self.seconds(now) {
            self.observe(waited, now);
        }
    }

    /// The average now, in seconds. 0 where nothing is known, or no more.
    pub(super) fn seconds(&self, now: Duration) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).decayed(now)
    }
}

/// How much of an old measurement counts.
fn weight(age: Duration) -> f64 {
    (-age.as_secs_f64() / DECAY.as_secs_f64()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_rises_at_once_and_comes_down_slowly() {
        let ewma = PeakEwma::default();
        assert!(ewma.seconds(SECOND) <= 0.0);
        ewma.observe(SECOND, SECOND);
        ewma.observe(3 * SECOND, 2 * SECOND);
        let seconds = |now: Duration| ewma.seconds(now);
        assert!((seconds(2 * SECOND) - 3.0).abs() < 1e-9);
        assert!((seconds(12 * SECOND) - 3.0 / std::f64::consts::E).abs() < 1e-9, "after 10 s 1/e is left");
        ewma.observe(SECOND, 12 * SECOND);
        let e = 1.0 / std::f64::consts::E;
        assert!((seconds(12 * SECOND) - (3.0 * e + (1.0 - e))).abs() < 1e-9);
        ewma.at_least(SECOND, 12 * SECOND);
        assert!(seconds(12 * SECOND) > 1.5, "what it is already known to take says nothing new");
        ewma.at_least(9 * SECOND, 12 * SECOND);
        assert!((seconds(12 * SECOND) - 9.0).abs() < 1e-9);
    }
}
