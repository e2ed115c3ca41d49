use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A price: nano-dollars (10⁻⁹ USD) for a million of something, tokens or uses.
///
/// It is written as lists of prices write it, in dollars for a million, with at most nine decimals: `"0.25"` in quotes,
/// or a whole number. A number with a point is refused, since it would be floating point.
///
/// ```
/// use sabir_prices::Price;
/// let price: Price = "0.25".parse()?;
/// assert_eq!(price, Price(250_000_000));
/// assert_eq!(price.to_string(), "0.25");
/// # Ok::<(), sabir_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(pub u64);

const NANO: u64 = 1_000_000_000;

impl Price {
    /// The price in this text, which is nothing but digits and at most one point.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let are_digits = |text: &str| (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if !are_digits(whole) || !are_digits(fraction) {
            return None;
        }
        let scale = 10_u64.pow(9 - u32::try_from(fraction.len()).ok()?);
        Some(Self(whole.parse::<u64>().ok()? * NANO + fraction.parse::<u64>().ok()? * scale))
    }
}

impl std::str::FromStr for Price {
    type Err = sabir_core::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let message = || format!("{text:?} is no price: write dollars for a million, as \"0.25\"");
        Self::read(text).ok_or_else(|| sabir_core::Error::new(sabir_core::ErrorKind::InvalidRequest, message()))
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / NANO, self.0 % NANO);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        f.write_str(format!("{whole}.{fraction:09}").trim_end_matches('0'))
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Price;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("dollars for a million, as \"0.25\" in quotes or as a whole number")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Price, E> {
                Price::read(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }

            fn visit_u64<E: serde::de::Error>(self, dollars: u64) -> Result<Price, E> {
                let price = dollars.checked_mul(NANO).map(Price);
                price.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Unsigned(dollars), &self))
            }

            fn visit_i64<E: serde::de::Error>(self, dollars: i64) -> Result<Price, E> {
                let unsigned = u64::try_from(dollars);
                self.visit_u64(unsigned.map_err(|_| E::custom("a price is never negative"))?)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_exactly_or_not_at_all() {
        for (text, nano) in
            [("0", 0), ("3", 3 * NANO), ("0.0814286", 81_428_600), ("999999999.999999999", 999_999_999_999_999_999)]
        {
            let price = Price::read(text).expect(text);
            assert_eq!((price.0, price.to_string().as_str()), (nano, text));
        }
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "1.0000000001", "1000000000", "٣"] {
            assert_eq!(Price::read(text), None, "{text:?}");
        }
    }

    #[test]
    fn no_price_is_floating_point() {
        let read = serde_json::from_str::<Price>;
        assert_eq!(read("\"0.25\"").unwrap(), Price(250_000_000));
        assert_eq!(read("3").unwrap(), Price(3 * NANO));
        assert!(read("0.25").unwrap_err().to_string().contains("in quotes"));
        assert!(read("-3").is_err());
        assert!(read("99999999999999").is_err());
        assert_eq!(serde_json::to_string(&Price(250_000_000)).unwrap(), "\"0.25\"");
    }
}
