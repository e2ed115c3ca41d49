//! Words that several fields read.

use super::{CalendarUnit, Period};
use crate::units::duration;

/// `24h`, which rolls, or `month`, which begins by the calendar.
pub(super) fn period(text: &str) -> Option<Period> {
    let unit = match text {
        "hour" => CalendarUnit::Hour,
        "day" => CalendarUnit::Day,
        "week" => CalendarUnit::Week,
        "month" => CalendarUnit::Month,
        "year" => CalendarUnit::Year,
        _ => return duration(text).filter(|time| !time.is_zero()).map(Period::Rolling),
    };
    Some(Period::Calendar(unit))
}

/// Seconds east of UTC, of `UTC` or `+02:00`.
pub(super) fn offset(text: &str) -> Option<i32> {
    if text == "UTC" {
        return Some(0);
    }
    let (sign, text) = text.split_at_checked(1)?;
    let (hours, minutes) = text.split_once(':')?;
    let below = |text: &str, most: i32| {
        let number = text.parse::<u8>().ok().filter(|_| text.len() == 2).map(i32::from)?;
        (number < most).then_some(number)
    };
    let seconds = below(hours, 15)? * 3_600 + below(minutes, 60)? * 60;
    match sign {
        "+" => Some(seconds),
        "-" => Some(-seconds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_zones_are_offsets() {
        for (zone, seconds) in [("UTC", 0), ("+02:00", 7_200), ("-11:30", -41_400), ("+14:00", 50_400)] {
            assert_eq!(offset(zone), Some(seconds), "{zone}");
        }
        for none in ["", "Paris", "+2", "+25:00", "+02:60", "Europe/", "/Paris", "Europe Paris/x", "Europe/Paris"] {
            assert_eq!(offset(none), None, "{none}");
        }
    }
}
