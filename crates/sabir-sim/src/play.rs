//! A turn as it is played: the answer as a whole, or as a stream of events in its own time.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use sabir_core::chat::{ChatRequest, ChatResponse, Event, Events, Fold};
use sabir_core::drive::client::replay;
use sabir_core::{Error, Reply, Result};
use tokio::time::Sleep;

use crate::model;
use crate::script::{Chunking, Failure, Turn};

/// Arguments are cut after so many characters where texts are cut after words.
const ARGUMENTS: usize = 8;

/// Plays a turn for a request.
pub(crate) async fn play(turn: &Turn, request: &ChatRequest) -> Result<Reply> {
    pause(turn.delay_before).await;
    let error = turn.error.as_ref().map(Failure::to_error);
    let response = match (&turn.answer, error) {
        // A unary answer cannot fail half-way, and an error alone has nothing before it.
        (answer, Some(error)) if answer.is_none() || !request.stream => return Err(error),
        (Some(answer), None) => answer.respond(request),
        (Some(answer), Some(error)) => {
            let response = answer.respond(request);
            return Ok(Reply::Stream(Box::pin(Playing::new(response, Some(error), turn))));
        }
        (None, _) => model::answer(request)?,
    };
    Ok(if request.stream {
        Reply::Stream(Box::pin(Playing::new(response, None, turn)))
    } else {
        Reply::Whole(Box::new(response))
    })
}

/// Waits, on tokio's clock. No time needs no runtime.
pub(crate) async fn pause(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

/// A streamed answer.
struct Playing {
    events: VecDeque<Event>,
    gap: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    /// The error that it ends with, and what came before it.
    failure: Option<Box<(Error, Fold)>>,
}

impl Playing {
    fn new(response: ChatResponse, error: Option<Error>, turn: &Turn) -> Self {
        let mut events: VecDeque<Event> = told(response).into_iter().flat_map(|e| cut(e, turn.chunking)).collect();
        if error.is_some() {
            events.retain(|e| !matches!(e, Event::Usage(_) | Event::Done(_)));
        }
        let failure = error.map(|error| Box::new((error, Fold::default())));
        Self { events, gap: turn.delay_between, sleep: None, failure }
    }
}

impl Events for Playing {}

impl Stream for Playing {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(sleep) = &mut this.sleep {
            ready!(sleep.as_mut().poll(cx));
            this.sleep = None;
        }
        let Some(event) = this.events.pop_front() else {
            let failure = this.failure.take();
            return Poll::Ready(failure.map(|f| Err(f.0.with_partial(f.1.into_response()))));
        };
        if let Some(failure) = &mut this.failure {
            failure.1.apply(&event);
        }
        if !this.gap.is_zero() && (!this.events.is_empty() || this.failure.is_some()) {
            this.sleep = Some(Box::pin(tokio::time::sleep(this.gap)));
        }
        Poll::Ready(Some(Ok(event)))
    }
}

/// An answer as events, one for each part and word. What core tells is all there at once.
fn told(response: ChatResponse) -> Vec<Event> {
    let mut stream = replay(response);
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut events = Vec::new();
    while let Poll::Ready(Some(Ok(event))) = stream.as_mut().poll_next(&mut cx) {
        events.push(event);
    }
    events
}

/// An event cut into smaller ones.
fn cut(event: Event, chunking: Chunking) -> Vec<Event> {
    match event {
        Event::Text(text) => pieces(&text, chunking).into_iter().map(Event::Text).collect(),
        Event::Reasoning(text) => pieces(&text, chunking).into_iter().map(Event::Reasoning).collect(),
        Event::ToolArguments { index, fragment } => {
            let pieces = match chunking {
                Chunking::Words => by_chars(&fragment, ARGUMENTS),
                other => pieces(&fragment, other),
            };
            pieces.into_iter().map(|fragment| Event::ToolArguments { index, fragment }).collect()
        }
        other => vec![other],
    }
}

fn pieces(text: &str, chunking: Chunking) -> Vec<String> {
    match chunking {
        Chunking::Whole => vec![text.to_owned()],
        Chunking::Words => text.split_inclusive(char::is_whitespace).map(str::to_owned).collect(),
        Chunking::Chars(n) => by_chars(text, n.get()),
    }
}

fn by_chars(text: &str, size: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.char_indices().nth(size).map_or(rest.len(), |(at, _)| at);
        let (piece, more) = rest.split_at(end);
        pieces.push(piece.to_owned());
        rest = more;
    }
    pieces
}
