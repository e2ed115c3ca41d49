//! Days and months of the calendar that is in use everywhere.

use std::time::Duration;

use super::Dimension;

const DAY: i64 = 86_400;

/// The day of a time since 1970, `2027-01-31`, at so many seconds east of UTC.
pub(super) fn day(time: Duration, east: i32) -> String {
    let (year, month, day) = date(time, east);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The month of a time since 1970, `2027-01`, at so many seconds east of UTC.
pub(super) fn month(time: Duration, east: i32) -> String {
    let (year, month, _) = date(time, east);
    format!("{year:04}-{month:02}")
}

/// Howard Hinnant's `civil_from_days`: years begin in March, so that the leap day is a year's last, and 400 of them
/// always have the same length. <https://howardhinnant.github.io/date_algorithms.html>
fn date(time: Duration, east: i32) -> (i64, i64, i64) {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX).saturating_add(i64::from(east));
    let days = seconds.div_euclid(DAY) + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * from_march + 2) / 5 + 1)
}

impl Dimension {
    /// The name of the group that an attempt is in.
    pub(super) fn name_of(&self, attempt: &super::Opened) -> String {
        match self {
            Self::Day(east) => day(attempt.time, *east),
            Self::Month(east) => month(attempt.time, *east),
            Self::Provider => attempt.provider.to_string(),
            Self::Model => attempt.model.to_string(),
            Self::Key => attempt.key.to_string(),
            Self::Tenant => attempt.tenant.to_string(),
            Self::Tag(name) => {
                attempt.tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| value.clone()).unwrap_or_default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_calendar() {
        let at = |seconds| Duration::from_secs(seconds);
        for (seconds, east, is) in [
            (0, 0, "1970-01-01"),
            (0, -1, "1969-12-31"),
            (951_782_399, 0, "2000-02-28"),
            (951_782_400, 0, "2000-02-29"),
            (951_868_800, 0, "2000-03-01"),
            (4_107_542_400, 0, "2100-03-01"),
            (1_798_761_599, 0, "2026-12-31"),
            (1_798_761_599, 1, "2027-01-01"),
            (1_798_761_600, -3_600, "2026-12-31"),
        ] {
            assert_eq!(day(at(seconds), east), is, "{seconds} {east}");
            assert_eq!(month(at(seconds), east), is[..7], "{seconds} {east}");
        }
        assert!(!day(Duration::MAX, i32::MAX).is_empty(), "no time is too far");
    }
}
