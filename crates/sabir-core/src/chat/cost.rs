use serde::{Deserialize, Serialize};

/// What a call cost, in integer nano-dollars (10⁻⁹ USD): money is never floating point here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Nano-dollars.
    pub nano_usd: u64,
    /// Where the figure comes from.
    pub basis: CostBasis,
}

/// Where a cost comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CostBasis {
    /// The provider's own figure for this call.
    Reported,
    /// Exact counters at the list price.
    ListPrice,
    /// At least one counter or price was estimated.
    Estimate,
}

impl Cost {
    /// The provider's own figure, from a JSON number's text in dollars (`0.0000716`, `7.16e-05`), rounded down
    /// to the nano-dollar. `None` for negative or unreadable text.
    ///
    /// ```
    /// use sabir_core::chat::Cost;
    /// assert_eq!(Cost::reported("0.0000716").unwrap().nano_usd, 71_600);
    /// assert_eq!(Cost::reported("7.16e-05").unwrap().nano_usd, 71_600);
    /// assert_eq!(Cost::reported("-1"), None);
    /// ```
    pub fn reported(dollars: &str) -> Option<Self> {
        let (mantissa, exponent) = dollars.split_once(['e', 'E']).unwrap_or((dollars, "0"));
        let exponent: i32 = exponent.parse().ok()?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: String = [whole, fraction].concat();
        if digits.len() > 30 || !digits.bytes().all(|b| b.is_ascii_digit()) || !(-40..=10).contains(&exponent) {
            return None;
        }
        let value: u128 = digits.parse().ok()?;
        let scale = 9 + exponent - i32::try_from(fraction.len()).ok()?;
        let nano = if scale >= 0 {
            value.checked_mul(10u128.checked_pow(scale.unsigned_abs())?)?
        } else {
            value / 10u128.checked_pow(scale.unsigned_abs()).unwrap_or(u128::MAX)
        };
        Some(Self { nano_usd: u64::try_from(nano).ok()?, basis: CostBasis::Reported })
    }
}
