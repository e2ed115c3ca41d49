//! A set of the words for how much to think.

use crate::chat::Effort;

/// Every word, from the least to the most; the place is the bit.
const WORDS: [Effort; 7] =
    [Effort::None, Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::XHigh, Effort::Max];

/// The words that a model takes for how much to think. Empty: it takes none.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Efforts(u8);

impl Efforts {
    /// A set by its bits: 1 is `none`, 2 `minimal`, 4 `low`, 8 `medium`, 16 `high`, 32 `xhigh`, 64 `max`.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0x7f)
    }

    /// Whether the model takes this word.
    pub fn contains(self, effort: &Effort) -> bool {
        place(effort).is_some_and(|at| self.0 & (1 << at) != 0)
    }

    /// The words, from the least to the most.
    pub fn iter(self) -> impl Iterator<Item = Effort> {
        WORDS.into_iter().enumerate().filter(move |(at, _)| self.0 & (1 << at) != 0).map(|(_, word)| word)
    }

    /// The word for the least thinking, other than none.
    pub fn least(self) -> Option<Effort> {
        self.iter().find(|word| *word != Effort::None)
    }

    /// The word that is nearest to this one and still asks for thoughts; of two that are as near, the lesser.
    pub fn nearest(self, effort: &Effort) -> Option<Effort> {
        let asked = place(effort)?;
        let thinking = self.iter().filter(|word| *word != Effort::None);
        thinking.min_by_key(|word| place(word).unwrap_or_default().abs_diff(asked))
    }
}

impl FromIterator<Effort> for Efforts {
    /// Words that this version does not know are left out.
    fn from_iter<I: IntoIterator<Item = Effort>>(words: I) -> Self {
        Self(words.into_iter().filter_map(|word| place(&word)).fold(0, |bits, at| bits | 1 << at))
    }
}

impl std::fmt::Debug for Efforts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

fn place(effort: &Effort) -> Option<usize> {
    WORDS.iter().position(|word| word == effort)
}
