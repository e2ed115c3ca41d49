//! From a target to a connection: name, TCP, proxy, TLS.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::BoxError;
use crate::proxy::Proxies;

/// The most that any connection may take, whatever a request allows: an attempt whose request found another
/// connection meanwhile goes on without one, and must end too.
const LONGEST: Duration = Duration::from_secs(120);

/// Makes connections for hyper's pool.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    tls: Arc<ClientConfig>,
    proxies: Arc<Proxies>,
}

impl Connector {
    pub(crate) fn new(tls: Arc<ClientConfig>, proxies: Arc<Proxies>, no_delay: bool) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(no_delay);
        // A peer that vanished is noticed though no limit is set on the reading.
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        Self { tcp, tls, proxies }
    }

    async fn connect(mut self, target: Uri) -> Result<Link, BoxError> {
        let https = target.scheme_str() == Some("https");
        let proxy = self.proxies.for_target(&target);
        // A plain target behind an HTTP proxy is asked of the proxy itself; everything else goes straight through.
        let forwarded = proxy.as_ref().is_some_and(|p| !https && p.uri().scheme_str() == Some("http"));
        let tcp = match proxy {
            None => self.tcp.call(target.clone()).await?,
            Some(proxy) => {
                through(self.tcp, &proxy, &target, forwarded).await.map_err(|cause| ProxyFailure::new(&proxy, cause))?
            }
        };
        if !https {
            return Ok(Link::Plain { io: tcp, forwarded });
        }
        let host = target.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())?;
        let io = TlsConnector::from(self.tls).connect(name, tcp.into_inner()).await?;
        Ok(Link::Tls(TokioIo::new(io)))
    }
}

/// A TCP connection to the proxy that, unless the request is only forwarded, leads on to the target.
async fn through(
    mut tcp: HttpConnector,
    proxy: &Intercept,
    target: &Uri,
    forwarded: bool,
) -> Result<TokioIo<TcpStream>, BoxError> {
    let at = proxy.uri().clone();
    if forwarded {
        return Ok(tcp.call(at).await?);
    }
    if at.scheme_str() == Some("http") {
        let mut tunnel = Tunnel::new(at, tcp);
        if let Some(credentials) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credentials.clone());
        }
        return Ok(tunnel.call(target.clone()).await?);
    }
    let mut socks = SocksV5::new(at, tcp);
    if let Some((user, password)) = proxy.raw_auth() {
        socks = socks.with_auth(user.to_owned(), password.to_owned());
    }
    Ok(socks.call(with_port(target)).await?)
}

/// The target with its scheme's port written out: SOCKS would take 443 for any.
fn with_port(target: &Uri) -> Uri {
    if target.port().is_some() || target.scheme_str() != Some("http") {
        return target.clone();
    }
    let authority = format!("{}:80", target.host().unwrap_or_default());
    Uri::builder().scheme("http").authority(authority).path_and_query("/").build().unwrap_or_else(|_| target.clone())
}

impl Service<Uri> for Connector {
    type Response = Link;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Link, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let connecting = tokio::time::timeout(LONGEST, self.clone().connect(target));
        Box::pin(async move { connecting.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))? })
    }
}

/// The way through a proxy could not be had.
#[derive(Debug)]
pub(crate) struct ProxyFailure {
    /// `host:port` of the proxy, without its credentials.
    pub(crate) proxy: String,
    cause: BoxError,
}

impl ProxyFailure {
    fn new(proxy: &Intercept, cause: BoxError) -> Self {
        Self { proxy: proxy.uri().authority().map(ToString::to_string).unwrap_or_default(), cause }
    }
}

impl fmt::Display for ProxyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {} failed", self.proxy)
    }
}

impl std::error::Error for ProxyFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.cause)
    }
}

/// A connection, plain or with TLS.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one a connection, and every read would pay for a box")]
pub(crate) enum Link {
    Plain {
        io: TokioIo<TcpStream>,
        /// Whether it ends at a proxy that wants to be told whole URLs.
        forwarded: bool,
    },
    Tls(TokioIo<TlsStream<TcpStream>>),
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        match self {
            Self::Plain { forwarded, .. } => Connected::new().proxy(*forwarded),
            Self::Tls(io) if io.inner().get_ref().1.alpn_protocol() == Some(b"h2") => Connected::new().negotiated_h2(),
            Self::Tls(_) => Connected::new(),
        }
    }
}

/// The same call on whichever connection it is.
macro_rules! either {
    ($link:expr, $io:ident => $call:expr) => {
        match $link {
            Link::Plain { io: $io, .. } => $call,
            Link::Tls($io) => $call,
        }
    };
}

impl Read for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), io => Pin::new(io).poll_read(cx, buf))
    }
}

impl Write for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), io => Pin::new(io).poll_shutdown(cx))
    }

    fn is_write_vectored(&self) -> bool {
        either!(self, io => io.is_write_vectored())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), io => Pin::new(io).poll_write_vectored(cx, bufs))
    }
}
