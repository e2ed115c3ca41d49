//! Texts, counted by a vocabulary or by their features.

use crate::Count;
use crate::features::Features;
use crate::vocabulary::Own;

/// What a text is counted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Measure {
    /// `o200k_base`; by features where this crate was built without OpenAI's encodings.
    O200k,
    /// `cl100k_base`; the same.
    Cl100k,
    /// The caller's vocabulary of this number.
    Own(usize),
}

impl Measure {
    /// The tokens of a text; `own` are the caller's vocabularies.
    pub(crate) fn count(self, text: &str, own: &[Own]) -> Count {
        if text.is_empty() {
            return Count::exact(0);
        }
        match self {
            #[cfg(feature = "openai")]
            Self::O200k => crate::Encoding::O200k.count(text),
            #[cfg(feature = "openai")]
            Self::Cl100k => crate::Encoding::Cl100k.count(text),
            #[cfg(not(feature = "openai"))]
            Self::O200k | Self::Cl100k => Features::of(text).count(),
            Self::Own(number) => own.get(number).map_or_else(|| Features::of(text).count(), |own| own.count(text)),
        }
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
        measure.count(text, &[])
    }
}

/// The tokens of a text that are not ASCII, as far as its bytes tell.
pub(crate) fn foreign(tokens: u64, text: &str) -> u64 {
    let foreign = text.bytes().filter(|byte| !byte.is_ascii()).count() as u64;
    let percent = (foreign * 100).div_ceil((text.len() as u64).max(1));
    tokens.saturating_mul(percent).div_ceil(100)
}

#[cfg(test)]
mod tests {
    use super::foreign;

    #[test]
    fn shares_are_of_bytes() {
        assert_eq!((foreign(100, "abcé"), foreign(100, ""), foreign(100, "海"), foreign(7, "abc")), (40, 0, 100, 0));
    }
}
