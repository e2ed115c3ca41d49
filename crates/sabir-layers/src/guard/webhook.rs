use std::time::Duration;

use sabir_core::chat::ChatResponse;
use sabir_core::transport::{BoxFuture, Transport};
use sabir_core::{Call, Error, ErrorKind, Request, Result, Secret, Stage};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Check, OnStream};
use crate::hook::Hook;

/// Asks a server of yours whether what is asked may go on.
///
/// It is sent `{"stage": "request" | "response", "kind", "provider", "model", "tenant", "tags", "request" | "response"}`,
/// the last in Sabir's own vocabulary, and answers `{"allow": true}` or `{"allow": false, "reason": "…"}`. What it refuses
/// is an error of kind `ContentFiltered` with its reason. Where it cannot be asked, nothing passes, unless
/// [`fail_open`](Self::fail_open) says so. The kind says what the request is: of a `chat` and of a `count` (of tokens) the
/// conversation is told (`messages`), of an `embed` the `inputs`, of a `rerank` the `query` and the `documents`. Streams are held back to their end while answers are asked about.
#[derive(Clone, Debug)]
pub struct Webhook {
    hook: Hook,
    responses: bool,
    fail_open: bool,
}

impl Webhook {
    /// A webhook, asked about requests, for at most 5 seconds.
    ///
    /// # Errors
    /// `Configuration` for what is no URL.
    pub fn new(url: &str, transport: impl Transport) -> Result<Self> {
        let hook = Hook::new("the guard's webhook", url, transport, Duration::from_secs(5))?;
        Ok(Self { hook, responses: false, fail_open: false })
    }

    /// Sends `Authorization: Bearer KEY`.
    #[must_use]
    pub fn key(mut self, key: impl Into<Secret>) -> Self {
        self.hook = self.hook.key(key.into());
        self
    }

    /// How long to wait for a verdict.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.hook = self.hook.timeout(limit);
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

    async fn ask(
        &self,
        call: &Call,
        (kind, model): (&str, &str),
        stage: &str,
        what: Value,
        how_far: Stage,
    ) -> Result<()> {
        let mut body = json!({
            "stage": stage, "kind": kind, "provider": call.provider, "model": model, "tenant": call.tenant,
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
        let read = self.hook.post(body).await?;
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

impl Check for Webhook {
    fn is_local(&self) -> bool {
        false
    }

    fn request<'a>(&'a self, call: &'a Call, request: &'a mut Request) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let (kind, what) = match &*request {
                Request::Chat(chat) => ("chat", json!(chat)),
                Request::Count(count) => ("count", json!(count.chat)),
                Request::Embed(embed) => ("embed", json!(embed)),
                Request::Rerank(rerank) => ("rerank", json!(rerank)),
                // Of what is not read (raw requests) a guard lets none through.
                _ => return Ok(()),
            };
            self.ask(call, (kind, request.model()), "request", what, Stage::NotSent).await
        })
    }

    fn response<'a>(&'a self, call: &'a Call, response: &'a mut ChatResponse) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if !self.responses {
                return Ok(());
            }
            self.ask(call, ("chat", &response.model), "response", json!(response), Stage::Answered).await
        })
    }

    fn on_stream(&self) -> OnStream {
        if self.responses { OnStream::Whole } else { OnStream::Pass }
    }
}
