//! Errors of Google's services: `{"error": {code, message, status, details}}`, also in a list of one.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_core::error::{kind_for, retry_hint, said};
use sabir_core::{Error, ErrorKind};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::proto_json::value;
use crate::shared::{Complaint, of_kind};

/// The longest wait that is believed, in seconds.
const LONGEST_WAIT: f64 = 1e7;

/// The error that an HTTP answer is. Proxies before the service have shapes of their own.
pub(crate) fn decode(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    match json.get(0).unwrap_or(&json).get("error").and_then(Found::read) {
        Some(found) => found.told(status.as_u16(), said(status, headers, found.code, found.message)),
        None => Complaint::failure(status, headers, body),
    }
}

/// The error in the `error` field of an answer whose status is a success: the field repeats the status that it has.
pub(crate) fn inside(raw: &RawValue) -> Option<Error> {
    let json = value(raw);
    let found = Found::read(&json)?;
    let (message, code) = (found.message.to_owned(), found.code.map(str::to_owned));
    let status = json["code"].as_u64().and_then(|code| u16::try_from(code).ok());
    Some(found.told(status.unwrap_or(0), Complaint { message, code, id: None, wait: None }.into_error()))
}

/// What the `error` field says.
struct Found<'v> {
    message: &'v str,
    code: Option<&'v str>,
    details: &'v [Value],
}

impl<'v> Found<'v> {
    fn read(error: &'v Value) -> Option<Self> {
        let details = error["details"].as_array().map_or(&[][..], Vec::as_slice);
        let reason = details.iter().find_map(|detail| detail["reason"].as_str());
        let text = |name: &str| error[name].as_str().filter(|text| !text.is_empty());
        let code = reason.or_else(|| text("status")).or_else(|| text("code"));
        let is_empty = error.as_object().is_none_or(Map::is_empty);
        let message = error.as_str().filter(|text| !text.is_empty()).or_else(|| text("message")).or(code);
        let message = message.or((!is_empty).then_some("an error of which no more is said"))?.trim();
        Some(Self { message, code, details })
    }

    /// The error in its own kind, with the time to wait: the one in the details, written as protocol buffers do
    /// (`48s`, `0.5s`), else the one in the words.
    fn told(&self, status: u16, error: Error) -> Error {
        let seconds = |detail: &Value| detail["retryDelay"].as_str()?.strip_suffix('s')?.parse::<f64>().ok();
        let wait = self.details.iter().find_map(seconds).filter(|wait| (0.0..=LONGEST_WAIT).contains(wait));
        let wait = wait.map(Duration::from_secs_f64).or_else(|| retry_hint(&HeaderMap::new(), self.message));
        let kind = self.kind(status);
        let error = if kind == error.kind() { error } else { of_kind(kind, &error) };
        wait.map_or(error.clone(), |wait| error.with_retry_after(wait))
    }

    fn kind(&self, status: u16) -> ErrorKind {
        if let Some((kind, ..)) = WORDS.iter().find(|(.., reason)| reason.is_some() && *reason == self.code) {
            return *kind;
        }
        if status == 429 || self.code == Some("RESOURCE_EXHAUSTED") {
            // The words are the same ("check your plan and billing") whether a minute or a day is over: the quota's
            // name tells. Of a limit of none there will never be more.
            let violations = self.details.iter().filter_map(|detail| detail["violations"].as_array()).flatten();
            let quotas: Vec<&str> = violations.filter_map(|violation| violation["quotaId"].as_str()).collect();
            let used_up = self.message.contains("limit: 0,") || self.code == Some("QUOTA_EXHAUSTED");
            if used_up || quotas.iter().any(|quota| quota.contains("PerDay")) {
                return ErrorKind::Quota;
            }
            let has_delay = self.details.iter().any(|detail| detail.get("retryDelay").is_some());
            if has_delay || quotas.iter().any(|quota| quota.contains("PerMinute")) {
                return ErrorKind::RateLimit;
            }
        }
        kind_for(status, self.code, self.message)
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
pub(crate) fn refuse(error: &Error) -> (StatusCode, Bytes) {
    let words = WORDS.iter().find(|(kind, ..)| *kind == error.kind());
    let (code, status, reason) =
        words.map_or((500, "INTERNAL", None), |(_, code, status, reason)| (*code, *status, *reason));
    let reason = reason.map(
        |reason| json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "sabir"}),
    );
    let wait = error.retry_after().map(|wait| {
        let delay = format!("{}s", wait.as_secs_f64());
        json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    });
    let mut body = json!({"code": code, "message": error.message(), "status": status});
    if reason.is_some() || wait.is_some() {
        body["details"] = reason.into_iter().chain(wait).collect();
    }
    let body = json!({ "error": body }).to_string().into();
    (StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body)
}
