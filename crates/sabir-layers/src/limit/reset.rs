//! The forms in which providers write when a limit is full again.

use std::time::Duration;

/// Longer than any limit of a provider's lasts. A plain number beyond it is a date in seconds since 1970, or a mistake.
const LONGEST: Duration = Duration::from_secs(86_400);

/// How long it is until the reset: `6m0s`, `12ms`, `1h2m3.5s`, seconds (`30`, `0.5`), and, where the time since 1970 is
/// given, a date (RFC 3339, `2026-01-27T12:00:00Z`). `None` for any other form and for what is longer than a day.
pub(super) fn until(text: &str, since_1970: Option<Duration>) -> Option<Duration> {
    let text = text.trim();
    let time = relative(text).or_else(|| Some(date(text)?.saturating_sub(since_1970?)))?;
    (time <= LONGEST).then_some(time)
}

/// Seconds, or numbers with a unit each, as Go writes durations.
fn relative(text: &str) -> Option<Duration> {
    const SECOND: u64 = 1_000_000_000;
    let (mut rest, mut sum) = (text, 0_u64);
    while !rest.is_empty() {
        let number_ends = rest.bytes().position(|b| !b.is_ascii_digit() && b != b'.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_ends);
        let unit_ends = after.bytes().position(|b| b.is_ascii_digit()).unwrap_or(after.len());
        let unit = match &after[..unit_ends] {
            "" if number == text => SECOND,
            "d" => 86_400 * SECOND,
            "h" => 3_600 * SECOND,
            "m" => 60 * SECOND,
            "s" => SECOND,
            "ms" => 1_000_000,
            "us" | "µs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        sum = sum.checked_add(nanos(number, unit)?)?;
        rest = &after[unit_ends..];
    }
    (!text.is_empty()).then_some(Duration::from_nanos(sum))
}

/// So many units of so many nanoseconds, from digits with at most one point in them.
fn nanos(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut sum = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    if !fraction.is_empty() {
        // What is finer than nine digits is no whole nanosecond of a second.
        let fraction = fraction.get(..9).unwrap_or(fraction);
        let parts = u128::from(fraction.parse::<u64>().ok()?) * u128::from(unit);
        let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        sum = sum.checked_add(u64::try_from(parts / scale).ok()?)?;
    }
    Some(sum)
}

/// The time since 1970 of a date by RFC 3339 §5.6; fractions of a second are left out.
fn date(text: &str) -> Option<Duration> {
    if !text.is_ascii() || text.len() < 20 {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<u64>().ok();
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let marked = marks.iter().all(|(at, mark)| text.as_bytes()[*at] == *mark);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !marked || !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days from the civil date (Howard Hinnant's algorithm, years beginning in March).
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (shifted / 400, shifted % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let local = days.checked_sub(719_468)? * 86_400 + hour * 3_600 + minute * 60 + second;
    let zone = text[19..].trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    if matches!(zone, "Z" | "z") {
        return Some(Duration::from_secs(local));
    }
    let (ahead, clock) = (zone.strip_prefix('+'), zone.strip_prefix('-'));
    let (hours, minutes) = ahead.or(clock)?.split_once(':')?;
    let offset = hours.parse::<u64>().ok()?.checked_mul(3_600)?.checked_add(minutes.parse::<u64>().ok()? * 60)?;
    let utc = if ahead.is_some() { local.checked_sub(offset)? } else { local.checked_add(offset)? };
    Some(Duration::from_secs(utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        for (text, milliseconds) in [
            ("6m0s", 360_000),
            ("12ms", 12),
            ("1h2m3.5s", 3_723_500),
            ("2m59.56s", 179_560),
            ("30", 30_000),
            (" 0.5 ", 500),
            ("0s", 0),
            ("1d", 86_400_000),
            ("1500µs", 1),
        ] {
            assert_eq!(until(text, None).map(|time| time.as_millis()), Some(milliseconds), "{text}");
        }
    }

    #[test]
    fn dates_need_to_know_what_day_it_is() {
        let noon = Duration::from_secs(1_769_515_200);
        let at = |text| until(text, Some(noon)).map(|time| time.as_secs());
        assert_eq!(at("2026-01-27T12:00:30Z"), Some(30));
        assert_eq!(at("2026-01-27T12:00:30.250Z"), Some(30));
        assert_eq!(at("2026-01-27T14:01:00+02:00"), Some(60));
        assert_eq!(at("2026-01-27T06:30:01-05:30"), Some(1));
        assert_eq!(at("2026-01-27T11:00:00Z"), Some(0), "it is over");
        assert_eq!(at("2026-03-27T12:00:00Z"), None, "nothing lasts that long");
        assert_eq!(until("2026-01-27T12:00:30Z", None), None);
    }

    #[test]
    fn other_forms_are_not_guessed() {
        for text in [
            "",
            "soon",
            "-5",
            "1769515200",
            "5 s",
            "5x",
            "1e400",
            "nan",
            "inf",
            "m",
            ".s",
            "99999999999999999999h",
            "6m0",
            "2026-13-27T12:00:30Z",
            "2026-01-27 12:00",
            "2026-01-27T12:00:30+99999999999999999:00",
            "ééééééééééé",
        ] {
            assert_eq!(until(text, Some(Duration::from_secs(1_769_515_200))), None, "{text}");
        }
    }
}
