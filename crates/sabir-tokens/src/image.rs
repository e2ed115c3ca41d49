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
    /// OpenAI, same page: patches of 32 × 32, scaled so that they are at most 1536, times a factor in hundredths. For
    /// GPT-5 mini the page says 1.62, and users were billed 1.2 (OpenAI's forum, June 2026).
    Patches { hundredths: u64, most: u64 },
    /// Anthropic, "Images and vision" in its documentation: patches of 28 × 28, of an image that is scaled to so many
    /// pixels at its longest side and to so many patches.
    Visual { side: u64, most: u64 },
    /// Google, "Understand and count tokens": 258 up to 384 × 384, otherwise for each tile of 768 × 768.
    Gemini,
    /// Google, "Media resolution": from Gemini 3 on up to 1,120 for any image, 280 to 2,240 where the request asks for
    /// another resolution.
    Gemini3,
    /// The model takes none.
    None,
    /// Not published.
    Unknown,
}

impl ImageRule {
    pub(crate) const TILES: Self = Self::Tiles { base: 85, tile: 170 };
    pub(crate) const TILES_MINI: Self = Self::Tiles { base: 2833, tile: 5667 };
    pub(crate) const TILES_5: Self = Self::Tiles { base: 70, tile: 140 };
    /// Claude up to Opus 4.6, Sonnet 4.6 and Haiku 4.5.
    pub(crate) const VISUAL: Self = Self::Visual { side: 1568, most: 1568 };
    /// Opus 4.7 and later. The page names some of the newest models only: for the others the low bound is that of the
    /// older ones.
    pub(crate) const VISUAL_FINE: Self = Self::Visual { side: 2576, most: 4784 };
    pub(crate) const TILES_O: Self = Self::Tiles { base: 75, tile: 150 };

    /// GPT-5.4 and later. Their page has no factor; recordings show that they count patches, and the forum 1.2 for those
    /// just before. Their `high` was announced to see 2.56 million pixels, which are 2,500 patches.
    pub(crate) const PATCHES_FINE: Self = Self::Patches { hundredths: 120, most: 2500 };

    pub(crate) const fn patches(hundredths: u64) -> Self {
        Self::Patches { hundredths, most: 1536 }
    }

    /// The tokens of an image; `low_detail` where the request asks for no more.
    pub(crate) fn count(self, image: &Media, low_detail: bool) -> Count {
        let known = match &image.source {
            Source::Bytes(bytes) => dimensions(bytes),
            _ => None,
        };
        // The most is a large square for some, and for tiles a strip.
        let (low, high) = (self.of(1, 1), self.of(8192, 8192).max(self.of(768, 2048)));
        match self {
            Self::Tiles { base, .. } if low_detail => return Count::estimate(base, base, base),
            Self::Gemini3 => return Count::estimate(1120, 258, 2240),
            _ => {}
        }
        match known {
            // What is published is rounded, and scaling leaves a row of pixels to chance.
            Some((width, height)) => {
                let tokens = self.of(width.into(), height.into());
                let low_of = |rule: Self| rule.of(width.into(), height.into());
                match self {
                    Self::Unknown | Self::None => Count::estimate(tokens, low, high),
                    Self::Visual { .. } => {
                        Count::estimate(tokens, low_of(Self::VISUAL) * 9 / 10, tokens + tokens / 10 + 16)
                    }
                    Self::Patches { .. } => Count::estimate(tokens, tokens * 7 / 10, tokens + tokens / 4 + 16),
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
            Self::Patches { hundredths, most } => patches(width, height, 32, most) * hundredths / 100,
            Self::Visual { side, most } => {
                let (width, height) = fit(width, height, side);
                patches(width, height, 28, most)
            }
            Self::Gemini if width <= 384 && height <= 384 => 258,
            Self::Gemini3 => 1120,
            Self::Gemini => 258 * (width.div_ceil(768).saturating_mul(height.div_ceil(768))).min(16),
            Self::None => 0,
            Self::Unknown if width * height <= 1 => 10,
            Self::Unknown if width.max(height) >= 8192 => 8_000,
            Self::Unknown => 1_000,
        }
    }
}

/// How many squares of this side cover an image, which is scaled down where they would be more than `most`: until the
/// columns are whole, as in OpenAI's example.
fn patches(width: u64, height: u64, side: u64, most: u64) -> u64 {
    let all = width.div_ceil(side).saturating_mul(height.div_ceil(side));
    if all <= most {
        return all;
    }
    let columns = (most.saturating_mul(width) / height).isqrt().clamp(1, most);
    let rows = height.saturating_mul(columns).div_ceil(width).max(1);
    columns.saturating_mul(rows).min(most)
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
        assert_eq!(ImageRule::patches(100).of(1800, 2400), 1452, "scaled to 33 × 44 patches");
        // What users were billed for 4000 × 1474 with GPT-4.1 mini, in OpenAI's forum.
        assert_eq!(ImageRule::patches(162).of(4000, 1474), 2488);
        // Anthropic's: 1000 × 1000 is 36 × 36 patches; larger ones are scaled, in older models further.
        assert_eq!((ImageRule::VISUAL.of(200, 200), ImageRule::VISUAL.of(1000, 1000)), (64, 1296));
        let large = [ImageRule::VISUAL, ImageRule::VISUAL_FINE].map(|rule| rule.of(4000, 3000));
        assert!((1450..=1568).contains(&large[0]) && (4600..=4784).contains(&large[1]), "{large:?}");
        assert_eq!((ImageRule::Gemini.of(384, 384), ImageRule::Gemini.of(768, 1000)), (258, 516));
    }

    #[test]
    fn hostile_sizes_are_only_numbers() {
        for rule in
            [ImageRule::TILES, ImageRule::patches(246), ImageRule::VISUAL_FINE, ImageRule::Gemini, ImageRule::Unknown]
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
