//! Errors of Responses and legacy Completions: in the shapes in which servers say them, and in OpenAI's, in which we do.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_core::error::{kind_for, said};
use sabir_core::{Error, ErrorKind};
use serde_json::{Value, json};

/// The most characters of a server's message that are kept.
const LONGEST: usize = 600;

/// The error that an HTTP answer is.
pub(crate) fn decode(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let (code, message) = match serde_json::from_str::<Value>(text).map(|json| find(&json)) {
        Ok(Some(found)) => found,
        Ok(None) => (None, format!("HTTP {} with a body that gives no reason", status.as_u16())),
        Err(_) if text.is_empty() => (None, format!("HTTP {} with an empty body", status.as_u16())),
        Err(_) => {
            (None, short(text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with("<!")).unwrap_or(text)))
        }
    };
    said(status, headers, code.as_deref(), &message)
}

/// The error that an object inside a success is; `None` where it says none.
pub(crate) fn inside(json: &Value) -> Option<Error> {
    find(json).map(|(code, message)| {
        let error = Error::new(kind_for(0, code.as_deref(), &message), message);
        match code {
            Some(code) => error.with_code(code),
            None => error,
        }
    })
}

/// Code and message, in any of the shapes that were met: `{"error": {…}}`, `{"error": "…"}`, `{"message", "code"}`,
/// `{"detail": …}`.
fn find(json: &Value) -> Option<(Option<String>, String)> {
    let here = |name: &str| json.get(name).filter(|value| !value.is_null());
    match here("error") {
        Some(Value::String(message)) => Some((code(json), short(message))),
        Some(error @ Value::Object(fields)) if !fields.is_empty() => {
            let message = ["message", "detail", "msg"].iter().find_map(|name| fields.get(*name)).unwrap_or(error);
            Some((code(error).or_else(|| code(json)), words(message)))
        }
        _ => {
            let message = here("message").or_else(|| here("detail")).or_else(|| here("msg"))?;
            Some((code(json), words(message)))
        }
    }
}

/// The word for the error: one that is a word tells more than a number.
fn code(json: &Value) -> Option<String> {
    let said = |name: &str| match json.get(name)? {
        Value::String(text) if !text.is_empty() && text != "error" => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let all: Vec<String> = ["code", "type", "status"].iter().filter_map(|name| said(name)).collect();
    all.iter().find(|code| code.parse::<u64>().is_err()).or(all.first()).cloned()
}

fn words(message: &Value) -> String {
    match message {
        Value::String(text) => short(text),
        Value::Array(items) => short(&items.iter().map(words).collect::<Vec<_>>().join("; ")),
        Value::Object(fields) => match fields.get("msg").or_else(|| fields.get("message")) {
            Some(inner) => words(inner),
            None => short(&message.to_string()),
        },
        other => other.to_string(),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// An error in OpenAI's shape, with the status that OpenAI would send.
pub(crate) fn refuse(error: &Error) -> (StatusCode, Bytes) {
    let own = error.status().filter(|status| status.is_client_error() || status.is_server_error());
    let status = own.or_else(|| StatusCode::from_u16(words_for(error.kind()).0).ok());
    let body = json!({ "error": shape(error) }).to_string();
    (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body.into())
}

/// The object that OpenAI's `error` field holds.
pub(crate) fn shape(error: &Error) -> Value {
    let (_, kind, code) = words_for(error.kind());
    json!({"message": error.message(), "type": kind, "param": null, "code": error.code().or(code)})
}

/// Status, type and code by kind.
fn words_for(kind: ErrorKind) -> (u16, &'static str, Option<&'static str>) {
    match kind {
        ErrorKind::Authentication => (401, "invalid_request_error", Some("invalid_api_key")),
        ErrorKind::Permission => (403, "invalid_request_error", Some("permission_denied")),
        ErrorKind::RateLimit => (429, "rate_limit_error", Some("rate_limit_exceeded")),
        ErrorKind::Quota => (429, "insufficient_quota", Some("insufficient_quota")),
        ErrorKind::BudgetExceeded => (429, "insufficient_quota", Some("budget_exceeded")),
        ErrorKind::Timeout => (504, "server_error", Some("timeout")),
        ErrorKind::Cancelled => (499, "invalid_request_error", Some("cancelled")),
        ErrorKind::InvalidRequest => (400, "invalid_request_error", None),
        ErrorKind::Unsupported => (400, "invalid_request_error", Some("unsupported")),
        ErrorKind::ContextTooLong => (400, "invalid_request_error", Some("context_length_exceeded")),
        ErrorKind::ContentFiltered => (400, "invalid_request_error", Some("content_filter")),
        ErrorKind::NotFound => (404, "invalid_request_error", Some("model_not_found")),
        ErrorKind::Overloaded => (503, "server_error", Some("overloaded")),
        ErrorKind::Network | ErrorKind::Decode | ErrorKind::Truncated | ErrorKind::Provider => {
            (502, "server_error", None)
        }
        _ => (500, "server_error", None),
    }
}
