//! A provider's batches, as its client: lines go down, and where it stands and the answers come up.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::client::{Limits, encode};
use super::common::{collect, enrich, refuse_losses, send};
use crate::batch::{Batch, Batching, Line};
use crate::chat::{ChatRequest, ChatResponse};
use crate::dialect::{Answer, Dialect, Encoded};
use crate::service::Call;
use crate::transport::Transport;
use crate::{Endpoint, Error, ErrorKind, Result};

/// The results of a batch, by the ids of their lines.
pub type Results = Vec<(String, Result<ChatResponse>)>;

/// A provider's batches, in the format of its own. Nothing is tried again here.
#[derive(Clone, Debug)]
pub struct Batches {
    format: &'static dyn Batching,
    dialect: &'static dyn Dialect,
    /// Where conversations would be asked.
    chat: Arc<Endpoint>,
    endpoint: Arc<Endpoint>,
    transport: Arc<dyn Transport>,
    call: Call,
}

impl Batches {
    /// Batches of conversations in a dialect, which go to `chat` by themselves and to `endpoint` as a batch.
    ///
    /// # Errors
    /// `Unsupported` where the format carries no conversations in this dialect.
    pub fn new(
        format: &'static dyn Batching,
        dialect: &'static dyn Dialect,
        (chat, endpoint): (Endpoint, Endpoint),
        transport: Arc<dyn Transport>,
        call: Call,
    ) -> Result<Self> {
        if !format.dialects().contains(&dialect.name()) {
            let message = format!("{} carries {}, not {}", format.name(), format.dialects().join(", "), dialect.name());
            return Err(Error::new(ErrorKind::Unsupported, message).with_provider(&endpoint.provider));
        }
        Ok(Self { format, dialect, chat: Arc::new(chat), endpoint: Arc::new(endpoint), transport, call })
    }

    /// Their format.
    pub fn format(&self) -> &'static dyn Batching {
        self.format
    }

    /// A conversation as a line of a batch. The id is of up to 64 letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// As a call of its own would before it is sent.
    pub fn line(&self, id: impl Into<String>, request: &ChatRequest) -> Result<Line> {
        let mut request = request.clone();
        request.stream = false;
        let encoded = encode(self.dialect, &request, &self.chat)?;
        if request.strict {
            refuse_losses(&encoded.losses)?;
        }
        let usual = self.dialect.paths().first().copied().unwrap_or_default();
        // A proxy's prefix is no part of what a batch names.
        let path = if usual.starts_with('/') { usual } else { encoded.uri.path() }.to_owned();
        Ok(Line { id: id.into(), path, headers: encoded.headers, body: encoded.body })
    }

    /// Uploads lines, where that comes before the batch: what they are called there.
    ///
    /// # Errors
    /// What the provider says.
    pub async fn upload(&self, lines: &[Line]) -> Result<Option<String>> {
        let Some(encoded) = self.format.upload(lines, &self.endpoint)? else { return Ok(None) };
        self.ask(encoded, None, |answer| self.format.uploaded(answer)).await.map(Some)
    }

    /// Makes a batch of what was uploaded, else of the lines.
    ///
    /// # Errors
    /// What the provider says. Where [`Error::stage`] is not [`NotSent`](crate::Stage::NotSent) and there is no status,
    /// the batch may have been made: [`find`](Self::find) tells, where the provider keeps names.
    pub async fn create(&self, lines: &[Line], upload: Option<&str>, name: &str) -> Result<Batch> {
        let encoded = self.format.create(lines, upload, name, &self.endpoint)?;
        self.batch(encoded, Some(name)).await
    }

    /// Uploads lines and makes a batch of them.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn submit(&self, lines: &[Line], name: &str) -> Result<Batch> {
        let upload = self.upload(lines).await?;
        self.create(lines, upload.as_deref(), name).await
    }

    /// Where a batch stands.
    ///
    /// # Errors
    /// What the provider says.
    pub async fn status(&self, id: &str) -> Result<Batch> {
        self.batch(self.format.status(id, &self.endpoint)?, None).await
    }

    /// Cancels a batch. What was done of it can be fetched when it is over.
    ///
    /// # Errors
    /// What the provider says.
    pub async fn cancel(&self, id: &str) -> Result<()> {
        let encoded = self.format.cancel(id, &self.endpoint)?;
        self.ask(encoded, None, |answer| self.format.batch(answer)).await.map(drop)
    }

    /// The batch of this name among those that were made last; `None` where there is none, and always where the provider
    /// keeps no names ([`Batching::keeps_names`]).
    ///
    /// # Errors
    /// What the provider says.
    pub async fn find(&self, name: &str) -> Result<Option<Batch>> {
        if !self.format.keeps_names() {
            return Ok(None);
        }
        let list = self.ask(self.format.list(&self.endpoint)?, None, |answer| self.format.batches(answer)).await?;
        Ok(list.into_iter().find(|batch| batch.name.as_deref() == Some(name)))
    }

    /// The results of a batch that is over, in the provider's order, which is seldom that of the lines.
    ///
    /// # Errors
    /// What the provider says of the whole; an error of one line is its result.
    pub async fn results(&self, batch: &Batch) -> Result<Results> {
        let mut results = Vec::new();
        for encoded in self.format.results(batch, &self.endpoint)? {
            let answered = self.ask(encoded, None, |answer| self.format.answered(answer)).await?;
            results.extend(answered.into_iter().map(|one| (one.id, one.answer.and_then(|answer| self.decode(answer)))));
        }
        Ok(results)
    }

    fn decode(&self, (status, body): (StatusCode, Bytes)) -> Result<ChatResponse> {
        let answer = Answer { status, headers: &HeaderMap::new(), body: &body };
        let mut response = self.dialect.decode(answer).map_err(|error| self.of(error))?;
        self.endpoint.provider.clone_into(&mut response.provider);
        Ok(response)
    }

    async fn batch(&self, encoded: Encoded, name: Option<&str>) -> Result<Batch> {
        self.ask(encoded, name, |answer| {
            let batch = self.format.batch(answer)?;
            let has_id = !batch.id.is_empty();
            has_id.then_some(batch).ok_or_else(|| Error::new(ErrorKind::Decode, "the batch that came back has no id"))
        })
        .await
    }

    async fn ask<T>(&self, encoded: Encoded, key: Option<&str>, read: impl Fn(Answer<'_>) -> Result<T>) -> Result<T> {
        let mut call = self.call.clone();
        call.idempotency_key = key.map(str::to_owned);
        let asked = async {
            let (head, body) = send(encoded, &self.endpoint, &*self.transport, &call).await?;
            let body = collect(body, Limits::default().body).await?;
            read(Answer { status: head.status, headers: &head.headers, body: &body })
        };
        asked.await.map_err(|error| self.of(error))
    }

    fn of(&self, error: Error) -> Error {
        enrich(error, &self.endpoint.provider, None, self.endpoint.key.as_ref())
    }
}
