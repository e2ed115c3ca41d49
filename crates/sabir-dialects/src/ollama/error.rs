//! Errors: `{"error": "…"}`, as an answer or as a line of a stream.

use bytes::Bytes;
use http::StatusCode;
use sabir_core::error::kind_for;
use sabir_core::{Error, ErrorKind};

use crate::json::Object;
use crate::shared::status_of;

/// An error in Ollama's shape, with the status that Ollama would send.
pub(super) fn refuse(error: &Error) -> (StatusCode, Bytes) {
    let (status, mut out) = (status_of(error), Vec::new());
    write(error, status.as_u16(), &mut out);
    (status, out.into())
}

/// Writes an error's object. Ollama has words alone: where they do not tell the kind, a word is put before them, and
/// inside a stream, where there is no status either, a code beside them.
pub(super) fn write(error: &Error, status: u16, out: &mut Vec<u8>) {
    let before = match error.kind() {
        kind if kind_for(status, None, error.message()) == kind => "",
        ErrorKind::ContextTooLong => "prompt is too long: ",
        ErrorKind::ContentFiltered => "content_filter: ",
        _ => "",
    };
    let code = match error.kind() {
        ErrorKind::Overloaded => Some("overloaded"),
        ErrorKind::RateLimit => Some("rate_limit"),
        ErrorKind::Timeout => Some("timeout"),
        _ => None,
    };
    let mut body = Object::new(out);
    body.field("error", &format!("{before}{}", error.message()));
    body.some("code", error.code().or(code).filter(|_| status == 0));
    body.end();
}
