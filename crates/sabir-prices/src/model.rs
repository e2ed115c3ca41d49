//! What one model costs.

use std::collections::BTreeMap;
use std::time::Duration;

use sabir_core::chat::Item;
use serde::{Deserialize, Serialize};

use crate::Price;

/// The prices of one model, as its provider lists them. What is `None` is unknown, which is not free.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelPrices {
    /// What a call costs that asks for nothing in particular.
    pub standard: Rates,
    /// What it costs with a long input, by size.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
    /// In a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Rates>,
    /// With the service tier `flex`: cheaper, and later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flex: Option<Rates>,
    /// With the service tier `priority`: dearer, and sooner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Rates>,
    /// At the hours of little use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub off_peak: Option<OffPeak>,
}

/// Prices by what is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// Input tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Price>,
    /// Output tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Price>,
    /// Input tokens read from a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<Price>,
    /// Input tokens written to a cache for its default lifetime (5 minutes at Anthropic).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<Price>,
    /// Input tokens written to a cache for an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<Price>,
    /// Reasoning tokens, where they cost other than output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Price>,
    /// Input tokens that are sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_input: Option<Price>,
    /// Output tokens that are sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_output: Option<Price>,
    /// Input tokens that are images, where they cost other than input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_input: Option<Price>,
    /// Output tokens that are images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_output: Option<Price>,
    /// Uses of the provider's own tools, for a million of them, by the names that `Usage::tools` has.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, Price>,
}

/// What a long input costs: the whole call, and not only what is above.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// The tier is for inputs of more tokens than this, cached ones included.
    pub above: u64,
    /// Its prices.
    pub rates: Rates,
}

/// Prices by the hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OffPeak {
    /// When they hold.
    pub windows: Vec<Window>,
    /// The prices.
    pub rates: Rates,
}

/// Hours of some days of the week, in UTC, written `12345:0400-0600`: days from Monday (1) to Sunday (7), and from
/// when until (not including) when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    /// A bit a day, Monday the lowest.
    days: u8,
    /// Minutes of the day.
    from: u16,
    until: u16,
}

impl Window {
    /// Reads what [`Window`] says.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (days, hours) = text.split_once(':')?;
        let (from, until) = hours.split_once('-')?;
        let minute = |text: &str| {
            let is_time = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
            let time: u16 = text.parse().ok().filter(|time| is_time && time % 100 < 60 && *time <= 2400)?;
            Some(time / 100 * 60 + time % 100)
        };
        let days = days.bytes().try_fold(0_u8, |days, day| {
            let at = day.checked_sub(b'1').filter(|at| *at < 7)?;
            Some(days | 1 << at)
        })?;
        let (from, until) = (minute(from)?, minute(until)?);
        (days != 0 && from < until).then_some(Self { days, from, until })
    }

    /// Whether it is open at this time since 1970, in UTC.
    pub fn contains(&self, time: Duration) -> bool {
        let minutes = time.as_secs() / 60;
        // The first of January 1970 was a Thursday.
        let day = (minutes / 1_440 + 3) % 7;
        let minute = minutes % 1_440;
        self.days >> day & 1 == 1 && (u64::from(self.from)..u64::from(self.until)).contains(&minute)
    }
}

impl TryFrom<String> for Window {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::read(&text).ok_or_else(|| format!("{text:?} is no window of time: write it as \"12345:0400-0600\""))
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        let days: String = (1..=7).filter(|day| window.days >> (day - 1) & 1 == 1).map(|day| day.to_string()).collect();
        let time = |minutes: u16| format!("{:02}{:02}", minutes / 60, minutes % 60);
        format!("{days}:{}-{}", time(window.from), time(window.until))
    }
}

impl Rates {
    /// The price of this, where it is listed.
    pub fn of(&self, item: &Item) -> Option<Price> {
        match item {
            Item::Input => self.input,
            Item::Output => self.output,
            Item::CacheRead => self.cache_read,
            Item::CacheWrite => self.cache_write,
            Item::CacheWrite1h => self.cache_write_1h,
            Item::Reasoning => self.reasoning,
            Item::AudioInput => self.audio_input,
            Item::AudioOutput => self.audio_output,
            Item::ImageInput => self.image_input,
            Item::ImageOutput => self.image_output,
            Item::Tool(name) => self.tools.get(name).copied(),
            _ => None,
        }
    }

    /// Sets a price by its name in the table of prices; `None` where there is no such name.
    pub(crate) fn set(&mut self, name: &str, price: Price) -> Option<()> {
        let place = match name {
            "in" => &mut self.input,
            "out" => &mut self.output,
            "read" => &mut self.cache_read,
            "write" => &mut self.cache_write,
            "write1h" => &mut self.cache_write_1h,
            "think" => &mut self.reasoning,
            "audio_in" => &mut self.audio_input,
            "audio_out" => &mut self.audio_output,
            "image_in" => &mut self.image_input,
            "image_out" => &mut self.image_output,
            _ => {
                self.tools.insert(name.strip_prefix("tool.")?.to_owned(), price);
                return Some(());
            }
        };
        *place = Some(price);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_know_their_days() {
        let window = Window::read("12345:0400-0600").expect("a window");
        let text: String = window.into();
        assert_eq!(text, "12345:0400-0600");
        // 2026-11-20 was a Friday; 20 777 days after 1970 began.
        let friday = 20_777 * 86_400;
        for (second, open) in
            [(14_399, false), (14_400, true), (21_599, true), (21_600, false), (86_400 + 14_400, false)]
        {
            assert_eq!(window.contains(Duration::from_secs(friday + second)), open, "{second}");
        }
        let weekend = Window::read("67:0000-2400").expect("a window");
        assert!(
            weekend.contains(Duration::from_secs(friday + 2 * 86_400))
                && !weekend.contains(Duration::from_secs(friday))
        );
        assert!(!weekend.contains(Duration::from_secs(friday + 3 * 86_400)));
        for text in
            ["", ":0000-0100", "8:0000-0100", "1:0100-0100", "1:0060-0100", "1:0000-2401", "1:000-0100", "1:+100-0200"]
        {
            assert_eq!(Window::read(text), None, "{text}");
        }
    }
}
