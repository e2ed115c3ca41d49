//! OpenAI's encodings against the reference implementation, and against themselves on hostile text.
#![cfg(feature = "openai")]

use sabir_tokens::{Encoding, Meter, ModelId, Precision, count_text};
use serde_json::Value;

/// What Python's `tiktoken` 0.14 (whose own checksums held for the merge lists) counts: 25 languages in 20 scripts, source
/// code, and random text, with `encode_ordinary`.
fn corpus() -> Vec<(String, String, u64, u64)> {
    let lines = include_str!("corpus/counts.jsonl").lines();
    lines
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("a line of JSON");
            let text = |name: &str| line[name].as_str().expect("text").to_owned();
            let number = |name: &str| line[name].as_u64().expect("a number");
            (text("name"), text("text"), number("o200k_base"), number("cl100k_base"))
        })
        .collect()
}

#[test]
fn the_reference_implementation_counts_the_same() {
    let corpus = corpus();
    assert!(corpus.len() > 190);
    for (name, text, o200k, cl100k) in &corpus {
        for (encoding, tokens) in [(Encoding::O200k, *o200k), (Encoding::Cl100k, *cl100k)] {
            let count = encoding.count(text);
            assert_eq!((count.tokens, count.precision), (tokens, Precision::Exact), "{name} in {encoding:?}");
        }
    }
}

#[test]
fn a_stream_counts_the_same_however_it_is_cut() {
    for (model, provider) in [("gpt-4o", "openai"), ("gpt-4", "openai")] {
        let model = ModelId::new(provider, model);
        for (name, text, ..) in corpus() {
            let chars: Vec<char> = text.chars().collect();
            for size in [1, 2, 3, 7, 50] {
                let mut meter = Meter::new(&model);
                chars.chunks(size).for_each(|piece| meter.push(&piece.iter().collect::<String>()));
                assert_eq!(meter.count(), count_text(&text, &model), "{name} in pieces of {size}");
            }
        }
    }
}

/// 60 kB of one thing: what the encodings and the pattern are slowest at. Most of it is one run, and so is cut.
fn hostile() -> Vec<(&'static str, String)> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let bytes: Vec<u8> = (0..60_000).map(|_| random().to_le_bytes()[3]).collect();
    let letters: String = (0..60_000).map(|_| char::from(b'a' + random().to_le_bytes()[3] % 26)).collect();
    let repeat = |unit: &str| unit.repeat(60_000 / unit.len());
    vec![
        ("one letter", repeat("a")),
        ("marks", repeat("\u{300}")),
        ("emoji joined", repeat("👩\u{200d}")),
        ("digits", repeat("7")),
        ("random bytes", String::from_utf8_lossy(&bytes).into_owned()),
        ("random letters", letters),
        ("line ends", repeat("\n")),
        ("spaces of no break", repeat("\u{a0}")),
        ("dashes", repeat("-")),
        ("slashes", repeat("/\r")),
        ("vowel signs", repeat("กำ")),
        ("dots and faces", repeat(".😀")),
    ]
}

#[test]
fn hostile_runs_stay_within_the_stated_bound() {
    for (encoding, whole) in [
        (Encoding::O200k, tiktoken_rs::o200k_base_singleton()),
        (Encoding::Cl100k, tiktoken_rs::cl100k_base_singleton()),
    ] {
        for (name, text) in hostile() {
            let count = encoding.count(&text);
            let truth = whole.encode_ordinary(&text).len() as u64;
            assert!(count.holds(truth), "{name} in {encoding:?}: {truth} is not in {count:?}");
            assert!(count.high - count.low <= text.len() as u64 / 200, "{name}: {count:?} is too wide");
        }
    }
}

/// On a megabyte of spaces the library alone gives up, and panics.
#[test]
fn a_megabyte_of_spaces_is_counted() {
    for text in [" ".repeat(1 << 20), "\u{3000} ".repeat(1 << 18), format!("{}x", "\t".repeat(1 << 20))] {
        let count = Encoding::O200k.count(&text);
        assert!(count.precision == Precision::Bound && count.low > 1_000, "{count:?}");
    }
}
