//! A server of the user's own that is told something in JSON.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use sabir_core::transport::{Timeouts, Transport};
use sabir_core::{Error, ErrorKind, Result, Secret};
use serde_json::Value;

/// The most bytes of an answer that are read.
const LONGEST: usize = 64 << 10;

/// Where to tell it, with which key, and for how long to try.
#[derive(Clone)]
pub(crate) struct Hook {
    url: http::Uri,
    transport: Arc<dyn Transport>,
    key: Option<Secret>,
    timeout: Duration,
}

impl Hook {
    /// At this URL, for at most so long; `what` is what it is called in the error.
    ///
    /// # Errors
    /// `Configuration` for what is no URL.
    pub(crate) fn new(what: &str, url: &str, transport: impl Transport, timeout: Duration) -> Result<Self> {
        let parsed = url.parse().ok().filter(|url: &http::Uri| url.host().is_some() && url.scheme().is_some());
        // Not shown: it may hold a key.
        let no_url = || {
            let message = format!("{what} is not a URL; write one like https://example.com/hook");
            Error::new(ErrorKind::Configuration, message)
        };
        let url = parsed.ok_or_else(no_url)?;
        Ok(Self { url, transport: Arc::new(transport), key: None, timeout })
    }

    /// Sends `Authorization: Bearer KEY`.
    pub(crate) fn key(mut self, key: Secret) -> Self {
        self.key = Some(key);
        self
    }

    pub(crate) fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Tells it, and gives what it answered.
    ///
    /// # Errors
    /// Where it cannot be told, answers with a status that is no success, or says too much.
    pub(crate) async fn post(&self, body: &Value) -> Result<Vec<u8>> {
        let mut asked = http::Request::new(body.to_string().into());
        *asked.method_mut() = http::Method::POST;
        *asked.uri_mut() = self.url.clone();
        asked.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = &self.key {
            let unsendable = |_| Error::new(ErrorKind::Configuration, "its key has characters that cannot be sent");
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(unsendable)?;
            value.set_sensitive(true);
            asked.headers_mut().insert(AUTHORIZATION, value);
        }
        asked.extensions_mut().insert(Timeouts { total: Some(self.timeout), ..Timeouts::default() });
        let (head, mut body) = self.transport.send(asked).await?.into_parts();
        // To its end, so that the connection can be used again.
        let mut answer = Vec::new();
        while let Some(piece) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
            answer.extend_from_slice(&piece?);
            if answer.len() > LONGEST {
                return Err(Error::new(ErrorKind::Decode, "its answer is too long"));
            }
        }
        if !head.status.is_success() {
            return Err(Error::new(ErrorKind::Provider, format!("it answered with status {}", head.status.as_u16())));
        }
        Ok(answer)
    }
}

impl fmt::Debug for Hook {
    /// Without the rest of the URL, which may hold a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("host", &self.url.host()).finish_non_exhaustive()
    }
}
