//! Servers on the loopback for the tests.
#![allow(
    dead_code,
    missing_docs,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "each test file uses its part"
)]

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use sabir_core::transport::{Body, Timeouts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// How long a test waits for what must happen: far more than it takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("this should have happened by now")
}

/// A server that hands each connection to `serve`, and counts them.
pub async fn raw<F, R>(serve: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream));
        }
    });
    (address, count)
}

pub type Answer = Response<BoxBody<Bytes, Infallible>>;

pub fn answer(body: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(body.into()).boxed())
}

/// A hyper server, HTTP/1.1 or 2 as the client likes, with TLS where an acceptor is given.
pub async fn hyper_server<F, R>(tls: Option<TlsAcceptor>, handle: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    raw(move |stream| {
        let (handle, tls) = (handle.clone(), tls.clone());
        async move {
            let service = service_fn(move |request| {
                let answered = handle(request);
                async move { Ok::<_, Infallible>(answered.await) }
            });
            let server = auto::Builder::new(TokioExecutor::new());
            match tls {
                None => drop(server.serve_connection(TokioIo::new(stream), service).await),
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        drop(server.serve_connection(TokioIo::new(stream), service).await);
                    }
                }
            }
        }
    })
    .await
}

/// A TLS acceptor for `localhost` and 127.0.0.1, and the PEM of the certificate to trust.
pub fn tls(alpn: &[&str]) -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

/// Reads one request's head and, by its content-length, its body.
pub async fn read_request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
            let length =
                head.lines().find_map(|l| l.strip_prefix("content-length: ")).map_or(0, |l| l.trim().parse().unwrap());
            if read.len() >= end + 4 + length {
                return String::from_utf8(read).unwrap();
            }
        }
        let mut buffer = [0; 4096];
        let n = stream.read(&mut buffer).await.unwrap();
        assert!(n > 0, "the client closed in the middle of a request");
        read.extend_from_slice(&buffer[..n]);
    }
}

/// Waits until the client has closed the connection.
pub async fn wait_for_close(stream: &mut TcpStream) {
    let mut buffer = [0; 1024];
    while let Ok(n) = stream.read(&mut buffer).await {
        if n == 0 {
            return;
        }
    }
}

pub async fn write(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    stream.write_all(bytes.as_ref()).await.unwrap();
    stream.flush().await.unwrap();
}

/// Closes with a reset rather than an end.
pub fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
    drop(stream);
}

pub fn get(url: impl AsRef<str>) -> Request<Bytes> {
    Request::get(url.as_ref()).body(Bytes::new()).unwrap()
}

pub fn post(url: impl AsRef<str>, body: impl Into<Bytes>) -> Request<Bytes> {
    Request::post(url.as_ref()).header("content-type", "application/json").body(body.into()).unwrap()
}

pub fn within(mut request: Request<Bytes>, timeouts: Timeouts) -> Request<Bytes> {
    request.extensions_mut().insert(timeouts);
    request
}

/// All pieces of a body, up to the error that ends it, if one does.
pub async fn pieces(mut body: Body) -> (Vec<Bytes>, Option<sabir_core::Error>) {
    let mut pieces = Vec::new();
    while let Some(item) = in_time(body.next()).await {
        match item {
            Ok(piece) => pieces.push(piece),
            Err(error) => {
                assert!(body.next().await.is_none(), "an error ends the body");
                return (pieces, Some(error));
            }
        }
    }
    (pieces, None)
}

pub async fn text(body: Body) -> String {
    let (pieces, error) = pieces(body).await;
    assert_eq!(error, None);
    String::from_utf8(pieces.concat()).unwrap()
}

/// A transport that looks at no environment.
pub fn builder() -> sabir_http::HttpTransportBuilder {
    sabir_http::HttpTransport::builder().proxy_from_env(false)
}

pub fn transport() -> sabir_http::HttpTransport {
    builder().build().unwrap()
}
