//! Errors: `{error, error_type?, estimated_time?}`, or plain text.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_core::{Error, ErrorKind};

use crate::json::Object;
use crate::shared::{Complaint, of_kind};

/// The error that an HTTP answer is.
pub(super) fn decode(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    settle(Complaint::failure(status, headers, body))
}

/// The error in the body of a success, or in an event of a stream.
pub(super) fn inside(body: &[u8]) -> Option<Error> {
    Complaint::read(body).map(|complaint| settle(complaint.into_error()))
}

/// What only Text Generation Inference says in its way: 424 for a failure of its own, and a prompt that does not fit.
fn settle(error: Error) -> Error {
    let said = |words: &str| error.message().contains(words);
    match error.kind() {
        ErrorKind::InvalidRequest if error.code() == Some("generation") => of_kind(ErrorKind::Provider, &error),
        ErrorKind::InvalidRequest if said("`inputs` must have less than") || said("`max_new_tokens` must be <=") => {
            of_kind(ErrorKind::ContextTooLong, &error)
        }
        _ => error,
    }
}

/// An error in this shape, with the status that Text Generation Inference would send.
pub(super) fn refuse(error: &Error) -> (StatusCode, Bytes) {
    let status = error.status().filter(|status| status.is_client_error() || status.is_server_error());
    let (usual, _) = words_for(error.kind());
    let status = status.or_else(|| StatusCode::from_u16(usual).ok());
    let mut out = Vec::new();
    write(error, &mut out);
    (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), out.into())
}

/// Writes an error's object.
pub(super) fn write(error: &Error, out: &mut Vec<u8>) {
    let mut body = Object::new(out);
    body.field("error", error.message());
    body.field("error_type", error.code().unwrap_or(words_for(error.kind()).1));
    if error.kind() == ErrorKind::Overloaded {
        body.some("estimated_time", error.retry_after().map(|wait| wait.as_secs_f64()));
    }
    body.end();
}

/// Status and type by kind.
fn words_for(kind: ErrorKind) -> (u16, &'static str) {
    match kind {
        ErrorKind::Authentication => (401, "authentication"),
        ErrorKind::Quota | ErrorKind::BudgetExceeded => (402, "quota"),
        ErrorKind::Permission => (403, "permission"),
        ErrorKind::NotFound => (404, "not_found"),
        ErrorKind::RateLimit => (429, "rate_limit"),
        ErrorKind::Cancelled => (499, "cancelled"),
        ErrorKind::ContextTooLong => (422, "context_length_exceeded"),
        ErrorKind::ContentFiltered => (422, "content_filter"),
        ErrorKind::InvalidRequest | ErrorKind::Unsupported => (422, "validation"),
        ErrorKind::Overloaded => (503, "overloaded"),
        ErrorKind::Timeout => (504, "timeout"),
        ErrorKind::Network | ErrorKind::Decode => (502, "generation"),
        ErrorKind::Truncated => (500, "incomplete_generation"),
        _ => (500, "generation"),
    }
}
