//! What the tests of several layers ask and are answered.

use std::time::Duration;

use sabir_core::chat::{ChatRequest, ChatResponse, Event, Part};
use sabir_core::{Clock as _, Request};
use sabir_store::{Answer, Cell, Memory, Store, Taken};
use sabir_testkit::{ManualClock, Step};

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

/// A store that is elsewhere: its answers take a while.
#[derive(Debug)]
pub(crate) struct Far(pub(crate) Memory, pub(crate) ManualClock);

impl Store for Far {
    fn take<'a>(&'a self, cells: &'a mut [Cell], now: Duration) -> Answer<'a, Taken> {
        Answer::Later(Box::pin(async move {
            self.1.sleep(Duration::from_millis(5)).await;
            self.0.take(cells, now).get().await
        }))
    }

    fn settle(&self, cell: &Cell, used: u64, now: Duration) {
        self.0.settle(cell, used, now);
    }

    fn used<'a>(&'a self, cell: &'a Cell, now: Duration) -> Answer<'a, u64> {
        Answer::Later(Box::pin(async move {
            self.1.sleep(Duration::from_millis(5)).await;
            self.0.used(cell, now).get().await
        }))
    }
}
