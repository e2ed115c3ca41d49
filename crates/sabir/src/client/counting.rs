//! How many tokens a request is: asked of its provider, or counted here.

use sabir_core::chat::ChatRequest;
use sabir_core::count::{CountRequest, CountResponse};
use sabir_core::service::Request;
use sabir_core::{Dialect, ErrorKind, Result, Stage};
use sabir_tokens::{Counter, ModelId};

use super::Client;
use crate::registry::Registered;

/// Who can be asked for a count.
enum Asked {
    /// A provider with an endpoint for it, in the dialect in which it will be asked for the answer, or in another.
    Counts { as_it_answers: bool },
    /// A service of the program's own, or a route: only the call tells.
    Perhaps,
    /// A provider without such an endpoint.
    Never,
}

impl Client {
    /// How many tokens a request is, before it is sent: asked of its provider where that counts, or else counted here as
    /// [`count_tokens_locally`](Self::count_tokens_locally) does. [`CountResponse::input`] says how good the number is,
    /// and [`CountResponse::provider`] who was asked: nobody, where it is empty.
    ///
    /// Providers that count do so for nothing, but against limits of their own: Anthropic, Gemini, Vertex AI, Bedrock and
    /// OpenAI. OpenAI counts as its Responses API does: where the request is for another of its dialects that is an
    /// estimate.
    ///
    /// ```no_run
    /// # async fn example() -> sabir::Result<()> {
    /// let client = sabir::Client::new("anthropic/claude-haiku-5-5")?;
    /// let input = client.count_tokens("Why is the sea salt?").await?.input;
    /// println!("{} tokens, between {} and {}: {:?}", input.tokens, input.low, input.high, input.precision);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`chat`](Self::chat).
    pub async fn count_tokens(&self, request: impl Into<ChatRequest>) -> Result<CountResponse> {
        let chat = request.into();
        let (provider, _) = self.resolve(&chat.model)?;
        let asked = self.asked_for_counts(&provider);
        if matches!(asked, Asked::Never) {
            return self.count_tokens_locally(chat);
        }
        match self.send(Request::Count(CountRequest { chat: chat.clone() })).await {
            Ok(reply) => {
                let mut counted = reply.count()?;
                if counted.provider.is_empty() {
                    counted.provider = provider;
                }
                if matches!(asked, Asked::Counts { as_it_answers: false }) {
                    counted.input = counted.input.doubtful();
                }
                Ok(counted)
            }
            Err(error)
                if matches!(asked, Asked::Perhaps)
                    && (error.kind(), error.stage()) == (ErrorKind::Unsupported, Stage::NotSent) =>
            {
                self.count_tokens_locally(chat)
            }
            Err(error) => Err(error),
        }
    }

    /// How many tokens a request is, counted here: nothing is sent. See [`tokens`](crate::tokens) for how each model is
    /// counted, and [`ClientBuilder::counter`](crate::ClientBuilder::counter) for a counter of one's own.
    ///
    /// ```
    /// let client = sabir::Client::new("anthropic/claude-haiku-5-5")?;
    /// let input = client.count_tokens_locally("Why is the sea salt?")?.input;
    /// assert!(input.low <= input.tokens && input.tokens <= input.high);
    /// # Ok::<(), sabir::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Configuration` where the model cannot be placed.
    pub fn count_tokens_locally(&self, request: impl Into<ChatRequest>) -> Result<CountResponse> {
        let chat = request.into();
        let mut counted = CountResponse::default();
        counted.input = self.0.books.counter.count(&chat, &self.model_id(&chat.model)?);
        Ok(counted)
    }

    /// What requests are counted with here. It may be used by others too: by
    /// [`Limits::count_with`](crate::layers::Limits::count_with), by a program itself.
    pub fn counter(&self) -> &std::sync::Arc<Counter> {
        &self.0.books.counter
    }

    /// A model as [`tokens`](crate::tokens) names it: who serves it, and in which of OpenAI's two dialects.
    ///
    /// # Errors
    /// `Configuration` where the model cannot be placed.
    pub fn model_id(&self, model: &str) -> Result<ModelId> {
        let (provider, model) = self.resolve(model)?;
        let registry = &self.0.directory.registry;
        let dialect = registry.get(&provider).ok().and_then(|provider| provider.dialect());
        let mut id = ModelId::new(registry.own_id(&provider), model);
        id.responses = dialect.is_some_and(|dialect| dialect.name() == "openai-responses");
        Ok(id)
    }

    fn asked_for_counts(&self, provider: &str) -> Asked {
        let Ok(Registered::Provider(provider)) = self.0.directory.registry.find(provider) else {
            return Asked::Perhaps;
        };
        let Some(counting) = provider.counts_in() else { return Asked::Never };
        let answers_in = provider.dialect().map(Dialect::name);
        Asked::Counts { as_it_answers: counting.of_dialect().is_none_or(|counts_in| Some(counts_in) == answers_in) }
    }
}
