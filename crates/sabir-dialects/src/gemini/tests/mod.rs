//! Both faces on bodies that Google sends and its clients write, and on what nobody should.

mod answers;
mod bad_input;
mod requests;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use sabir_core::chat::{ChatRequest, ChatResponse, Part};
use sabir_core::dialect::{Answer, Asked, Dialect};
use sabir_core::drive::client::decode_whole;
use sabir_core::{Endpoint, Error, Feature};
use serde_json::{Value, json};

use super::{Gemini, NAME};

fn headers(kind: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))])
}

fn decode(body: &str) -> Result<ChatResponse, Error> {
    let headers = headers("application/json; charset=UTF-8");
    let answer = Answer { status: StatusCode::OK, headers: &headers, body: body.as_bytes() };
    Gemini.decode(answer)
}

fn stream(body: &str) -> Result<ChatResponse, Error> {
    decode_whole(&Gemini, StatusCode::OK, &headers("text/event-stream"), body.as_bytes(), true)
}

fn array(body: &str) -> Result<ChatResponse, Error> {
    decode_whole(&Gemini, StatusCode::OK, &headers("application/json"), body.as_bytes(), true)
}

fn sse(chunks: &[Value]) -> String {
    chunks.iter().fold(String::new(), |body, chunk| body + "data: " + &chunk.to_string() + "\r\n\r\n")
}

fn chunk(parts: &Value) -> Value {
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}], "responseId": "r1", "modelVersion": "gemini-x"})
}

fn last(parts: &Value) -> Value {
    let mut chunk = chunk(parts);
    chunk["candidates"][0]["finishReason"] = "STOP".into();
    chunk
}

fn signature(part: &Part) -> Option<&str> {
    part.meta.get(NAME, "thoughtSignature").and_then(Value::as_str)
}

fn endpoint() -> Endpoint {
    Endpoint { base_url: "https://generativelanguage.googleapis.com/v1beta".into(), ..Endpoint::default() }
}

fn encode(request: &ChatRequest) -> (String, Value, Vec<Feature>) {
    let encoded = Gemini.encode(request, &endpoint()).expect("expressible");
    let body = serde_json::from_slice(&encoded.body).expect("JSON");
    let losses = encoded.losses.into_iter().map(|loss| loss.feature).collect();
    (encoded.uri.path_and_query().expect("a path").to_string(), body, losses)
}

fn accept(path: &str, body: &str) -> Result<ChatRequest, Error> {
    let headers = HeaderMap::new();
    Gemini.accept(Asked { method: &Method::POST, path, headers: &headers, body: body.as_bytes() })
}

/// An answer with everything at once: a thought, a text, two calls, one without an id, and counters.
fn rich() -> Vec<Value> {
    vec![
        chunk(&json!([{"text": "Let me ", "thought": true}])),
        chunk(&json!([{"text": "think.", "thought": true}])),
        chunk(&json!([{"text": "I lo"}])),
        chunk(&json!([{"text": "ok."}])),
        chunk(
            &json!([{"functionCall": {"name": "weather", "args": {"city": "Málaga", "n": 1.0}}, "thoughtSignature": "c2ln+/=="}]),
        ),
        chunk(&json!([{"functionCall": {"name": "clock", "args": {}, "id": "abc"}}])),
        json!({"candidates": [{"content": {"parts": [{"text": "", "thoughtSignature": "ZW5k"}], "role": "model"},
            "finishReason": "STOP", "index": 0, "safetyRatings": [{"category": "X"}]}],
            "usageMetadata": {"promptTokenCount": 100, "cachedContentTokenCount": 40, "candidatesTokenCount": 7,
                "thoughtsTokenCount": 5, "toolUsePromptTokenCount": 9, "totalTokenCount": 121, "serviceTier": "standard",
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 80}, {"modality": "AUDIO", "tokenCount": 20}]},
            "modelVersion": "gemini-x", "responseId": "r1", "createTime": "2026-11-01T00:00:00Z"}),
    ]
}
