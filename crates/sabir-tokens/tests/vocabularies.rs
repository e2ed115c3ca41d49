//! Vocabularies of open models against the reference implementation: Python's `tokenizers`, by
//! `scripts/count-token-corpus`.
#![cfg(feature = "vocabularies")]

use std::path::PathBuf;

use sabir_core::ErrorKind;
use sabir_core::chat::ChatRequest;
use sabir_tokens::{Counter, ModelId, Precision, Vocabulary};
use serde_json::Value;

const KINDS: [&str; 3] = ["bytes", "signs", "likeliest"];

fn corpus(file: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(file);
    std::fs::read(path).expect("a file of the corpus")
}

fn vocabulary(kind: &str) -> Vocabulary {
    Vocabulary::read(&corpus(&format!("vocabulary-{kind}.json"))).expect("a tokenizer.json")
}

fn lines(file: &str) -> Vec<Value> {
    let text = String::from_utf8(corpus(file)).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[test]
fn the_reference_implementation_counts_the_same() {
    let (texts, counts) = (lines("counts.jsonl"), lines("vocabularies.jsonl"));
    assert!(texts.len() == counts.len() && texts.len() > 190);
    for kind in KINDS {
        let vocabulary = vocabulary(kind);
        for (text, told) in texts.iter().zip(&counts) {
            assert_eq!(text["name"], told["name"]);
            let count = vocabulary.count(text["text"].as_str().expect("a text"));
            let name = &text["name"];
            assert_eq!((Some(count.tokens), count.precision), (told[kind].as_u64(), Precision::Exact), "{kind} {name}");
        }
    }
}

#[test]
fn a_counter_counts_a_model_by_the_vocabulary_it_was_given_last() {
    let counter = Counter::default().with("qwen", vocabulary("signs")).with("qwen3", vocabulary("bytes"));
    let text = "Why is the sea salt? ".repeat(10);
    let qwen3 = ModelId::new("groq", "Qwen/Qwen3-32B");
    let (own, older) = (counter.count_text(&text, &qwen3), counter.count_text(&text, &ModelId::new("", "qwen2.5")));
    assert_eq!((own, older), (vocabulary("bytes").count(&text), vocabulary("signs").count(&text)));
    assert_eq!(counter.count_text(&text, &qwen3), own, "from what it remembers");
    let other = ModelId::new("", "myqwen3");
    assert_eq!(counter.count_text(&text, &other), sabir_tokens::count_text(&text, &other));

    // The template's words are around the text, and none of them is in it.
    let request = counter.count(&ChatRequest::new("").user(&*text), &qwen3);
    assert!(request.precision == Precision::Estimate && request.low > own.tokens && request.high <= own.tokens + 75);
}

/// Runs that the pattern or the merges take long for are cut; what comes of that is within the bound.
#[test]
fn hostile_runs_stay_within_the_stated_bound() {
    for kind in KINDS {
        let vocabulary = vocabulary(kind);
        for unit in ["a", " ", "字", "-", "\u{300}", "👩\u{200d}", "/\r"] {
            let (once, twice) = (vocabulary.count(&unit.repeat(2_000)), vocabulary.count(&unit.repeat(40_000)));
            assert!(once.low <= once.tokens && twice.low <= twice.high, "{kind} {unit:?}");
            // Twenty times the run is about twenty times the tokens, where they are cut too.
            assert!(
                twice.low <= once.high * 21 && twice.high * 2 >= once.low * 19,
                "{kind} {unit:?}: {once:?} {twice:?}"
            );
        }
    }
}

#[test]
fn what_is_no_vocabulary_is_said_in_one_line() {
    let cut = &corpus("vocabulary-bytes.json")[..5_000];
    for file in [&b""[..], b"{}", b"[1]", b"\xff", br#"{"version":"1.0","model":{"type":"None"}}"#, cut] {
        let error = Vocabulary::read(file).expect_err("no vocabulary");
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().starts_with("this is no tokenizer.json") && error.message().lines().count() == 1);
    }
}
