//! Errors: `{"error": {code, message, status, details}}`, also in a list of one, and in the one shape of ours.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_core::error::{kind_for, request_id, retry_hint};
use sabir_core::{Error, ErrorKind};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The most characters of a message that are kept, and of a body that is no JSON.
const LONGEST: usize = 1000;
const LONGEST_LINE: usize = 300;
/// The longest wait that is believed.
const LONGEST_WAIT: f64 = 1e7;

/// The error that an HTTP answer is.
pub(super) fn decode(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let error = match serde_json::from_str::<Value>(text) {
        Ok(value) => find(&value, status.as_u16()),
        Err(_) if text.is_empty() => None,
        Err(_) => {
            let message = line(text);
            Some(Error::new(kind_for(status.as_u16(), None, &message), message))
        }
    };
    let mut error = error.unwrap_or_else(|| {
        let message = format!("HTTP {} with a body that gives no reason", status.as_u16());
        Error::new(kind_for(status.as_u16(), None, ""), message)
    });
    error = error.with_status(status);
    if let Some(wait) = retry_hint(headers, "").filter(|_| error.retry_after().is_none()) {
        error = error.with_retry_after(wait);
    }
    match request_id(headers) {
        Some(id) => error.with_request_id(id),
        None => error,
    }
}

/// The error in the `error` field of an answer whose status is a success.
pub(super) fn inside(raw: &RawValue) -> Option<Error> {
    of_field(&serde_json::from_str(raw.get()).ok()?, 0)
}

fn find(value: &Value, status: u16) -> Option<Error> {
    match value {
        Value::Array(items) => items.iter().find_map(|item| find(item, status)),
        Value::Object(fields) => {
            if let Some(error) = fields.get("error") {
                return of_field(error, status);
            }
            // Proxies before the service have a shape of their own.
            let message = ["message", "detail"].iter().find_map(|name| fields.get(*name)?.as_str())?;
            Some(Error::new(kind_for(status, None, message), short(message, LONGEST)))
        }
        _ => None,
    }
}

/// What the `error` field says. `status` is 0 where HTTP said nothing of it; the field repeats it.
fn of_field(error: &Value, status: u16) -> Option<Error> {
    let Value::Object(fields) = error else {
        let message = error.as_str().filter(|text| !text.is_empty())?;
        return Some(Error::new(kind_for(status, None, message), short(message, LONGEST)));
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let number = fields.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let status = if status == 0 { number.unwrap_or(0) } else { status };
    let details = fields.get("details").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let reason = details.iter().find_map(|detail| detail.get("reason")?.as_str());
    let code = reason.or_else(|| text("status")).or_else(|| text("code"));
    let message = text("message").map_or_else(|| error.to_string(), str::to_owned);
    if fields.is_empty() {
        return None;
    }
    let wait = details.iter().find_map(|detail| seconds(detail.get("retryDelay")?));
    let wait = wait.or_else(|| retry_hint(&HeaderMap::new(), &message));
    let mut told = Error::new(kind(status, code, &message, details), short(message.trim(), LONGEST));
    if let Some(code) = code {
        told = told.with_code(code);
    }
    Some(match wait {
        Some(wait) => told.with_retry_after(wait),
        None => told,
    })
}

fn kind(status: u16, code: Option<&str>, message: &str, details: &[Value]) -> ErrorKind {
    if let Some((kind, ..)) = WORDS.iter().find(|(.., reason)| reason.is_some() && *reason == code) {
        return *kind;
    }
    if status == 429 || code == Some("RESOURCE_EXHAUSTED") {
        // The words are the same ("check your plan and billing") whether a minute or a day is over: the quota's name
        // tells. Of a limit of none there will never be more.
        let violations = details.iter().filter_map(|detail| detail.get("violations")?.as_array()).flatten();
        let quotas: Vec<&str> = violations.filter_map(|violation| violation.get("quotaId")?.as_str()).collect();
        let used_up = message.contains("limit: 0,") || code == Some("QUOTA_EXHAUSTED");
        if used_up || quotas.iter().any(|quota| quota.contains("PerDay")) {
            return ErrorKind::Quota;
        }
        if quotas.iter().any(|quota| quota.contains("PerMinute")) || seconds_in(details) {
            return ErrorKind::RateLimit;
        }
    }
    kind_for(status, code, message)
}

fn seconds_in(details: &[Value]) -> bool {
    details.iter().any(|detail| detail.get("retryDelay").is_some())
}

/// A duration as protocol buffers write it: `48s`, `0.5s`.
fn seconds(delay: &Value) -> Option<Duration> {
    let seconds = delay.as_str()?.strip_suffix('s')?.parse::<f64>().ok()?;
    (0.0..=LONGEST_WAIT).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
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

/// Kinds with Google's status for them, in HTTP and in its own word, and the reason that tells apart what has the
/// same status.
const WORDS: &[(ErrorKind, u16, &str, Option<&str>)] = &[
    (ErrorKind::InvalidRequest, 400, "INVALID_ARGUMENT", None),
    (ErrorKind::Unsupported, 400, "INVALID_ARGUMENT", None),
    (ErrorKind::ContextTooLong, 400, "INVALID_ARGUMENT", Some("CONTEXT_LENGTH_EXCEEDED")),
    (ErrorKind::ContentFiltered, 400, "INVALID_ARGUMENT", Some("CONTENT_FILTERED")),
    (ErrorKind::Authentication, 401, "UNAUTHENTICATED", None),
    (ErrorKind::Permission, 403, "PERMISSION_DENIED", None),
    (ErrorKind::NotFound, 404, "NOT_FOUND", None),
    (ErrorKind::RateLimit, 429, "RESOURCE_EXHAUSTED", None),
    (ErrorKind::Quota, 429, "RESOURCE_EXHAUSTED", Some("ACCOUNT_QUOTA_EXCEEDED")),
    (ErrorKind::BudgetExceeded, 429, "RESOURCE_EXHAUSTED", Some("ACCOUNT_QUOTA_EXCEEDED")),
    (ErrorKind::Cancelled, 499, "CANCELLED", None),
    (ErrorKind::Overloaded, 503, "UNAVAILABLE", None),
    (ErrorKind::Timeout, 504, "DEADLINE_EXCEEDED", None),
];

/// An error in Google's shape, with the status that Google would send.
pub(super) fn refuse(error: &Error) -> (StatusCode, Bytes) {
    let (code, body) = shape(error);
    (StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body.into())
}

/// The HTTP status and the object that holds the error.
pub(super) fn shape(error: &Error) -> (u16, String) {
    let words = WORDS.iter().find(|(kind, ..)| *kind == error.kind());
    let (code, status, reason) =
        words.map_or((500, "INTERNAL", None), |(_, code, status, reason)| (*code, *status, *reason));
    let mut details = Vec::new();
    if let Some(reason) = reason {
        details.push(json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "sabir"}));
    }
    if let Some(wait) = error.retry_after() {
        let delay = format!("{}s", wait.as_secs_f64());
        details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}));
    }
    let mut body = json!({"code": code, "message": error.message(), "status": status});
    if !details.is_empty() {
        body["details"] = details.into();
    }
    (code, json!({ "error": body }).to_string())
}
