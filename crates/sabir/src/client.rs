mod counting;

use std::sync::Arc;
use std::time::Instant;

use sabir_core::chat::{ChatRequest, ChatResponse, Latency};
use sabir_core::drive::Batches;
use sabir_core::embed::{EmbedRequest, EmbedResponse};
use sabir_core::models::ModelInfo;
use sabir_core::rerank::{RerankRequest, RerankResponse};
use sabir_core::service::{Reply, Request};
use sabir_core::{Abilities, Call, Error, ErrorKind, Layer, Result, Service, Shared, Trail};
use sabir_layers::Metrics;
use sabir_store::{Dimension, Filter, Group, Ledger};
use sabir_tokens::Counter;

use crate::directory::Directory;
use crate::stream::ChatStream;
use crate::{ClientBuilder, Env, Registry};

/// What a client counts with and remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    pub(crate) metrics: Metrics,
    /// What requests are counted with here.
    pub(crate) counter: Arc<Counter>,
    pub(crate) ledger: Option<Arc<dyn Ledger>>,
}

/// Calls models of any provider through one vocabulary. Cloning is cheap and shares everything.
///
/// ```no_run
/// # async fn example() -> sabir::Result<()> {
/// let client = sabir::Client::new("openai/gpt-6-luna")?; // the key comes from OPENAI_API_KEY
/// println!("{}", client.complete("Why is the sea salt?").await?);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Client(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    directory: Directory,
    /// The directory as a service.
    base: Shared,
    layers: Vec<Arc<dyn Layer>>,
    books: Books,
    /// The base with the layers around it.
    stack: Shared,
    call: Call,
    provider: Option<String>,
    model: Option<String>,
    strict: bool,
}

impl Client {
    /// A client whose requests go to `provider/model` unless they say otherwise.
    ///
    /// # Errors
    /// `Configuration` for an unknown provider.
    pub fn new(model: impl Into<String>) -> Result<Self> {
        let model = model.into();
        let client = Self::builder().model(model).build()?;
        client.resolve("")?;
        Ok(client)
    }

    /// Sets up a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    pub(crate) fn assemble(
        directory: Directory,
        layers: Vec<Arc<dyn Layer>>,
        books: Books,
        call: Call,
        (provider, model): (Option<String>, Option<String>),
        strict: bool,
    ) -> Self {
        let base = Shared::new(directory.clone());
        let stack = layers.iter().fold(base.clone(), |inner, layer| layer.apply(inner));
        Self(Arc::new(Inner { directory, base, layers, books, stack, call, provider, model, strict }))
    }

    /// The same client with one more layer around it. State that the other layers hold stays theirs.
    #[must_use]
    pub fn with_layer(&self, layer: impl Layer) -> Self {
        let mut inner = (*self.0).clone();
        inner.layers.push(Arc::new(layer));
        inner.stack = inner.layers.iter().fold(inner.base.clone(), |below, layer| layer.apply(below));
        Self(Arc::new(inner))
    }

    /// What the meter of the client's [`Stack`](crate::layers::Stack) counts, by provider and model; nothing where there
    /// is none.
    pub fn metrics(&self) -> &Metrics {
        &self.0.books.metrics
    }

    /// What was used and spent, by the groups asked for: from the ledger, attempt by attempt, of this process and those
    /// before. It is the one that the client was built with ([`ClientBuilder::ledger`], that of its stack's
    /// [`Spend`](crate::layers::Spend), or of its configuration), and may read from a disk. What this process alone counts
    /// since it began is [`metrics`](Self::metrics), with or without a ledger.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use sabir::ledger::{Dimension, Filter, MemoryLedger};
    ///
    /// # fn example() -> sabir::Result<()> {
    /// let client = sabir::Client::builder().ledger(Arc::new(MemoryLedger::default())).build()?;
    /// for model in client.usage(&Filter::default(), &[Dimension::Model])? {
    ///     println!("{}: {} attempts, {:?} tokens", model.names[0], model.attempts, model.usage.total());
    /// }
    /// # Ok(()) }
    /// # example().expect("a ledger that can be read");
    /// ```
    ///
    /// # Errors
    /// `Configuration` where there is no ledger, or it cannot be read.
    pub fn usage(&self, of: &Filter, by: &[Dimension]) -> Result<Vec<Group>> {
        let ledger = self.0.books.ledger.as_ref().ok_or_else(|| {
            let message = "this client keeps no ledger, which is what tells of its usage: give it one with \
                           `ClientBuilder::ledger`, or name a file for it in the configuration (`ledger.path`); \
                           `Client::metrics` counts without one";
            configuration(message.to_owned())
        })?;
        ledger.report(of, by)
    }

    /// Who can be called. Providers registered here can be called from then on.
    pub fn registry(&self) -> &Registry {
        &self.0.directory.registry
    }

    /// Where settings and keys come from that nobody gave it.
    pub fn env(&self) -> &Env {
        &self.0.directory.env
    }

    /// Asks, and waits for the whole answer.
    ///
    /// # Errors
    /// All that can go wrong, with how far the call got; see [`Error`].
    pub async fn chat(&self, request: impl Into<ChatRequest>) -> Result<ChatResponse> {
        let mut request = request.into();
        request.stream = false;
        let begun = Instant::now();
        let mut response = self.send(Request::Chat(request)).await?.whole()?;
        response.latency = Some(Latency { first: None, total: begun.elapsed() });
        Ok(response)
    }

    /// Asks, and gives the answer as it comes.
    ///
    /// # Errors
    /// What goes wrong before the answer begins; later errors end the stream.
    pub async fn stream(&self, request: impl Into<ChatRequest>) -> Result<ChatStream> {
        let mut request = request.into();
        request.stream = true;
        let begun = Instant::now();
        let events = self.send(Request::Chat(request)).await?.stream()?;
        Ok(ChatStream::new(events, begun))
    }

    /// Asks with a plain prompt, and gives the answer's text.
    ///
    /// # Errors
    /// As [`chat`](Self::chat).
    pub async fn complete(&self, prompt: impl Into<String>) -> Result<String> {
        Ok(self.chat(ChatRequest::from(prompt.into())).await?.text())
    }

    /// Turns texts (one, or several) into vectors, in their order.
    ///
    /// ```no_run
    /// # async fn example() -> sabir::Result<()> {
    /// let client = sabir::Client::new("openai/text-embedding-3-small")?;
    /// let vectors = client.embed(["salt", "pepper"]).await?.vectors;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Unsupported` where the provider gives no vectors; else as [`chat`](Self::chat).
    pub async fn embed(&self, request: impl Into<EmbedRequest>) -> Result<EmbedResponse> {
        self.send(Request::Embed(request.into())).await?.embed()
    }

    /// Puts documents in order of how well they answer a query.
    ///
    /// # Errors
    /// `Unsupported` where the provider orders none; else as [`chat`](Self::chat).
    pub async fn rerank(&self, request: RerankRequest) -> Result<RerankResponse> {
        self.send(Request::Rerank(request)).await?.rerank()
    }

    /// All models that a provider lists, in its order, whatever its pages. Layers are for models' answers: a list
    /// goes past them.
    ///
    /// # Errors
    /// `Configuration` for a provider that is not known, `Unsupported` where it lists none, `Decode` where its list
    /// does not end after 100 pages; else what the provider says.
    pub async fn models(&self, provider: &str) -> Result<Vec<ModelInfo>> {
        let mut call = self.0.call.clone();
        self.registry().aim(&mut call, provider);
        self.0.directory.models(&call).await
    }

    /// What the provider knows of one of its models, written `provider/model`: how much it takes and writes, what it can
    /// do. It goes past the layers, as a list does.
    ///
    /// ```no_run
    /// # async fn example() -> sabir::Result<()> {
    /// let client = sabir::Client::new("ollama/qwen3")?;
    /// let context = client.model("").await?.context; // of the client's own model
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` for a model that the provider does not have, `Unsupported` where it tells of none; else as
    /// [`models`](Self::models).
    pub async fn model(&self, model: &str) -> Result<ModelInfo> {
        let (provider, model) = self.place(model, true)?;
        let mut call = self.0.call.clone();
        self.registry().aim(&mut call, &provider);
        self.0.directory.model(&call, model).await
    }

    /// A provider's batches: many conversations that it works off by itself, within a day, for less. It goes past the
    /// layers: nothing is tried again, limited or charged to a budget. The provider is written as in a model's name,
    /// `openai` or `openai:responses`.
    ///
    /// ```no_run
    /// # async fn example() -> sabir::Result<()> {
    /// # let client = sabir::Client::builder().build()?;
    /// let batches = client.batches("anthropic")?;
    /// let ask = |text: &str| sabir::ChatRequest::new("claude-haiku-5-5").user(text);
    /// let lines = [batches.line("salt", &ask("Why is the sea salt?"))?, batches.line("sky", &ask("And the sky blue?"))?];
    /// let batch = batches.submit(&lines, "colours").await?; // keep its id: the answer may take a day
    /// while !batches.status(&batch.id).await?.state.is_over() { /* wait */ }
    /// for (id, answered) in batches.results(&batches.status(&batch.id).await?).await? {
    ///     println!("{id}: {}", answered?.text());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Configuration` for a provider that is not known or has no key, `Unsupported` where it takes no batches.
    pub fn batches(&self, provider: &str) -> Result<Batches> {
        let mut call = self.0.call.clone();
        self.registry().aim(&mut call, provider);
        self.0.directory.batches(&call)
    }

    /// Sends any request through the layers.
    ///
    /// # Errors
    /// `Configuration` where the model cannot be placed; else what the layers and the provider say.
    pub async fn send(&self, mut request: Request) -> Result<Reply> {
        let mut call = self.begin();
        self.settle(&mut call, &mut request)?;
        self.0.stack.call(&call, &request).await
    }

    /// A call as this client makes it, of no provider yet: for whoever sends requests on behalf of others and says whose
    /// they are ([`Call::tenant`], [`Call::tags`]). It goes with [`settle`](Self::settle) to [`service`](Self::service).
    pub fn begin(&self) -> Call {
        let mut call = self.0.call.clone();
        call.trail = Trail::default();
        call
    }

    /// Settles who answers a request, as [`send`](Self::send) does before the first layer: the call gets the provider, by
    /// its own id whatever alias was asked, the request the model's name there.
    ///
    /// # Errors
    /// `Configuration` where the model cannot be placed.
    pub fn settle(&self, call: &mut Call, request: &mut Request) -> Result<()> {
        let about_chat = matches!(request, Request::Chat(_) | Request::Count(_));
        if let Some((provider, model)) = self.named_by_layer(request.model()) {
            // The layer looks for it by these, whatever else may be called so.
            (call.provider, call.dialect) = (provider, None);
            *request.model_mut() = model;
        } else {
            let (provider, model) = self.at_provider(request.model(), about_chat)?;
            if provider.contains(':') {
                self.registry().aim(call, &provider);
            } else {
                // It is the provider's own id already.
                (call.provider, call.dialect) = (provider, None);
            }
            *request.model_mut() = model;
        }
        *request.strict_mut() |= self.0.strict;
        Ok(())
    }

    /// The layers, the outermost last.
    pub(crate) fn layers(&self) -> &[Arc<dyn Layer>] {
        &self.0.layers
    }

    /// The layers, and the providers below them. It takes calls that are settled.
    pub fn service(&self) -> &Shared {
        &self.0.stack
    }

    /// What can be asked of a model: what its provider's dialect carries, without what the model is known to refuse.
    /// A provider that is a service of the program's own can be asked everything.
    ///
    /// # Errors
    /// `Configuration` where the model cannot be placed.
    pub fn abilities(&self, model: &str) -> Result<Abilities> {
        let (provider, model) = self.resolve(model)?;
        let directory = &self.0.directory;
        let Ok(provider) = directory.registry.get(&provider) else { return Ok(Abilities::default()) };
        let Some(dialect) = provider.dialect() else { return Ok(Abilities::default()) };
        let endpoint = provider.endpoint_without_key(&directory.env)?;
        Ok(dialect.abilities(&endpoint.quirks).of_model(&endpoint.traits(&model)))
    }

    /// Which provider serves a model, and the model's name there. The provider is stated (`provider/model`, or
    /// `provider:dialect/model` for another of its dialects) or set in the builder; it is never guessed from the name. It
    /// is given by its own id, whatever alias was said, with the dialect as it was.
    /// A name that one of the layers gave (a route) wins over both.
    ///
    /// # Errors
    /// `Configuration` where neither is so.
    pub fn resolve(&self, model: &str) -> Result<(String, String)> {
        self.place(model, true)
    }

    /// A provider by its own id, with the dialect that was said.
    fn own(&self, name: &str) -> String {
        match self.registry().parts(name) {
            (id, Some(dialect)) => format!("{id}:{dialect}"),
            (id, None) => id.to_owned(),
        }
    }

    /// As [`resolve`](Self::resolve), for conversations or for something else.
    fn place(&self, model: &str, chat: bool) -> Result<(String, String)> {
        self.named_by_layer(model).map_or_else(|| self.at_provider(model, chat), Ok)
    }

    /// What is asked for: the client's own model where none is named.
    fn wanted<'m>(&'m self, model: &'m str) -> &'m str {
        if model.is_empty() { self.0.model.as_deref().unwrap_or_default() } else { model }
    }

    fn named_by_layer(&self, model: &str) -> Option<(String, String)> {
        let wanted = self.wanted(model);
        self.0.layers.iter().rev().find_map(|layer| layer.place(wanted))
    }

    fn at_provider(&self, model: &str, chat: bool) -> Result<(String, String)> {
        let inner = &*self.0;
        let registry = &inner.directory.registry;
        let wanted = self.wanted(model);
        if let Some((first, rest)) = wanted.split_once('/')
            && !rest.is_empty()
            && registry.contains(first)
        {
            return Ok((self.own(first), rest.to_owned()));
        }
        if let Some(provider) = &inner.provider {
            if !wanted.is_empty() {
                return Ok((self.own(provider), wanted.to_owned()));
            }
            // The default of a provider that holds conversations is for those.
            let known = registry.get(provider).ok().filter(|provider| chat || provider.dialect().is_none());
            let default = known.and_then(|provider| provider.default_model(&inner.directory.env));
            return match default {
                Some(model) => Ok((self.own(provider), model)),
                None => Err(configuration(format!(
                    "no model is set for {provider}; write {provider}/MODEL or set `.model(…)`"
                ))),
            };
        }
        // A known provider with a dialect that it has not.
        if let Some((first, _)) = wanted.split_once('/')
            && first.contains(':')
        {
            registry.find(first)?;
        }
        Err(configuration(match wanted.split_once('/') {
            _ if wanted.is_empty() => "no model is set; name one like openai/gpt-6-luna".to_owned(),
            Some((first, _)) => {
                let hint = registry.did_you_mean(first).map_or_else(
                    || "register it, or set `.provider(…)`".to_owned(),
                    |near| format!("did you mean {near:?}?"),
                );
                format!("unknown provider {first:?} in the model {wanted:?}; {hint}")
            }
            None => {
                format!("which provider serves {wanted:?}? Write provider/{wanted}, for example {}", example(wanted))
            }
        }))
    }
}

/// A provider whose row names this model, as an example of how to write it.
fn example(model: &str) -> String {
    let rows = sabir_dialects::providers::rows();
    let row = rows.iter().find(|row| row.model == model || row.cheap_model == model);
    format!("{}/{model}", row.map_or("openai", |row| row.id))
}

fn configuration(message: String) -> Error {
    Error::new(ErrorKind::Configuration, message)
}
