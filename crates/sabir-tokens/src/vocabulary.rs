//! Vocabularies of open models, read from their `tokenizer.json`.

use crate::Count;
#[cfg(feature = "vocabularies")]
use crate::Precision;

/// A vocabulary that the caller gave, and the models that it is for.
#[derive(Debug)]
pub(crate) struct Own {
    /// The word in their names, in lower case.
    pub(crate) models: String,
    #[cfg(feature = "vocabularies")]
    pub(crate) vocabulary: Vocabulary,
}

impl Own {
    #[cfg(feature = "vocabularies")]
    pub(crate) fn count(&self, text: &str) -> Count {
        self.vocabulary.count(text)
    }

    /// Without the feature there are none.
    #[cfg(not(feature = "vocabularies"))]
    #[expect(clippy::unused_self, reason = "with the feature it counts by its vocabulary")]
    pub(crate) fn count(&self, text: &str) -> Count {
        crate::features::Features::of(text).count()
    }
}

/// The largest `tokenizer.json` that is read; those of today's largest vocabularies have some 30 MB.
#[cfg(feature = "vocabularies")]
const MOST: usize = 256 << 20;

/// The vocabulary of an open model: what its publisher ships as `tokenizer.json`, counted by Hugging Face's own
/// `tokenizers`. The file is code of a kind (patterns, normalisers): read those of publishers that you trust.
#[cfg(feature = "vocabularies")]
pub struct Vocabulary(Box<tokenizers::Tokenizer>);

#[cfg(feature = "vocabularies")]
impl std::fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Vocabulary").field(&self.0.get_vocab_size(true)).finish()
    }
}

#[cfg(feature = "vocabularies")]
impl Vocabulary {
    /// Reads the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// `Configuration` where they are none, or more than 256 MiB.
    pub fn read(file: &[u8]) -> sabir_core::Result<Self> {
        use sabir_core::{Error, ErrorKind};
        let wrong = |why: String| {
            let message = format!("this is no tokenizer.json: {why}; give the file that the model is published with");
            Error::new(ErrorKind::Configuration, message)
        };
        if file.len() > MOST {
            return Err(wrong(format!("it has {} MiB, and at most 256 are read", file.len() >> 20)));
        }
        let mut tokenizer = tokenizers::Tokenizer::from_bytes(file).map_err(|error| wrong(error.to_string()))?;
        // Some files cut or fill texts to a length for training.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| wrong(error.to_string()))?;
        Ok(Self(Box::new(tokenizer)))
    }

    /// Counts the tokens of a text, without those that the model's template puts around it. Names of special tokens
    /// (`<|im_end|>`) count as those tokens: that is what servers of open models make of them.
    pub fn count(&self, text: &str) -> Count {
        let (mut tokens, mut wide, mut cuts) = (0_u64, 0_u64, 0_u64);
        for part in crate::runs::parts(text) {
            cuts += 1;
            if let Ok(encoding) = self.0.encode_fast(part, false) {
                tokens += encoding.len() as u64;
            } else {
                // A pattern gave up: a token for four bytes, as far as is known none or one for each.
                tokens += (part.len() as u64).div_ceil(4);
                wide += part.len() as u64;
            }
        }
        wide += (cuts.saturating_sub(1)) * crate::runs::PER_CUT;
        let precision = if wide == 0 { Precision::Exact } else { Precision::Bound };
        Count { tokens, precision, low: tokens.saturating_sub(wide), high: tokens + wide }
    }
}
