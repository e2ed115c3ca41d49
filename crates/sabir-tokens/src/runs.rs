//! Where a text is cut before it is encoded, so that no run of it costs more than its length.
//!
//! The encodings split a text into pieces (words, numbers, runs of signs, white space) and merge the bytes of each piece
//! for itself. A piece is at most a few runs of one kind of character long, so where a run is longer than any word is,
//! it is cut: the pattern then never has far to look back, and a merge never has more than a run's bytes to order.

/// The longest run that is encoded whole, in bytes: far longer than any word, and than any token of either encoding.
pub(crate) const MAX_RUN: usize = 4096;

/// How much a cut through a run may change its count, in tokens: on either side of it the merges may fall otherwise,
/// and they fall into step again after a few tokens. Measured on hostile runs of every kind of character
/// (`tests/exact.rs`).
pub(crate) const PER_CUT: u64 = 8;

#[cfg(any(test, feature = "openai", feature = "vocabularies"))]
/// The parts of a text, whole where no run in it is longer than [`MAX_RUN`]. Cuts stand between characters.
pub(crate) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (part, after) = rest.split_at(first_cut(rest));
        rest = after;
        Some(part)
    })
}

#[cfg(any(test, feature = "openai", feature = "vocabularies"))]
/// Where the first run that is too long is cut; the end of the text where none is.
fn first_cut(text: &str) -> usize {
    // Only a text that is longer than a run can have one that is too long.
    if text.len() <= MAX_RUN || is_tame(text.as_bytes()) {
        return text.len();
    }
    // Where the run of letters, of signs and of spaces began. One character may belong to two of them: the patterns
    // take marks (U+0300) for either.
    let (mut word, mut sign, mut space) = (0, 0, 0);
    for (at, c) in text.char_indices() {
        let kind = kind(c);
        let here = at + c.len_utf8();
        for (run, is_part) in [(&mut word, kind.word), (&mut sign, kind.sign), (&mut space, kind.space)] {
            if !is_part {
                *run = here;
            } else if here - *run > MAX_RUN {
                return at;
            }
        }
    }
    text.len()
}

#[cfg(any(test, feature = "openai", feature = "vocabularies"))]
/// Whether no run can be too long, as far as a glance tells: one that is fills a window, and none does where there is a
/// digit, or a letter and a space. In prose and programs that is known after a few bytes of each.
fn is_tame(text: &[u8]) -> bool {
    const WINDOW: usize = MAX_RUN / 2;
    text.chunks_exact(WINDOW).all(|window| {
        let has_word_and_space = || window.iter().any(u8::is_ascii_alphabetic) && window.contains(&b' ');
        has_word_and_space() || window.iter().any(u8::is_ascii_digit)
    })
}

#[cfg(any(test, feature = "openai", feature = "vocabularies"))]
/// Which runs a character may be part of.
#[derive(Clone, Copy)]
struct Kind {
    word: bool,
    sign: bool,
    space: bool,
}

#[cfg(any(test, feature = "openai", feature = "vocabularies"))]
/// In doubt a character is part of more runs than the patterns say, never of fewer.
fn kind(c: char) -> Kind {
    let is = |word, sign, space| Kind { word, sign, space };
    match c {
        'a'..='z' | 'A'..='Z' => is(true, false, false),
        // A line end may follow signs and be one piece with them.
        '\r' | '\n' => is(false, true, true),
        // A number is split after its third digit, and so is no long piece.
        '0'..='9' => is(false, false, false),
        c if c.is_whitespace() => is(false, false, true),
        c if c.is_ascii() => is(false, true, false),
        // Letters of scripts that are written without spaces, or with few: none of these blocks has a mark in it.
        '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' => {
            is(true, false, false)
        }
        '\u{ac00}'..='\u{d7a3}' => is(true, false, false),
        // Their punctuation, which has neither letters nor marks.
        '\u{2010}'..='\u{2027}'
        | '\u{3001}'..='\u{3003}'
        | '\u{3008}'..='\u{3011}'
        | '\u{ff01}'..='\u{ff0f}'
        | '\u{ff1a}'..='\u{ff20}' => is(false, true, false),
        c if c.is_numeric() => is(false, false, false),
        _ => is(true, true, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_people_and_programs_are_left_whole() {
        for text in [
            "the quick brown fox; ".repeat(2000),
            "{\"a\":[1,2,3],\"b\":\"c\"}".repeat(2000),
            "海は塩辛い。なぜですか？".repeat(2000),
            "0123456789".repeat(2000),
        ] {
            assert_eq!(parts(&text).count(), 1, "{}", &text[..20]);
        }
    }

    #[test]
    fn long_runs_are_cut_and_nothing_is_lost() {
        for unit in ["a", "\u{300}", "👩\u{200d}", ".👩", "-", " ", "\u{3000}", "क", "字", "/\r"] {
            let text = unit.repeat(20_000);
            let pieces: Vec<&str> = parts(&text).collect();
            assert!(pieces.len() > 4, "{unit:?}");
            assert!(pieces.iter().all(|piece| piece.len() <= MAX_RUN && !piece.is_empty()), "{unit:?}");
            assert_eq!(pieces.concat(), text);
        }
        assert_eq!(parts("").count(), 0);
    }

    /// Wherever a run stands, it is seen: a window of what breaks runs beside it hides none.
    #[test]
    fn a_run_among_prose_is_cut() {
        for before in [0, 1, 500, 2_047, 2_048, 5_000] {
            for unit in ["a", "-", "\n", "字"] {
                let run = unit.repeat(MAX_RUN * 2 / unit.len());
                let text = [&"is 1 ".repeat(before / 5), run.as_str(), &"is 1 ".repeat(2_000)].concat();
                assert!(parts(&text).count() > 1, "{unit:?} after {before}");
                assert_eq!(parts(&text).collect::<String>(), text);
            }
        }
    }
}
