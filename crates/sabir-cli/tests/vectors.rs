//! `sabir embed`, `similar`, `rerank` and `complete`, against the simulator.

mod support;

use serde_json::Value;
use support::{Folder, Served, command, lines, sabir, said, text};

#[test]
fn texts_become_json_lines() {
    let two = lines(&["embed", "-m", "sim/vectors", "--store", "the sea", "the salt"], "");
    assert_eq!(two.len(), 2);
    assert_eq!((&two[0]["text"], two[0]["vector"].as_array().map(Vec::len)), (&"the sea".into(), Some(64)));
    assert_eq!(two[0]["id"].as_str().map(str::len), Some(64), "the hash of the text");
    // A line each, or all of it; batches change nothing.
    let piped = lines(&["embed", "-m", "sim/vectors", "--batch", "1"], "the sea\n\nthe salt\n");
    assert_eq!((&piped[0]["vector"], &piped[1]["vector"]), (&two[0]["vector"], &two[1]["vector"]));
    assert_eq!(lines(&["embed", "-m", "sim/vectors", "--whole"], "the sea\nthe salt\n").len(), 1);
    assert_eq!(
        lines(&["embed", "-m", "sim/vectors", "--dimensions", "8", "x"], "")[0]["vector"].as_array().map(Vec::len),
        Some(8)
    );
}

#[test]
fn a_collection_asks_for_nothing_twice_and_is_searched() {
    let folder = Folder::new("vectors");
    folder.file("notes/a.txt", b"the sea is salt");
    folder.file("notes/b.txt", b"bread wants flour");
    let (db, glob) = (folder.path().join("v.db"), folder.path().join("notes/*.txt"));
    let (db, glob) = (db.to_str().expect("text"), glob.to_str().expect("text"));
    let embed = |more: &[&str], input: &str| {
        lines(&[&["embed", "--json", "--to", db, "-c", "notes", "-m", "sim/vectors"], more].concat(), input).remove(0)
    };
    let first = embed(&["--store", "--files", glob], "");
    assert_eq!((&first["embedded"], &first["texts"]), (&2.into(), &2.into()));
    let again = embed(&["--store", "--files", glob], "");
    assert_eq!((&again["embedded"], &again["known"], &again["texts"]), (&0.into(), &2.into(), &2.into()));
    // What changed is made anew under its name; what is there by another name is not asked for.
    folder.file("notes/b.txt", b"bread wants water");
    let changed = embed(&["--store", "--files", glob], "");
    assert_eq!((&changed["embedded"], &changed["texts"]), (&1.into(), &2.into()));
    let copied = embed(&[], "the sea is salt\n");
    assert_eq!((&copied["embedded"], &copied["texts"]), (&0.into(), &3.into()));

    let near = lines(&["similar", "--in", db, "-c", "notes", "-n", "2", "--json", "salt of the sea"], "");
    assert_eq!(near.len(), 2);
    assert!(near[0]["score"].as_f64() >= near[1]["score"].as_f64(), "{near:?}");
    assert!(near.iter().all(|near| near["score"].as_f64().is_some_and(|score| score > 0.5)), "{near:?}");
    let words = said(&["similar", "--in", db, "-c", "notes", "bread"], "");
    assert!(
        words.lines().next().is_some_and(|line| line.contains("b.txt") && line.ends_with("bread wants water")),
        "{words}"
    );

    let other = folder.file("other.db", b"");
    for (arguments, said) in [
        (&["similar", "--in", db, "-c", "notes", "-m", "sim/other", "x"][..], "cannot be compared"),
        (&["similar", "--in", db, "-c", "notes", "--dimensions", "8", "x"], "have 64 numbers and these 8"),
        (&["embed", "--to", db, "-c", "notes", "-m", "sim/other", "x"], "cannot be compared"),
        (&["embed", "--to", db, "-c", "notes", "--dimensions", "8", "x"], "have 64 numbers and these 8"),
        (&["similar", "--in", db, "-c", "none", "x"], "no collection none"),
        (&["similar", "--in", &other, "-c", "notes", "x"], "no collection notes"),
        (&["embed", "x"], "which model makes the vectors?"),
        (&["embed", "-m", "sim/vectors"], "nothing to embed"),
        (&["embed", "-m", "sim/vectors", "--files", "/no/such/*.txt"], "no file is meant by it"),
    ] {
        let output = sabir(arguments, "", &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(said), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn documents_are_put_in_order() {
    let documents = "bread wants flour\nthe sea is salt\nsalt and pepper\n";
    let two = lines(&["rerank", "-m", "sim/rank", "-n", "2", "--json", "why is the sea salt"], documents);
    assert_eq!((two.len(), &two[0]["document"], &two[0]["index"]), (2, &"the sea is salt".into(), &1.into()));
    let words = said(&["rerank", "-m", "sim/rank", "salt"], documents);
    assert_eq!(words.lines().count(), 3);
    let folder = Folder::new("rerank");
    let (sea, bread) = (folder.file("sea.txt", b"the sea is salt"), folder.file("bread.txt", b"flour"));
    let files = lines(&["rerank", "-m", "sim/rank", "--json", "sea", "--files", &bread, &sea], "");
    assert_eq!(files[0]["file"], sea.as_str());
    assert_eq!(sabir(&["rerank", "-m", "sim/rank", "sea"], "", &[]).status.code(), Some(2));
}

#[test]
fn texts_go_on_in_the_dialect_for_that_or_in_a_conversation() {
    let sim = Served::start(&mut command(&["sim", "--port", "0"], &[]));
    let base = sim.v1();
    let env = [("OPENAI_BASE_URL", base.as_str()), ("OPENAI_API_KEY", "sk-0123456789abcdef")];
    let mut asked = Vec::new();
    for model in ["openai/any", "openai:chat/any"] {
        let streamed = sabir(&["complete", "-m", model, "--suffix", " salt."], "The sea is", &env);
        assert_eq!(streamed.status.code(), Some(0), "{}", text(&streamed.stderr));
        assert!(!streamed.stdout.is_empty(), "{model}");
        assert!(!text(&streamed.stderr).contains("no completions"), "{}", text(&streamed.stderr));
        let whole = sabir(&["complete", "-m", model, "--json", "The sea is"], "", &env);
        let answer: Value = serde_json::from_slice(&whole.stdout).expect("JSON");
        assert!(!answer["text"].as_str().expect("text").is_empty(), "{answer}");
        asked.push(answer["usage"]["input_total"].as_u64().expect("a number"));
    }
    // A conversation has to be told what to do; a completion is the text and nothing else.
    assert!(asked[0] < asked[1], "{asked:?}");
    // One that is built in holds conversations alone.
    assert!(!said(&["complete", "-m", "sim/any"], "The sea is").is_empty());
    assert_eq!(sabir(&["complete", "-m", "sim/any"], "", &[]).status.code(), Some(2));
}
