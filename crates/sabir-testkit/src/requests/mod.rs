//! The requests that every dialect is tried on.

mod conversation;
mod tools;

use sabir_core::chat::{CacheMark, ChatRequest, Effort, ReasoningRequest, ResponseFormat};
use serde_json::json;

use crate::player::MODEL;

/// Bytes that pass for a tiny PNG.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR";

/// A request, with what is special about it.
pub(crate) struct Asking {
    pub name: &'static str,
    pub request: ChatRequest,
}

fn asking(name: &'static str, request: ChatRequest) -> Asking {
    Asking { name, request }
}

/// The requests that every dialect is tried on, each with one thing of its own. `dialect` is the dialect's name.
pub(crate) fn requests(dialect: &str) -> Vec<Asking> {
    [settings(dialect), conversation::conversations(dialect), conversation::media(), tools::tools()]
        .into_iter()
        .flatten()
        .collect()
}

/// What each request begins with; every dialect can carry it.
fn plain() -> ChatRequest {
    ChatRequest::new(MODEL).user("Why is the sea salt?").max_tokens(100)
}

fn set(change: impl FnOnce(&mut ChatRequest)) -> ChatRequest {
    let mut request = plain();
    change(&mut request);
    request
}

fn settings(dialect: &str) -> Vec<Asking> {
    let schema = json!({"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "number"}},
        "required": ["z", "a"], "additionalProperties": false});
    let format = |strict, description: Option<&str>| ResponseFormat::JsonSchema {
        name: "answer".into(),
        schema: schema.clone(),
        description: description.map(str::to_owned),
        strict,
    };
    let thinking = |reasoning| set(|r| r.reasoning = Some(reasoning));
    let effort = |effort| thinking(ReasoningRequest { effort: Some(effort), ..ReasoningRequest::default() });
    vec![
        asking("plain", plain()),
        asking("streamed", set(|r| r.stream = true)),
        asking("temperature", set(|r| r.temperature = Some(0.3))),
        asking("temperature of zero", set(|r| r.temperature = Some(0.0))),
        asking("top_p", set(|r| r.top_p = Some(0.9))),
        asking("top_k", set(|r| r.top_k = Some(40))),
        asking("stop", set(|r| r.stop = vec!["END".into(), "\n\n".into()])),
        asking("seed", set(|r| r.seed = Some(-7))),
        asking("presence penalty", set(|r| r.presence_penalty = Some(0.5))),
        asking("frequency penalty", set(|r| r.frequency_penalty = Some(-0.5))),
        asking("user", set(|r| r.user = Some("u-17".into()))),
        asking("metadata", set(|r| r.metadata = [("team".to_owned(), "blue".to_owned())].into())),
        asking("text format", plain().response_format(ResponseFormat::Text)),
        asking("JSON", plain().response_format(ResponseFormat::Json)),
        asking("JSON Schema", plain().response_format(format(None, None))),
        asking("strict JSON Schema", plain().response_format(format(Some(true), Some("The answer.")))),
        asking("low effort", effort(Effort::Low)),
        asking("no effort", effort(Effort::None)),
        asking("unknown effort", effort(Effort::Other("heroic".into()))),
        asking("reasoning budget", thinking(ReasoningRequest { budget: Some(2048), ..ReasoningRequest::default() })),
        asking("reasoning on", thinking(ReasoningRequest { enabled: Some(true), ..ReasoningRequest::default() })),
        asking("automatic cache", set(|r| r.cache = Some(CacheMark::default()))),
        asking("cache key", set(|r| r.cache_key = Some("k-1".into()))),
        asking("own option", plain().option(dialect, "x_testkit", json!({"b": 1.0, "a": [null]}))),
        asking("foreign option", plain().option("testkit-other", "x_testkit", 1)),
    ]
}

#[cfg(test)]
mod tests {
    use super::requests;

    #[test]
    fn each_request_has_a_name_of_its_own() {
        let all = requests("toy");
        let names: std::collections::BTreeSet<_> = all.iter().map(|asking| asking.name).collect();
        assert_eq!(names.len(), all.len());
    }
}
