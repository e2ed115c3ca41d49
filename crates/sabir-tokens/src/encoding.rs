use crate::runs::{PER_CUT, parts};
use crate::{Count, Precision};

/// A vocabulary whose merges are public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// `o200k_base`: GPT-4o and later.
    O200k,
    /// `cl100k_base`: GPT-4 and GPT-3.5, and the embeddings.
    Cl100k,
}

impl Encoding {
    /// Counts the tokens of a text, in time proportional to its length. Names of special tokens (`<|endoftext|>`) count
    /// as the text that they are.
    ///
    /// The first call of an encoding builds its tables, once in a process, which takes some tenths of a second.
    pub fn count(self, text: &str) -> Count {
        let bpe = match self {
            Self::O200k => tiktoken_rs::o200k_base_singleton(),
            Self::Cl100k => tiktoken_rs::cl100k_base_singleton(),
        };
        let (mut tokens, mut cuts) = (0_u64, 0_u64);
        for part in parts(text) {
            tokens += bpe.encode_ordinary(part).len() as u64;
            cuts += 1;
        }
        let wide = cuts.saturating_sub(1) * PER_CUT;
        let precision = if wide == 0 { Precision::Exact } else { Precision::Bound };
        Count { tokens, precision, low: tokens.saturating_sub(wide), high: tokens + wide }
    }
}
