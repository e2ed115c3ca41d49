//! The figures, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::histogram::Histogram;
use super::load::Measured;
use crate::table::{dollars, grouped, table};

/// The percentiles that are told, in thousandths.
const TOLD: [u64; 3] = [500, 950, 990];

/// A table, and lines under it.
pub(super) fn text(measured: &Measured) -> String {
    let rows = [
        ("whole answer, ms", &measured.total, 1_000),
        ("first token, ms", &measured.first, 1_000),
        ("between tokens, ms", &measured.between, 1_000),
        ("tokens/s of an answer", &measured.pace, 1),
    ];
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .filter(|(_, histogram, _)| histogram.count() > 0)
        .map(|(name, histogram, unit)| {
            let shown = |value: Option<u64>| value.map_or_else(String::new, |value| scaled(value, unit));
            let mut row = vec![name.to_owned(), shown(histogram.mean())];
            row.extend(TOLD.map(|thousandths| shown(histogram.at(thousandths))));
            row.push(shown(histogram.most()));
            row
        })
        .collect();
    let mut text = if rows.is_empty() {
        String::new()
    } else {
        table(&["", "MEAN", "P50", "P95", "P99", "MOST"], &[false, true, true, true, true, true], &rows)
    };
    let seconds = measured.elapsed.as_secs_f64();
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "{} answered in {seconds:.2} s: {:.1} requests/s, {:.0} tokens/s out",
        grouped(measured.answered),
        per_second(measured.answered, seconds),
        per_second(measured.output, seconds),
    );
    let cost = match measured.unpriced {
        0 => dollars(measured.nano_usd),
        unknown if unknown == measured.answered => "cost unknown".to_owned(),
        unknown => format!("{} and {} of unknown price", dollars(measured.nano_usd), grouped(unknown)),
    };
    let _ = writeln!(text, "{} tokens in, {} out; {cost}", grouped(measured.input), grouped(measured.output));
    for (kind, count) in &measured.errors {
        let _ = writeln!(text, "{} failed: {kind}", grouped(*count));
    }
    text
}

/// One JSON object. Times are in milliseconds.
pub(super) fn object(measured: &Measured) -> Value {
    let seconds = measured.elapsed.as_secs_f64();
    let known = measured.unpriced < measured.answered || measured.answered == 0;
    json!({
        "answered": measured.answered,
        "failed": measured.errors.values().sum::<u64>(),
        "errors": measured.errors,
        "seconds": seconds,
        "requests_per_second": per_second(measured.answered, seconds),
        "output_tokens_per_second": per_second(measured.output, seconds),
        "total_ms": times(&measured.total, 1_000.0),
        "first_token_ms": times(&measured.first, 1_000.0),
        "between_tokens_ms": times(&measured.between, 1_000.0),
        "tokens_per_second": times(&measured.pace, 1.0),
        "input_tokens": measured.input,
        "output_tokens": measured.output,
        "nano_usd": known.then_some(measured.nano_usd),
        "unpriced": measured.unpriced,
        "interrupted": measured.interrupted,
    })
}

fn times(histogram: &Histogram, unit: f64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of hours are below 2⁵³")]
    let of = |value: Option<u64>| value.map(|value| value as f64 / unit);
    if histogram.count() == 0 {
        return Value::Null;
    }
    let [p50, p95, p99] = TOLD.map(|thousandths| of(histogram.at(thousandths)));
    json!({ "count": histogram.count(), "mean": of(histogram.mean()), "p50": p50, "p95": p95, "p99": p99,
        "most": of(histogram.most()) })
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests and tokens are below 2⁵³")]
fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

/// Microseconds as milliseconds with three digits that count, or a plain number.
fn scaled(value: u64, unit: u64) -> String {
    if unit == 1 {
        return grouped(value);
    }
    match value {
        0..10_000 => format!("{}.{:02}", value / 1_000, value % 1_000 / 10),
        10_000..100_000 => format!("{}.{}", value / 1_000, value % 1_000 / 100),
        _ => grouped(value / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        let shown = [0, 999, 1_234, 12_345, 123_456, 12_345_678].map(|value| scaled(value, 1_000));
        assert_eq!(shown, ["0.00", "0.99", "1.23", "12.3", "123", "12,345"]);
        assert_eq!(scaled(1_234, 1), "1,234");
    }

    #[test]
    fn rates_and_costs_are_of_what_was_answered() {
        let mut measured = Measured { answered: 4, output: 200, nano_usd: 5, unpriced: 1, ..Measured::default() };
        measured.elapsed = std::time::Duration::from_secs(2);
        measured.errors.insert("timeout", 3);
        (1..=4).for_each(|ms| measured.total.record(ms * 1_000));
        let said = object(&measured);
        assert_eq!(
            (said["requests_per_second"].as_f64(), said["output_tokens_per_second"].as_f64()),
            (Some(2.0), Some(100.0))
        );
        assert_eq!((said["failed"].as_u64(), said["nano_usd"].as_u64()), (Some(3), Some(5)));
        assert_eq!((&said["total_ms"]["most"], &said["first_token_ms"]), (&json!(4.0), &Value::Null));
        let text = text(&measured);
        assert!(
            text.contains("4 answered in 2.00 s: 2.0 requests/s, 100 tokens/s out")
                && text.contains("3 failed: timeout"),
            "{text}"
        );
    }
}
