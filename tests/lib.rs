//! What the tests across crates share: the recordings, and a transport that plays one back in pieces.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sabir::transport::{Body, BoxFuture};
use sabir::{Dialect, Result, Transport};
use serde_json::Value;

/// One recorded exchange, and what the oracle makes of it.
#[derive(Debug)]
pub struct Recording {
    /// Its stable name.
    pub id: String,
    /// The dialect, by the corpus's name (`mistral-chat` is `openai-chat` with a provider).
    pub dialect: String,
    /// Who answered.
    pub provider: String,
    /// Whether the answer is a stream.
    pub stream: bool,
    /// The client's request: path, and body where it is whole.
    pub path: String,
    /// The client's body, `None` where the corpus has none or cut long strings out of it.
    pub request: Option<Value>,
    /// The answer's status.
    pub status: StatusCode,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The answer's body.
    pub body: Bytes,
    /// What the oracle says; `None` where it says nothing.
    pub expected: Option<Value>,
    /// The oracle's remarks.
    pub notes: Vec<String>,
}

impl Recording {
    /// The room that reads it.
    ///
    /// # Panics
    /// Where the corpus names a dialect that is not built.
    pub fn room(&self) -> &'static dyn Dialect {
        let name = match self.dialect.as_str() {
            "mistral-chat" | "huggingface-chat" => "openai-chat",
            other => other,
        };
        sabir::dialects::dialect(name).unwrap_or_else(|| panic!("no room for {name}"))
    }
}

/// The dialects of the corpus that are here.
pub const DIALECTS: &[&str] = &[
    "anthropic-messages", "bedrock-converse", "cohere-v1-chat", "cohere-v2-chat", "gemini-generate",
    "huggingface-chat", "huggingface-textgen", "mistral-chat", "ollama-chat", "ollama-generate", "openai-chat",
    "openai-completions", "openai-responses",
];

/// All recordings of a dialect.
///
/// # Panics
/// Where the file is not there or not what its README says.
pub fn recordings(dialect: &str) -> Vec<Recording> {
    let path = folder().join(format!("{dialect}.jsonl"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().map(|line| recording(&serde_json::from_str(line).expect("a line of JSON"))).collect()
}

/// Recordings that are known to come out otherwise, with the reason.
///
/// # Panics
/// Where a line of the file has no reason.
pub fn deviations() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder().join("DEVIATIONS.txt")).expect("the file of deviations");
    let lines = text.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty());
    lines.map(|l| l.split_once(": ").map(|(id, why)| (id.to_owned(), why.to_owned())).expect("`id: reason`")).collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings")
}

fn recording(line: &Value) -> Recording {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let (request, response) = (&line["request"], &line["response"]);
    let whole_request = request.get("elided").is_none() && request["body"].is_object();
    let headers = response["headers"].as_object().map(|headers| {
        let pairs = headers.iter().filter_map(|(name, value)| {
            Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value.as_str()?).ok()?))
        });
        pairs.collect()
    });
    let status = response["status"].as_u64().and_then(|s| u16::try_from(s).ok()).expect("a status");
    Recording {
        id: text(&line["id"]),
        dialect: text(&line["dialect"]),
        provider: text(&line["provider"]),
        stream: line["stream"] == true,
        path: text(&request["path"]),
        request: whole_request.then(|| request["body"].clone()),
        status: StatusCode::from_u16(status).expect("a status"),
        headers: headers.unwrap_or_default(),
        body: match response["body_base64"].as_str() {
            Some(binary) => sabir::chat::from_base64(binary).expect("base64"),
            None => text(&response["body"]).into(),
        },
        expected: line["expected_line"].get("expected").cloned(),
        notes: line["expected_line"]["notes"].as_array().into_iter().flatten().map(text).collect(),
    }
}

/// A transport that answers every request with one body, in the pieces that it was given.
#[derive(Clone, Debug)]
pub struct Playback {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body, as it arrives.
    pub pieces: Vec<Bytes>,
}

impl Transport for Playback {
    fn send(&self, _: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        let mut response = http::Response::new(Box::pin(Pieces(self.pieces.clone().into_iter())) as Body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        Box::pin(async move { Ok(response) })
    }
}

struct Pieces(std::vec::IntoIter<Bytes>);

impl futures_core::Stream for Pieces {
    type Item = Result<Bytes>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next().map(Ok))
    }
}

/// The README's programs are compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
