//! What is counted before a request is sent, against what its provider said it came to: every recorded request.

use std::collections::BTreeMap;

use http::Method;
use sabir_core::chat::ChatRequest;
use sabir_core::dialect::Asked;
use sabir_tokens::{Fit, ModelId, Precision, calibration, count};
use serde_json::Value;

/// A recorded request, and what its provider counted.
struct Told {
    id: String,
    model: ModelId,
    request: ChatRequest,
    tokens: u64,
}

/// The dialects of conversations, as the corpus names them, and the rooms that read them.
const DIALECTS: &[(&str, &str)] = &[
    ("anthropic-messages", "anthropic-messages"),
    ("bedrock-converse", "bedrock-converse"),
    ("cohere-v1-chat", "cohere-v1-chat"),
    ("cohere-v2-chat", "cohere-v2-chat"),
    ("gemini-generate", "gemini-generate"),
    ("huggingface-chat", "openai-chat"),
    ("mistral-chat", "openai-chat"),
    ("ollama-chat", "ollama-chat"),
    ("openai-chat", "openai-chat"),
    ("openai-responses", "openai-responses"),
];

/// Recordings whose count is not of what was asked, and why.
const APART: &[(&str, &str)] = &[
    ("langchaingo-7b648a8b1dbb2b48", "a host of free models that puts some 600 tokens before eight words"),
    (
        "pydantic-ai-d77770e8263568e3",
        "32 tokens for two questions and 4,300 bytes of answer: the host left the answer out",
    ),
    ("rig-906dbf7fe6401838", "Ollama asks twice for a thought and then JSON: the thought is input the second time"),
    ("rig-ec099adf394a2a49", "mode `pro`: several answers, whose input is added up, and thoughts of earlier turns"),
];

/// Every whole request that was answered and counted.
fn told() -> Vec<Told> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
    let mut all = Vec::new();
    for (name, room) in DIALECTS {
        let text = std::fs::read_to_string(folder.join(format!("{name}.jsonl"))).expect("a file of recordings");
        all.extend(text.lines().filter_map(|line| told_by(&serde_json::from_str(line).expect("JSON"), room)));
    }
    all
}

fn told_by(line: &Value, room: &str) -> Option<Told> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (expected, asked) = (&line["expected_line"]["expected"], &line["request"]);
    let (usage, body) = (&expected["usage"], &asked["body"]);
    let number = |name: &str| usage[name].as_u64().unwrap_or_default();
    // The oracle gives counters as they came: two dialects count cached input apart.
    let apart = room == "anthropic-messages" || room == "bedrock-converse";
    let cached = if apart { number("cached_input") + number("cache_write") } else { 0 };
    let tokens = number("input") + cached;
    // What the provider keeps itself is nothing that can be counted here.
    let stored = ["previous_response_id", "prompt", "conversation", "cachedContent", "background"];
    let is_whole = body.is_object() && asked.get("elided").is_none() && stored.iter().all(|name| body[name].is_null());
    // Venice puts a prompt of its own before every conversation.
    let is_apart = line["provider"] == "venice"
        || line["id"].as_str().is_some_and(|id| APART.iter().any(|(apart, _)| *apart == id));
    if !is_whole || is_apart || tokens == 0 {
        return None;
    }
    let (path, headers, body) = (text(&asked["path"]), http::HeaderMap::new(), body.to_string());
    let asked = Asked { method: &Method::POST, path: &path, headers: &headers, body: body.as_bytes() };
    let Ok(request) = sabir_dialects::dialect(room)?.accept(asked) else { return None };
    let model = match request.model.as_str() {
        "" => text(&expected["model"]),
        model => model.to_owned(),
    };
    let mut model = ModelId::new(text(&line["provider"]), model);
    model.responses = room == "openai-responses";
    Some(Told { id: text(&line["id"]), model, request, tokens })
}

/// `scripts/calibrate-tokens` reads this.
#[test]
#[ignore = "prints what the lines are fitted to: run by scripts/calibrate-tokens"]
fn rows_for_calibration() {
    for told in told() {
        let (row, fit) = calibration(&told.request, &told.model);
        let is_apart = fit != Fit::Whole;
        let name = [told.model.provider.as_str(), &told.model.model].join("/");
        println!("row\t{}\t{name}\t{}\t{is_apart}\t{row:?}", told.id, told.tokens);
    }
}

/// How many recordings are plain conversations with a model whose framing is published.
#[cfg(feature = "openai")]
const EXACT: u64 = 44;

#[test]
fn the_stated_bound_holds_on_every_recording() {
    let mut failures = Vec::new();
    let mut exact: BTreeMap<bool, u64> = BTreeMap::new();
    for told in told() {
        if calibration(&told.request, &told.model).1 == Fit::Apart {
            continue;
        }
        let counted = count(&told.request, &told.model);
        *exact.entry(counted.precision == Precision::Exact).or_default() += 1;
        if !counted.holds(told.tokens) {
            failures.push(format!("{} {:?}: {} is not in {counted:?}", told.id, told.model, told.tokens));
        }
    }
    println!("exact or not: {exact:?}");
    #[cfg(feature = "openai")]
    assert_eq!(exact.get(&true), Some(&EXACT), "plain conversations are counted to the token");
    assert!(failures.is_empty(), "{} are outside:\n{}", failures.len(), failures.join("\n"));
}
