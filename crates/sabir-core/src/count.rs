//! How many tokens a conversation is, before it is sent: asked of the provider, or counted here.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

use crate::Loss;
use crate::chat::{ChatRequest, Meta};

/// What is to be counted: a request as it would be asked. In JSON it is that request itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CountRequest {
    /// The request. What has no bearing on its input (limits, sampling, labels, whether to stream) is not told to the
    /// provider, and that is no loss.
    pub chat: ChatRequest,
}

impl From<ChatRequest> for CountRequest {
    fn from(chat: ChatRequest) -> Self {
        Self { chat }
    }
}

/// How many tokens a request is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CountResponse {
    /// The provider that was asked; empty where nobody was, and the request was counted here.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub provider: String,
    /// Tokens of the whole input: messages, tools and what the provider adds to them; cached ones included.
    pub input: Count,
    /// How many of them are in the provider's cache, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
    /// What could not be carried, and so was not counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<Loss>,
    /// The provider's id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What one format alone says.
    #[serde(skip_serializing_if = "Meta::is_empty")]
    pub meta: Meta,
}

/// How far a count can be trusted, from the best to the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// What the provider counts: by its own vocabulary and framing, or as it said itself when asked.
    #[default]
    Exact,
    /// Not to the token, but no less than `low` and no more than `high`: an unbroken run was cut to cap the work.
    Bound,
    /// Calibrated on recordings, on which `low` and `high` hold; elsewhere the truth may lie outside them. Where `low`
    /// and `high` are the same, a provider was asked that calls its own answer an estimate and says not how good.
    Estimate,
}

/// How many tokens, and how wide of the truth that may be: `low` ≤ `tokens` ≤ `high`, all three the same where the
/// count is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

    /// The same number, and no longer taken to be right.
    #[must_use]
    pub fn doubtful(self) -> Self {
        Self { precision: Precision::Estimate, ..self }
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
