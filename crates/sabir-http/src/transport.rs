//! The transport itself: one request out, one head back, the body as it comes.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, PROXY_AUTHORIZATION};
use http::{HeaderValue, Request, Response, Uri};
use sabir_core::transport::{Body, BoxFuture, Timeouts, Transport};
use sabir_core::{Error, ErrorKind, Result};

use crate::body::Incoming;
use crate::builder::HttpTransportBuilder;
use crate::decode::Decoder;
use crate::failure;
use crate::outgoing::{Outgoing, Taken};
use crate::pools::Pools;
use crate::proxy::Proxies;
use crate::timer::{Watch, merged};

/// What is asked for where the caller asked for nothing else.
const ENCODINGS: HeaderValue = HeaderValue::from_static("gzip, br, zstd");

/// A [`Transport`] over HTTP/1.1 and HTTP/2 with a pool of connections, one for each runtime that it is used in.
///
/// Cheap to clone; clones share the pools. Must be used inside a tokio runtime with IO and time enabled.
/// Dropping the future or the body closes the connection (HTTP/1.1) or resets the stream (HTTP/2), unless
/// the answer was complete.
#[derive(Clone)]
pub struct HttpTransport {
    pub(crate) pools: Arc<Pools>,
    pub(crate) proxies: Arc<Proxies>,
    pub(crate) timeouts: Timeouts,
    /// `None`: bodies are left as they come.
    pub(crate) expanded_limit: Option<u64>,
}

impl HttpTransport {
    /// A transport with all defaults, see [`HttpTransportBuilder`]. Fails (kind `Configuration`) only where
    /// the environment names a proxy or a file of certificates that cannot be used.
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// A builder that holds the defaults.
    pub fn builder() -> HttpTransportBuilder {
        HttpTransportBuilder::default()
    }

    async fn exchange(&self, mut request: Request<Bytes>) -> Result<Response<Body>> {
        check(request.uri())?;
        let timeouts = request.extensions().get().map_or(self.timeouts, |over| merged(self.timeouts, *over));
        let mut watch = Watch::new(timeouts);
        if self.expanded_limit.is_some() {
            request.headers_mut().entry(ACCEPT_ENCODING).or_insert(ENCODINGS);
        }
        if let Some(credentials) = self.proxies.credentials_for(request.uri()) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, credentials);
        }
        let uri = request.uri().clone();
        let taken = Taken::default();
        let mut answer = self.pools.request(request.map(|data| Outgoing::new(data, taken.clone())));
        let response = poll_fn(|cx| {
            if let Poll::Ready(answer) = Pin::new(&mut answer).poll(cx) {
                return Poll::Ready(answer.map_err(|e| failure::of_send(e, &uri, taken.at().is_some())));
            }
            watch
                .poll_head(&taken, cx)
                .map(|limit| Err(failure::late_head(limit, watch.timeouts(), &uri, taken.at().is_some())))
        })
        .await?;
        let (mut head, body) = response.into_parts();
        let decoder = self.expanded_limit.and_then(|limit| Decoder::for_headers(&mut head.headers, limit));
        let authority = uri.into_parts().authority.expect("checked above");
        let body = Incoming::new(body, authority, watch, decoder);
        Ok(Response::from_parts(head, Box::pin(body)))
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Body>>> {
        Box::pin(self.exchange(request))
    }
}

impl std::fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpTransport")
            .field("timeouts", &self.timeouts)
            .field("proxies", &self.proxies)
            .finish_non_exhaustive()
    }
}

/// Refuses a URL that names no server.
fn check(uri: &Uri) -> Result<()> {
    let host = uri.host().unwrap_or_default();
    if matches!(uri.scheme_str(), Some("http" | "https")) && !host.is_empty() {
        return Ok(());
    }
    let scheme = uri.scheme_str().unwrap_or("no scheme");
    let message = format!("the URL has {scheme} and host {host:?}; a base URL looks like https://api.example.com/v1");
    Err(Error::new(ErrorKind::Configuration, message))
}
