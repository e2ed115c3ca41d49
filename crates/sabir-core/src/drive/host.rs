//! What a server is asked in, and who answers.

use bytes::Bytes;

use super::{exchange, server};
use crate::chat::{ChatResponse, Cost};
use crate::exchange::{Counting, Embedding, Listing, Reranking};
use crate::models::{ModelsRequest, ModelsResponse};
use crate::service::{Call, Request, Shared};
use crate::transport::{Body, BoxFuture};
use crate::{Answering, Dialect, Error, ErrorKind, Result, Stage};

/// Who answers the clients of a server.
pub trait Host: Send + Sync {
    /// What answers.
    fn service(&self) -> &Shared;

    /// Looks at what a client asks before it is answered: whether it may, and who is to answer it. What is changed here
    /// is what the service sees.
    ///
    /// # Errors
    /// Where it may not: the client is told, and the service is not asked.
    fn admit(&self, call: &mut Call, request: &mut Request) -> Result<()> {
        let _ = (call, request);
        Ok(())
    }

    /// Whether the bytes of clients and providers may go through as they are, where both speak one dialect. Where not,
    /// every request and answer is written anew.
    fn passes(&self) -> bool {
        false
    }

    /// The models that a client may ask, or the one that it names among them; all may be given where one is named.
    fn models(&self, wanted: ModelsRequest) -> BoxFuture<'_, Result<ModelsResponse>> {
        let _ = wanted;
        Box::pin(async { Err(Error::new(ErrorKind::Unsupported, "this server lists no models")) })
    }
}

/// A whole answer as it was before it was written in the client's dialect, without its parts: in the extensions of the
/// HTTP answer, for whoever writes headers or a log.
#[derive(Clone, Debug)]
pub struct Answered(pub Box<ChatResponse>);

/// What is known of an answer that is no [`Answered`] one: of a stream when it begins, of vectors, orders, counts and
/// errors. In the extensions of the HTTP answer.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Who answers. What was lost is in [`Losses`](super::Losses).
    pub by: Answering,
    /// How many attempts it took so far.
    pub attempts: u32,
    /// What it cost, where that is known.
    pub cost: Option<Cost>,
}

impl Begun {
    /// What a call's trail tells.
    pub(super) fn after(call: &Call) -> Self {
        let by = call.trail.answering().unwrap_or_default();
        Self { by, attempts: call.trail.failures().saturating_add(1), cost: None }
    }

    /// What an error tells of whom it comes from; `None` where nobody was asked.
    pub(super) fn failed(error: &Error) -> Option<Self> {
        let provider = error.provider().filter(|_| error.stage() != Stage::NotSent)?;
        let by = Answering::of(provider, error.model().unwrap_or_default());
        let before = u32::try_from(error.attempts().len()).unwrap_or(u32::MAX);
        Some(Self { by, attempts: before.saturating_add(1), cost: None })
    }
}

/// A format in which clients ask a server.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Format {
    /// Conversations.
    Chat(&'static dyn Dialect),
    /// Vectors.
    Embed(&'static Embedding),
    /// Orders of documents.
    Rerank(&'static Reranking),
    /// Counts of tokens.
    Count(&'static Counting),
    /// Lists of models, and one of them.
    Models(&'static Listing),
}

impl Format {
    /// Its name: `openai-chat`, `cohere-rerank`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat(dialect) => dialect.name(),
            Self::Embed(format) => format.name(),
            Self::Rerank(format) => format.name(),
            Self::Count(format) => format.name(),
            Self::Models(format) => format.name(),
        }
    }

    /// Answers one HTTP request. Never fails: an error is an answer in the format's shape.
    pub fn serve(
        self,
        host: &dyn Host,
        call: Call,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, http::Response<Body>> {
        match self {
            Self::Chat(dialect) => Box::pin(server::host(dialect, host, call, request)),
            Self::Embed(format) => Box::pin(exchange::host(format, host, call, request)),
            Self::Rerank(format) => Box::pin(exchange::host(format, host, call, request)),
            Self::Count(format) => Box::pin(exchange::host(format, host, call, request)),
            Self::Models(format) => Box::pin(exchange::list(format, host, request)),
        }
    }

    /// An error as an answer in the format's own shape, with its status and `Retry-After`.
    pub fn refuse(self, error: &Error) -> http::Response<Body> {
        match self {
            Self::Chat(dialect) => server::refuse(dialect, error),
            Self::Embed(format) => exchange::refuse(format, error),
            Self::Rerank(format) => exchange::refuse(format, error),
            Self::Count(format) => exchange::refuse(format, error),
            Self::Models(format) => exchange::refuse(format, error),
        }
    }
}

/// A service that answers whoever asks.
pub(super) struct Open<'a>(pub(super) &'a Shared);

impl Host for Open<'_> {
    fn service(&self) -> &Shared {
        self.0
    }
}
