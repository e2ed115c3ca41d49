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

/// `UTC`, `+02:00`, `Europe/Paris`.
pub(super) fn is_time_zone(text: &str) -> bool {
    let is_offset = |text: &str| {
        let (hours, minutes) = text.split_once(':').unwrap_or_default();
        let below = |text: &str, most: u8| text.len() == 2 && text.parse::<u8>().is_ok_and(|number| number < most);
        below(hours, 15) && below(minutes, 60)
    };
    let is_name = |text: &str| {
        let word =
            |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-".contains(&b));
        text.contains('/') && text.split('/').all(word)
    };
    text == "UTC" || text.strip_prefix(['+', '-']).is_some_and(is_offset) || is_name(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_zones_look_like_time_zones() {
        for zone in ["UTC", "+02:00", "-11:30", "Europe/Paris", "America/Argentina/Buenos_Aires", "Etc/GMT+5"] {
            assert!(is_time_zone(zone), "{zone}");
        }
        for none in ["", "Paris", "+2", "+25:00", "+02:60", "Europe/", "/Paris", "Europe Paris/x"] {
            assert!(!is_time_zone(none), "{none}");
        }
    }
}
