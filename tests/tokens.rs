//! What is counted before a request is sent, against what its provider said it came to: every recorded request.

use std::collections::BTreeMap;

use http::Method;
use sabir::ChatRequest;
use sabir::dialect::Asked;
use sabir_tests::{DIALECTS, Recording, recordings};
use sabir_tokens::{ModelId, Precision, calibration, count};
use serde_json::Value;

/// A recorded request, and what its provider counted.
struct Told {
    id: String,
    model: ModelId,
    request: ChatRequest,
    tokens: u64,
}

/// Every whole request that was answered and counted.
fn told() -> Vec<Told> {
    let all = DIALECTS.iter().filter(|dialect| !dialect.contains("completions") && !dialect.contains("textgen"));
    all.flat_map(|dialect| recordings(dialect)).filter_map(|recording| told_by(&recording)).collect()
}

fn told_by(recording: &Recording) -> Option<Told> {
    let usage = &recording.expected.as_ref()?["usage"];
    let number = |name: &str| usage[name].as_u64().unwrap_or_default();
    // The oracle gives counters as they came: two dialects count cached input apart.
    let apart = matches!(recording.dialect.as_str(), "anthropic-messages" | "bedrock-converse");
    let cached = if apart { number("cached_input") + number("cache_write") } else { 0 };
    let tokens = usage["input"].as_u64().filter(|tokens| *tokens > 0)? + cached;
    let body = recording.request.as_ref()?.to_string();
    let (path, headers) = (recording.path.as_str(), &http::HeaderMap::new());
    let asked = Asked { method: &Method::POST, path, headers, body: body.as_bytes() };
    let Ok(sabir::Request::Chat(request)) = recording.room().accept(asked) else { return None };
    // What the provider keeps itself is nothing that can be counted here.
    let stored = ["previous_response_id", "prompt", "conversation", "cachedContent", "background"];
    if stored.iter().any(|name| recording.request.as_ref().is_some_and(|body| !body[name].is_null())) {
        return None;
    }
    let model = match request.model.as_str() {
        "" => recording.expected.as_ref()?["model"].as_str().unwrap_or_default(),
        model => model,
    };
    let mut model = ModelId::new(&recording.provider, model);
    model.responses = recording.dialect == "openai-responses";
    Some(Told { id: recording.id.clone(), model, request, tokens })
}

/// `scripts/calibrate-tokens` reads this.
#[test]
#[ignore = "prints what the lines are fitted to"]
fn rows_for_calibration() {
    for told in told() {
        let (row, is_apart) = calibration(&told.request, &told.model);
        let name = [told.model.provider.as_str(), &told.model.model].join("/");
        println!("row\t{}\t{name}\t{}\t{is_apart}\t{row:?}", told.id, told.tokens);
    }
}

#[test]
fn the_stated_bound_holds_on_every_recording() {
    let mut failures = Vec::new();
    let mut exact: BTreeMap<bool, u64> = BTreeMap::new();
    for told in told() {
        let (_, has_own_or_media) = calibration(&told.request, &told.model);
        let counted = count(&told.request, &told.model);
        if has_own_or_media {
            continue;
        }
        *exact.entry(counted.precision == Precision::Exact).or_default() += 1;
        if !counted.holds(told.tokens) {
            failures.push(format!("{} {:?}: {} is not in {counted:?}", told.id, told.model, told.tokens));
        }
    }
    println!("{exact:?}");
    let _: Option<Value> = None;
    assert!(failures.is_empty(), "{} are outside:\n{}", failures.len(), failures.join("\n"));
}
