//! Every recorded exchange that is no conversation, through its format, against the oracle: how many vectors, how long
//! they are and how they begin; the order of documents and their scores; the names of models; what was used; of errors
//! the status and the message.

use sabir::chat::Usage;
use sabir::dialect::Answer;
use sabir::{Error, Exchange, Result};
use sabir_tests::{Recording, deviations, recordings};
use serde_json::Value;

/// What an answer says, as far as the oracle does.
#[derive(Debug, Default)]
struct Said {
    model: Option<String>,
    vectors: Option<Vec<Vec<f32>>>,
    ranking: Option<Vec<(u64, f64)>>,
    models: Option<Vec<String>>,
    usage: Usage,
}

fn answer(recording: &Recording) -> Answer<'_> {
    Answer { status: recording.status, headers: &recording.headers, body: &recording.body }
}

type Reader = Box<dyn Fn(&Recording) -> Result<Said>>;
type Format<Q, A> = &'static dyn Exchange<Request = Q, Response = A>;

/// A format's reader.
fn reader<Q: 'static, A: 'static>(all: &'static [Format<Q, A>], say: fn(A) -> Said) -> Vec<(&'static str, Reader)> {
    let one = move |format: &Format<Q, A>| {
        let format = *format;
        let read: Reader = Box::new(move |r| format.decode(answer(r)).map(say));
        (format.name(), read)
    };
    all.iter().map(one).collect()
}

#[test]
fn answers_are_read_as_the_oracle_reads_them() {
    let vectors = reader(sabir::dialects::embeddings(), |read| Said {
        model: Some(read.model).filter(|model| !model.is_empty()),
        vectors: Some(read.vectors),
        usage: read.usage,
        ..Said::default()
    });
    let orders = reader(sabir::dialects::rerankings(), |read| Said {
        model: Some(read.model).filter(|model| !model.is_empty()),
        ranking: Some(read.ranking.iter().map(|ranked| (u64::from(ranked.index), ranked.score)).collect()),
        usage: read.usage,
        ..Said::default()
    });
    let lists = reader(sabir::dialects::listings(), |read| Said {
        models: Some(read.models.into_iter().map(|model| model.id).collect()),
        ..Said::default()
    });
    let known = deviations();
    let mut failures = Vec::new();
    for (name, read) in vectors.into_iter().chain(orders).chain(lists) {
        // Nobody recorded these.
        if ["ollama-embed", "ollama-tags"].contains(&name) {
            continue;
        }
        let (mut right, mut all) = (0, 0);
        for recording in recordings(name) {
            let Some(expected) = &recording.expected else { continue };
            all += 1;
            let differences = compare(expected, &read(&recording));
            if differences.is_empty() {
                right += 1;
                assert!(!known.contains_key(&recording.id), "{} is no deviation any more", recording.id);
            } else if !known.contains_key(&recording.id) {
                failures.push(format!("{name} {} {}: {}", recording.provider, recording.id, differences.join("; ")));
            }
        }
        println!("{name}: {right} of {all} as the oracle says");
        assert!(all > 0, "{name} has no recordings");
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

fn compare(expected: &Value, got: &Result<Said>) -> Vec<String> {
    match (expected.get("error").filter(|error| !error.is_null()), got) {
        (Some(expected), Err(error)) => compare_errors(expected, error),
        (Some(_), Ok(said)) => vec![format!("an error is read as {said:?}")],
        (None, Err(error)) => vec![format!("an answer is read as an error: {error}")],
        (None, Ok(said)) => compare_answers(expected, said),
    }
}

fn compare_errors(expected: &Value, error: &Error) -> Vec<String> {
    let mut differences = Vec::new();
    let wanted: String = expected["message"].as_str().unwrap_or_default().trim().chars().take(60).collect();
    if !error.message().contains(&wanted) {
        differences.push(format!("message {:?}, not {wanted:?}", error.message()));
    }
    let status = error.status().map(|status| u64::from(status.as_u16()));
    if expected["status"].as_u64() != status {
        differences.push(format!("status {status:?}, not {}", expected["status"]));
    }
    differences
}

fn compare_answers(expected: &Value, said: &Said) -> Vec<String> {
    let mut differences = Vec::new();
    let mut differ = |what: &str, got: Value, wanted: &Value| {
        if got != *wanted {
            let short = |value: &Value| value.to_string().chars().take(80).collect::<String>();
            differences.push(format!("{what} {}, not {}", short(&got), short(wanted)));
        }
    };
    if let (false, Some(model)) = (expected["model"].is_null(), &said.model) {
        differ("model", model.as_str().into(), &expected["model"]);
    }
    if let Some(models) = &said.models {
        // A request writes Google's names without what stands before them in its list.
        let names = expected["models"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let bare = |name: &str| name.strip_prefix("models/").unwrap_or(name).to_owned();
        let wanted: Vec<String> = names.map(bare).collect();
        let got: Vec<String> = models.iter().map(|name| bare(name)).collect();
        differ("models", got.into(), &wanted.into());
    }
    if let Some(vectors) = &said.vectors {
        // Cohere names what kinds of numbers it gives; one kind was asked for in every recording that is read.
        let kinds = expected["embeddings"].as_object().and_then(|kinds| kinds.values().next());
        let wanted = kinds.filter(|kind| kind.is_object()).unwrap_or(&expected["embeddings"]);
        differ("vectors", vectors.len().into(), &wanted["count"]);
        differ("dimensions", vectors.first().map_or(0, Vec::len).into(), &wanted["dim"]);
        for (got, wanted) in vectors.iter().flatten().zip(wanted["first"].as_array().into_iter().flatten()) {
            let wanted = wanted.as_f64().unwrap_or(f64::NAN);
            // The oracle gives six digits.
            if (f64::from(*got) - wanted).abs() > 2e-5 * wanted.abs().max(1e-3) {
                differ("a number", f64::from(*got).into(), &wanted.into());
            }
        }
    }
    if let Some(ranking) = &said.ranking {
        let wanted = expected["ranking"].as_array().cloned().unwrap_or_default();
        differ("ranked", ranking.len().into(), &wanted.len().into());
        for ((index, score), wanted) in ranking.iter().zip(&wanted) {
            differ("index", (*index).into(), &wanted["index"]);
            if (score - wanted["score"].as_f64().unwrap_or(f64::NAN)).abs() > 1e-9 {
                differ("score", (*score).into(), &wanted["score"]);
            }
        }
    }
    let input = &expected["usage"]["input"];
    if !input.is_null() {
        differ("input", said.usage.input_total().into(), input);
    }
    let searches = &expected["billed"]["search_units"];
    if !searches.is_null() {
        differ("searches", said.usage.tools.get("search_units").copied().into(), searches);
    }
    differences
}
