//! From what a provider said (status, code, message, headers) to a kind and a time to wait.
//! The rules are the union of what the providers document and what their recorded answers show;
//! none of them looks at who the provider is.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::http_date::seconds_since_epoch;
use super::{Error, ErrorKind, Stage};
use crate::chat::rate_limits;

/// Words by which providers say that the prompt is too long for the model, in lower case.
const CONTEXT_WORDS: &[&str] = &[
    "context_length_exceeded",
    "too_many_prompt_tokens",
    "too_many_tokens",
    "prompt is too long",
    "prompt too long",
    "prompt exceeds max length",
    "exceeds the context window",
    "maximum context length",
    "max context length",
    "exceeded max context",
    "input token count",
    "input is too long for requested model",
    "number of input tokens exceeds maximum",
    "too many tokens: size limit",
    "maximum prompt length is",
    "reduce the length of the messages",
    "longer than the model's context length",
    "exceeds the available context size",
    "greater than the context length",
    "exceeded model token limit",
    "context window exceeds limit",
    "range of input length should be",
    "exceed_context_size",
];

/// Words by which providers say that money, not time, is what is missing.
const QUOTA_WORDS: &[&str] = &[
    "insufficient_quota", "insufficient balance", "insufficient_balance", "billing", "spend_limit", "spending limit",
    "credit balance", "exceeded your current quota", "payment required", "out of credits", "more credits",
];

const FILTER_WORDS: &[&str] =
    &["content_filter", "content management policy", "content_policy", "responsibleai", "safety_violation"];

const MODEL_WORDS: &[&str] =
    &["model_not_found", "does not exist", "no such model", "unknown model", "model not found"];

/// The kind of an error, from its HTTP status (0 where there was none, as for an error inside a stream),
/// the provider's code or type, and its message.
pub fn kind_for(status: u16, code: Option<&str>, message: &str) -> ErrorKind {
    let code = code.unwrap_or_default().to_ascii_lowercase();
    let text = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|w| code.contains(w) || text.contains(w));

    let busy = matches!(status, 429 | 503 | 529) || code.contains("rate_limit") || code.contains("throttl");
    if says(QUOTA_WORDS) && matches!(status, 0 | 200 | 400 | 402 | 403 | 429) {
        // Google says the same of a minute's requests, and then when to come back.
        let passes = matches!(status, 0 | 200 | 429) && wait_in_words(message).is_some();
        return if passes { ErrorKind::RateLimit } else { ErrorKind::Quota };
    }
    if !busy && says(CONTEXT_WORDS) {
        return ErrorKind::ContextTooLong;
    }
    if says(FILTER_WORDS) && matches!(status, 0 | 200 | 400 | 403 | 422) {
        return ErrorKind::ContentFiltered;
    }
    match status {
        401 => ErrorKind::Authentication,
        402 => ErrorKind::Quota,
        403 => ErrorKind::Permission,
        404 => ErrorKind::NotFound,
        408 | 504 => ErrorKind::Timeout,
        429 => ErrorKind::RateLimit,
        499 => ErrorKind::Cancelled,
        503 | 529 => ErrorKind::Overloaded,
        500..=599 => ErrorKind::Provider,
        400 if code.contains("api_key") || text.contains("api key not valid") || text.contains("incorrect api key") => {
            ErrorKind::Authentication
        }
        400 if says(MODEL_WORDS) => ErrorKind::NotFound,
        400..=499 => ErrorKind::InvalidRequest,
        _ => kind_for_code(&code, &text),
    }
}

/// An error without a telling status, inside a 200: its code or its words are all there is.
fn kind_for_code(code: &str, text: &str) -> ErrorKind {
    // Providers that speak HTTP in JSON put the status into the code.
    if let Ok(status @ 400..=599) = code.parse::<u16>() {
        return kind_for(status, None, text);
    }
    let has = |words: &[&str]| words.iter().any(|w| code.contains(w));
    if has(&["rate_limit", "throttl", "too_many_requests"]) {
        ErrorKind::RateLimit
    } else if has(&["overload", "unavailable", "slow_down", "capacity"]) {
        ErrorKind::Overloaded
    } else if has(&["auth", "api_key"]) {
        ErrorKind::Authentication
    } else if has(&["permission", "forbidden"]) {
        ErrorKind::Permission
    } else if has(&["not_found", "notfound"]) {
        ErrorKind::NotFound
    } else if has(&["timeout"]) {
        ErrorKind::Timeout
    } else if has(&["invalid", "validation", "bad_request", "tool_use_failed"]) {
        ErrorKind::InvalidRequest
    } else {
        ErrorKind::Provider
    }
}

/// An error from what a provider said in an HTTP answer: kind, status, code, wait, request id and its own
/// word on retrying. Every room makes its errors through this.
pub fn said(status: StatusCode, headers: &HeaderMap, code: Option<&str>, message: &str) -> Error {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let mut error =
        Error::new(kind_for(status.as_u16(), code, message), message).with_stage(Stage::Answered).with_status(status);
    if let Some(code) = code.filter(|c| !c.is_empty()) {
        error = error.with_code(code);
    }
    if let Some(wait) = retry_hint(headers, message) {
        error = error.with_retry_after(wait);
    }
    if let Some(id) = request_id(headers) {
        error = error.with_request_id(id);
    }
    let limits = rate_limits(headers);
    if !limits.is_empty() {
        error = error.with_rate_limits(limits);
    }
    match text("x-should-retry") {
        Some("true") => error.with_retryable(true),
        Some("false") => error.with_retryable(false),
        _ => error,
    }
}

/// The provider's id of a request, from the headers that carry one.
pub fn request_id(headers: &HeaderMap) -> Option<&str> {
    let names = ["x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "cf-ray"];
    names.iter().find_map(|name| headers.get(*name)?.to_str().ok())
}

/// How long the provider asks us to wait: `retry-after-ms`, `retry-after` in seconds or as an HTTP date
/// (against the answer's own `date`, RFC 9110 §10.2.3), else "try again in 2.5s" in the message.
pub fn retry_hint(headers: &HeaderMap, message: &str) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
    let seconds = |s: &str| s.parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    if let Some(ms) = text("retry-after-ms").and_then(seconds) {
        return Some(ms / 1000);
    }
    if let Some(after) = text("retry-after") {
        if let Some(wait) = seconds(after) {
            return Some(wait);
        }
        if let (Some(at), Some(now)) = (seconds_since_epoch(after), text("date").and_then(seconds_since_epoch)) {
            return Some(Duration::from_secs(at.saturating_sub(now)));
        }
    }
    wait_in_words(message)
}

/// "Please try again in 1m2.5s", "try again in 20ms", "retry in 7 seconds", "retry after 20 seconds".
fn wait_in_words(message: &str) -> Option<Duration> {
    let lower = message.to_ascii_lowercase();
    let words = ["try again in ", "try again after ", "retry in ", "retry after "];
    let start = words.iter().find_map(|w| lower.find(w).map(|at| at + w.len()))?;
    let mut rest = &lower[start..];
    let mut total = Duration::ZERO;
    let mut found = false;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let Ok(number) = rest[..digits].trim_end_matches('.').parse::<f64>() else {
            break;
        };
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let scale = match &rest[..letters] {
            "ms" | "milliseconds" => 0.001,
            "s" | "sec" | "second" | "seconds" => 1.0,
            "m" | "min" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3600.0,
            _ => break,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * scale).ok()?)?;
        found = true;
        rest = rest[letters..].trim_start();
    }
    found.then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_status_then_words() {
        let cases: &[(u16, Option<&str>, &str, ErrorKind)] = &[
            (401, None, "", ErrorKind::Authentication),
            (400, Some("invalid_api_key"), "", ErrorKind::Authentication),
            (429, Some("insufficient_quota"), "You exceeded your current quota", ErrorKind::Quota),
            (429, None, "You exceeded your current quota. Please retry in 34.07s.", ErrorKind::RateLimit),
            (402, None, "out of credits, try again in 5s", ErrorKind::Quota),
            (429, Some("rate_limit_exceeded"), "tokens per min", ErrorKind::RateLimit),
            (429, None, "Too many tokens, please wait. maximum context length", ErrorKind::RateLimit),
            (400, Some("context_length_exceeded"), "", ErrorKind::ContextTooLong),
            (400, None, "prompt is too long: 2000 tokens > 1000", ErrorKind::ContextTooLong),
            (400, Some("content_filter"), "", ErrorKind::ContentFiltered),
            (400, None, "your credit balance is too low", ErrorKind::Quota),
            (404, None, "nope", ErrorKind::NotFound),
            (422, None, "nope", ErrorKind::InvalidRequest),
            (502, None, "<html>", ErrorKind::Provider),
            (529, Some("overloaded_error"), "Overloaded", ErrorKind::Overloaded),
            (0, Some("overloaded_error"), "Overloaded", ErrorKind::Overloaded),
            (200, Some("429"), "slow", ErrorKind::RateLimit),
            (200, None, "strange", ErrorKind::Provider),
        ];
        for (status, code, message, kind) in cases {
            assert_eq!(kind_for(*status, *code, message), *kind, "{status} {code:?} {message}");
        }
    }

    #[test]
    fn waits_come_from_headers_then_from_words() {
        let wait = |pairs: &[(&'static str, &'static str)], message: &str| {
            let headers =
                pairs.iter().map(|(k, v)| ((*k).parse().expect("name"), http::HeaderValue::from_static(v))).collect();
            retry_hint(&headers, message).map(|d| d.as_millis())
        };
        assert_eq!(wait(&[("retry-after", "7")], ""), Some(7_000));
        assert_eq!(wait(&[("retry-after", "0.5")], ""), Some(500));
        assert_eq!(wait(&[("retry-after-ms", "250"), ("retry-after", "7")], ""), Some(250));
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), date], ""), Some(30_000));
        assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:49:00 GMT"), date], ""), Some(0));
        assert_eq!(wait(&[], "Please try again in 1m2.5s. Visit"), Some(62_500));
        assert_eq!(wait(&[], "Please try again in 20ms."), Some(20));
        assert_eq!(wait(&[], "please retry in 7 seconds"), Some(7_000));
        assert_eq!(wait(&[], "Rate limit reached. Please try again in 2.5s."), Some(2_500));
        assert_eq!(wait(&[], "Please retry after 20 seconds."), Some(20_000));
        assert_eq!(wait(&[], "Try again after 1 minute 30 seconds"), Some(90_000));
        assert_eq!(wait(&[("retry-after", "soon")], "no"), None);
        assert_eq!(wait(&[], "try again in 18446744073709549568s18446744073709549568s"), None);
        // A date says nothing without the provider's own.
        assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")], ""), None);
        assert_eq!(wait(&[("retry-after", "-1")], "try again in 9e99h"), None);
    }
}
