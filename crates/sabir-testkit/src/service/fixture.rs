//! What the suite for layers asks, what it is answered, and what must be so afterwards.

use sabir_core::chat::{ChatRequest, ChatResponse, Event, EventStream, Part};
use sabir_core::{Error, ErrorKind, Request, Result};

use crate::answers::events_of;
use crate::dialect::equal;
use crate::{Outcome, Scripted};

/// A request whose answer is known: [`answer`] to its words.
pub(super) fn request(words: &str, stream: bool) -> Request {
    let mut request = ChatRequest::new("test-model").user(words).max_tokens(100);
    request.stream = stream;
    Request::Chat(request)
}

pub(super) fn answer(words: &str) -> ChatResponse {
    let mut response = ChatResponse::default();
    response.id = format!("resp_{words}");
    response.model = "test-model".into();
    response.parts = vec![Part::reasoning("Hm."), Part::text(format!("You said {words}, I think."))];
    (response.usage.input, response.usage.output) = (Some(11), Some(7));
    response
}

pub(super) fn echo(request: &Request) -> Outcome {
    let Request::Chat(chat) = request else {
        return Outcome::Fail(Error::new(ErrorKind::InvalidRequest, "the layer turned a chat into something else"));
    };
    let answer = answer(&chat.messages.last().map(sabir_core::chat::Message::text).unwrap_or_default());
    if chat.stream { Outcome::events(events_of(&answer).into_iter().map(Ok)) } else { Outcome::whole(answer) }
}

pub(super) fn request_words(request: &Request) -> String {
    match request {
        Request::Chat(chat) => chat.messages.last().map(sabir_core::chat::Message::text).unwrap_or_default(),
        _ => String::new(),
    }
}

pub(super) async fn next(stream: &mut EventStream) -> Option<Result<Event>> {
    std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await
}

/// A layer may add to an answer (latency, cost, attempts), never change what was answered.
pub(super) fn same(sent: &ChatResponse, read: &ChatResponse) -> Result<(), String> {
    let shape = |r: &ChatResponse| serde_json::json!({"id": r.id, "model": r.model, "parts": r.parts, "finish": r.finish, "usage": r.usage});
    equal(&shape(sent), &shape(read))
}

pub(super) fn same_error(sent: &Error, read: &Error) -> Result<(), String> {
    let (before, after) = ((sent.kind(), sent.message(), sent.code()), (read.kind(), read.message(), read.code()));
    if before == after { Ok(()) } else { Err(format!("the error {before:?} became {after:?}")) }
}

/// After a call that ended by itself: it was made once, and nothing of it is left.
pub(super) fn settled(inner: &Scripted) -> Result<(), String> {
    match (inner.calls(), inner.in_flight()) {
        (1, 0) => Ok(()),
        (1, left) => Err(format!("{left} inner calls are still under way after the end")),
        (calls, _) => Err(format!("the inner service was called {calls} times for one call")),
    }
}

/// After a call that was dropped: the inner one was too.
pub(super) fn left(inner: &Scripted) -> Result<(), String> {
    match (inner.in_flight(), inner.dropped()) {
        (0, dropped) if dropped > 0 => Ok(()),
        (0, _) => Err("the inner call was run to its end though nobody waited for it".into()),
        (alive, _) => Err(format!("the inner call lives on after it was left: {alive} under way")),
    }
}
