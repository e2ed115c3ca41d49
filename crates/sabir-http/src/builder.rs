//! The settings of an [`HttpTransport`].

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use sabir_core::Result;
use sabir_core::transport::Timeouts;

use crate::connect::Connector;
use crate::pools::Pools;
use crate::proxy::Proxies;
use crate::timer::{DEFAULT_TIMEOUTS, merged};
use crate::{HttpTransport, roots, tls};

/// Builds an [`HttpTransport`]. Setters never fail; [`build`](Self::build) says what was wrong.
#[derive(Clone)]
#[must_use]
pub struct HttpTransportBuilder {
    timeouts: Timeouts,
    roots: Vec<Vec<u8>>,
    replace_roots: bool,
    roots_from_env: bool,
    http2: bool,
    no_delay: bool,
    idle_per_host: usize,
    idle_for: Duration,
    proxy: Option<String>,
    proxy_from_env: bool,
    decompress: bool,
    expanded_limit: u64,
}

impl Default for HttpTransportBuilder {
    fn default() -> Self {
        Self {
            timeouts: DEFAULT_TIMEOUTS,
            roots: Vec::new(),
            replace_roots: false,
            roots_from_env: true,
            http2: true,
            no_delay: true,
            idle_per_host: 100,
            idle_for: Duration::from_secs(90),
            proxy: None,
            proxy_from_env: true,
            decompress: true,
            expanded_limit: 256 << 20,
        }
    }
}

impl HttpTransportBuilder {
    /// Sets the limits that are `Some`; the others stay as they are ([`DEFAULT_TIMEOUTS`] at first).
    /// `Duration::MAX` lifts a limit, but no attempt to connect goes on for more than two minutes.
    /// A [`Timeouts`] in a request's extensions is laid over these in the same way.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = merged(self.timeouts, timeouts);
        self
    }

    /// Trusts further root certificates: PEM text with any number of them, or the DER bytes of one.
    pub fn add_root(mut self, pem_or_der: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem_or_der.into());
        self
    }

    /// Whether to trust the certificates, too, that are in the file of PEM which `SSL_CERT_FILE` names (read once, by
    /// [`build`](Self::build)): those of a company's gateway, say. The web's stay trusted. Default: true, but not with
    /// [`only_added_roots`](Self::only_added_roots).
    pub fn roots_from_env(mut self, trust: bool) -> Self {
        self.roots_from_env = trust;
        self
    }

    /// Whether to trust only the added roots, and neither the web's (`webpki-roots`) nor the environment's. Default:
    /// false.
    pub fn only_added_roots(mut self, only: bool) -> Self {
        self.replace_roots = only;
        self
    }

    /// Whether to offer HTTP/2 to servers with TLS (by ALPN). Default: true.
    pub fn http2(mut self, offer: bool) -> Self {
        self.http2 = offer;
        self
    }

    /// Whether small writes go out at once (`TCP_NODELAY`). Default: true.
    pub fn no_delay(mut self, no_delay: bool) -> Self {
        self.no_delay = no_delay;
        self
    }

    /// How many unused connections to keep for each host, in each runtime that asks, and for how long. Default: 100, for
    /// 90 s. Zero keeps none.
    pub fn pool(mut self, idle_per_host: usize, idle_for: Duration) -> Self {
        self.idle_per_host = idle_per_host;
        self.idle_for = idle_for;
        self
    }

    /// Sends everything through one proxy, whatever the environment says: `http://`, `socks5://` or
    /// `socks5h://`, with `user:password@` where it wants them. The proxy resolves names, also for `socks5://`.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// Whether to obey `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` (either case; read once, by
    /// [`build`](Self::build)). Default: true.
    pub fn proxy_from_env(mut self, obey: bool) -> Self {
        self.proxy_from_env = obey;
        self
    }

    /// Whether to ask for and decode gzip, brotli and zstd. Default: true, with the feature `compression`.
    pub fn decompress(mut self, decompress: bool) -> Self {
        self.decompress = decompress;
        self
    }

    /// How many bytes a compressed body may expand to before it is refused. Default: 256 MiB.
    pub fn expanded_limit(mut self, bytes: u64) -> Self {
        self.expanded_limit = bytes;
        self
    }

    /// Builds the transport. Fails (kind `Configuration`) on a root certificate or a proxy that cannot be read,
    /// the environment's included.
    /// Connects to nothing yet and needs no runtime yet.
    pub fn build(self) -> Result<HttpTransport> {
        let proxies = Arc::new(match &self.proxy {
            Some(url) => Proxies::one(url)?,
            None if self.proxy_from_env => Proxies::from_env(|name| std::env::var(name).ok())?,
            None => Proxies::none(),
        });
        let tls = tls::config(self.trusted()?, self.http2);
        let connector = Connector::new(tls, Arc::clone(&proxies), self.no_delay);
        Ok(HttpTransport {
            pools: Arc::new(Pools::new(connector, self.idle_per_host, self.idle_for)),
            proxies,
            timeouts: self.timeouts,
            expanded_limit: self.decompress.then_some(self.expanded_limit).filter(|_| cfg!(feature = "compression")),
        })
    }

    fn trusted(&self) -> Result<RootCertStore> {
        let mut trusted = RootCertStore::empty();
        if !self.replace_roots {
            trusted.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            if self.roots_from_env {
                roots::add_from_env(&mut trusted, |name| std::env::var_os(name))?;
            }
        }
        for bytes in &self.roots {
            roots::add(&mut trusted, bytes)?;
        }
        Ok(trusted)
    }
}

impl std::fmt::Debug for HttpTransportBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither the proxy's password nor kilobytes of certificates.
        f.debug_struct("HttpTransportBuilder")
            .field("timeouts", &self.timeouts)
            .field("added_roots", &self.roots.len())
            .field("proxy", &self.proxy.is_some())
            .finish_non_exhaustive()
    }
}
