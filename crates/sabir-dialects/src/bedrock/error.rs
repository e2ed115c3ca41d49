//! Errors: the provider's, as answers and as frames of a stream, and ours, written in this dialect's shape.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_core::dialect::without_values;
use sabir_core::error::{kind_for, request_id, retry_hint};
use sabir_core::{Error, ErrorKind, Stage};
use serde_json::{Value, json};

use super::wire::Wrong;

/// The most of a body that is shown where it has no message of its own.
const EXCERPT: usize = 200;

/// An error from an answer that is no success, or is one only by its status. Its type is in a header (AWS restJson1
/// protocol: `x-amzn-errortype: ValidationException:http://…`) or in the body (`__type`, `code`).
pub(super) fn from_answer(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = if json["Output"].is_object() { &json["Output"] } else { &json };
    let header = headers.get("x-amzn-errortype").and_then(|v| v.to_str().ok());
    let code = header.or_else(|| ["__type", "code", "Code"].iter().find_map(|key| said[*key].as_str())).map(bare);
    let message = message_of(said).unwrap_or_else(|| in_short(status, code, body));
    let mut error = Error::new(kind_of(status.as_u16(), code, &message, said), message).with_status(status);
    if let Some(code) = code.filter(|code| !code.is_empty()) {
        error = error.with_code(code);
    }
    if let Some(wait) = retry_hint(headers, error.message()) {
        error = error.with_retry_after(wait);
    }
    match request_id(headers) {
        Some(id) => error.with_request_id(id),
        None => error,
    }
}

/// An error from an exception inside a stream.
pub(super) fn from_exception(code: &str, data: &[u8]) -> Error {
    let json: Value = serde_json::from_slice(data).unwrap_or_default();
    let words = || std::str::from_utf8(data).ok().filter(|text| json.is_null() && !text.is_empty());
    let message = message_of(&json)
        .or_else(|| words().map(excerpt))
        .unwrap_or_else(|| format!("the stream broke off with {}", if code.is_empty() { "an error" } else { code }));
    let error = Error::new(kind_of(0, Some(code), &message, &json), message).with_stage(Stage::Answered);
    if code.is_empty() { error } else { error.with_code(code) }
}

/// A type without its namespace (`com.amazon.coral.service#X`) and address (`X:http://…`).
fn bare(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or_default();
    code.rsplit('#').next().unwrap_or_default().trim()
}

fn message_of(json: &Value) -> Option<String> {
    let texts = ["message", "Message", "originalMessage", "error"].map(|key| json[key].as_str());
    texts.into_iter().flatten().find(|text| !text.trim().is_empty()).map(str::to_owned)
}

/// The kind by the type of the exception (Bedrock Runtime API reference, "Converse", errors; and the common errors of
/// AWS), else by status and words.
fn kind_of(status: u16, code: Option<&str>, message: &str, json: &Value) -> ErrorKind {
    let name = code.unwrap_or_default().to_ascii_lowercase();
    let words = message.to_ascii_lowercase();
    match name.strip_suffix("exception").unwrap_or(&name) {
        "throttling" | "toomanyrequests" => ErrorKind::RateLimit,
        "servicequotaexceeded" => ErrorKind::Quota,
        "modelnotready" | "serviceunavailable" => ErrorKind::Overloaded,
        "modeltimeout" => ErrorKind::Timeout,
        "internalserver" | "internalfailure" => ErrorKind::Provider,
        "modelerror" | "modelstreamerror" => {
            match json["originalStatusCode"].as_u64().and_then(|s| s.try_into().ok()) {
                Some(original @ 400..=599) => kind_for(original, None, message),
                _ => ErrorKind::Provider,
            }
        }
        "accessdenied" if ["api key", "security token", "bearer token"].iter().any(|w| words.contains(w)) => {
            ErrorKind::Authentication
        }
        "accessdenied" => ErrorKind::Permission,
        "unrecognizedclient"
        | "expiredtoken"
        | "invalidsignature"
        | "missingauthenticationtoken"
        | "incompletesignature"
        | "invalidclienttokenid"
        | "signaturedoesnotmatch" => ErrorKind::Authentication,
        "resourcenotfound" | "unknownoperation" => ErrorKind::NotFound,
        "validation" | "" if words.contains("content filtering policy") => ErrorKind::ContentFiltered,
        "validation" | "" if words.contains("model identifier is invalid") => ErrorKind::NotFound,
        "validation" => kind_for(400, None, message),
        _ => kind_for(status, code, message),
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

/// A body without a message, in one line.
fn in_short(status: StatusCode, code: Option<&str>, body: &[u8]) -> String {
    let body = String::from_utf8_lossy(&body[..body.len().min(64 * 1024)]);
    let body = body.trim();
    match code {
        Some(code) if !code.is_empty() => format!("the answer was {status}, {code}"),
        _ if body.is_empty() => format!("the answer was {status}, without a word why"),
        _ if body.starts_with('<') => format!("the answer was {status}: an HTML or XML page"),
        _ => format!("the answer was {status}: {}", excerpt(body)),
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT).collect()
}

/// An error in this dialect's shape, with the status that goes with it. The type stands in the body, where every AWS
/// SDK looks for it when the header `x-amzn-errortype` is not there.
pub(super) fn refuse(error: &Error) -> (StatusCode, Bytes) {
    let (status, code) = match error.kind() {
        ErrorKind::Authentication => (403, "UnrecognizedClientException"),
        ErrorKind::Permission => (403, "AccessDeniedException"),
        ErrorKind::RateLimit => (429, "ThrottlingException"),
        ErrorKind::Quota | ErrorKind::BudgetExceeded => (400, "ServiceQuotaExceededException"),
        ErrorKind::Timeout | ErrorKind::Cancelled => (408, "ModelTimeoutException"),
        ErrorKind::InvalidRequest | ErrorKind::ContextTooLong | ErrorKind::ContentFiltered | ErrorKind::Unsupported => {
            (400, "ValidationException")
        }
        ErrorKind::NotFound => (404, "ResourceNotFoundException"),
        ErrorKind::Overloaded => (503, "ServiceUnavailableException"),
        ErrorKind::Network | ErrorKind::Decode | ErrorKind::Truncated => (424, "ModelErrorException"),
        _ => (500, "InternalServerException"),
    };
    let message = error.message();
    // Clients know these two by Bedrock's own words alone.
    let words = match error.kind() {
        ErrorKind::ContextTooLong => Some("Input is too long for requested model"),
        ErrorKind::ContentFiltered => Some("Output blocked by content filtering policy"),
        _ => None,
    };
    let message = match words {
        Some(words) if !message.to_ascii_lowercase().contains(&words.to_ascii_lowercase()) => {
            format!("{words}: {message}")
        }
        _ => message.to_owned(),
    };
    let body = json!({ "__type": code, "message": message }).to_string();
    (StatusCode::from_u16(status).expect("a constant between 100 and 999"), body.into())
}

/// The exception that tells of an error inside a stream: one of the five that a stream can have.
pub(super) fn exception(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::RateLimit | ErrorKind::Quota | ErrorKind::BudgetExceeded => "throttlingException",
        ErrorKind::Overloaded => "serviceUnavailableException",
        ErrorKind::InvalidRequest
        | ErrorKind::ContextTooLong
        | ErrorKind::ContentFiltered
        | ErrorKind::Unsupported
        | ErrorKind::NotFound
        | ErrorKind::Authentication
        | ErrorKind::Permission => "validationException",
        ErrorKind::Network | ErrorKind::Decode | ErrorKind::Truncated | ErrorKind::Timeout => {
            "modelStreamErrorException"
        }
        _ => "internalServerException",
    }
}
