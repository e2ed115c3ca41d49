mod bad_input;
mod requests;
mod roundtrip;

use http::{HeaderMap, StatusCode};
use sabir_core::chat::ChatResponse;
use sabir_core::drive::decode_whole;
use sabir_core::{Endpoint, Quirks, Result};
use serde_json::Value;

use super::OpenAiChat;

/// Reads a body as a stream.
fn stream(body: &str) -> Result<ChatResponse> {
    decode_whole(&OpenAiChat, StatusCode::OK, &HeaderMap::new(), body.as_bytes(), true)
}

/// Reads a body as a whole answer.
fn whole(status: u16, body: &str) -> Result<ChatResponse> {
    let status = StatusCode::from_u16(status).expect("a status");
    decode_whole(&OpenAiChat, status, &HeaderMap::new(), body.as_bytes(), false)
}

/// Chunks as a stream with its end.
fn events(chunks: &[Value]) -> String {
    let frames: Vec<String> = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    frames.concat() + "data: [DONE]\n\n"
}

fn endpoint(quirks: &[(&str, &str)]) -> Endpoint {
    Endpoint {
        provider: "test".into(),
        base_url: "https://api.test/v1".into(),
        quirks: quirks.iter().copied().collect::<Quirks>(),
        ..Endpoint::default()
    }
}
