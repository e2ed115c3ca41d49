//! The seam below which bytes move. A transport carries one request and brings back one response
//! whose body comes in pieces; it knows nothing of dialects.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;

use crate::{Error, Result};

/// A boxed future, for the object-safe seams.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A response body: pieces as they arrive. An error ends it. Dropping it closes or frees the connection.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// Carries requests. Implemented by `sabir-http`, by the simulator's loopback, and by record and replay.
pub trait Transport: std::fmt::Debug + Send + Sync + 'static {
    /// Sends one request and returns as soon as the response's head is there. A response of any status
    /// is `Ok`; `Err` says how far the request got ([`Error::stage`]). Dropping the future cancels.
    ///
    /// A [`Timeouts`] in the request's extensions overrides the transport's own.
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>>;
}

impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        (**self).send(request)
    }
}

/// Time limits of one exchange; `None` leaves the transport's own in force, `Duration::MAX` lifts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// To have a connection, TLS included.
    pub connect: Option<Duration>,
    /// From the request being sent to the first byte of the answer.
    pub first_byte: Option<Duration>,
    /// Between two pieces of the answer.
    pub idle: Option<Duration>,
    /// For the whole exchange.
    pub total: Option<Duration>,
}

/// A body that is already here.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Box::pin(Once(Some(Ok(bytes.into()))))
}

/// A body that breaks before its first byte.
pub fn broken(error: Error) -> Body {
    Box::pin(Once(Some(Err(error))))
}

struct Once(Option<Result<Bytes>>);

impl Stream for Once {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.take())
    }
}
