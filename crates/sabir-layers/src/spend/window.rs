use std::fmt;
use std::time::Duration;

#[cfg(feature = "zones")]
use sabir_core::{Error, ErrorKind, Result};

#[cfg(feature = "zones")]
use super::zone::Named;
use super::zone::Zone;

/// The time over which a budget is counted: a calendar's, or one that slides.
///
/// A calendar's days are those of UTC, of an [offset](Window::east) from it, or of a [time zone](Window::zone): there a day
/// has 23 or 25 hours when the clocks change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Window(Kind);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Calendar(Unit, Zone),
    Rolling(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Unit {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Window {
    /// From one full hour to the next.
    pub const fn hour() -> Self {
        Self::each(Unit::Hour)
    }

    /// From midnight to midnight, in UTC.
    pub const fn day() -> Self {
        Self::each(Unit::Day)
    }

    /// From Monday to Monday, in UTC.
    pub const fn week() -> Self {
        Self::each(Unit::Week)
    }

    /// From the first of a month to the next, in UTC.
    pub const fn month() -> Self {
        Self::each(Unit::Month)
    }

    /// From the first of January to the next, in UTC.
    pub const fn year() -> Self {
        Self::each(Unit::Year)
    }

    const fn each(unit: Unit) -> Self {
        Self(Kind::Calendar(unit, Zone::East(0)))
    }

    /// Any span of this length, from whenever: what was spent is forgotten once it is older, by at most a sixtieth.
    pub const fn rolling(span: Duration) -> Self {
        Self(Kind::Rolling(span))
    }

    /// At so many seconds east of UTC, as `3_600` for UTC+1. It is no matter to one that slides.
    #[must_use]
    pub fn east(self, seconds: i32) -> Self {
        self.at(Zone::East(seconds))
    }

    /// In the time zone of this name of the IANA database, as `Europe/Rome`: with a day of 23 hours when its clocks are put
    /// forward, and one of 25 when they are put back. An hour that the clocks show twice is two. It is no matter to one that
    /// slides.
    ///
    /// The system's database is asked, where it has one; else the one that was built in.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] where there is no zone of this name.
    #[cfg(feature = "zones")]
    pub fn zone(self, name: &str) -> Result<Self> {
        let unknown = || {
            let message = format!("no time zone is called {name:?}: write its name in the IANA database (Europe/Rome)");
            Error::new(ErrorKind::Configuration, message)
        };
        Ok(self.at(Zone::Named(Named::of(name).ok_or_else(unknown)?)))
    }

    fn at(self, zone: Zone) -> Self {
        Self(match self.0 {
            Kind::Calendar(unit, _) => Kind::Calendar(unit, zone),
            rolling @ Kind::Rolling(_) => rolling,
        })
    }

    /// How long one that slides is.
    pub(super) fn span(&self) -> Option<Duration> {
        match self.0 {
            Kind::Rolling(span) => Some(span),
            Kind::Calendar(..) => None,
        }
    }

    /// From when until (not including) when it is open at this time, all since 1970 in UTC. One that slides began its
    /// length ago and has no end.
    pub(super) fn around(&self, now: Duration) -> (Duration, Option<Duration>) {
        let (unit, zone) = match &self.0 {
            Kind::Calendar(unit, zone) => (unit, zone),
            Kind::Rolling(span) => return (now.saturating_sub(*span), None),
        };
        let time = |seconds: i64| Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX / 2);
        if *unit == Unit::Hour {
            let (from, until) = zone.hour(now);
            return (time(from), Some(time(until)));
        }
        let (first, next) = unit.around(zone.day(now));
        (time(zone.midnight(first)), Some(time(zone.midnight(next))))
    }
}

impl Unit {
    /// The first day, and the first of the next one, around this day since 1970.
    fn around(self, day: i64) -> (i64, i64) {
        let months = |count: i64| {
            let (year, month) = month_of(day);
            let months = (year * 12 + month).div_euclid(count) * count;
            (first_day(months), first_day(months + count))
        };
        match self {
            Self::Hour | Self::Day => (day, day + 1),
            // The first of January 1970 was a Thursday.
            Self::Week => {
                let monday = (day - 4).div_euclid(7) * 7 + 4;
                (monday, monday + 7)
            }
            Self::Month => months(1),
            Self::Year => months(12),
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

/// `an hour`, `a month (UTC+01:00)`, `a day (Europe/Rome)`, `any 24h`.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, zone) = match &self.0 {
            Kind::Calendar(unit, zone) => (unit, zone),
            Kind::Rolling(span) => return write!(f, "any {}", Span(*span)),
        };
        f.write_str(match unit {
            Unit::Hour => "an hour",
            Unit::Day => "a day",
            Unit::Week => "a week",
            Unit::Month => "a month",
            Unit::Year => "a year",
        })?;
        if *zone == Zone::East(0) { Ok(()) } else { write!(f, " ({zone})") }
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
