//! Errors: the provider's, as answers and as frames of a stream, and ours, written in this dialect's shape.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_core::error::{kind_for, said};
use sabir_core::{Error, ErrorKind, Stage};
use serde_json::{Value, json};

use crate::blocks::known_words;
use crate::json::plain_words;
use crate::shared::of_kind;

/// An error from an answer that is no success, or is one only by its status. Its type is in a header (AWS restJson1
/// protocol: `x-amzn-errortype: ValidationException:http://…`) or in the body (`__type`, `code`).
pub(super) fn from_answer(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let json = if json["Output"].is_object() { &json["Output"] } else { &json };
    let header = headers.get("x-amzn-errortype").and_then(|v| v.to_str().ok());
    let code = header.or_else(|| ["__type", "code", "Code"].iter().find_map(|key| json[*key].as_str())).map(bare);
    let message = message_of(json).unwrap_or_else(|| plain_words(status, body));
    let error = said(status, headers, code, &message);
    kind_of(code.unwrap_or_default(), &message, json).map_or(error.clone(), |kind| of_kind(kind, &error))
}

/// An error from an exception inside a stream.
pub(super) fn from_exception(code: &str, data: &[u8]) -> Error {
    let json: Value = serde_json::from_slice(data).unwrap_or_default();
    let message = message_of(&json).unwrap_or_else(|| match std::str::from_utf8(data) {
        Ok(words) if json.is_null() && !words.is_empty() => words.chars().take(200).collect(),
        _ => format!("the stream broke off with {}", if code.is_empty() { "an error" } else { code }),
    });
    let kind = kind_of(code, &message, &json).unwrap_or_else(|| kind_for(0, Some(code), &message));
    let error = Error::new(kind, message).with_stage(Stage::Answered);
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
/// AWS); `None` where status and words tell as much.
fn kind_of(code: &str, message: &str, json: &Value) -> Option<ErrorKind> {
    let (name, message) = (code.to_ascii_lowercase(), message.to_ascii_lowercase());
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    match name.strip_suffix("exception").unwrap_or(&name) {
        "throttling" | "toomanyrequests" => Some(ErrorKind::RateLimit),
        "servicequotaexceeded" => Some(ErrorKind::Quota),
        "modelnotready" => Some(ErrorKind::Overloaded),
        "modelerror" | "modelstreamerror" => match json["originalStatusCode"].as_u64().map(u16::try_from) {
            Some(Ok(original @ 400..=599)) => Some(kind_for(original, None, &message)),
            _ => Some(ErrorKind::Provider),
        },
        "accessdenied" if says(&["api key", "security token", "bearer token"]) => Some(ErrorKind::Authentication),
        "accessdenied" => Some(ErrorKind::Permission),
        "unrecognizedclient"
        | "expiredtoken"
        | "invalidsignature"
        | "missingauthenticationtoken"
        | "incompletesignature"
        | "invalidclienttokenid"
        | "signaturedoesnotmatch" => Some(ErrorKind::Authentication),
        "validation" | "" if says(&["content filtering policy"]) => Some(ErrorKind::ContentFiltered),
        "validation" | "" if says(&["model identifier is invalid"]) => Some(ErrorKind::NotFound),
        "validation" => Some(kind_for(400, None, &message)),
        _ => None,
    }
}

/// An error in this dialect's shape, with the status that goes with it. The type stands in the body, where every AWS
/// SDK looks for it when the header `x-amzn-errortype` is not there.
pub(super) fn refuse(error: &Error) -> (StatusCode, Bytes) {
    let (status, code, _) = words_for(error.kind());
    let message =
        known_words(error, "Input is too long for requested model", "Output blocked by content filtering policy");
    let body = json!({ "__type": code, "message": message }).to_string();
    (StatusCode::from_u16(status).expect("a constant between 100 and 999"), body.into())
}

/// Status, type, and the exception that tells of it inside a stream: one of the five that a stream can have.
pub(super) fn words_for(kind: ErrorKind) -> (u16, &'static str, &'static str) {
    match kind {
        ErrorKind::Authentication => (403, "UnrecognizedClientException", "validationException"),
        ErrorKind::Permission => (403, "AccessDeniedException", "validationException"),
        ErrorKind::RateLimit => (429, "ThrottlingException", "throttlingException"),
        ErrorKind::Quota | ErrorKind::BudgetExceeded => (400, "ServiceQuotaExceededException", "throttlingException"),
        ErrorKind::Timeout => (408, "ModelTimeoutException", "modelStreamErrorException"),
        ErrorKind::Cancelled => (408, "ModelTimeoutException", "internalServerException"),
        ErrorKind::InvalidRequest | ErrorKind::ContextTooLong | ErrorKind::ContentFiltered | ErrorKind::Unsupported => {
            (400, "ValidationException", "validationException")
        }
        ErrorKind::NotFound => (404, "ResourceNotFoundException", "validationException"),
        ErrorKind::Overloaded => (503, "ServiceUnavailableException", "serviceUnavailableException"),
        ErrorKind::Network | ErrorKind::Decode | ErrorKind::Truncated => {
            (424, "ModelErrorException", "modelStreamErrorException")
        }
        _ => (500, "InternalServerException", "internalServerException"),
    }
}
