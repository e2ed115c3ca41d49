//! Texts, counted by a vocabulary or by their features.

use crate::Count;
use crate::features::Features;

/// What a text is counted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Measure {
    /// `o200k_base`; by features where this crate was built without OpenAI's encodings.
    O200k,
    /// `cl100k_base`; the same.
    Cl100k,
}

impl Measure {
    /// The tokens of a text.
    pub(crate) fn count(self, text: &str) -> Count {
        if text.is_empty() {
            return Count::exact(0);
        }
        #[cfg(feature = "openai")]
        let count = match self {
            Self::O200k => crate::Encoding::O200k.count(text),
            Self::Cl100k => crate::Encoding::Cl100k.count(text),
        };
        #[cfg(not(feature = "openai"))]
        let count = match self {
            Self::O200k | Self::Cl100k => Features::of(text).count(),
        };
        count
    }
}

/// Counts texts, one way or another: directly, or from a cache.
pub(crate) trait Texts {
    /// The tokens of a text.
    fn count(&self, measure: Measure, text: &str) -> Count;
}

/// Every text is counted when it comes.
pub(crate) struct Direct;

impl Texts for Direct {
    fn count(&self, measure: Measure, text: &str) -> Count {
        measure.count(text)
    }
}

/// The tokens of a text that are not ASCII, as far as its bytes tell.
pub(crate) fn foreign(tokens: u64, text: &str) -> u64 {
    match Features::of(text).foreign_percent() {
        0 => 0,
        percent => (tokens.saturating_mul(percent)).div_ceil(100),
    }
}
