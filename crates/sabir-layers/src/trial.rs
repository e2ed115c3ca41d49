//! What the tests of several layers ask and are answered.

use std::time::Duration;

use sabir_core::Request;
use sabir_core::chat::{ChatRequest, ChatResponse, Event, Part};
use sabir_testkit::Step;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn ask(stream: bool) -> Request {
    let mut chat = ChatRequest::new("m").user("Hi");
    chat.stream = stream;
    Request::Chat(chat)
}

pub(crate) fn answer() -> ChatResponse {
    let mut response = ChatResponse::default();
    response.parts = vec![Part::text("Hello.")];
    response
}

pub(crate) fn text(words: &str) -> Step {
    Step::Item(Ok(Event::Text(words.into())))
}
