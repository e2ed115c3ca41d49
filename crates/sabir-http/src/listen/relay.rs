//! A server that hands what it is asked on to a transport.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode, Uri};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sabir_core::transport::{Transport, whole};
use sabir_core::{Error, ErrorKind, Result};
use tokio::net::TcpStream;

use super::{Accepting, Outgoing, listen, url};
use crate::replay::NOT_RECORDED;

/// The longest request body, in bytes.
const LONGEST: usize = 64 << 20;
/// The most connections at once; more wait in the listener's queue.
const CONNECTIONS: usize = 256;
/// What is of one connection and not of the exchange (RFC 9110 §7.6.1), besides what `Connection` names.
const OF_THE_CONNECTION: &[&str] = &[
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
];

/// A local server that answers from a transport, as if it were another server: with a [`Recorder`](crate::Recorder) in
/// front of the network it records the traffic of any client, with a [`Replay`](crate::Replay) it plays it back.
///
/// A path is taken as one behind the upstream's own; one that begins with that already is taken as it is. Requests are
/// read whole, answers go on piece by piece. An error is an answer in JSON: 404 for what a replay does not have, 504 for
/// a time limit, 502 for all else. Dropping it closes the listener and every connection.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    accepting: Accepting,
}

/// Where requests go, and what carries them.
#[derive(Debug)]
struct Way {
    upstream: Uri,
    transport: Arc<dyn Transport>,
}

impl Relay {
    /// Listens at an address (`127.0.0.1:8080`; port 0 takes a free one) and answers from now on, on the runtime that
    /// this is called in.
    ///
    /// # Errors
    /// `Network`, not sent, where the address is taken or not ours; `Configuration` where it is no address, or where the
    /// upstream is no URL.
    pub async fn start(upstream: &str, transport: Arc<dyn Transport>, address: &str) -> Result<Self> {
        let no_url = || {
            let message =
                format!("{upstream:?} is no URL to send requests to; one looks like https://api.example.com/v1");
            Error::new(ErrorKind::Configuration, message)
        };
        let upstream: Uri = upstream.trim_end_matches('/').parse().map_err(|_| no_url())?;
        if upstream.scheme().is_none() || upstream.authority().is_none() {
            return Err(no_url());
        }
        let (listener, address) = listen(address).await?;
        let way = Arc::new(Way { upstream, transport });
        let accepting = Accepting::start(listener, CONNECTIONS, move |stream| connection(stream, way.clone()));
        Ok(Self { address, accepting })
    }

    /// Its URL, without a path.
    pub fn url(&self) -> String {
        url(self.address)
    }

    /// Answers until a future is ready (Ctrl-C, for instance), then closes everything.
    pub async fn run_until<T>(self, stop: impl Future<Output = T>) -> T {
        self.accepting.run_until(stop).await
    }
}

async fn connection(stream: TcpStream, way: Arc<Way>) {
    let broken = Arc::new(AtomicBool::new(false));
    let service = service_fn(|request| {
        let (way, broken) = (way.clone(), broken.clone());
        Box::pin(
            async move { Ok::<_, io::Error>(Outgoing::of(answer(&way, request).await).map(|body| body.tells(broken))) },
        )
    });
    let mut http = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    // What fails here is the client's connection; there is nobody to tell.
    let _ = poll_fn(|cx| http.poll_without_shutdown(cx)).await;
    if broken.load(Ordering::Relaxed) {
        // An answer that broke off must not look whole: closing a socket that does not linger sends a reset.
        let _ = http.into_parts().io.into_inner().set_zero_linger();
    }
}

type Answered = Response<sabir_core::transport::Body>;

async fn answer(way: &Way, request: Request<Incoming>) -> Answered {
    match hand_on(way, request).await {
        Ok(response) => response,
        Err(error) => refused(&error),
    }
}

async fn hand_on(way: &Way, request: Request<Incoming>) -> Result<Answered> {
    let (mut head, body) = request.into_parts();
    let body = read(body).await?;
    head.uri = way.uri(&head.uri)?;
    strip(&mut head.headers);
    for name in [HOST, CONTENT_LENGTH, ACCEPT_ENCODING] {
        // The transport says its own.
        head.headers.remove(name);
    }
    head.version = http::Version::HTTP_11;
    let (mut head, body) = way.transport.send(Request::from_parts(head, body)).await?.into_parts();
    strip(&mut head.headers);
    head.headers.remove(CONTENT_LENGTH);
    head.version = http::Version::HTTP_11;
    Ok(Response::from_parts(head, body))
}

impl Way {
    /// Where a request goes.
    fn uri(&self, asked: &Uri) -> Result<Uri> {
        let base = self.upstream.path().trim_end_matches('/');
        let path = asked.path();
        let is_whole = path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let query = asked.query().map(|query| format!("?{query}")).unwrap_or_default();
        let target = format!("{}{path}{query}", if is_whole { "" } else { base });
        let mut parts = self.upstream.clone().into_parts();
        let unsendable = || Error::new(ErrorKind::InvalidRequest, "the path cannot be put behind the upstream's URL");
        parts.path_and_query = Some(target.parse().map_err(|_| unsendable())?);
        Uri::from_parts(parts).map_err(|_| unsendable())
    }
}

/// Takes out the headers that are of one connection and not of the exchange (RFC 9110 §7.6.1), those that `Connection`
/// names among them.
pub fn strip(headers: &mut HeaderMap) {
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    for name in OF_THE_CONNECTION.iter().copied().chain(named.iter().map(String::as_str)) {
        headers.remove(name);
    }
}

async fn read(mut body: Incoming) -> Result<Bytes> {
    let mut all = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| Error::new(ErrorKind::Cancelled, "the client went away while it asked"))?;
        if let Some(piece) = frame.data_ref() {
            if all.len() + piece.len() > LONGEST {
                let message = format!("the body is longer than {LONGEST} bytes");
                return Err(Error::new(ErrorKind::InvalidRequest, message).with_status(StatusCode::PAYLOAD_TOO_LARGE));
            }
            all.extend_from_slice(piece);
        }
    }
    Ok(all.freeze())
}

fn refused(error: &Error) -> Answered {
    let status = match error.kind() {
        _ if error.code() == Some(NOT_RECORDED) => StatusCode::NOT_FOUND,
        ErrorKind::InvalidRequest => error.status().unwrap_or(StatusCode::BAD_REQUEST),
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    };
    let code = error.code().unwrap_or("relay_error");
    let said = serde_json::json!({ "error": { "message": error.message(), "type": "relay_error", "code": code } });
    let mut response = Response::new(whole(said.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_put_behind_the_upstreams_once() {
        #[derive(Debug)]
        struct Nowhere;
        impl Transport for Nowhere {
            fn send(&self, _: Request<Bytes>) -> sabir_core::transport::BoxFuture<'_, Result<Answered>> {
                Box::pin(async { Err(Error::new(ErrorKind::Network, "nowhere")) })
            }
        }
        for (upstream, asked, expected) in [
            ("http://h/v1", "/chat?a=b", "http://h/v1/chat?a=b"),
            ("http://h/v1", "/v1/chat", "http://h/v1/chat"),
            ("http://h/v1", "/v10/chat", "http://h/v1/v10/chat"),
            ("http://h", "/v1/chat", "http://h/v1/chat"),
            ("https://h:8/api/v1/", "/models", "https://h:8/api/v1/models"),
        ] {
            let upstream = upstream.trim_end_matches('/').parse().expect("a URL");
            let way = Way { upstream, transport: Arc::new(Nowhere) };
            assert_eq!(way.uri(&asked.parse().expect("a path")).expect("a URL").to_string(), expected);
        }
    }

    #[test]
    fn what_is_of_the_connection_stays_there() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("connection", "close, X-Hop"), ("x-hop", "1"), ("te", "trailers"), ("x-api-key", "k")] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        strip(&mut headers);
        assert_eq!(headers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["x-api-key"]);
    }
}
