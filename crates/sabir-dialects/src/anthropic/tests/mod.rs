mod answers;
mod requests;
mod streams;

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use sabir_core::chat::{ChatRequest, ChatResponse};
use sabir_core::dialect::{Answer, Asked, Encoded};
use sabir_core::drive::decode_whole;
use sabir_core::{Dialect, Endpoint, Error, Result};
use serde_json::Value;

use super::AnthropicMessages;

fn endpoint() -> Endpoint {
    Endpoint { provider: "anthropic".into(), base_url: "https://api.test".into(), ..Endpoint::default() }
}

fn modern() -> Endpoint {
    let version = ("anthropic-version".parse().expect("a name"), HeaderValue::from_static("2026-10-21"));
    Endpoint { headers: HeaderMap::from_iter([version]), ..endpoint() }
}

fn encode(request: &ChatRequest) -> Encoded {
    AnthropicMessages.encode(request, &endpoint()).expect("it can be sent")
}

fn body(encoded: &Encoded) -> Value {
    serde_json::from_slice(&encoded.body).expect("JSON")
}

fn lost(encoded: &Encoded) -> Vec<String> {
    encoded.losses.iter().map(|l| format!("{}@{}", l.feature, l.path)).collect()
}

fn accept_with(body: &str, headers: &HeaderMap) -> Result<ChatRequest> {
    AnthropicMessages.accept(Asked { method: &Method::POST, path: "/v1/messages", headers, body: body.as_bytes() })
}

fn accept(body: &str) -> Result<ChatRequest> {
    accept_with(body, &HeaderMap::new())
}

fn decode(status: u16, body: &str) -> Result<ChatResponse> {
    AnthropicMessages.decode(Answer {
        status: StatusCode::from_u16(status).expect("a status"),
        headers: &HeaderMap::new(),
        body: body.as_bytes(),
    })
}

fn decode_stream(body: &str) -> Result<ChatResponse> {
    decode_whole(&AnthropicMessages, StatusCode::OK, &HeaderMap::new(), body.as_bytes(), true)
}

/// A stream of these events.
fn events(events: &[&str]) -> String {
    format!("data: {}\n\n", events.join("\n\ndata: "))
}

fn failed<T: std::fmt::Debug>(result: Result<T>) -> Error {
    result.expect_err("it must fail")
}
