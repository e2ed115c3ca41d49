use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use sabir_core::{Call, Error, ErrorKind, Layer, Result, Secret, Service, TraitsOf, Transport};
use sabir_layers::{Deadline, Spend, Stack};
use sabir_store::Ledger;
use sabir_tokens::Counter;

use crate::client::{Books, Client};
use crate::directory::Directory;
use crate::{Env, Provider, Registry};

/// Sets up a [`Client`]. Nothing is read and nothing can fail before [`build`](Self::build).
#[derive(Debug, Default)]
pub struct ClientBuilder {
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
    key: Option<Secret>,
    base_url: Option<String>,
    headers: Vec<(String, String)>,
    pub(crate) timeout: Option<Duration>,
    deadline: Option<Duration>,
    pub(crate) strict: bool,
    pub(crate) env: Env,
    pub(crate) registry: Registry,
    transport: Option<Arc<dyn Transport>>,
    layers: Vec<Arc<dyn Layer>>,
    pub(crate) books: Books,
}

impl ClientBuilder {
    /// The provider of requests whose model does not name one.
    #[must_use]
    pub fn provider(mut self, id: impl Into<String>) -> Self {
        self.provider = Some(id.into());
        self
    }

    /// The model of requests that name none: `provider/model`, or the name alone where the provider is set.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// The key of the provider that is set, or that the set model names. Wins over the environment.
    #[must_use]
    pub fn key(mut self, key: impl Into<Secret>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Where that provider's API begins. Wins over the environment.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// A header for every request to that provider.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The longest that an attempt may take, a stream to its end included. Where nothing tries again, that is the whole
    /// call; with a [`Retry`](crate::layers::Retry), as every [`Stack::standard`] has, each try has so long:
    /// [`deadline`](Self::deadline) bounds them all together. Without it the limits of the stack's
    /// [`Timeout`](crate::layers::Timeout) hold, or the transport's own (to connect, to the first byte, between two pieces).
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// The longest that a call may take with all of its attempts and waits, a stream to its end included. It holds around
    /// all layers that are there when the client is built; one that is not over then is an error of kind `Timeout`,
    /// with what had arrived. In a stack it has its place among the others ([`Stack::deadline`]).
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = Some(limit);
        self
    }

    /// Makes every loss in translation an error, before anything is sent.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Where keys, base URLs and default models come from that are not set; the process's environment otherwise.
    #[must_use]
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// The providers; the built-in ones otherwise.
    #[must_use]
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Registers any service under an id: a simulator, a fake.
    #[must_use]
    pub fn service(self, id: impl Into<String>, service: impl Service) -> Self {
        self.registry.register_service(id, service);
        self
    }

    /// What carries the requests; a pooled HTTP client otherwise.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Puts a layer around all that is there so far: the last one added is the first to see a call.
    #[must_use]
    pub fn layer(mut self, layer: impl Layer) -> Self {
        self.layers.push(Arc::new(layer));
        self
    }

    /// Puts a stack of layers around all that is there so far; what its meter counts is
    /// [`Client::metrics`](crate::Client::metrics). Its budgets know how much models write at most by
    /// [`traits`](crate::traits).
    ///
    /// ```
    /// use sabir::layers::{Limit, Limits, Stack};
    ///
    /// # fn example() -> sabir::Result<()> {
    /// // Retry, breaker, time limits, metrics, and limits: 500 requests a minute, and what the provider says.
    /// let limits = Limits::default().limit(Limit::requests_per_minute(500));
    /// let client = sabir::Client::builder().stack(Stack::standard().limits(limits)).build()?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn stack(mut self, stack: Stack) -> Self {
        self.books.metrics = stack.metrics();
        let kept = stack.budgets().and_then(|spend| spend.kept_ledger());
        self.books.ledger = self.books.ledger.or(kept);
        self.layer(stack.traits(TraitsOf(sabir_dialects::catalog::traits)))
    }

    /// Writes every attempt into a ledger, below all other layers, and lets [`Client::usage`] read it.
    ///
    /// A stack with a [`Spend`] has its budgets load from a ledger what was spent before: give it to that one
    /// ([`Spend::ledger`]), which the client then reads, and not to both.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use sabir::ledger::{Dimension, Filter, MemoryLedger};
    ///
    /// # fn example() -> sabir::Result<()> {
    /// // With the feature `ledger`: `.ledger(sabir::ledger::open("spend.db")?)`
    /// let client = sabir::Client::builder().ledger(Arc::new(MemoryLedger::default())).build()?;
    /// for day in client.usage(&Filter::default(), &[Dimension::Day(0)])? {
    ///     println!("{}: {} nano-dollars for {} attempts", day.names[0], day.nano_usd, day.attempts);
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn ledger(mut self, ledger: Arc<dyn Ledger>) -> Self {
        let spend = Spend::default().traits(TraitsOf(sabir_dialects::catalog::traits)).ledger(ledger.clone());
        self.layers.insert(0, Arc::new(spend));
        self.books.ledger = Some(ledger);
        self
    }

    /// What requests are counted with where no provider is asked: a counter with vocabularies of one's own, or one that
    /// is shared. Otherwise the client has its own, which remembers 4,096 texts.
    #[must_use]
    pub fn counter(mut self, counter: Arc<Counter>) -> Self {
        self.books.counter = counter;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// `Configuration` for an unknown provider, a header that cannot be sent, a key, base URL or header without a provider
    /// that they are for, or a layer that names a provider by an alias. A missing key is an error of the call that needs it.
    pub fn build(self) -> Result<Client> {
        let named =
            self.model.as_deref().and_then(|m| Some(m.split_once('/')?.0)).filter(|id| self.registry.contains(id));
        let settled = self.provider.as_deref().or(named);
        if let Some(id) = settled {
            self.registry.find(id)?;
        }
        if self.key.is_some() || self.base_url.is_some() || !self.headers.is_empty() {
            let Some(id) = settled else {
                let message =
                    "a key, base URL or header is set without a provider; name it with `.provider(…)` or in the model";
                return Err(Error::new(ErrorKind::Configuration, message));
            };
            // By whatever name and in whatever dialect it is asked: the provider is the same.
            let id = self.registry.own_id(id);
            let mut provider = self.registry.get(id)?;
            if let Some(key) = self.key {
                provider = provider.key(key);
            }
            if let Some(url) = self.base_url {
                provider = provider.base_url(url);
            }
            for (name, value) in &self.headers {
                provider = add_header(provider, name, value)?;
            }
            self.registry.register_as(id.to_owned(), provider);
        }
        let named = self.layers.iter().flat_map(|layer| layer.providers());
        for name in named {
            let own = self.registry.own_id(&name);
            if own != name {
                let message =
                    format!("a layer speaks of {name:?}, and calls of that have the id {own:?}; name {own:?} there");
                return Err(Error::new(ErrorKind::Configuration, message));
            }
        }
        let mut call = Call::default();
        call.timeouts.total = self.timeout;
        let mut layers = self.layers;
        layers.extend(self.deadline.map(|limit| Arc::new(Deadline::after(limit)) as Arc<dyn Layer>));
        let transport = Arc::new(self.transport.map_or_else(OnceLock::new, OnceLock::from));
        let directory = Directory { registry: self.registry, env: self.env, transport, origins: Arc::default() };
        Ok(Client::assemble(directory, layers, self.books, call, (self.provider, self.model), self.strict))
    }
}

pub(crate) fn add_header(provider: Provider, name: &str, value: &str) -> Result<Provider> {
    let unsendable = || {
        Error::new(
            ErrorKind::Configuration,
            format!("the header {name:?} cannot be sent; check its name and value for spaces and line breaks"),
        )
    };
    let header = name.parse::<HeaderName>().map_err(|_| unsendable())?;
    let mut value = HeaderValue::from_str(value).map_err(|_| unsendable())?;
    value.set_sensitive(true);
    Ok(provider.header(header, value))
}
