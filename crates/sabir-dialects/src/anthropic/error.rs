//! Errors: the provider's, read from whatever shape they come in, and ours, written in this dialect's.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_core::dialect::without_values;
use sabir_core::error::{kind_for, said};
use sabir_core::{Error, ErrorKind, Stage};
use serde_json::Value;

use super::wire::{Object, Wrong};

/// The most of a body that is shown where it has no message of its own.
const EXCERPT: usize = 200;

/// An error from an answer that is no success, or is one only by its status.
pub(super) fn from_answer(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    // Google's streaming endpoints wrap it in a list.
    let json = json.get(0).unwrap_or(&json);
    let (code, message) = words_of(json);
    let message = message.unwrap_or_else(|| in_short(&format!("the answer was {status}"), body));
    let error = said(status, headers, code.as_deref(), &message);
    match json.get("request_id").and_then(Value::as_str) {
        Some(id) if error.request_id().is_none() => error.with_request_id(id),
        _ => error,
    }
}

/// An error from an `error` event inside a stream.
pub(super) fn from_event(data: &[u8]) -> Error {
    let json: Value = serde_json::from_slice(data).unwrap_or_default();
    let (code, message) = words_of(&json);
    let message = message.unwrap_or_else(|| in_short("the stream broke off", data));
    let mut error = Error::new(kind_for(0, code.as_deref(), &message), message).with_stage(Stage::Answered);
    if let Some(code) = code {
        error = error.with_code(code);
    }
    match json.get("request_id").and_then(Value::as_str) {
        Some(id) => error.with_request_id(id),
        None => error,
    }
}

/// An answer of the provider's that cannot be read.
pub(super) fn unreadable(wrong: &Wrong) -> Error {
    Error::new(ErrorKind::Decode, format!("the answer is not what this dialect sends: {wrong}"))
}

/// A request of a client's that cannot be read.
pub(super) fn invalid(wrong: &Wrong) -> Error {
    Error::new(ErrorKind::InvalidRequest, wrong.to_string())
}

/// A request of a client's that is not JSON.
pub(super) fn not_json(error: &serde_json::Error) -> Error {
    let what = without_values(&error.to_string());
    Error::new(ErrorKind::InvalidRequest, format!("the body is not JSON: {what}"))
}

/// Code and message, from Anthropic's shape (`error.type`, or the finer `error.details.error_code`), Google's
/// (`error.status`), and those of gateways (`error` or `message` or `detail` a string).
fn words_of(json: &Value) -> (Option<String>, Option<String>) {
    let error = &json["error"];
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|t| !t.trim().is_empty()),
        other => Some(other.to_string()),
    };
    let code = [&error["details"]["error_code"], &error["type"], &error["status"], &error["code"], &json["code"]];
    let nested = error.as_object().map_or(error, |_| &error["message"]);
    let message = [nested, &json["message"], &json["detail"], error];
    (code.into_iter().find_map(text), message.into_iter().find_map(text))
}

/// What happened, and the body in which no message was found, in one line.
fn in_short(what: &str, body: &[u8]) -> String {
    let body = String::from_utf8_lossy(&body[..body.len().min(64 * 1024)]);
    let lower = body.to_ascii_lowercase();
    let title = lower.find("<title>").and_then(|at| {
        let start = at + "<title>".len();
        Some(body[start..start + lower[start..].find("</title>")?].trim())
    });
    let said = match title {
        Some(title) => title,
        None if lower.trim_start().starts_with('<') => "an HTML or XML page",
        None => body.trim(),
    };
    if said.is_empty() {
        return format!("{what}, without a word why");
    }
    let end = said.char_indices().nth(EXCERPT).map_or(said.len(), |(at, _)| at);
    format!("{what}: {}", &said[..end])
}

/// An error in this dialect's shape, with the status that goes with it.
pub(super) fn refuse(error: &Error) -> (StatusCode, Bytes) {
    let mut body = Vec::new();
    write(error, &mut body);
    (status_and_type(error.kind()).0, body.into())
}

/// Writes `{"type":"error","error":{"type":…,"message":…},"request_id":…}`.
pub(super) fn write(error: &Error, out: &mut Vec<u8>) {
    let (_, kind) = status_and_type(error.kind());
    let message = error.message();
    // Clients know an overlong prompt by these words alone.
    let known = message.to_ascii_lowercase().contains("prompt is too long");
    let message = match error.kind() {
        ErrorKind::ContextTooLong if !known => format!("prompt is too long: {message}").into(),
        ErrorKind::ContentFiltered if !message.contains("content_filter") => {
            format!("content_filter: {message}").into()
        }
        _ => std::borrow::Cow::Borrowed(message),
    };
    let mut object = Object::typed(out, "error");
    let mut inner = Object::typed(object.key("error"), kind);
    inner.field("message", &*message);
    inner.end();
    if let Some(id) = error.request_id() {
        object.field("request_id", id);
    }
    object.end();
}

/// The statuses and types of Anthropic's API reference ("Errors").
fn status_and_type(kind: ErrorKind) -> (StatusCode, &'static str) {
    let (status, name) = match kind {
        ErrorKind::Authentication => (401, "authentication_error"),
        ErrorKind::Permission => (403, "permission_error"),
        ErrorKind::RateLimit => (429, "rate_limit_error"),
        ErrorKind::Quota | ErrorKind::BudgetExceeded => (402, "billing_error"),
        ErrorKind::Timeout => (504, "timeout_error"),
        ErrorKind::Cancelled => (499, "api_error"),
        ErrorKind::InvalidRequest | ErrorKind::ContextTooLong | ErrorKind::ContentFiltered | ErrorKind::Unsupported => {
            (400, "invalid_request_error")
        }
        ErrorKind::NotFound => (404, "not_found_error"),
        ErrorKind::Overloaded => (529, "overloaded_error"),
        ErrorKind::Network | ErrorKind::Decode | ErrorKind::Truncated => (502, "api_error"),
        _ => (500, "api_error"),
    };
    (StatusCode::from_u16(status).expect("a constant between 100 and 999"), name)
}
