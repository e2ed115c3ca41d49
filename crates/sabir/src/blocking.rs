//! The same client for programs without an async runtime.
//!
//! ```no_run
//! let client = sabir::blocking::Client::new("openai/gpt-6-luna")?;
//! println!("{}", client.complete("Why is the sea salt?")?);
//! # Ok::<(), sabir::Error>(())
//! ```

use std::sync::Arc;

use sabir_core::chat::{ChatRequest, ChatResponse, Event};
use sabir_core::count::CountResponse;
use sabir_core::embed::{EmbedRequest, EmbedResponse};
use sabir_core::models::ModelInfo;
use sabir_core::rerank::{RerankRequest, RerankResponse};
use sabir_core::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Runtime};

use crate::ChatStream;

/// A client that blocks the calling thread. Must not be used from async code, which it would stall: there is
/// [`sabir::Client`](crate::Client) for that.
#[derive(Clone, Debug)]
pub struct Client {
    client: crate::Client,
    runtime: Arc<Runtime>,
}

impl Client {
    /// A client whose requests go to `provider/model` unless they say otherwise.
    ///
    /// # Errors
    /// `Configuration` for an unknown provider.
    pub fn new(model: impl Into<String>) -> Result<Self> {
        Self::from_async(crate::Client::new(model)?)
    }

    /// A blocking client from an async one.
    ///
    /// # Errors
    /// `Configuration` where no runtime can be made.
    pub fn from_async(client: crate::Client) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| {
            Error::new(ErrorKind::Configuration, "the system gives no resources for a runtime").with_source(e)
        })?;
        Ok(Self { client, runtime: Arc::new(runtime) })
    }

    /// Asks, and waits for the whole answer.
    ///
    /// # Errors
    /// All that can go wrong; see [`Error`].
    pub fn chat(&self, request: impl Into<ChatRequest>) -> Result<ChatResponse> {
        self.runtime.block_on(self.client.chat(request))
    }

    /// Asks with a plain prompt, and gives the answer's text.
    ///
    /// # Errors
    /// As [`chat`](Self::chat).
    pub fn complete(&self, prompt: impl Into<String>) -> Result<String> {
        self.runtime.block_on(self.client.complete(prompt))
    }

    /// Turns texts into vectors, in their order.
    ///
    /// # Errors
    /// As [`sabir::Client::embed`](crate::Client::embed).
    pub fn embed(&self, request: impl Into<EmbedRequest>) -> Result<EmbedResponse> {
        self.runtime.block_on(self.client.embed(request))
    }

    /// Puts documents in order of how well they answer a query.
    ///
    /// # Errors
    /// As [`sabir::Client::rerank`](crate::Client::rerank).
    pub fn rerank(&self, request: RerankRequest) -> Result<RerankResponse> {
        self.runtime.block_on(self.client.rerank(request))
    }

    /// All models that a provider lists.
    ///
    /// # Errors
    /// As [`sabir::Client::models`](crate::Client::models).
    pub fn models(&self, provider: &str) -> Result<Vec<ModelInfo>> {
        self.runtime.block_on(self.client.models(provider))
    }

    /// What the provider knows of one of its models, written `provider/model`.
    ///
    /// # Errors
    /// As [`sabir::Client::model`](crate::Client::model).
    pub fn model(&self, model: &str) -> Result<ModelInfo> {
        self.runtime.block_on(self.client.model(model))
    }

    /// How many tokens a request is, asked of its provider where that counts, or else counted here.
    /// [`sabir::Client::count_tokens_locally`](crate::Client::count_tokens_locally) needs no runtime, and never sends.
    ///
    /// # Errors
    /// As [`sabir::Client::count_tokens`](crate::Client::count_tokens).
    pub fn count_tokens(&self, request: impl Into<ChatRequest>) -> Result<CountResponse> {
        self.runtime.block_on(self.client.count_tokens(request))
    }

    /// Asks, and gives the answer as it comes: an iterator of events with exactly one terminal item.
    ///
    /// # Errors
    /// What goes wrong before the answer begins.
    pub fn stream(&self, request: impl Into<ChatRequest>) -> Result<Events> {
        let stream = self.runtime.block_on(self.client.stream(request))?;
        Ok(Events { stream, runtime: self.runtime.clone() })
    }
}

/// The events of an answer, as an iterator. Dropping it cancels the call.
#[derive(Debug)]
pub struct Events {
    stream: ChatStream,
    runtime: Arc<Runtime>,
}

impl Iterator for Events {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        self.runtime.block_on(self.stream.next())
    }
}
