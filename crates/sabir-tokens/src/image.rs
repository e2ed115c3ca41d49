//! What an image is in tokens, by each vendor's published rule.

use sabir_core::chat::{Media, Source};

use crate::Count;
use crate::dimensions::dimensions;

/// How a vendor counts images.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ImageRule {
    /// OpenAI, "Calculate costs" in its guide on images and vision: scaled into 2048 × 2048, then to 768 at the
    /// shortest side, then so many tokens and so many for each tile of 512 × 512; `base` alone at low detail.
    Tiles { base: u64, tile: u64 },
    /// OpenAI, same page: patches of 32 × 32, at most 1536, times a factor in hundredths.
    Patches { hundredths: u64 },
    /// Anthropic, "Vision" in its documentation: scaled to 1568 at the longest side, then width × height / 750.
    Area,
    /// Google, "Understand and count tokens": 258 up to 384 × 384, otherwise for each tile of 768 × 768.
    Gemini,
    /// The model takes none.
    None,
    /// Not published.
    Unknown,
}

impl ImageRule {
    pub(crate) const TILES: Self = Self::Tiles { base: 85, tile: 170 };
    pub(crate) const TILES_MINI: Self = Self::Tiles { base: 2833, tile: 5667 };
    pub(crate) const TILES_5: Self = Self::Tiles { base: 70, tile: 140 };
    pub(crate) const TILES_O: Self = Self::Tiles { base: 75, tile: 150 };

    pub(crate) const fn patches(hundredths: u64) -> Self {
        Self::Patches { hundredths }
    }

    /// The tokens of an image; `low_detail` where the request asks for no more.
    pub(crate) fn count(self, image: &Media, low_detail: bool) -> Count {
        let known = match &image.source {
            Source::Bytes(bytes) => dimensions(bytes),
            _ => None,
        };
        // The most is a large square for some, and for tiles a strip.
        let (low, high) = (self.of(1, 1), self.of(8192, 8192).max(self.of(768, 2048)));
        if let (Self::Tiles { base, .. }, true) = (self, low_detail) {
            return Count::estimate(base, base, base);
        }
        match known {
            // What is published is rounded, and scaling leaves a row of pixels to chance.
            Some((width, height)) => {
                let tokens = self.of(width.into(), height.into());
                match self {
                    Self::Unknown | Self::None => Count::estimate(tokens, low, high),
                    _ => Count::estimate(tokens, tokens - tokens / 4, tokens + tokens / 4 + 16),
                }
            }
            None => Count::estimate(self.of(1024, 1024), low, high),
        }
    }

    /// By the rule, for an image of this size. The sizes are a file's own words: they are only calculated with.
    fn of(self, width: u64, height: u64) -> u64 {
        let (width, height) = (width.max(1), height.max(1));
        match self {
            Self::Tiles { base, tile } => {
                let (width, height) = fit(width, height, 2048);
                let (width, height) = match width.min(height) {
                    side @ 769.. => ((width * 768).div_ceil(side), (height * 768).div_ceil(side)),
                    _ => (width, height),
                };
                base + tile * width.div_ceil(512) * height.div_ceil(512)
            }
            Self::Patches { hundredths } => {
                (width.div_ceil(32).saturating_mul(height.div_ceil(32))).min(1536) * hundredths / 100
            }
            Self::Area => {
                let (width, height) = fit(width, height, 1568);
                // The page gives about 1,600 tokens as the most that comes of the scaling.
                (width * height / 750).clamp(1, 1600)
            }
            Self::Gemini if width <= 384 && height <= 384 => 258,
            // The newest of its models state 1,120 for an image of the default resolution.
            Self::Gemini => 258 * (width.div_ceil(768).saturating_mul(height.div_ceil(768))).min(16),
            Self::None => 0,
            Self::Unknown if width * height <= 1 => 60,
            Self::Unknown if width.max(height) >= 8192 => 8_000,
            Self::Unknown => 1_000,
        }
    }
}

/// Scaled down so that no side is longer than `most`.
fn fit(width: u64, height: u64, most: u64) -> (u64, u64) {
    match width.max(height) {
        longest if longest > most => ((width * most / longest).max(1), (height * most / longest).max(1)),
        _ => (width, height),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_examples() {
        // OpenAI's page: 1024 × 1024 is 765, 2048 × 4096 is 1105, 1024 × 1024 in patches is 1024.
        assert_eq!(ImageRule::TILES.of(1024, 1024), 765);
        assert_eq!(ImageRule::TILES.of(2048, 4096), 1105);
        assert_eq!(ImageRule::patches(100).of(1024, 1024), 1024);
        assert_eq!(ImageRule::patches(100).of(1800, 2400), 1536, "the cap");
        // Anthropic's: 200 × 200 is about 54, 1000 × 1000 about 1334.
        assert_eq!((ImageRule::Area.of(200, 200), ImageRule::Area.of(1000, 1000)), (53, 1333));
        assert_eq!((ImageRule::Gemini.of(384, 384), ImageRule::Gemini.of(768, 1000)), (258, 516));
    }

    #[test]
    fn hostile_sizes_are_only_numbers() {
        for rule in [ImageRule::TILES, ImageRule::patches(246), ImageRule::Area, ImageRule::Gemini, ImageRule::Unknown]
        {
            for (width, height) in [(0, 0), (u64::from(u32::MAX), 1), (u64::from(u32::MAX), u64::from(u32::MAX))] {
                assert!(rule.of(width, height) < 100_000, "{rule:?}");
            }
        }
    }

    #[test]
    fn what_is_not_here_is_between_the_smallest_and_the_largest() {
        let far = ImageRule::TILES.count(&Media::url("https://x.test/a.png"), false);
        assert!(far.holds(255) && far.holds(765) && far.holds(1105) && far.holds(1445));
        assert_eq!(ImageRule::TILES.count(&Media::url("https://x.test/a.png"), true).high, 85);
    }
}
