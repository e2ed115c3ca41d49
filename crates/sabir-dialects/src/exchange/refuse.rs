//! Errors of ours, in the shapes of those whose formats are spoken.

use bytes::Bytes;
use http::StatusCode;
use sabir_core::{Error, ErrorKind};
use serde_json::{Value, json};

/// Whose shape an error takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// `{"error":{"message","type","param","code"}}`.
    OpenAi,
    /// `{"type":"error","error":{"type","message"},"request_id"}`.
    Anthropic,
    /// `{"error":{"code","message","status"}}` (Google's API errors, AIP-193).
    Gemini,
    /// `{"message","id"}`.
    Cohere,
    /// `{"error":"…"}`.
    Ollama,
    /// `{"detail":"…"}`, as Jina and Voyage answer.
    Detail,
}

impl Shape {
    /// An error in this shape, with its status.
    pub(crate) fn refuse(self, error: &Error) -> (StatusCode, Bytes) {
        let (usual, openai, anthropic, gemini) = words(error.kind());
        let said = error.status().filter(|s| s.is_client_error() || s.is_server_error());
        let status = said.or_else(|| StatusCode::from_u16(usual).ok());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let message = error.message();
        let body: Value = match self {
            Self::OpenAi => {
                json!({"error": {"message": message, "type": openai, "param": null, "code": error.code()}})
            }
            Self::Anthropic => {
                let inner = json!({"type": anthropic, "message": message});
                json!({"type": "error", "error": inner, "request_id": error.request_id()})
            }
            Self::Gemini => json!({"error": {"code": status.as_u16(), "message": message, "status": gemini}}),
            Self::Cohere => match error.request_id() {
                Some(id) => json!({"id": id, "message": message}),
                None => json!({"message": message}),
            },
            Self::Ollama => json!({"error": message}),
            Self::Detail => json!({"detail": message}),
        };
        (status, body.to_string().into())
    }
}

/// The status of a kind, and the words that OpenAI, Anthropic and Google have for it.
fn words(kind: ErrorKind) -> (u16, &'static str, &'static str, &'static str) {
    let invalid = "invalid_request_error";
    match kind {
        ErrorKind::Authentication => (401, invalid, "authentication_error", "UNAUTHENTICATED"),
        ErrorKind::Permission => (403, invalid, "permission_error", "PERMISSION_DENIED"),
        ErrorKind::RateLimit => (429, "rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED"),
        ErrorKind::Quota | ErrorKind::BudgetExceeded => {
            (429, "insufficient_quota", "rate_limit_error", "RESOURCE_EXHAUSTED")
        }
        ErrorKind::Timeout => (504, "server_error", "timeout_error", "DEADLINE_EXCEEDED"),
        ErrorKind::Cancelled => (499, invalid, invalid, "CANCELLED"),
        ErrorKind::InvalidRequest | ErrorKind::Unsupported | ErrorKind::ContextTooLong | ErrorKind::ContentFiltered => {
            (400, invalid, invalid, "INVALID_ARGUMENT")
        }
        ErrorKind::NotFound => (404, invalid, "not_found_error", "NOT_FOUND"),
        ErrorKind::Overloaded => (503, "server_error", "overloaded_error", "UNAVAILABLE"),
        ErrorKind::Network | ErrorKind::Decode | ErrorKind::Truncated | ErrorKind::Provider => {
            (502, "server_error", "api_error", "INTERNAL")
        }
        _ => (500, "server_error", "api_error", "INTERNAL"),
    }
}
