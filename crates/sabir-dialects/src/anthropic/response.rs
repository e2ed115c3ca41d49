//! Whole answers and errors: read from the provider, written to a client.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_core::chat::{ChatRequest, ChatResponse, Finish};
use sabir_core::dialect::{Answer, Responded};
use sabir_core::{Error, ErrorKind, Result, Sink};

use super::NAME;
use super::block::Writer;
use super::stream::MessagesDecoder;
use super::wire::write_usage;
use crate::blocks::{Place, Speaker, known_words, stop_word};
use crate::json::{Fields, Object, Wrong};
use crate::shared::{Complaint, Losses, usual_status};

/// What was answered.
pub(super) fn decode(answer: Answer<'_>) -> Result<ChatResponse> {
    let Answer { status, headers, body } = answer;
    if !status.is_success() {
        return Err(Complaint::failure(status, headers, body));
    }
    let fields = Fields::of_answer(body)?;
    if fields.peek("error").is_some() {
        return Err(Complaint::failure(status, headers, body));
    }
    if fields.peek("content").is_none() && fields.peek("stop_reason").is_none() {
        return Err(Wrong::new("content: is missing").unreadable());
    }
    let (mut sink, mut decoder) = (Sink::whole(), MessagesDecoder::default());
    decoder.take_in(fields, &mut sink).map_err(|e| e.unreadable())?;
    decoder.settle(&mut sink);
    Ok(sink.into_response())
}

/// What we answer.
pub(super) fn respond(response: &ChatResponse, _: &ChatRequest) -> Responded {
    let mut writer = Writer { answer_id: response.id.clone(), ..Writer::default() };
    let blocks = writer.blocks(Speaker::Assistant, &[(Place::default(), &response.parts)]);
    let mut losses = writer.outcome.losses;
    let mut out = Vec::new();
    let mut message = Object::new(&mut out);
    write_head(&mut message, &response.id, &response.model);
    message.raw("content", blocks.json());
    write_finish(&mut message, &response.finish, &mut losses);
    write_usage(&mut message, &response.usage, &response.meta, &mut losses);
    message.meta(response.meta.of(NAME), WRITTEN);
    message.end();
    Responded { headers: HeaderMap::new(), body: out.into(), losses: losses.0 }
}

/// The fields of an answer that have words in the vocabulary.
pub(super) const WRITTEN: &[&str] =
    &["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"];

/// Writes who answers. Clients need an id.
pub(super) fn write_head(to: &mut Object<'_>, id: &str, model: &str) {
    to.field("id", if id.is_empty() { "msg_sabir" } else { id }).field("type", "message");
    to.field("role", "assistant").field("model", model);
}

/// Writes why an answer ends, in one of the words that clients of this dialect know.
pub(super) fn write_finish(to: &mut Object<'_>, finish: &Finish, losses: &mut Losses) {
    const WORDS: &[&str] = &[
        "end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal",
        "model_context_window_exceeded", "compaction",
    ];
    to.field("stop_reason", stop_word(finish, WORDS, losses)).field("stop_sequence", &finish.stop_sequence);
}

/// An error in this dialect's shape, with the status that goes with it.
pub(super) fn refuse(error: &Error) -> (StatusCode, Bytes) {
    let mut out = Vec::new();
    let mut body = Object::new(&mut out);
    write_error(body.field("type", "error"), error);
    body.end();
    (status_of(error), out.into())
}

/// The statuses of Anthropic's API reference ("Errors").
fn status_of(error: &Error) -> StatusCode {
    match error.kind() {
        ErrorKind::Overloaded => StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
        other => usual_status(other),
    }
}

/// Writes an error: `"error":{"type":…,"message":…},"request_id":…`.
pub(super) fn write_error(to: &mut Object<'_>, error: &Error) {
    let kind = match status_of(error).as_u16() {
        400 => "invalid_request_error",
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    let message = known_words(error, "prompt is too long", "content_filter");
    to.object("error", |inner| {
        inner.field("type", kind).field("message", &*message);
    });
    to.some("request_id", error.request_id());
}
