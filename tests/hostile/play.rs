//! Hostile bytes, through the whole stack but the socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Request as HttpRequest, Response, StatusCode};
use sabir::chat::Event;
use sabir::drive::{Limits, Origin};
use sabir::transport::{Body, BoxFuture};
use sabir::{
    Call, ChatRequest, ChatResponse, Dialect, Endpoint, Error, Reply, Request, Result, Secret, Service as _, Transport,
};
use sabir_core::frame::{event_stream, json_array, ndjson, sse};
use sabir_tests::Playback;

use crate::wires::{Frame, Wire};

/// The key that no error may show.
pub(crate) const KEY: &str = "sk-hostile-0123456789abcdefghij";

/// The bytes of a stream of these frames, with words put in for the placeholders.
pub(crate) fn stream(wire: &Wire, frames: &[&[Frame]], words: &[(&str, &str)]) -> Vec<u8> {
    self::frames(wire, frames.iter().copied().flatten().copied(), words)
}

/// The same of frames one by one. An exception of a binary stream has a `!` before its name.
pub(crate) fn frames<'a>(
    wire: &Wire,
    frames: impl IntoIterator<Item = (&'a str, &'a str)>,
    words: &[(&str, &str)],
) -> Vec<u8> {
    let usual = [("$K", "call_a"), ("$I", "0"), ("$N", "clock"), ("$W", wire.word), ("$U", "5"), ("$T", "Hello")];
    let mut out = Vec::new();
    for (at, (event, json)) in frames.into_iter().enumerate() {
        let json = words.iter().chain(&usual).fold(json.to_owned(), |json, (name, word)| json.replace(name, word));
        let json = json.as_bytes();
        match wire.content_type {
            "text/event-stream" => sse::write(&mut out, event, json),
            "application/json" => json_array::write(&mut out, at == 0, json),
            "application/vnd.amazon.eventstream" => {
                let (kind, name) = match event.strip_prefix('!') {
                    Some(name) => ("exception", (":exception-type", name)),
                    None => ("event", (":event-type", event)),
                };
                event_stream::write(&mut out, &[(":message-type", kind), name], json);
            }
            _ => ndjson::write(&mut out, json),
        }
    }
    out
}

/// What stands after the last frame: the list's end, where the stream is one.
pub(crate) fn end(wire: &Wire) -> &'static [u8] {
    if wire.content_type == "application/json" { b"\n]" } else { b"" }
}

/// An answer with these bytes, arriving in these pieces, as the items of a stream.
pub(crate) fn play(wire: &Wire, pieces: Vec<Bytes>) -> Vec<Result<Event>> {
    items(room(wire), StatusCode::OK, wire.content_type, pieces, Limits::default())
}

/// The room.
pub(crate) fn room(wire: &Wire) -> &'static dyn Dialect {
    sabir::dialects::dialect(wire.dialect).unwrap_or_else(|| panic!("no dialect {}", wire.dialect))
}

/// The same of any answer.
pub(crate) fn items(
    room: &'static dyn Dialect,
    status: StatusCode,
    content_type: &'static str,
    pieces: Vec<Bytes>,
    limits: Limits,
) -> Vec<Result<Event>> {
    let asked = ChatRequest { stream: true, ..ChatRequest::new("m").user("any").max_tokens(9) };
    let origin = Origin::new(room, endpoint(), playback(status, content_type, pieces)).with_limits(limits);
    sabir_testkit::block_on(async {
        match origin.call(&Call::default(), &Request::Chat(asked)).await.and_then(Reply::stream) {
            Ok(events) => sabir_testkit::collect(events).await,
            Err(error) => vec![Err(error)],
        }
    })
}

/// A whole answer with these bytes.
pub(crate) fn whole(
    room: &'static dyn Dialect,
    status: StatusCode,
    kind: &'static str,
    body: &str,
) -> Result<ChatResponse> {
    let origin = Origin::new(room, endpoint(), playback(status, kind, vec![Bytes::copy_from_slice(body.as_bytes())]));
    let asked = Request::Chat(ChatRequest::new("m").user("any").max_tokens(9));
    match sabir_testkit::block_on(origin.call(&Call::default(), &asked))? {
        Reply::Whole(response) => Ok(*response),
        other => panic!("{other:?} is not a whole answer"),
    }
}

fn playback(status: StatusCode, content_type: &'static str, pieces: Vec<Bytes>) -> Arc<Playback> {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
    Arc::new(Playback { status, headers, pieces })
}

fn endpoint() -> Endpoint {
    Endpoint {
        provider: "hostile".into(),
        base_url: "http://hostile.invalid/v1".into(),
        key: Some(Secret::new(KEY)),
        ..Endpoint::default()
    }
}

/// The answer or error that a stream ends in, after the contract was checked.
pub(crate) fn told(case: &str, items: &[Result<Event>]) -> Result<ChatResponse, Error> {
    if let Err(violation) = sabir_testkit::check_events(items) {
        panic!("{case}: {violation}");
    }
    match items.last() {
        Some(Ok(Event::Done(response))) => Ok((**response).clone()),
        Some(Err(error)) => Err(error.clone()),
        other => panic!("{case}: the last item is {other:?}"),
    }
}

/// A transport that counts what it was asked to send, and answers nothing.
#[derive(Debug, Default)]
pub(crate) struct Counting(AtomicUsize);

impl Counting {
    /// How many requests reached it.
    pub(crate) fn sent(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Transport for Counting {
    fn send(&self, _: HttpRequest<Bytes>) -> BoxFuture<'_, Result<Response<Body>>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let gone = Error::new(sabir::ErrorKind::Network, "nobody answers");
        Box::pin(std::future::ready(Err(gone)))
    }
}

/// An origin of this room over a transport.
pub(crate) fn origin(room: &'static dyn Dialect, transport: Arc<Counting>) -> Origin {
    Origin::new(room, endpoint(), transport)
}
