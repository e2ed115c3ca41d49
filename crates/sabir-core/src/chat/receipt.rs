use serde::{Deserialize, Serialize};

use super::{Cost, CostBasis};

/// What a call cost, line by line.
///
/// **An unknown price is not zero**: a line whose quantity or price is unknown has no sum, and where that line is of the
/// answer itself the receipt has no total. Each line is rounded to the nano-dollar by itself, and the total is the sum
/// of the lines, so that it adds up to whoever adds it up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Receipt {
    /// What was used, and what it comes to by the list.
    pub lines: Vec<Line>,
    /// Nano-dollars (10⁻⁹ USD): the sum of all lines; `None` where a line of the answer has no sum, or where the sum is
    /// beyond a `u64`.
    pub total: Option<u64>,
    /// How far it can be trusted.
    pub basis: ReceiptBasis,
    /// The version of the prices: the date of the list, and the name of what was laid over it.
    pub prices: String,
    /// The provider's own figure for the answer, which stands beside the lines: [`Receipt::cost`] prefers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported: Option<Cost>,
}

/// One line of a [`Receipt`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What was used.
    pub what: Item,
    /// Of which of the answer's abandoned attempts it is, by its place among them; `None` for the answer itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<usize>,
    /// Tokens or uses; `None` where the provider did not say.
    pub quantity: Option<u64>,
    /// Nano-dollars for a million of them; `None` where no price is known.
    pub unit_price: Option<u64>,
    /// Nano-dollars: quantity times price, half a nano-dollar rounded up; `None` where either is unknown, or where it
    /// is beyond a `u64`.
    pub nano_usd: Option<u64>,
    /// Whether the quantity or the price is an estimate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

/// What a [`Line`] is for: a bucket of [`Usage`](super::Usage).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Item {
    /// Input that no other line has.
    Input,
    /// Input read from a cache.
    CacheRead,
    /// Input written to a cache for its default lifetime.
    CacheWrite,
    /// Input written to a cache for an hour.
    CacheWrite1h,
    /// Input that was sound.
    AudioInput,
    /// Input that was images.
    ImageInput,
    /// Output that no other line has.
    Output,
    /// Output spent on reasoning.
    Reasoning,
    /// Output that was sound.
    AudioOutput,
    /// Output that was images.
    ImageOutput,
    /// Uses of the provider's own tool of this name.
    Tool(String),
    /// An attempt of which the provider did not say what it used, though it may be billed.
    Attempt,
}

/// How far a [`Receipt`] can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReceiptBasis {
    /// The provider's own figure is there, and nothing is to be added to it.
    Exact,
    /// The provider's counters at the list price.
    ListPrice,
    /// At least one quantity or price was estimated, or an abandoned attempt may have cost more than is known.
    Estimate,
    /// The answer used something whose quantity or price is unknown.
    #[default]
    Unknown,
}

impl Line {
    /// A line of so many at this price for a million. `quantity × unit_price ÷ 10⁶`, half up.
    ///
    /// ```
    /// use sabir_core::chat::{Item, Line};
    /// // 3 tokens at 0.25 dollars for a million are 750 nano-dollars.
    /// assert_eq!(Line::new(Item::Input, Some(3), Some(250_000_000)).nano_usd, Some(750));
    /// assert_eq!(Line::new(Item::Input, Some(3), None).nano_usd, None);
    /// ```
    pub fn new(what: Item, quantity: Option<u64>, unit_price: Option<u64>) -> Self {
        // Nearly always it fits, and long division is slow.
        let product = |quantity: u64, price: u64| match quantity.checked_mul(price).and_then(|n| n.checked_add(500_000))
        {
            Some(product) => Some(product / 1_000_000),
            None => u64::try_from((u128::from(quantity) * u128::from(price) + 500_000) / 1_000_000).ok(),
        };
        let nano_usd = quantity.zip(unit_price).and_then(|(quantity, price)| product(quantity, price));
        Self { what, attempt: None, quantity, unit_price, nano_usd, estimated: false }
    }
}

impl Receipt {
    /// The receipt of these lines; the total and the basis follow from them.
    pub fn new(lines: Vec<Line>, prices: impl Into<String>, reported: Option<Cost>) -> Self {
        let mut receipt = Self { lines, prices: prices.into(), reported, ..Self::default() };
        receipt.settle();
        receipt
    }

    /// Adds lines, and settles the total and the basis anew.
    pub fn add(&mut self, lines: impl IntoIterator<Item = Line>) {
        self.lines.extend(lines);
        self.settle();
    }

    fn settle(&mut self) {
        let mut own = self.lines.iter().filter(|line| line.attempt.is_none());
        let is_known = own.all(|line| line.nano_usd.is_some());
        self.total = is_known.then(|| self.known()).flatten();
        let is_sure = self.lines.iter().all(|line| line.nano_usd.is_some() && !line.estimated);
        self.basis = match (self.reported, self.total) {
            (Some(_), _) if self.lines.iter().all(|line| line.attempt.is_none()) => ReceiptBasis::Exact,
            (None, None) => ReceiptBasis::Unknown,
            (None, Some(_)) if is_sure => ReceiptBasis::ListPrice,
            _ => ReceiptBasis::Estimate,
        };
    }

    /// The sum of what is known, in nano-dollars: no less was spent, by the list. `None` beyond a `u64`.
    pub fn known(&self) -> Option<u64> {
        sum(self.lines.iter())
    }

    /// What the call cost: the provider's own figure where there is one, else the total; with what is known of
    /// abandoned attempts. `None` where it is unknown.
    pub fn cost(&self) -> Option<Cost> {
        let basis = match self.basis {
            ReceiptBasis::Exact => return self.reported,
            ReceiptBasis::ListPrice => CostBasis::ListPrice,
            ReceiptBasis::Estimate => CostBasis::Estimate,
            ReceiptBasis::Unknown => return None,
        };
        let nano_usd = match self.reported {
            Some(own) => own.nano_usd.checked_add(sum(self.lines.iter().filter(|line| line.attempt.is_some()))?)?,
            None => self.total?,
        };
        Some(Cost { nano_usd, basis })
    }
}

fn sum<'a>(mut lines: impl Iterator<Item = &'a Line>) -> Option<u64> {
    lines.try_fold(0_u64, |sum, line| sum.checked_add(line.nano_usd.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(quantity: Option<u64>, price: Option<u64>, attempt: Option<usize>) -> Line {
        Line { attempt, ..Line::new(Item::Output, quantity, price) }
    }

    #[test]
    fn half_a_nano_dollar_is_rounded_up() {
        for (quantity, price, nano) in [(1, 499_999, 0), (1, 500_000, 1), (3, 500_000, 2), (0, u64::MAX, 0)] {
            assert_eq!(line(Some(quantity), Some(price), None).nano_usd, Some(nano), "{quantity} × {price}");
        }
        assert_eq!(line(Some(u64::MAX), Some(1_000_000), None).nano_usd, Some(u64::MAX));
        assert_eq!(line(Some(u64::MAX), Some(1_000_001), None).nano_usd, None, "a hostile counter does not overflow");
    }

    #[test]
    fn what_is_unknown_is_never_zero() {
        use ReceiptBasis::{Estimate, Exact, ListPrice, Unknown};
        let own = Cost { nano_usd: 70, basis: CostBasis::Reported };
        let known = line(Some(2), Some(5_000_000), None);
        let unpriced = line(Some(2), None, None);
        let tried = line(Some(1), Some(3_000_000), Some(0));
        let silent = line(None, Some(1), Some(1));
        let of = |lines: &[&Line], reported| {
            let receipt = Receipt::new(lines.iter().copied().cloned().collect(), "v", reported);
            (receipt.total, receipt.basis, receipt.cost().map(|cost| cost.nano_usd))
        };
        assert_eq!(of(&[&known], None), (Some(10), ListPrice, Some(10)));
        assert_eq!(of(&[&known, &unpriced], None), (None, Unknown, None));
        assert_eq!(of(&[&known, &unpriced], Some(own)), (None, Exact, Some(70)));
        assert_eq!(of(&[&known, &tried], None), (Some(13), ListPrice, Some(13)));
        assert_eq!(of(&[&known, &tried, &silent], None), (Some(13), Estimate, Some(13)));
        assert_eq!(of(&[&known, &tried], Some(own)), (Some(13), Estimate, Some(73)));
        let most = line(Some(u64::MAX), Some(1_000_000), None);
        assert_eq!(of(&[&most, &known], None), (None, Unknown, None));
    }
}
