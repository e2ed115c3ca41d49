//! Nano-dollars as dollars, without floating point.

/// How many digits after the point say an amount exactly: at least 2, at most 9.
pub(crate) fn scale(nano_usd: u64) -> usize {
    let zeros = (0..7).take_while(|zeros| nano_usd.is_multiple_of(10_u64.pow(zeros + 1))).count();
    9 - zeros
}

/// An amount with so many digits after the point, at most 9. What those do not say is left out.
pub(crate) fn dollars(nano_usd: u64, scale: usize) -> String {
    let (whole, fraction) = (nano_usd / 1_000_000_000, format!("{:09}", nano_usd % 1_000_000_000));
    format!("{}.{}", thousands(whole), &fraction[..scale.min(9)])
}

/// A number with a comma between thousands.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_exact() {
        for (nano_usd, is) in [
            (0, "0.00"),
            (1, "0.000000001"),
            (10, "0.00000001"),
            (1_234_500_000, "1.2345"),
            (990_000_000, "0.99"),
            (7_000_000_000, "7.00"),
            (1_234_567_000_000_000, "1,234,567.00"),
            (u64::MAX, "18,446,744,073.709551615"),
        ] {
            assert_eq!(dollars(nano_usd, scale(nano_usd)), is, "{nano_usd}");
        }
        assert_eq!(dollars(1_500_000_000, 4), "1.5000");
    }
}
