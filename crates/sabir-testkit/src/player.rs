//! Playing bytes to a dialect as if a provider had sent them, through the very code that drives it in use.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use sabir_core::chat::{ChatRequest, Event};
use sabir_core::drive::{Limits, Origin};
use sabir_core::transport::{Body, BoxFuture, Transport};
use sabir_core::{Call, Dialect, Endpoint, Request, Result, Service};

use crate::contract::collect;
use crate::run::block_on;

/// The model that the suites ask for.
pub(crate) const MODEL: &str = "test-model";

/// Plays streamed bodies, in given pieces, to a dialect.
#[derive(Clone, Debug)]
pub struct Player {
    origin: Origin,
    tape: Tape,
    request: Request,
}

impl Player {
    /// A player to a dialect, with an endpoint of no importance.
    pub fn new(dialect: &'static dyn Dialect) -> Self {
        Self::with(dialect, endpoint())
    }

    /// A player to a dialect at an endpoint, for its quirks.
    pub fn with(dialect: &'static dyn Dialect, endpoint: Endpoint) -> Self {
        let tape = Tape::default();
        let mut request = ChatRequest::new(MODEL).user("Hello").max_tokens(100);
        request.stream = true;
        Self { origin: Origin::new(dialect, endpoint, Arc::new(tape.clone())), tape, request: Request::Chat(request) }
    }

    /// Sets how much an answer may take.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.origin = self.origin.with_limits(limits);
        self
    }

    /// All items of the stream that is in these pieces of a body of status 200. An error in place of a stream is
    /// one item.
    ///
    /// # Panics
    /// Where the stream waits though all pieces are there.
    pub fn play(&self, content_type: &'static str, pieces: &[Bytes]) -> Vec<Result<Event>> {
        *self.tape.0.side.lock().unwrap_or_else(PoisonError::into_inner) = (content_type, pieces.into());
        self.tape.0.pulled.store(0, Ordering::SeqCst);
        block_on(async {
            match self.origin.call(&Call::default(), &self.request).await.and_then(sabir_core::Reply::stream) {
                Ok(stream) => collect(stream).await,
                Err(error) => vec![Err(error)],
            }
        })
    }

    /// How many bytes of the last body were read.
    pub fn pulled(&self) -> usize {
        self.tape.0.pulled.load(Ordering::SeqCst)
    }
}

/// An endpoint that nobody answers at: `.invalid` is reserved (RFC 2606 §2).
pub(crate) fn endpoint() -> Endpoint {
    Endpoint { provider: "testkit".into(), base_url: "https://testkit.invalid/v1".into(), ..Endpoint::default() }
}

#[derive(Clone, Default)]
struct Tape(Arc<Reel>);

#[derive(Default)]
struct Reel {
    side: Mutex<(&'static str, Arc<[Bytes]>)>,
    pulled: AtomicUsize,
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tape")
    }
}

impl Transport for Tape {
    fn send(&self, _: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        let (content_type, pieces) = self.0.side.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let body: Body = Box::pin(Playing { reel: self.0.clone(), pieces, next: 0 });
        let mut response = http::Response::new(body);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Box::pin(std::future::ready(Ok(response)))
    }
}

struct Playing {
    reel: Arc<Reel>,
    pieces: Arc<[Bytes]>,
    next: usize,
}

impl Stream for Playing {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = self.pieces.get(self.next).cloned();
        self.next += 1;
        self.reel.pulled.fetch_add(piece.as_ref().map_or(0, Bytes::len), Ordering::SeqCst);
        Poll::Ready(piece.map(Ok))
    }
}
