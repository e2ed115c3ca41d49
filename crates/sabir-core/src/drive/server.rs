//! We are the server: a request comes up as bytes, an answer goes down as bytes, in the client's own dialect.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

use super::client::retell;
use super::host::{Answered, Begun, Host, Open};
use crate::chat::{ChatRequest, ChatResponse, Event, EventStream, Fold, Wire};
use crate::dialect::{Asked, Dialect, Encoder, Responded};
use crate::remarks::lost_from_response;
use crate::service::{Call, Reply, Request, Service, Shared};
use crate::transport::{Body, whole};
use crate::{Error, ErrorKind, Loss, Passage, Result};

/// What could not be carried into the client's dialect, in the response's extensions. For a stream: what was known
/// when it began.
#[derive(Clone, Debug, Default)]
pub struct Losses(pub Vec<Loss>);

/// The most that is gathered into one piece of a streamed answer while events are ready.
const GATHER: usize = 16 * 1024;

/// Answers one HTTP request in a dialect, from a service. Never fails: an error is an answer in the dialect's shape.
pub async fn serve(
    dialect: &dyn Dialect,
    service: &Shared,
    call: &Call,
    request: http::Request<Bytes>,
) -> http::Response<Body> {
    host(dialect, &Open(service), call.clone(), request).await
}

/// As [`serve`], from whoever answers at a host.
pub(super) async fn host(
    dialect: &dyn Dialect,
    host: &dyn Host,
    mut call: Call,
    request: http::Request<Bytes>,
) -> http::Response<Body> {
    let asked = match admit(dialect, host, &mut call, request) {
        Ok(asked) => asked,
        Err(error) => return refuse(dialect, &error),
    };
    let answered = match host.service().call(&call, asked.request()).await {
        Ok(Reply::Whole(answer)) => Ok(of_whole(dialect, answer, wanted(&asked), &call)),
        Ok(Reply::Stream(mut events)) => {
            // An error before the first event can still have its own status.
            match std::future::poll_fn(|cx| events.as_mut().poll_next(cx)).await {
                Some(first) => first.map(|first| of_stream(dialect, (first, events), wanted(&asked), &call)),
                None => Err(Error::new(ErrorKind::Truncated, "the service's stream was empty")),
            }
        }
        Ok(_) => Err(Error::new(ErrorKind::Provider, "a service answered a chat request with something else")),
        Err(error) => Err(error),
    };
    answered.unwrap_or_else(|error| refuse(dialect, &error))
}

/// Reads what a client asks, and whether it may.
fn admit(
    dialect: &dyn Dialect,
    host: &dyn Host,
    call: &mut Call,
    request: http::Request<Bytes>,
) -> Result<Arc<Passage>> {
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let asked = Asked { method: request.method(), path, headers: request.headers(), body: request.body() };
    let mut wanted = Request::Chat(dialect.accept(asked)?);
    host.admit(call, &mut wanted)?;
    let (head, mut body) = request.into_parts();
    if !host.passes() {
        // What was read is not needed any more, and an answer may take long.
        body = Bytes::new();
    }
    let asked = Arc::new(Passage::new(dialect.name(), head.headers, body, wanted));
    call.passage = host.passes().then(|| asked.clone());
    Ok(asked)
}

/// What [`admit`] read.
fn wanted(asked: &Passage) -> &ChatRequest {
    let Request::Chat(wanted) = asked.request() else { unreachable!("made as a chat request") };
    wanted
}

fn of_whole(
    dialect: &dyn Dialect,
    mut answer: Box<ChatResponse>,
    wanted: &ChatRequest,
    call: &Call,
) -> http::Response<Body> {
    if let Some((body, losses)) = answer.passed.take().and_then(|passed| passed.of(&answer)) {
        let mut response = http::Response::new(whole(body));
        // Room for what is said beside it: growing costs more than the room.
        *response.headers_mut() = HeaderMap::with_capacity(8);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.extensions_mut().insert(Losses(losses));
        response.extensions_mut().insert(without_parts(answer, call));
        return response;
    }
    let answered = respond(dialect, &answer, wanted);
    let mut response = http::Response::new(whole(answered.body));
    *response.headers_mut() = answered.headers;
    response.headers_mut().entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    let mut losses = std::mem::take(&mut answer.losses);
    losses.extend(answered.losses);
    response.extensions_mut().insert(Losses(losses));
    response.extensions_mut().insert(without_parts(answer, call));
    response
}

/// A stream of which the first event is here.
fn of_stream(
    dialect: &dyn Dialect,
    (first, events): (Event, EventStream),
    wanted: &ChatRequest,
    call: &Call,
) -> http::Response<Body> {
    let mut begun = Begun::after(call);
    if let Event::Start { model, .. } = &first
        && !model.is_empty()
    {
        begun.by.model.clone_from(model);
    }
    let encoder = dialect.encoder(wanted);
    let content_type = HeaderValue::from_static(encoder.content_type());
    let passing = call.passage.is_some().then(Passing::default);
    let mut body = Encoding { events, encoder, out: Vec::new(), passing, first: None, over: false };
    body.first = body.take(first);
    let mut losses = std::mem::take(&mut begun.by.losses);
    losses.extend(body.encoder.losses());
    let body: Body = Box::pin(body);
    let mut response = http::Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.extensions_mut().insert(Losses(losses));
    response.extensions_mut().insert(begun);
    response
}

/// An answer for the extensions. Where its provider does not say which model it was, it is the one that was asked.
fn without_parts(mut answer: Box<ChatResponse>, call: &Call) -> Answered {
    answer.parts.clear();
    if answer.model.is_empty()
        && let Some(by) = call.trail.answering()
    {
        answer.model = by.model;
    }
    Answered(answer)
}

/// What we answer, whole, with all that could not be carried into the dialect.
pub fn respond(dialect: &dyn Dialect, response: &ChatResponse, request: &ChatRequest) -> Responded {
    let mut answered = dialect.respond(response, request);
    lost_from_response(dialect.name(), response, &mut answered.losses);
    answered
}

/// What could not be carried into a stream that was written to its end: what the encoder says, and the remarks of
/// other dialects on the answer.
pub fn streamed_losses(dialect: &dyn Dialect, encoder: &mut dyn Encoder, done: &ChatResponse) -> Vec<Loss> {
    let mut losses = encoder.losses();
    lost_from_response(dialect.name(), done, &mut losses);
    losses
}

/// An error as this dialect's answer, with its status and `Retry-After`.
pub fn refuse(dialect: &dyn Dialect, error: &Error) -> http::Response<Body> {
    let (status, body) = dialect.refuse(error);
    refused(status, body, error)
}

/// An error that is written already, with its status and `Retry-After`.
pub(super) fn refused(status: StatusCode, body: Bytes, error: &Error) -> http::Response<Body> {
    let mut response = http::Response::new(whole(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(wait) = error.retry_after() {
        // Whole seconds, rounded up (RFC 9110 §10.2.3): never earlier than asked.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    if let Some(failed) = Begun::failed(error) {
        response.extensions_mut().insert(failed);
    }
    response
}

/// A streamed answer being written, or given on as it comes. Dropping it drops the events, and with them the call.
struct Encoding {
    events: EventStream,
    encoder: Box<dyn Encoder>,
    out: Vec<u8>,
    /// `None` from where nothing is given on any more.
    passing: Option<Passing>,
    /// Bytes that were there before the answer began.
    first: Option<Bytes>,
    over: bool,
}

/// What a client was told in the provider's own bytes.
#[derive(Default)]
struct Passing {
    told: Fold,
    has_told: bool,
    /// What came since, whose bytes are not here yet.
    untold: Vec<Event>,
}

impl Encoding {
    /// Takes an event in: what is written of it is in `out`, what is given on is returned.
    fn take(&mut self, event: Event) -> Option<Bytes> {
        self.over = matches!(event, Event::Done(_));
        let Some(passing) = &mut self.passing else {
            self.encoder.event(&event, &mut self.out);
            return None;
        };
        passing.untold.push(event);
        match self.events.as_mut().wire() {
            Wire::Bytes(bytes) => {
                // After the last one there is nothing to go on with.
                for event in passing.untold.drain(..).filter(|_| !self.over) {
                    passing.told.apply(&event);
                }
                passing.has_told |= !bytes.is_empty();
                Some(bytes).filter(|bytes| !bytes.is_empty())
            }
            Wire::Held if !self.over => None,
            _ => {
                self.write_anew();
                None
            }
        }
    }

    /// From here on the answer is another than the provider's bytes: it is written, as if all of it had been.
    fn write_anew(&mut self) {
        let Some(passing) = self.passing.take() else { return };
        if passing.has_told {
            let is_open = passing.told.has_open_part();
            let mut unheard = Vec::new();
            let mut events = retell(passing.told.into_response());
            if is_open && let Some(end) = events.iter().rposition(|event| matches!(event, Event::PartEnd { .. })) {
                events.remove(end);
            }
            for event in &events {
                self.encoder.event(event, &mut unheard);
            }
        }
        for event in &passing.untold {
            self.encoder.event(event, &mut self.out);
        }
    }
}

impl Stream for Encoding {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(bytes) = this.first.take() {
            return Poll::Ready(Some(Ok(bytes)));
        }
        while !this.over && this.out.len() < GATHER {
            match this.events.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(event))) => {
                    if let Some(bytes) = this.take(event) {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Poll::Ready(ended) => {
                    let stopped = || Error::new(ErrorKind::Truncated, "the answer stopped before its end");
                    let error = ended.and_then(Result::err).unwrap_or_else(stopped);
                    this.over = true;
                    this.write_anew();
                    this.encoder.error(&error, &mut this.out);
                }
                Poll::Pending if this.out.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        if this.out.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Bytes::from(std::mem::take(&mut this.out)))))
    }
}
