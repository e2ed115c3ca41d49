//! Looking at a reply without changing it: a whole one at once, a stream as it passes.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use sabir_core::chat::{ChatResponse, Event, EventStream, Events, Wire};
use sabir_core::transport::Body;
use sabir_core::{Error, Reply, Result};

/// How a call ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum End<'a> {
    /// With a whole answer, to which a layer may add (never change what was answered).
    Answer(&'a mut ChatResponse),
    /// With something that is no conversation: vectors, an order, a count, whatever a raw request is answered with.
    Other,
    /// With an error inside the stream.
    Failed(&'a mut Error),
    /// By the caller, who dropped it before it ended. An error in place of a reply is the layer's own to see.
    Dropped,
}

/// Sees what passes. Whatever it holds (a permit, a reservation) it gives back when it is dropped, which is after `end`.
pub trait Watch: Send + 'static {
    /// An event that is not the last passes.
    fn event(&mut self, event: &Event) {
        let _ = event;
    }

    /// The call is over. Told exactly once.
    fn end(&mut self, end: End<'_>);
}

/// Lets a reply be watched to its end.
pub fn watch(reply: Reply, mut watch: impl Watch) -> Reply {
    match reply {
        Reply::Whole(mut response) => {
            watch.end(End::Answer(&mut response));
            Reply::Whole(response)
        }
        Reply::Stream(inner) => Reply::Stream(Box::pin(Watched { inner, watch, over: false })),
        Reply::Raw(mut reply) => {
            reply.body = Box::pin(WatchedBody { inner: reply.body, watch: Some(watch) });
            Reply::Raw(reply)
        }
        other => {
            watch.end(End::Other);
            other
        }
    }
}

struct Watched<W: Watch> {
    inner: EventStream,
    watch: W,
    over: bool,
}

impl<W: Watch> Unpin for Watched<W> {}

impl<W: Watch> Stream for Watched<W> {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        // An event is large: it is looked at where it is.
        let mut item = this.inner.as_mut().poll_next(cx);
        match &mut item {
            Poll::Ready(Some(Ok(Event::Done(response)))) => {
                this.over = true;
                this.watch.end(End::Answer(response));
            }
            Poll::Ready(Some(Ok(event))) => this.watch.event(event),
            Poll::Ready(Some(Err(error))) => {
                this.over = true;
                this.watch.end(End::Failed(error));
            }
            Poll::Ready(None) => {
                this.over = true;
                this.watch.end(End::Dropped);
            }
            Poll::Pending => {}
        }
        item
    }
}

/// What is only looked at is given on as it came.
impl<W: Watch> Events for Watched<W> {
    fn wire(mut self: Pin<&mut Self>) -> Wire {
        self.inner.as_mut().wire()
    }
}

impl<W: Watch> Drop for Watched<W> {
    fn drop(&mut self) {
        if !self.over {
            self.watch.end(End::Dropped);
        }
    }
}

/// A body that nobody reads here: it is over with its last piece.
struct WatchedBody<W: Watch> {
    inner: Body,
    watch: Option<W>,
}

impl<W: Watch> Unpin for WatchedBody<W> {}

impl<W: Watch> WatchedBody<W> {
    fn end(&mut self, end: End<'_>) {
        if let Some(mut watch) = self.watch.take() {
            watch.end(end);
        }
    }
}

impl<W: Watch> Stream for WatchedBody<W> {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut item = self.inner.as_mut().poll_next(cx);
        match &mut item {
            Poll::Ready(None) => self.end(End::Other),
            Poll::Ready(Some(Err(error))) => self.end(End::Failed(error)),
            _ => {}
        }
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<W: Watch> Drop for WatchedBody<W> {
    fn drop(&mut self) {
        self.end(End::Dropped);
    }
}
