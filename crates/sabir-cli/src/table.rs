//! Numbers and tables for people.

use std::fmt::Write as _;

/// Rows under a head, in columns as wide as they need: words to the left, what is named `right` to the right.
pub(crate) fn table(head: &[&str], right: &[bool], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|word| word.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let head: Vec<String> = head.iter().map(|&word| word.to_owned()).collect();
    let has_head = head.iter().any(|word| !word.is_empty());
    for row in has_head.then_some(&head).into_iter().chain(rows) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths.get(column).copied().unwrap_or_default();
            // Writing to a string does not fail.
            let _ = if right.get(column).copied().unwrap_or_default() {
                write!(line, "{cell:>width$}  ")
            } else {
                write!(line, "{cell:<width$}  ")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// 1234567 as 1,234,567.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Nano-dollars as dollars: to the millionth, and below that to the last digit; never rounded to nothing.
pub(crate) fn dollars(nano: u64) -> String {
    const NANO: u64 = 1_000_000_000;
    let exact = nano < 1_000_000;
    // Up: what something costs is not said to be less.
    let nano = if exact { nano } else { nano.div_ceil(1_000).saturating_mul(1_000) };
    let fraction = format!("{:09}", nano % NANO);
    let fraction = fraction.trim_end_matches('0');
    format!("${}.{fraction:0<2}", grouped(nano / NANO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_money_is_never_rounded_to_nothing() {
        let numbers = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
        for (nano, text) in [
            (0, "$0.00"),
            (1, "$0.000000001"),
            (1_500_000_000, "$1.50"),
            (2_345_678_901, "$2.345679"),
            (1_000_000_000_000, "$1,000.00"),
        ] {
            assert_eq!(dollars(nano), text);
        }
        assert!(dollars(u64::MAX).starts_with("$18,446,744,073.7"));
    }

    #[test]
    fn columns_are_as_wide_as_they_need() {
        let rows = [vec!["1".to_owned(), "ä".to_owned()], vec!["10".to_owned(), "bc".to_owned()]];
        assert_eq!(table(&["N", "NAME"], &[true, false], &rows), " N  NAME\n 1  ä\n10  bc\n");
        assert_eq!(table(&["", ""], &[true, false], &rows), " 1  ä\n10  bc\n");
    }
}
