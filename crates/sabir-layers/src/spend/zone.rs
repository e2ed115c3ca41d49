//! Where the days of a calendar begin.

use std::fmt;

#[cfg(feature = "zones")]
pub(super) use named::Named;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// A time zone. All times are seconds since 1970 in UTC, all days are days since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Zone {
    /// So many seconds east of UTC, all the year.
    East(i32),
    /// One of the IANA database.
    #[cfg(feature = "zones")]
    Named(Named),
}

impl Zone {
    /// The day that it is at this time: the last one that has begun.
    pub(super) fn day(&self, now: i64) -> i64 {
        match self {
            Self::East(east) => (now + i64::from(*east)).div_euclid(DAY),
            #[cfg(feature = "zones")]
            Self::Named(zone) => zone.day(now),
        }
    }

    /// When a day begins.
    pub(super) fn midnight(&self, day: i64) -> i64 {
        match self {
            Self::East(east) => day * DAY - i64::from(*east),
            #[cfg(feature = "zones")]
            Self::Named(zone) => zone.reaches(day * DAY),
        }
    }

    /// From when until (not including) when the clock shows the hour that it shows at this time, once.
    pub(super) fn hour(&self, now: i64) -> (i64, i64) {
        match self {
            Self::East(east) => hour(now, (*east).into()),
            #[cfg(feature = "zones")]
            Self::Named(zone) => zone.hour(now),
        }
    }
}

fn hour(now: i64, east: i64) -> (i64, i64) {
    let from = (now + east).div_euclid(HOUR) * HOUR - east;
    (from, from + HOUR)
}

/// `UTC+01:00`, or the name.
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::East(0) => f.write_str("UTC"),
            Self::East(east) => {
                let minutes = east.unsigned_abs() / 60;
                let sign = if *east < 0 { '-' } else { '+' };
                write!(f, "UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
            #[cfg(feature = "zones")]
            Self::Named(zone) => f.write_str(&zone.name),
        }
    }
}

#[cfg(feature = "zones")]
mod named {
    use std::fmt;
    use std::hash::{Hash, Hasher};
    use std::sync::Arc;

    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::{DAY, hour};

    /// A zone of the IANA database, whose clocks may change. Two of one name are the same.
    #[derive(Clone)]
    pub(in crate::spend) struct Named {
        pub(super) name: Arc<str>,
        zone: TimeZone,
    }

    impl Named {
        /// The zone of this name; `None` where the database has none. The system's database is asked where there is one,
        /// else the one that was built in.
        pub(in crate::spend) fn of(name: &str) -> Option<Self> {
            let zone = jiff::tz::db().get(name).ok()?;
            Some(Self { name: zone.iana_name().unwrap_or(name).into(), zone })
        }

        /// How far east of UTC its clocks are, and when that changes next.
        fn clock(&self, now: i64) -> (i64, i64) {
            // What is beyond is the year 9999.
            let now = Timestamp::from_second(now).unwrap_or(Timestamp::MAX);
            let east = self.zone.to_offset(now).seconds();
            // Only the names of the offset may change, too.
            let next = self.zone.following(now).find(|change| change.offset().seconds() != east);
            (east.into(), next.map_or(i64::MAX, |change| change.timestamp().as_second()))
        }

        /// When its clock shows this or more for the first time: a clock that is put forward may skip it, one that is put
        /// back shows it twice.
        pub(super) fn reaches(&self, shown: i64) -> i64 {
            // No zone was ever further from UTC.
            let mut since = shown - 2 * DAY;
            loop {
                let (east, next) = self.clock(since);
                if shown - east < next {
                    return since.max(shown - east);
                }
                since = next;
            }
        }

        pub(super) fn day(&self, now: i64) -> i64 {
            let day = (now + self.clock(now).0).div_euclid(DAY);
            // Where the clock was put back past midnight the day that had begun goes on.
            if self.reaches((day + 1) * DAY) <= now { day + 1 } else { day }
        }

        pub(super) fn hour(&self, now: i64) -> (i64, i64) {
            let (east, next) = self.clock(now);
            let (from, until) = hour(now, east);
            // Of what was before the change it is another hour.
            let (_, changed) = self.clock(from);
            let from = if changed <= now { changed } else { from };
            (from, until.min(next))
        }
    }

    /// Of its name alone: it is part of a purse's key.
    impl fmt::Debug for Named {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.name.fmt(f)
        }
    }

    impl PartialEq for Named {
        fn eq(&self, other: &Self) -> bool {
            self.name == other.name
        }
    }

    impl Eq for Named {}

    impl Hash for Named {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.name.hash(state);
        }
    }
}
