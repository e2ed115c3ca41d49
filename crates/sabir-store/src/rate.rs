use std::time::Duration;

/// So many units in so much time, and at most a burst of them at once: the generic cell rate algorithm (GCRA, ITU-T
/// I.371), which needs one number per cell: the time at which it would be full again.
///
/// In any span of time, at most `burst + span × amount ÷ per` units are taken. A single take of more than the burst is
/// let through where the cell is full, and is paid off before the next one: an estimate that is too high must not lock
/// a caller out for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    amount: u64,
    /// In nanoseconds.
    per: u64,
    burst: u64,
    /// What the whole burst takes to refill, in nanoseconds.
    tolerance: u64,
}

impl Rate {
    /// `amount` units every `per`, at most `burst` at once (at least 1). An amount of 0 lets nothing through.
    pub fn new(amount: u64, per: Duration, burst: u64) -> Self {
        let mut rate = Self { amount, per: nanos(per), burst: burst.max(1), tolerance: 0 };
        rate.tolerance = if amount == 0 { 0 } else { rate.time(rate.burst) };
        rate
    }

    /// The most that can be taken at once.
    pub fn burst(&self) -> u64 {
        self.burst
    }

    /// How long so many units take to refill.
    pub fn refill(&self, units: u64) -> Duration {
        Duration::from_nanos(self.time(units))
    }

    /// How long so many units take to refill in nanoseconds, rounded up, so that rounding never lets through more.
    fn time(&self, units: u64) -> u64 {
        if units == 0 {
            return 0;
        }
        if self.amount == 0 {
            return u64::MAX;
        }
        if let Some(product) = units.checked_mul(self.per) {
            return product.div_ceil(self.amount);
        }
        let time = (u128::from(units) * u128::from(self.per)).div_ceil(u128::from(self.amount));
        u64::try_from(time).unwrap_or(u64::MAX)
    }

    /// Takes units from a cell that is full again at `full`: when it is full after that.
    ///
    /// # Errors
    /// How long until it has enough. All times are in nanoseconds.
    pub fn take(&self, full: u64, units: u64, now: u64) -> Result<u64, u64> {
        if units == 0 {
            return Ok(full);
        }
        let start = full.max(now);
        let end = start.saturating_add(self.time(units.min(self.burst)));
        let limit = now.saturating_add(self.tolerance);
        if end > limit || self.amount == 0 {
            return Err((end - limit.min(end)).max(1));
        }
        Ok(if units > self.burst { start.saturating_add(self.time(units)) } else { end })
    }

    /// Corrects a cell for a take of `taken` of which `used` were used. `mark` is what that take gave; what has flowed
    /// off since cannot be given back.
    pub fn settle(&self, full: u64, taken: u64, used: u64, mark: u64, now: u64) -> u64 {
        if used >= taken {
            return full.max(now).saturating_add(self.time(used - taken));
        }
        let back = self.time(taken).saturating_sub(self.time(used)).min(mark.saturating_sub(now));
        full.saturating_sub(back)
    }

    /// How many units are missing from a cell that is full at `full`, rounded up.
    pub fn missing(&self, full: u64, now: u64) -> u64 {
        let units = u128::from(full.saturating_sub(now)) * u128::from(self.amount);
        u64::try_from(units.div_ceil(u128::from(self.per.max(1)))).unwrap_or(u64::MAX)
    }
}

/// A time as stores count it: 584 years fit.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_burst_then_the_rate() {
        let rate = Rate::new(60, Duration::from_secs(60), 3);
        let mut full = 0;
        for _ in 0..3 {
            full = rate.take(full, 1, 0).expect("the burst");
        }
        assert_eq!(rate.take(full, 1, 0), Err(SECOND));
        assert_eq!(rate.take(full, 2, SECOND / 2), Err(3 * SECOND / 2));
        full = rate.take(full, 1, SECOND).expect("a second later");
        assert_eq!((rate.missing(full, SECOND), rate.missing(full, 9 * SECOND)), (3, 0));
        assert_eq!(rate.take(full, 0, SECOND), Ok(full), "who needs nothing does not wait");
    }

    #[test]
    fn a_burst_is_whole_where_a_unit_takes_no_whole_time() {
        let rate = Rate::new(7, Duration::from_secs(60), 7);
        assert!(rate.take(0, 7, 0).is_ok());
        let mut full = 0;
        let taken = (0..20).filter(|_| rate.take(full, 1, 5).map(|after| full = after).is_ok()).count();
        assert!((6..=7).contains(&taken), "{taken}");
    }

    #[test]
    fn more_than_the_burst_goes_alone_and_is_paid_off() {
        let rate = Rate::new(10, Duration::from_secs(10), 10);
        let full = rate.take(0, 1, 0).expect("room");
        assert_eq!(rate.take(full, 100, 0), Err(SECOND), "not before the cell is full");
        let full = rate.take(full, 100, SECOND).expect("full");
        assert_eq!(rate.take(full, 1, SECOND), Err(91 * SECOND));
    }

    #[test]
    fn what_was_not_used_goes_back_until_it_has_flowed_off() {
        let rate = Rate::new(10, Duration::from_secs(10), 10);
        let full = rate.take(0, 8, 0).expect("room");
        assert_eq!(rate.settle(full, 8, 2, full, 0), 2 * SECOND);
        assert_eq!(rate.settle(full, 8, 2, full, 5 * SECOND), 5 * SECOND, "five of eight are gone");
        assert_eq!(rate.settle(full, 8, 2, full, 60 * SECOND), full);
        assert_eq!(rate.settle(full, 8, 9, full, 60 * SECOND), 61 * SECOND, "more was used than was taken");
    }

    #[test]
    fn numbers_without_sense_do_no_harm() {
        let none = Rate::new(0, Duration::from_secs(60), 5);
        assert!(none.take(0, 1, 0).is_err());
        assert!(none.take(0, 0, 0).is_ok());
        for rate in [Rate::new(u64::MAX, Duration::MAX, u64::MAX), Rate::new(1, Duration::ZERO, 0)] {
            let full = rate.take(u64::MAX, u64::MAX, u64::MAX).unwrap_or_else(|wait| wait);
            let full = rate.settle(full, u64::MAX, 0, u64::MAX, u64::MAX);
            rate.missing(full, 0);
        }
    }
}
