//! Somebody else's client as a transport.

use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use http::uri::Authority;
use http::{Request, Response};
use hyper::body::Body as HttpBody;
use hyper_util::client::legacy;
use sabir_core::transport::{Body, BoxFuture, Timeouts, Transport};
use sabir_core::{Error, ErrorKind, Result, Stage};
use tower_service::Service;

use crate::body::Incoming;
use crate::outgoing::Taken;
use crate::timer::Watch;
use crate::{BoxError, failure};

/// A [`Transport`] made of any `tower` service from an `http` request to an `http` response: hyper-util's client
/// with one's own connector, reqwest's, or a stack of `tower-http` layers. `R` is the service's request body,
/// anything that can be made of [`Bytes`].
///
/// Proxies, TLS and decompression are the service's own matter, and so are time limits, but for those that
/// a request's [`Timeouts`] sets: `connect` and `first_byte` together bound the wait for the head.
/// How far a failed call got is known only for hyper-util's client; any other error counts as "may have been sent".
pub struct TowerTransport<S, R> {
    service: S,
    request_body: PhantomData<fn(R)>,
}

impl<S, R> TowerTransport<S, R> {
    /// Wraps a service. It is cloned for each request, as `tower` services are meant to be.
    pub fn new(service: S) -> Self {
        Self { service, request_body: PhantomData }
    }
}

impl<S, R, B> Transport for TowerTransport<S, R>
where
    S: Service<Request<R>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    R: From<Bytes> + Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Body>>> {
        let mut service = self.service.clone();
        Box::pin(async move {
            let uri = request.uri().clone();
            let mut timeouts: Timeouts = request.extensions().get().copied().unwrap_or_default();
            // The service does not say when it has a connection.
            timeouts.first_byte =
                timeouts.first_byte.map(|limit| limit.saturating_add(timeouts.connect.unwrap_or_default()));
            let mut watch = Watch::new(timeouts);
            let taken = Taken::now();
            let mut answer = pin!(async {
                poll_fn(|cx| service.poll_ready(cx)).await?;
                service.call(request.map(R::from)).await
            });
            let response = poll_fn(|cx| {
                if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                    return Poll::Ready(answer.map_err(|e| failed(e.into(), &uri)));
                }
                watch.poll_head(&taken, cx).map(|limit| Err(failure::late_head(limit, watch.timeouts(), &uri, true)))
            })
            .await?;
            let authority = uri.into_parts().authority.unwrap_or_else(|| Authority::from_static("server"));
            Ok(response.map(|body| Box::pin(Incoming::new(Box::pin(body), authority, watch, None)) as Body))
        })
    }
}

fn failed(error: BoxError, uri: &http::Uri) -> Error {
    match error.downcast::<legacy::Error>() {
        Ok(error) => failure::of_send(*error, uri, true),
        Err(error) => {
            Error::new(ErrorKind::Network, format!("the client below failed on the way to {}", failure::host_of(uri)))
                .with_stage(Stage::MaybeSent)
                .with_source(error)
        }
    }
}

impl<S: Clone, R> Clone for TowerTransport<S, R> {
    fn clone(&self) -> Self {
        Self::new(self.service.clone())
    }
}

impl<S, R> std::fmt::Debug for TowerTransport<S, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TowerTransport").finish_non_exhaustive()
    }
}
