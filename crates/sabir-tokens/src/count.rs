use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// How far a count can be trusted, from the best to the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// What the provider counts.
    #[default]
    Exact,
    /// Not to the token, but no less than `low` and no more than `high`: an unbroken run was cut to cap the work.
    Bound,
    /// Calibrated on recordings, on which `low` and `high` hold; elsewhere the truth may lie outside them.
    Estimate,
}

/// How many tokens, and how wide of the truth that may be: `low` ≤ `tokens` ≤ `high`, all three the same where the
/// count is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Count {
    /// The likeliest number.
    pub tokens: u64,
    /// How far it can be trusted.
    pub precision: Precision,
    /// No less than this.
    pub low: u64,
    /// No more than this.
    pub high: u64,
}

impl Count {
    /// A count that is right.
    pub const fn exact(tokens: u64) -> Self {
        Self { tokens, precision: Precision::Exact, low: tokens, high: tokens }
    }

    /// An estimate and its bounds, which are moved apart where they do not hold the estimate between them.
    pub fn estimate(tokens: u64, low: u64, high: u64) -> Self {
        Self { tokens, precision: Precision::Estimate, low: low.min(tokens), high: high.max(tokens) }
    }

    /// Whether this may be the number.
    pub fn holds(&self, tokens: u64) -> bool {
        (self.low..=self.high).contains(&tokens)
    }
}

/// Counts of parts add up; the sum is as good as its worst part.
impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(other.tokens),
            precision: self.precision.max(other.precision),
            low: self.low.saturating_add(other.low),
            high: self.high.saturating_add(other.high),
        }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_as_good_as_its_worst_part() {
        let sum: Count = [Count::exact(3), Count::estimate(10, 8, 15), Count::exact(1)].into_iter().sum();
        assert_eq!(sum, Count { tokens: 14, precision: Precision::Estimate, low: 12, high: 19 });
        assert!(sum.holds(19) && !sum.holds(20) && !sum.holds(11));
        let huge = Count::exact(u64::MAX) + Count::exact(1);
        assert_eq!(huge.high, u64::MAX, "hostile sizes do not overflow");
        assert_eq!(Count::estimate(5, 7, 3), Count::estimate(5, 5, 5));
    }
}
