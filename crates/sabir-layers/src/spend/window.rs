use std::fmt;
use std::time::Duration;

/// The time over which a budget is counted: a calendar's, at a fixed offset from UTC, or one that slides.
///
/// A zone whose clocks change is two offsets: a day there is an hour longer or shorter twice a year, which a fixed offset
/// does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// Every so many seconds, from this many after 1970 began; and seconds east of UTC.
    Every(u32, u32, i32),
    /// Every so many months, from January on; and seconds east of UTC.
    Months(u8, i32),
    Rolling(Duration),
}

const HOUR: u32 = 3_600;
const DAY: u32 = 24 * HOUR;

impl Window {
    /// From one full hour to the next.
    pub const fn hour() -> Self {
        Self(Kind::Every(HOUR, 0, 0))
    }

    /// From midnight to midnight, in UTC.
    pub const fn day() -> Self {
        Self(Kind::Every(DAY, 0, 0))
    }

    /// From Monday to Monday, in UTC.
    pub const fn week() -> Self {
        // The first of January 1970 was a Thursday.
        Self(Kind::Every(7 * DAY, 4 * DAY, 0))
    }

    /// From the first of a month to the next, in UTC.
    pub const fn month() -> Self {
        Self(Kind::Months(1, 0))
    }

    /// From the first of January to the next, in UTC.
    pub const fn year() -> Self {
        Self(Kind::Months(12, 0))
    }

    /// Any span of this length, from whenever: what was spent is forgotten once it is older, by at most a sixtieth.
    pub const fn rolling(span: Duration) -> Self {
        Self(Kind::Rolling(span))
    }

    /// At so many seconds east of UTC, as `3_600` for UTC+1. It is no matter to one that slides.
    #[must_use]
    pub const fn east(self, seconds: i32) -> Self {
        Self(match self.0 {
            Kind::Every(length, start, _) => Kind::Every(length, start, seconds),
            Kind::Months(count, _) => Kind::Months(count, seconds),
            rolling @ Kind::Rolling(_) => rolling,
        })
    }

    /// How long one that slides is.
    pub(super) fn span(&self) -> Option<Duration> {
        match self.0 {
            Kind::Rolling(span) => Some(span),
            _ => None,
        }
    }

    /// From when until (not including) when it is open at this time, all since 1970 in UTC. One that slides began its
    /// length ago and has no end.
    pub(super) fn around(&self, now: Duration) -> (Duration, Option<Duration>) {
        let utc = |local: i64, east: i32| Duration::from_secs(u64::try_from(local - i64::from(east)).unwrap_or(0));
        let local = |east: i32| i64::try_from(now.as_secs()).unwrap_or(i64::MAX / 2) + i64::from(east);
        match self.0 {
            Kind::Every(length, start, east) => {
                let (length, start) = (i64::from(length), i64::from(start));
                let from = (local(east) - start).div_euclid(length) * length + start;
                (utc(from, east), Some(utc(from + length, east)))
            }
            Kind::Months(count, east) => {
                let (year, month) = month_of(local(east).div_euclid(DAY.into()));
                let first = |months: i64| first_day(months) * i64::from(DAY);
                let count = i64::from(count);
                let months = (year * 12 + month).div_euclid(count) * count;
                (utc(first(months), east), Some(utc(first(months + count), east)))
            }
            Kind::Rolling(span) => (now.saturating_sub(span), None),
        }
    }
}

/// The year and the month (0 to 11) of a day since 1970 (Howard Hinnant, `civil_from_days`).
fn month_of(day: i64) -> (i64, i64) {
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    // Of a year that begins in March.
    let month = (5 * of_year + 2) / 153;
    let year = year + era * 400;
    if month < 10 { (year, month + 2) } else { (year + 1, month - 10) }
}

/// The day since 1970 on which the month of this number, from the year 0 on, begins (`days_from_civil`).
fn first_day(months: i64) -> i64 {
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 - 719_468
}

/// `an hour`, `a month (UTC+01:00)`, `any 24h`.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, east) = match self.0 {
            Kind::Every(HOUR, _, east) => ("an hour", east),
            Kind::Every(DAY, _, east) => ("a day", east),
            Kind::Every(_, _, east) => ("a week", east),
            Kind::Months(1, east) => ("a month", east),
            Kind::Months(_, east) => ("a year", east),
            Kind::Rolling(span) => return write!(f, "any {}", Span(span)),
        };
        f.write_str(name)?;
        if east == 0 {
            return Ok(());
        }
        let minutes = east.unsigned_abs() / 60;
        let sign = if east < 0 { '-' } else { '+' };
        write!(f, " (UTC{sign}{:02}:{:02})", minutes / 60, minutes % 60)
    }
}

/// A length of time in its two largest units: `3h 12min`.
pub(super) struct Span(pub(super) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if seconds == 0 {
            return write!(f, "{:?}", self.0);
        }
        let units =
            [("d", seconds / 86_400), ("h", seconds / 3_600 % 24), ("min", seconds / 60 % 60), ("s", seconds % 60)];
        let first = units.iter().position(|(_, count)| *count > 0).unwrap_or(3);
        let mut space = "";
        for (unit, count) in units[first..].iter().take(2).filter(|(_, count)| *count > 0) {
            write!(f, "{space}{count}{unit}")?;
            space = " ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of a day since 1970, and of the day.
    fn at(day: u64, second: u64) -> Duration {
        Duration::from_secs(day * 86_400 + second)
    }

    #[test]
    fn calendars_have_their_edges() {
        // 2026-11-21 was a Saturday, day 20 778; the month began on day 20 758 and ended on 20 788.
        let now = at(20_778, 3_599);
        let of = |window: Window| window.around(now);
        assert_eq!(of(Window::hour()), (at(20_778, 0), Some(at(20_778, 3_600))));
        assert_eq!(of(Window::day()), (at(20_778, 0), Some(at(20_779, 0))));
        assert_eq!(of(Window::week()), (at(20_773, 0), Some(at(20_780, 0))));
        assert_eq!(of(Window::month()), (at(20_758, 0), Some(at(20_788, 0))));
        // 2026 began on day 20 454.
        assert_eq!(of(Window::year()), (at(20_454, 0), Some(at(20_819, 0))));
        // An hour west of Greenwich it is still Friday.
        assert_eq!(of(Window::day().east(-3_600)), (at(20_777, 3_600), Some(at(20_778, 3_600))));
        assert_eq!(of(Window::month().east(3_600)), (at(20_757, 82_800), Some(at(20_787, 82_800))));
        assert_eq!(of(Window::rolling(Duration::from_secs(60))), (now.saturating_sub(Duration::from_secs(60)), None));
        assert_eq!(Window::day().east(7_200).around(Duration::ZERO).0, Duration::ZERO, "nothing was before 1970");
    }

    #[test]
    fn months_follow_each_other_for_four_hundred_years() {
        let mut now = Duration::ZERO;
        let mut lengths = std::collections::BTreeMap::<u64, u32>::new();
        for _ in 0..4_800 {
            let (from, until) = Window::month().around(now);
            assert_eq!(from, now);
            now = until.expect("an end");
            *lengths.entry(now.abs_diff(from).as_secs() / 86_400).or_default() += 1;
            assert_eq!(Window::month().around(now.saturating_sub(Duration::from_secs(1))).0, from);
        }
        // The Gregorian calendar repeats after 146,097 days, of which 97 are leap days.
        assert_eq!(now.as_secs(), 146_097 * 86_400);
        assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [(28, 303), (29, 97), (30, 1_600), (31, 2_800)]);
    }

    #[test]
    fn windows_say_what_they_are() {
        assert_eq!(Window::month().east(-19_800).to_string(), "a month (UTC-05:30)");
        assert_eq!(Window::rolling(Duration::from_secs(86_400)).to_string(), "any 1d");
        assert_eq!(Span(Duration::from_secs(11_521)).to_string(), "3h 12min");
        assert_eq!(Span(Duration::from_secs(3_601)).to_string(), "1h");
        assert_eq!(Span(Duration::from_millis(20)).to_string(), "20ms");
    }
}
