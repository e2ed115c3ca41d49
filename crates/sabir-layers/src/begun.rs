//! Replies as far as a call can still be made again: whole, or with the first event at hand.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use sabir_core::chat::{Attempt, Event, EventStream};
use sabir_core::{Error, ErrorKind, Reply, Result};

/// Waits for a stream's first item: where that is an error, nobody has been told anything, and it is given back as if
/// it stood in place of the reply. The attempts that failed before are told with the answer, and taken then.
pub(crate) async fn begun(reply: Reply, failed: &mut Vec<Attempt>) -> Result<Reply> {
    match reply {
        Reply::Stream(mut rest) => {
            let first = match poll_fn(|cx| rest.as_mut().poll_next(cx)).await {
                Some(first) => Some(first?),
                None => return Err(Error::new(ErrorKind::Truncated, "the stream ended before it had begun")),
            };
            Ok(Reply::Stream(Box::pin(Begun { first, rest, failed: std::mem::take(failed) })))
        }
        Reply::Whole(mut response) => {
            response.attempts.splice(0..0, failed.drain(..));
            Ok(Reply::Whole(response))
        }
        other => Ok(other),
    }
}

/// A stream whose first event was awaited. What comes after it only passes.
struct Begun {
    first: Option<Event>,
    rest: EventStream,
    failed: Vec<Attempt>,
}

impl Stream for Begun {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.first.is_none() && self.failed.is_empty() {
            // An event is large: from here on none is moved.
            return self.rest.as_mut().poll_next(cx);
        }
        let item = match self.first.take() {
            Some(first) => Some(Ok(first)),
            None => ready!(self.rest.as_mut().poll_next(cx)),
        };
        Poll::Ready(match item {
            Some(Ok(Event::Done(mut response))) => {
                response.attempts.splice(0..0, self.failed.drain(..));
                Some(Ok(Event::Done(response)))
            }
            Some(Err(error)) => Some(Err(error.with_attempts(self.failed.drain(..)))),
            item => item,
        })
    }
}
