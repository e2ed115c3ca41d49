//! Dates as providers write them (RFC 3339), and as seconds since 1970.

/// Seconds since 1970 of `2026-02-24T00:00:00Z`, with or without a fraction and an offset; `None` for other texts.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut days = date.splitn(3, '-').map(|n| n.parse::<i64>().ok());
    let (year, month, day) = (days.next()??, days.next()??, days.next()??);
    let (clock, offset) = split_offset(time)?;
    let mut clock = clock.split(':');
    let mut next = |limit: i64| clock.next()?.parse::<i64>().ok().filter(|n| (0..=limit).contains(n));
    let (hour, minute) = (next(23)?, next(59)?);
    let second = clock.next().map_or(Some(0), |s| s.split('.').next()?.parse::<i64>().ok())?;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) || second > 60 {
        return None;
    }
    let day_number = days_since_epoch(year, month, day);
    u64::try_from(day_number * 86_400 + hour * 3600 + minute * 60 + second - offset).ok()
}

/// The time of day, and its offset from UTC in seconds.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let (clock, offset) = time.split_at(at);
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let limited = |n: &str, limit| n.parse::<i64>().ok().filter(|n| (0..=limit).contains(n));
    let size = limited(hours, 23)? * 3600 + limited(minutes, 59)? * 60;
    Some((clock, if offset.starts_with('-') { -size } else { size }))
}

/// Days from 1970-01-01 to a civil date (Howard Hinnant's algorithm, years beginning in March).
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (shifted, month_number) = (if month <= 2 { year - 1 } else { year }, (month + 9) % 12);
    let (era, year_of_era) = (shifted / 400, shifted % 400);
    let day_of_year = (153 * month_number + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// A time in seconds since 1970 as `2026-02-24T00:00:00Z`. Times after the year 9999 stay there.
pub(super) fn text(seconds: u64) -> String {
    let seconds = seconds.min(253_402_300_799);
    let (days, clock) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_number = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_number + 2) / 5 + 1;
    let month = if month_number < 10 { month_number + 3 } else { month_number - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}
