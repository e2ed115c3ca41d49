//! A stream whose first events were looked at.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use sabir_core::chat::{Event, EventStream, Events, Wire};
use sabir_core::dialect::truncated;
use sabir_core::{Reply, Result};

/// Most of what is held back while an answer has only begun: real ones begin with one `Start` and one `Usage`.
const MOST_HELD: usize = 4;

/// Waits until a streamed reply has content, or ends. An error before that is an error in place of the reply: the
/// caller has seen nothing, and another attempt can be made. Other replies pass.
pub(crate) async fn with_content(reply: Reply) -> Result<Reply> {
    look(reply, |event, held| matches!(event, Event::Start { .. } | Event::Usage(_)) && held < MOST_HELD).await
}

/// Waits until a streamed reply has an event. Other replies pass.
pub(crate) async fn with_event(reply: Reply) -> Result<Reply> {
    look(reply, |_, _| false).await
}

async fn look(reply: Reply, goes_on: impl Fn(&Event, usize) -> bool) -> Result<Reply> {
    let mut rest = match reply {
        Reply::Stream(stream) => stream,
        other => return Ok(other),
    };
    let mut first = VecDeque::new();
    loop {
        let event = poll_fn(|cx| rest.as_mut().poll_next(cx)).await.unwrap_or_else(|| Err(truncated()))?;
        let more = goes_on(&event, first.len() + 1);
        first.push_back(event);
        if !more {
            return Ok(Reply::Stream(Box::pin(Preceded { first, rest })));
        }
    }
}

struct Preceded {
    first: VecDeque<Event>,
    rest: EventStream,
}

impl Stream for Preceded {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.first.pop_front() {
            Some(event) => Poll::Ready(Some(Ok(event))),
            None => self.rest.as_mut().poll_next(cx),
        }
    }
}

impl Events for Preceded {
    fn wire(mut self: Pin<&mut Self>) -> Wire {
        // What is below has given more than was given here.
        if self.first.is_empty() { self.rest.as_mut().wire() } else { Wire::Held }
    }
}
