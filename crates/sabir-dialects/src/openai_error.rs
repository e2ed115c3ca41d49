//! Errors of OpenAI's dialects: in the many shapes in which servers say them, and in OpenAI's, in which we do.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_core::error::{kind_for, said};
use sabir_core::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::json::plain_words;

/// Code and message.
type Said = (Option<String>, String);

/// The most characters of a server's message that are kept.
const LONGEST: usize = 1000;

/// The error that an HTTP answer is.
pub(crate) fn decode(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let json = serde_json::from_str::<Value>(String::from_utf8_lossy(body).trim());
    let (code, message) = json.ok().and_then(|json| find(&json)).unwrap_or_else(|| (None, plain_words(status, body)));
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

/// The error that the body of a success is, or one event of it; `None` where it says none.
pub(crate) fn instead(body: &[u8]) -> Option<Error> {
    inside(&serde_json::from_slice(body).ok()?)
}

/// The error that an `error` event is, whatever its data.
pub(crate) fn event(data: &[u8]) -> Error {
    instead(data).unwrap_or_else(|| {
        let message = plain_words(StatusCode::OK, data);
        Error::new(kind_for(0, None, &message), message)
    })
}

/// Looks for an error in any of the shapes that were met: `{"error": {…}}`, `{"error": "…"}`, an error in a choice,
/// `MiniMax`'s `base_resp` beside an answer, `{"message", "code"}`, `{"detail": …}`, or a list of any.
fn find(json: &Value) -> Option<Said> {
    let Value::Object(fields) = json else {
        return json.as_array()?.iter().find_map(find);
    };
    let here = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let field = here("error").and_then(|error| error_field(error, json));
    let in_choice = || error_field(json.pointer("/choices/0/error")?, &Value::Null);
    let beside = || {
        let base = here("base_resp")?;
        let code = scalar(base.get("status_code")).filter(|code| !code.is_empty() && code != "0")?;
        Some((Some(code), words(base.get("status_msg")?)))
    };
    let plain = || {
        let message = ["message", "detail", "msg", "errors"].iter().find_map(|name| here(name))?;
        // An answer's own fields may be called the same.
        (!fields.contains_key("choices")).then(|| (code_of(json), words(message)))
    };
    field.or_else(in_choice).or_else(beside).or_else(plain)
}

/// What an `error` field says; `around` is the object that it stands in.
fn error_field(error: &Value, around: &Value) -> Option<Said> {
    let message = match error {
        Value::Null | Value::Bool(false) => return None,
        Value::Object(fields) if fields.is_empty() => return None,
        Value::String(text) if text.is_empty() => return None,
        Value::Object(fields) => {
            let said = ["message", "msg", "detail", "error"].iter().find_map(|name| fields.get(*name));
            let message = words(said.unwrap_or(error));
            // A router's "Provider returned error" is explained by what the provider said.
            match error.pointer("/metadata/raw").and_then(Value::as_str).filter(|raw| !raw.is_empty()) {
                Some(raw) => short(&format!("{message}: {raw}")),
                None => message,
            }
        }
        other => words(other),
    };
    Some((code_of(error).or_else(|| code_of(around)), message))
}

/// The word for the error: a code that is a word tells more than a type, a type more than a number.
fn code_of(json: &Value) -> Option<String> {
    let fields = ["code", "type", "error_type", "status", "status_code"];
    let found = fields.iter().filter_map(|name| scalar(json.get(*name)));
    let all: Vec<String> = found.filter(|code| !code.is_empty() && code != "error").collect();
    all.iter().find(|code| code.parse::<u64>().is_err()).or(all.first()).cloned()
}

fn scalar(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A message in words: a string as it is, a list of findings (`FastAPI`'s `loc` and `msg`) joined, else its JSON.
fn words(message: &Value) -> String {
    let joined = |items: &[Value], by: &str| items.iter().map(words).collect::<Vec<_>>().join(by);
    let text = match message {
        Value::String(text) => text.clone(),
        Value::Array(items) => joined(items, "; "),
        Value::Object(fields) => match ["msg", "message", "detail"].iter().find_map(|name| fields.get(*name)) {
            Some(said) => match fields.get("loc").and_then(Value::as_array) {
                Some(place) => format!("{}: {}", joined(place, "."), words(said)),
                None => words(said),
            },
            None => message.to_string(),
        },
        other => other.to_string(),
    };
    short(text.trim())
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
