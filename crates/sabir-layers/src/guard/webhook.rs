use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use sabir_core::chat::ChatResponse;
use sabir_core::transport::{BoxFuture, Timeouts, Transport};
use sabir_core::{Call, Error, ErrorKind, Request, Result, Secret, Stage};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Check, OnStream};

/// The most bytes of a verdict that are read.
const LONGEST: usize = 64 << 10;

/// Asks a server of yours whether a conversation may go on.
///
/// It is sent `{"stage": "request" | "response", "provider", "model", "tenant", "tags", "request" | "response"}`, the
/// last in Sabir's own vocabulary, and answers `{"allow": true}` or `{"allow": false, "reason": "…"}`. What it refuses
/// is an error of kind `ContentFiltered` with its reason. Where it cannot be asked, nothing passes, unless
/// [`fail_open`](Self::fail_open) says so. Streams are held back to their end while answers are asked about.
pub struct Webhook {
    url: http::Uri,
    transport: Arc<dyn Transport>,
    key: Option<Secret>,
    timeout: Duration,
    responses: bool,
    fail_open: bool,
}

impl Webhook {
    /// A webhook, asked about requests, for at most 5 seconds.
    ///
    /// # Errors
    /// `Configuration` for what is no URL.
    pub fn new(url: &str, transport: impl Transport) -> Result<Self> {
        let parsed = url.parse().ok().filter(|url: &http::Uri| url.host().is_some() && url.scheme().is_some());
        let url = parsed
            .ok_or_else(|| Error::new(ErrorKind::Configuration, format!("the guard's webhook {url:?} is not a URL")))?;
        let transport = Arc::new(transport);
        let timeout = Duration::from_secs(5);
        Ok(Self { url, transport, key: None, timeout, responses: false, fail_open: false })
    }

    /// Sends `Authorization: Bearer KEY`.
    #[must_use]
    pub fn key(mut self, key: impl Into<Secret>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// How long to wait for a verdict.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Asks about answers, too.
    #[must_use]
    pub fn responses(mut self) -> Self {
        self.responses = true;
        self
    }

    /// Lets everything pass while it cannot be asked.
    #[must_use]
    pub fn fail_open(mut self) -> Self {
        self.fail_open = true;
        self
    }

    async fn ask(&self, call: &Call, model: &str, stage: &str, what: Value, how_far: Stage) -> Result<()> {
        let mut body = json!({
            "stage": stage, "provider": call.provider, "model": model, "tenant": call.tenant,
            "tags": call.tags.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect::<serde_json::Map<_, _>>(),
        });
        body[stage] = what;
        let verdict = match self.verdict(&body).await {
            Ok(verdict) => verdict,
            Err(_) if self.fail_open => return Ok(()),
            Err(error) => {
                let message = format!("the guard's webhook cannot be asked, so nothing passes: {}", error.message());
                return Err(Error::new(error.kind(), message).with_stage(how_far).with_retryable(false));
            }
        };
        if verdict.allow {
            return Ok(());
        }
        let reason = if verdict.reason.is_empty() { "it gave no reason" } else { &verdict.reason };
        let message = format!("the guard's webhook refused the {stage}: {reason}");
        Err(Error::new(ErrorKind::ContentFiltered, message).with_stage(how_far))
    }

    async fn verdict(&self, body: &Value) -> Result<Verdict> {
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
        let mut read = Vec::new();
        while let Some(piece) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
            read.extend_from_slice(&piece?);
            if read.len() > LONGEST {
                return Err(Error::new(ErrorKind::Decode, "its verdict is too long"));
            }
        }
        if !head.status.is_success() {
            return Err(Error::new(ErrorKind::Provider, format!("it answered with status {}", head.status.as_u16())));
        }
        serde_json::from_slice(&read)
            .map_err(|_| Error::new(ErrorKind::Decode, "its verdict is not {\"allow\": true} or {\"allow\": false}"))
    }
}

#[derive(Deserialize)]
struct Verdict {
    allow: bool,
    #[serde(default)]
    reason: String,
}

impl fmt::Debug for Webhook {
    /// Without the URL, which may hold a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("host", &self.url.host())
            .field("fail_open", &self.fail_open)
            .finish_non_exhaustive()
    }
}

impl Check for Webhook {
    fn request<'a>(&'a self, call: &'a Call, request: &'a mut Request) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let Request::Chat(chat) = &*request else { return Ok(()) };
            self.ask(call, &chat.model, "request", json!(chat), Stage::NotSent).await
        })
    }

    fn response<'a>(&'a self, call: &'a Call, response: &'a mut ChatResponse) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if !self.responses {
                return Ok(());
            }
            self.ask(call, &response.model, "response", json!(response), Stage::Answered).await
        })
    }

    fn on_stream(&self) -> OnStream {
        if self.responses { OnStream::Whole } else { OnStream::Pass }
    }
}
