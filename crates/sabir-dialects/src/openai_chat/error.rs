//! Errors, in the many shapes in which those who speak this dialect say them, and in the one in which we do.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_core::error::{kind_for, said};
use sabir_core::{Error, ErrorKind};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::wire::BaseResponse;

/// What was said, in whatever shape.
struct Said {
    code: Option<String>,
    message: String,
}

/// The most characters of a provider's message that are kept.
const LONGEST: usize = 1000;
/// The most characters that are kept of a body which is no JSON.
const LONGEST_LINE: usize = 300;

/// The error that an HTTP answer is.
pub(super) fn decode(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let found = serde_json::from_str::<Value>(text).map(|value| find(&value));
    let Said { code, message } = match found {
        Ok(Some(said)) => said,
        Ok(None) => plain(format!("HTTP {} with a body that gives no reason", status.as_u16())),
        Err(_) if text.is_empty() => plain(format!("HTTP {} with an empty body", status.as_u16())),
        Err(_) => plain(line(text)),
    };
    said(status, headers, code.as_deref(), &message)
}

/// The error in an `error` field of an answer whose status is a success; `None` where the field says nothing.
pub(super) fn inside(raw: &RawValue) -> Option<Error> {
    let value = serde_json::from_str(raw.get()).ok()?;
    error_field(&value, &Value::Null).map(|said| told(&said))
}

/// The error that the whole body of such an answer is, where it has nothing else to say.
pub(super) fn instead(body: &[u8]) -> Option<Error> {
    find(&serde_json::from_slice(body).ok()?).map(|said| told(&said))
}

/// The error in the status that `MiniMax` puts beside an answer.
pub(super) fn beside(base: &BaseResponse<'_>) -> Option<Error> {
    let said = Said { code: Some(base.status_code.to_string()), message: base.status_msg.to_string() };
    (!matches!(&*base.status_code, "" | "0")).then(|| told(&said))
}

/// The error that an `error` event is, whatever its data.
pub(super) fn event(data: &[u8]) -> Error {
    instead(data).unwrap_or_else(|| told(&plain(line(String::from_utf8_lossy(data).trim()))))
}

fn told(said: &Said) -> Error {
    let error = Error::new(kind_for(0, said.code.as_deref(), &said.message), &said.message);
    match &said.code {
        Some(code) => error.with_code(code),
        None => error,
    }
}

fn plain(message: String) -> Said {
    Said { code: None, message }
}

/// Looks for an error in any of the shapes that were met.
fn find(value: &Value) -> Option<Said> {
    let Value::Object(fields) = value else {
        return value.as_array()?.iter().find_map(find);
    };
    let here = |name: &str| fields.get(name).filter(|v| !v.is_null());
    if let Some(error) = here("error") {
        return error_field(error, value);
    }
    if let Some(base) = here("base_resp") {
        let code = scalar(base.get("status_code")).filter(|code| code != "0")?;
        return Some(Said { code: Some(code), message: words(base.get("status_msg")?) });
    }
    let message = here("message").or_else(|| here("detail")).or_else(|| here("msg")).or_else(|| here("errors"))?;
    // A completion's own fields may be called the same.
    (!fields.contains_key("choices")).then(|| Said { code: code_of(value), message: words(message) })
}

/// What an `error` field says; `around` is the object that it stands in.
fn error_field(error: &Value, around: &Value) -> Option<Said> {
    let message = match error {
        Value::Null | Value::Bool(false) => return None,
        Value::Object(fields) if fields.is_empty() => return None,
        Value::String(text) if text.is_empty() => return None,
        Value::Object(fields) => {
            let said = ["message", "msg", "detail", "error"].iter().find_map(|name| fields.get(*name));
            let mut message = said.map_or_else(|| words(error), words);
            // A router's "Provider returned error" is explained by what the provider said.
            if let Some(raw) = error.pointer("/metadata/raw").and_then(Value::as_str).filter(|raw| !raw.is_empty()) {
                message = short(&format!("{message}: {raw}"), LONGEST);
            }
            message
        }
        other => words(other),
    };
    Some(Said { code: code_of(error).or_else(|| code_of(around)), message })
}

/// The word for the error: a code that is a word tells more than a type, a type more than a number.
fn code_of(value: &Value) -> Option<String> {
    let fields = ["code", "type", "error_type", "status", "status_code"];
    let mut found = fields.iter().filter_map(|name| scalar(value.get(*name))).filter(|code| !code.is_empty());
    let first = found.next()?;
    let number = |code: &str| code.bytes().all(|b| b.is_ascii_digit());
    if number(&first) {
        Some(found.find(|code| !number(code) && code != "error").unwrap_or(first))
    } else {
        Some(first)
    }
}

fn scalar(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A message in words: a string as it is, a list of findings (`FastAPI`'s `loc` and `msg`) joined, else its JSON.
fn words(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => {
            let said = ["msg", "message", "detail"].iter().find_map(|name| fields.get(*name)?.as_str());
            let place = fields.get("loc").and_then(Value::as_array).map(|steps| {
                steps
                    .iter()
                    .map(|s| s.as_str().map_or_else(|| s.to_string(), str::to_owned))
                    .collect::<Vec<_>>()
                    .join(".")
            });
            match (place, said) {
                (Some(place), Some(said)) => format!("{place}: {said}"),
                (None, Some(said)) => said.to_owned(),
                (_, None) => value.to_string(),
            }
        }
        other => other.to_string(),
    };
    short(text.trim(), LONGEST)
}

/// The line of a body without JSON that tells most: the title of a page, else the first that says anything.
fn line(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|at| {
        let start = at + lower[at..].find('>')? + 1;
        let end = start + lower[start..].find("</title")?;
        Some(text[start..end].trim()).filter(|title| !title.is_empty())
    });
    let first = || text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("<!"));
    short(title.or_else(first).unwrap_or("a body without words"), LONGEST_LINE)
}

fn short(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// An error in OpenAI's shape, with the status that OpenAI would send.
pub(super) fn refuse(error: &Error) -> (StatusCode, Bytes) {
    let status = error.status().filter(|status| status.is_client_error() || status.is_server_error());
    let status = status.or_else(|| StatusCode::from_u16(words_for(error.kind()).0).ok());
    let body = json!({ "error": shape(error) }).to_string();
    (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body.into())
}

/// The object that OpenAI's `error` field holds.
pub(super) fn shape(error: &Error) -> Value {
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
