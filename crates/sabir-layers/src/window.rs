//! Counting over a sliding while, in constant memory.

use std::time::Duration;

/// How many pieces a window has: it slides by one of them at a time.
const PIECES: u32 = 10;

/// The good and bad of the last while, counted in pieces of it: of a span of 30 s between the last 27 and 30.
#[derive(Debug, Default)]
pub(crate) struct Window {
    good: [u32; PIECES as usize],
    bad: [u32; PIECES as usize],
    /// The number of the newest piece, from the clock's start.
    newest: u64,
}

impl Window {
    /// Counts one, and forgets what is older than the span.
    pub(crate) fn count(&mut self, span: Duration, now: Duration, bad: bool) {
        let piece = (span / PIECES).max(Duration::from_nanos(1));
        let number = u64::try_from(now.as_nanos() / piece.as_nanos()).unwrap_or(u64::MAX).max(self.newest);
        let place = |number: u64| usize::try_from(number % u64::from(PIECES)).unwrap_or_default();
        for later in 1..=(number - self.newest).min(PIECES.into()) {
            let at = place(self.newest.saturating_add(later));
            (self.good[at], self.bad[at]) = (0, 0);
        }
        self.newest = number;
        let counts = if bad { &mut self.bad } else { &mut self.good };
        counts[place(number)] = counts[place(number)].saturating_add(1);
    }

    /// How many there were in all, and how many bad ones, as of the last that was counted.
    pub(crate) fn sums(&self) -> (f64, f64) {
        let sum = |counts: &[u32]| counts.iter().map(|count| f64::from(*count)).sum::<f64>();
        let bad = sum(&self.bad);
        (sum(&self.good) + bad, bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn it_counts_as_a_list_of_all_would() {
        for seed in 0..100 {
            let random = Random::seeded(seed);
            let span = Duration::from_millis(10 * (1 + random.below(301)));
            let (mut window, mut all, mut now) =
                (Window::default(), Vec::new(), Duration::from_millis(random.below(10_000)));
            for _ in 0..300 {
                now += Duration::from_millis(random.below(random.below(401) + 1));
                let (bad, number) = (random.below(2) == 0, now.as_millis() / (span / PIECES).as_millis());
                window.count(span, now, bad);
                all.push((number, bad));
                let recent = all.iter().filter(|(then, _)| then + u128::from(PIECES) > number);
                let bad = recent.clone().filter(|(_, bad)| *bad).count();
                let sums = [recent.count(), bad].map(|n| f64::from(u32::try_from(n).expect("small")));
                assert_eq!(window.sums(), sums.into(), "seed {seed} at {now:?}");
            }
        }
    }
}
