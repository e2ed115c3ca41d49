//! A gateway in somebody else's server.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use sabir::transport::BoxFuture;
use sabir_http::listen::Outgoing;

use crate::Gateway;

/// As a `tower` service, which frameworks mount: `axum::Router::new().fallback_service(gateway)`. What it is mounted in
/// sees to sockets, connections and their time limits.
impl<B> tower_service::Service<Request<B>> for Gateway
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Outgoing>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Outgoing>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let gateway = self.clone();
        Box::pin(async move { Ok(Outgoing::of(gateway.answer(request).await)) })
    }
}
