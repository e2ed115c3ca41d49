//! Quantities as people write them.

use std::fmt;
use std::time::Duration;

use crate::values::{decimal, leaf};

leaf!(
    Duration, "a duration with its unit", "30s, 500ms, 1m30s or 24h", "^([0-9]+([.][0-9]+)?(ns|us|µs|ms|s|m|h|d|w))+$|^0$",
    number: false, duration
);
leaf!(Money, "dollars with at most nine decimals", "0.50 or 100", "^[$]?[0-9]{1,9}([.][0-9]{1,9})?$", number: true, Money::of);
leaf!(Size, "a size", "64MiB, 10MB or 4096", "^[0-9]+ ?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$", number: true, Size::of);
leaf!(Share, "a share of the whole", "20% or 0.2", "^[0-9]+([.][0-9]+)?%?$", number: true, Share::of);

/// Units of time, in nanoseconds.
const TIMES: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
];

/// `30s`, `1.5s`, `1m30s`, `24h`; `0`, which needs no unit.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut nanos) = (text, 0_u64);
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (amount, after) = rest.split_at(number);
        let unit = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let (_, size) = TIMES.iter().find(|(name, _)| *name == unit)?;
        nanos = nanos.checked_add(fixed(amount, *size)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(Duration::from_nanos(nanos))
}

/// A decimal number of a unit, in whole parts of it, exactly; `None` where it is none, is too large or has too many
/// decimals for that.
fn fixed(text: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits = |text: &str| (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction = fraction.parse::<u128>().ok()? * u128::from(unit);
    if fraction % scale != 0 {
        return None;
    }
    let parts = whole.parse::<u128>().ok()?.checked_mul(u128::from(unit))?.checked_add(fraction / scale)?;
    u64::try_from(parts).ok()
}

/// Dollars, in whole nano-dollars (10⁻⁹ USD): what a configuration says is read without rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(pub u64);

const NANO: u64 = 1_000_000_000;

impl Money {
    /// `0.50`, `100`, `$2.5`.
    fn of(text: &str) -> Option<Self> {
        fixed(text.strip_prefix('$').unwrap_or(text), NANO).map(Self)
    }
}

/// In dollars, with as many decimals as there are, at least two where there are any.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / NANO, self.0 % NANO);
        if fraction == 0 {
            return write!(f, "${whole}");
        }
        let digits = format!("{fraction:09}");
        let digits = digits.trim_end_matches('0');
        write!(f, "${whole}.{digits:0<2}")
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Units of size, in bytes: those of SI, and those of IEC 80000-13.
const SIZES: &[(&str, u64)] = &[
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

impl Size {
    fn of(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let (_, size) = SIZES.iter().find(|(name, _)| *name == unit.trim())?;
        number.replace('_', "").parse::<u64>().ok()?.checked_mul(*size).map(Self)
    }

    /// As a length in memory; the longest there is where that is less.
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A share of a whole, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Share(pub f64);

impl Share {
    /// `20%` or `0.2`. Above 1 it must say that it is per cent.
    fn of(text: &str) -> Option<Self> {
        let share = match text.strip_suffix('%') {
            Some(percent) => decimal(percent.trim_end())? / 100.0,
            None => decimal(text)?,
        };
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, nanos) in [
            ("30s", 30_000_000_000_u64),
            ("100ms", 100_000_000),
            ("1m30s", 90_000_000_000),
            ("24h", 86_400_000_000_000),
            ("1.5s", 1_500_000_000),
            ("2w", 1_209_600_000_000_000),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        for text in ["", "30", "s", "30 s", "3 parsecs", "-1s", "1s30", "1e3s", ".5s", "1.s", "99999999999w", "٣s"] {
            assert_eq!(duration(text), None, "{text:?}");
        }
    }

    #[test]
    fn money_is_exact_or_refused() {
        for (text, nano, shown) in [
            ("0.50", 500_000_000, "$0.50"),
            ("100.00", 100 * NANO, "$100"),
            ("$2.5", 2_500_000_000, "$2.50"),
            ("0.000000001", 1, "$0.000000001"),
            ("0.1", 100_000_000, "$0.10"),
        ] {
            let money = Money::of(text).expect(text);
            assert_eq!((money.0, money.to_string().as_str()), (nano, shown), "{text}");
        }
        for text in ["", "-1", "1e3", "0.0000000001", "1,5", "99999999999999999999", "ten"] {
            assert_eq!(Money::of(text), None, "{text:?}");
        }
    }

    /// Whatever is shown is read again as the same.
    #[test]
    fn money_that_is_shown_is_read_again() {
        for step in 0..2_000_u64 {
            let money = Money(step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 4);
            assert_eq!(Money::of(&money.to_string()), Some(money));
        }
    }

    #[test]
    fn sizes_and_shares_have_units() {
        for (text, bytes) in [("64MiB", 64 << 20), ("10 MB", 10_000_000), ("4_096", 4096), ("1kB", 1000)] {
            assert_eq!(Size::of(text), Some(Size(bytes)), "{text}");
        }
        for text in ["", "MiB", "1.5MB", "1TB", "99999999999GiB"] {
            assert_eq!(Size::of(text), None, "{text:?}");
        }
        for (text, share) in [("20%", 0.2), ("0.2", 0.2), ("100%", 1.0), ("1", 1.0), ("0.5 %", 0.005)] {
            assert_eq!(Share::of(text), Some(Share(share)), "{text}");
        }
        for text in ["", "20", "101%", "-1%", "%", "NaN", "1e-1"] {
            assert_eq!(Share::of(text), None, "{text:?}");
        }
    }
}
