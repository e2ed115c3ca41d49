//! A stream under guard: filtered as it passes, or held back to its end.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use sabir_core::chat::{Event, EventStream, Events, Fold};
use sabir_core::drive::client::replay;
use sabir_core::transport::BoxFuture;
use sabir_core::{Call, Error, Result};

use super::{Check, Filter, OnStream};

pub(super) fn guarded(events: EventStream, call: &Call, checks: &Arc<[Arc<dyn Check>]>) -> EventStream {
    let (mut filters, mut is_held) = (Vec::new(), false);
    for check in &**checks {
        match check.on_stream() {
            OnStream::Pass => {}
            OnStream::Filter(filter) => filters.push(filter),
            OnStream::Whole => is_held = true,
        }
    }
    let events: EventStream = if filters.is_empty() {
        events
    } else {
        Box::pin(Filtered { inner: events, filters, told: Fold::default(), queue: VecDeque::new() })
    };
    if !is_held {
        return events;
    }
    Box::pin(Held { state: State::Waiting(whole(events, call.clone(), checks.clone())) })
}

/// The answer at a stream's end, seen by those who want to see it whole.
fn whole(
    mut events: EventStream,
    call: Call,
    checks: Arc<[Arc<dyn Check>]>,
) -> BoxFuture<'static, Result<EventStream>> {
    Box::pin(async move {
        while let Some(event) = poll_fn(|cx| events.as_mut().poll_next(cx)).await {
            let Event::Done(mut response) = event? else { continue };
            for check in checks.iter().filter(|check| matches!(check.on_stream(), OnStream::Whole)) {
                // Nothing of it has reached the caller, and nothing of it does.
                check.response(&call, &mut response).await?;
            }
            return Ok(replay(*response));
        }
        Err(Error::new(sabir_core::ErrorKind::Truncated, "the stream stopped before its end marker"))
    })
}

struct Held {
    state: State,
}

enum State {
    Waiting(BoxFuture<'static, Result<EventStream>>),
    Telling(EventStream),
    Over,
}

impl Events for Held {}

impl Stream for Held {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            self.state = match &mut self.state {
                State::Waiting(whole) => match ready!(whole.as_mut().poll(cx)) {
                    Ok(events) => State::Telling(events),
                    Err(error) => {
                        self.state = State::Over;
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                State::Telling(events) => return events.as_mut().poll_next(cx),
                State::Over => return Poll::Ready(None),
            };
        }
    }
}

struct Filtered {
    inner: EventStream,
    filters: Vec<Box<dyn Filter>>,
    /// What the caller was told: the answer at the end says the same.
    told: Fold,
    queue: VecDeque<Result<Event>>,
}

impl Filtered {
    fn take(&mut self, item: Result<Event>) {
        match item {
            Ok(Event::Text(piece)) => match pass(&mut self.filters, piece) {
                Ok(text) => self.tell_text(text),
                Err(error) => {
                    let partial = std::mem::take(&mut self.told).into_response();
                    self.queue.push_back(Err(error.with_partial(partial)));
                }
            },
            // A thought comes before the text that it is of, or after it: neither goes on in the other.
            Ok(Event::Done(mut response)) => {
                self.rest();
                response.parts = std::mem::take(&mut self.told).into_response().parts;
                self.queue.push_back(Ok(Event::Done(response)));
            }
            Ok(event) => {
                // What is used is told at any time, and stands between no texts.
                if !matches!(event, Event::Usage(_) | Event::Start { .. }) {
                    self.rest();
                }
                self.told.apply(&event);
                self.queue.push_back(Ok(event));
            }
            Err(mut error) => {
                self.rest();
                if let Some(mut partial) = error.take_partial() {
                    partial.parts = std::mem::take(&mut self.told).into_response().parts;
                    error = error.with_partial(partial);
                }
                self.queue.push_back(Err(error));
            }
        }
    }

    fn tell_text(&mut self, text: String) {
        if !text.is_empty() {
            let event = Event::Text(text);
            self.told.apply(&event);
            self.queue.push_back(Ok(event));
        }
    }

    /// What the filters still keep, each through those after it.
    fn rest(&mut self) {
        for at in 0..self.filters.len() {
            let rest = self.filters[at].rest();
            if !rest.is_empty()
                && let Ok(text) = pass(&mut self.filters[at + 1..], rest)
            {
                self.tell_text(text);
            }
        }
    }
}

/// A piece of text through filters, one after the other.
fn pass(filters: &mut [Box<dyn Filter>], piece: String) -> Result<String> {
    filters.iter_mut().try_fold(piece, |text, filter| filter.text(&text))
}

impl Events for Filtered {}

impl Stream for Filtered {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(item) = self.queue.pop_front() {
                if item.is_err() {
                    // An error of a filter's own cancels the call.
                    self.inner = Box::pin(Nothing);
                    self.queue.clear();
                }
                return Poll::Ready(Some(item));
            }
            match ready!(self.inner.as_mut().poll_next(cx)) {
                Some(item) => self.take(item),
                None => return Poll::Ready(None),
            }
        }
    }
}

struct Nothing;

impl Events for Nothing {}

impl Stream for Nothing {
    type Item = Result<Event>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}
