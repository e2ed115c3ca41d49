use std::fmt;
use std::ops::{Add, Sub};

use sabir_core::{Error, ErrorKind};

/// An amount of money: whole nano-dollars (10⁻⁹ USD), up to about 18 billion dollars.
///
/// It is read from dollars with at most nine decimals, exactly or not at all.
///
/// ```
/// use sabir_prices::Usd;
/// let daily: Usd = "1.50".parse()?;
/// assert_eq!(daily, Usd(1_500_000_000));
/// assert_eq!(daily, Usd::cents(150));
/// assert_eq!(daily.to_string(), "$1.5");
/// # Ok::<(), sabir_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(pub u64);

const NANO: u64 = 1_000_000_000;

impl Usd {
    /// Whole dollars.
    pub const fn dollars(dollars: u64) -> Self {
        Self(dollars.saturating_mul(NANO))
    }

    /// Hundredths of a dollar.
    pub const fn cents(cents: u64) -> Self {
        Self(cents.saturating_mul(NANO / 100))
    }
}

/// Adds up to what fits.
impl Add for Usd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// What is left; nothing where more is taken away than there is.
impl Sub for Usd {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl std::str::FromStr for Usd {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::new(
                ErrorKind::InvalidRequest,
                format!("{text:?} is no amount: write dollars, as \"1.50\" or \"20\""),
            )
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let are_digits = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !are_digits(whole, 11) || !are_digits(fraction, 9) {
            return Err(wrong());
        }
        let whole = whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(NANO));
        let fraction = format!("{fraction:0<9}").parse::<u64>().ok();
        whole.zip(fraction).and_then(|(whole, fraction)| whole.checked_add(fraction)).map(Self).ok_or_else(wrong)
    }
}

/// `$1.5`: dollars, to the last decimal that is not 0.
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / NANO, self.0 % NANO);
        if fraction == 0 {
            return write!(f, "${whole}");
        }
        f.write_str(format!("${whole}.{fraction:09}").trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        for (text, nano, shown) in [
            ("0", 0, "$0"),
            ("1.50", 1_500_000_000, "$1.5"),
            ("0.000000001", 1, "$0.000000001"),
            ("18446744073.709551615", u64::MAX, "$18446744073.709551615"),
        ] {
            let amount: Usd = text.parse().expect(text);
            assert_eq!((amount.0, amount.to_string().as_str()), (nano, shown));
        }
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", "$1", "1.0000000001", "18446744073.709551616", "٣"]
        {
            assert!(text.parse::<Usd>().is_err(), "{text:?}");
        }
        assert_eq!((Usd::dollars(1) - Usd::cents(150), Usd(u64::MAX) + Usd(1)), (Usd(0), Usd(u64::MAX)));
    }
}
