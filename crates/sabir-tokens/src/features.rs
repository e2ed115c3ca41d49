//! What can be seen of a text without a vocabulary: how many characters of which kind, and how many words.

use crate::Count;

/// How many kinds there are.
const KINDS: usize = 14;

/// Tokens of `o200k_base` for one of each kind, in thousandths: least squares of the relative error over the sentences and
/// programs of `tests/corpus`, rounded; the last, of rare scripts and signs, by judgement.
const WEIGHTS: [u64; KINDS] = [550, 140, 930, 300, 1000, 50, 180, 350, 420, 450, 870, 810, 800, 1900];

/// Characters of a text, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Features {
    kinds: [u64; KINDS],
}

impl Features {
    pub(crate) fn of(text: &str) -> Self {
        let mut features = Self::default();
        let mut in_word = false;
        for c in text.chars() {
            let kind = kind(c);
            features.kinds[kind] += 1;
            if kind == 1 && !in_word {
                features.kinds[0] += 1;
            }
            in_word = kind == 1;
        }
        features
    }

    /// An estimate of the tokens. Half and twice hold on the corpus's sentences and programs; a text of few words may be
    /// further off, and so some tokens are added.
    pub(crate) fn count(&self) -> Count {
        let sum: u64 = self.kinds.iter().zip(WEIGHTS).map(|(n, weight)| n.saturating_mul(weight)).sum();
        let tokens = sum.div_ceil(1000);
        Count::estimate(tokens, tokens / 2, tokens * 2 + 4)
    }
}

/// The kind of a character, by the Unicode blocks of its script. Kind 0 is the beginning of a word of ASCII letters.
fn kind(c: char) -> usize {
    match c {
        'a'..='z' | 'A'..='Z' => 1,
        '0'..='9' => 2,
        '\n' | '\r' => 4,
        ' ' | '\t' => 5,
        '\0'..='\u{7f}' => 3,
        // Latin with accents.
        '\u{80}'..='\u{36f}' | '\u{1e00}'..='\u{1eff}' => 6,
        // Greek, Cyrillic, Armenian, Georgian.
        '\u{370}'..='\u{58f}' | '\u{10a0}'..='\u{10ff}' => 7,
        // Hebrew, Arabic.
        '\u{590}'..='\u{8ff}' => 8,
        // The scripts of India and South-East Asia, but for Lao and Tibetan, of which the vocabulary has few words.
        '\u{900}'..='\u{e7f}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' => 9,
        // Kana, and the punctuation of the Far East.
        '\u{3000}'..='\u{30ff}' | '\u{ff00}'..='\u{ffef}' => 10,
        '\u{3400}'..='\u{9fff}' => 11,
        '\u{ac00}'..='\u{d7a3}' => 12,
        _ => 13,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_and_twice_hold_on_sentences_and_programs() {
        let mut seen = 0;
        for line in include_str!("../tests/corpus/counts.jsonl").lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
            let name = line["name"].as_str().expect("a name");
            // Signs in no order are neither.
            if name.starts_with("random") || name.starts_with("anywhere") || name == "base64" {
                continue;
            }
            let count = Features::of(line["text"].as_str().expect("a text")).count();
            let truth = line["o200k_base"].as_u64().expect("a number");
            assert!(count.holds(truth), "{name}: {truth} is not in {count:?}");
            seen += 1;
        }
        assert!(seen > 35);
    }

    #[test]
    fn a_word_is_counted_where_it_begins() {
        assert_eq!(Features::of("two words").kinds[0], 2);
    }
}
