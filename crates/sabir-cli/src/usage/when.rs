//! Times as people write them.

use std::str::FromStr;
use std::time::Duration;

/// A day, or so long ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Days since 1970.
    Day(i64),
    Ago(Duration),
}

impl When {
    /// Since 1970 in UTC, where days begin so many seconds east of it; `None` before that.
    pub(crate) fn time(&self, now: Duration, east: i32) -> Option<Duration> {
        match self {
            Self::Day(day) => {
                let seconds = day.checked_mul(86_400)?.checked_sub(i64::from(east))?;
                u64::try_from(seconds).ok().map(Duration::from_secs)
            }
            Self::Ago(time) => now.checked_sub(*time),
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write a day like 2026-11-21, or how long ago: 12h, 7d, 4w".to_owned();
        if let [year, month, day] = text.split('-').collect::<Vec<_>>()[..] {
            let number = |text: &str, length: usize| {
                let is_number = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
                is_number.then(|| text.parse::<i64>().ok()).flatten().ok_or_else(wrong)
            };
            let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
            return days(year, month, day).map(Self::Day).ok_or_else(|| format!("there is no day {text}"));
        }
        let unit = text.chars().next_back().ok_or_else(wrong)?;
        let seconds = match unit {
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
        number.checked_mul(seconds).map(Duration::from_secs).map(Self::Ago).ok_or_else(wrong)
    }
}

/// `+02:00`, in seconds.
pub(crate) fn offset(text: &str) -> Result<i32, String> {
    let parse = || {
        let (sign, rest) = match text.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':')?;
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        ((0..=14).contains(&hours) && (0..60).contains(&minutes)).then_some(sign * (hours * 3_600 + minutes * 60))
    };
    parse().ok_or_else(|| "write it like +02:00 or -05:30".to_owned())
}

/// Days since 1970 of a day of the calendar; `None` where there is no such day.
/// <https://howardhinnant.github.io/date_algorithms.html>
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// A time since 1970 as `2026-11-21 09:30:00`, in UTC: the other way of [`days`].
pub(crate) fn moment(time: Duration) -> String {
    let (day, second) = (time.as_secs() / 86_400, time.as_secs() % 86_400);
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let of_cycle = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * of_cycle + of_cycle / 4 - of_cycle / 100);
    let from_march = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * from_march + 2) / 5 + 1, (from_march + 2) % 12 + 1);
    let year = of_cycle + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times_ago() {
        for (text, day) in [("1970-01-01", 0), ("2000-02-29", 11_016), ("2100-03-01", 47_541), ("2026-12-31", 20_818)] {
            assert_eq!(text.parse(), Ok(When::Day(day)), "{text}");
        }
        for (text, seconds) in [("90m", 5_400), ("12h", 43_200), ("7d", 604_800), ("4w", 2_419_200)] {
            assert_eq!(text.parse(), Ok(When::Ago(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["", "d", "7", "7y", "-7d", "2026-11-31", "2027-02-29", "2026-13-01", "26-1-1", "é", "+7d-1-1"] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
        let now = Duration::from_secs(10 * 86_400);
        assert_eq!(When::Day(1).time(now, 3_600), Some(Duration::from_secs(82_800)));
        assert_eq!(When::Day(0).time(now, 3_600), None);
        assert_eq!(When::Ago(Duration::from_secs(86_400)).time(now, 0), Some(Duration::from_secs(9 * 86_400)));
    }

    /// Every day of four centuries is written as it is read.
    #[test]
    fn moments_are_days_the_other_way() {
        for day in 0..146_097_u64 {
            let text = moment(Duration::from_secs(day * 86_400 + 86_399));
            let (date, time) = text.split_once(' ').expect("a day and a time");
            assert_eq!(date.parse(), Ok(When::Day(i64::try_from(day).expect("small"))), "{text}");
            assert_eq!(time, "23:59:59");
        }
    }

    #[test]
    fn offsets() {
        assert_eq!((offset("+02:00"), offset("-05:30")), (Ok(7_200), Ok(-19_800)));
        for text in ["", "2", "+2", "+15:00", "+00:60", "*01:00", "é1:00"] {
            assert!(offset(text).is_err(), "{text}");
        }
    }
}
