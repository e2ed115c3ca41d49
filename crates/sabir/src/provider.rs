//! A provider: who speaks which dialect, where, and with which key.

mod shown;

use std::fmt;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use sabir_core::batch::Batching;
use sabir_core::drive::Origin;
use sabir_core::exchange::{Counting, Embedding, Listing, Reranking};
use sabir_core::{Auth, Dialect, Endpoint, Error, ErrorKind, Exchange, Feature, Loss, Result, Secret, Transport};
use sabir_dialects::providers::{self, AuthRow, ProviderRow};

use crate::Env;
use crate::credentials::aws::{self, Aws};

/// A provider, as it is to be called. Made of a built-in row or from scratch; what is set here wins over the
/// environment, and the environment over the row.
///
/// ```
/// use sabir::{Auth, Provider};
/// let mine = Provider::custom("mine", "openai-chat", "http://localhost:8000/v1")?.auth(Auth::None).model("llama");
/// let groq = Provider::builtin("groq")?.key("gsk_…");
/// # Ok::<(), sabir::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Provider {
    endpoint: Endpoint,
    dialect: Option<&'static dyn Dialect>,
    /// The path of that dialect, in place of the base URL's own; empty where it is the same.
    path: &'static str,
    embedding: Option<&'static Embedding>,
    reranking: Option<&'static Reranking>,
    listing: Option<&'static Listing>,
    counting: Option<&'static Counting>,
    batching: Option<&'static dyn Batching>,
    /// Where it is called with an AWS identity: how that is found.
    aws: Option<Identity>,
    row: Option<&'static ProviderRow>,
    base_url: Option<String>,
    model: Option<String>,
    key_required: bool,
}

/// What a caller says of an AWS identity, for when there is an environment and a transport to find it with.
#[derive(Clone)]
struct Identity(Arc<dyn Fn(Aws) -> Aws + Send + Sync>);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

impl Provider {
    /// A provider that is built in, by its id (`openai`, `anthropic`, `groq` …) or alias, in its usual dialect.
    ///
    /// # Errors
    /// `Configuration` for an id that is not known, with the one that was probably meant, or for a service that
    /// has been retired.
    pub fn builtin(id: &str) -> Result<Self> {
        let row = providers::find(id).ok_or_else(|| unknown(id, providers::did_you_mean(id)))?;
        if let Some(why) = row.retired {
            return Err(Error::new(ErrorKind::Configuration, format!("{} is gone: {why}", row.name)));
        }
        Ok(Self {
            endpoint: row.endpoint(),
            dialect: stated(row.dialect, dialect)?,
            path: "",
            embedding: stated(row.embed, embedding)?,
            reranking: stated(row.rerank, reranking)?,
            listing: stated(row.models, listing)?,
            counting: stated(row.count, counting)?,
            batching: stated(row.batches, batching)?,
            aws: (row.auth == AuthRow::Aws).then(|| Identity(Arc::new(|aws| aws))),
            row: Some(row),
            base_url: None,
            model: None,
            key_required: row.key_required,
        })
    }

    /// A provider of one's own: an id for it, the dialect it speaks, and where its API begins. It takes a bearer
    /// key if one is given. What else it has is said by [`embedding`](Self::embedding),
    /// [`reranking`](Self::reranking), [`listing`](Self::listing) and [`counting`](Self::counting).
    ///
    /// # Errors
    /// `Configuration` for a dialect that is not known.
    pub fn custom(id: impl Into<String>, dialect_name: &str, base_url: impl Into<String>) -> Result<Self> {
        Ok(Self {
            endpoint: Endpoint { provider: id.into(), ..Endpoint::default() },
            dialect: Some(dialect(dialect_name)?),
            path: "",
            embedding: None,
            reranking: None,
            listing: None,
            counting: None,
            batching: None,
            aws: None,
            row: None,
            base_url: Some(base_url.into()),
            model: None,
            key_required: false,
        })
    }

    /// Sets the key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Secret>) -> Self {
        self.endpoint.key = Some(key.into());
        self
    }

    /// Sets where the API begins.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Sets the model to use when a request names none.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Sets how the key is sent. For keys that are fetched there is [`credentials::bearer`](crate::credentials::bearer):
    ///
    /// ```
    /// use sabir::{Provider, Secret, credentials};
    /// # async fn token() -> sabir::Result<Secret> { Ok("ya29.…".into()) }
    /// let vertex = Provider::builtin("vertex")?
    ///     .base_url("https://europe-west4-aiplatform.googleapis.com/v1/projects/mine/locations/europe-west4")
    ///     .auth(credentials::bearer(|| async { token().await })); // asked before each request
    /// # Ok::<(), sabir::Error>(())
    /// ```
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.endpoint.auth = auth;
        self.aws = None;
        self
    }

    /// Calls it with an AWS identity, and sets how that is found. Bedrock is called so anyway.
    ///
    /// ```
    /// let bedrock = sabir::Provider::builtin("bedrock")?.aws(|aws| aws.profile("work").region("eu-west-3"));
    /// # Ok::<(), sabir::Error>(())
    /// ```
    #[must_use]
    pub fn aws(mut self, identity: impl Fn(Aws) -> Aws + Send + Sync + 'static) -> Self {
        self.aws = Some(Identity(Arc::new(identity)));
        self
    }

    /// Sets the dialect in which conversations are held, by name (`openai-responses`) or, for a provider that is built
    /// in, by the name without its inventor's (`responses`). What is no conversation is asked for as before. In a
    /// model's name it is written behind the provider: `openai:responses/gpt-6-luna`.
    ///
    /// ```
    /// let openai = sabir::Provider::builtin("openai")?.with_dialect("responses")?;
    /// # Ok::<(), sabir::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Configuration` for a dialect that the provider does not serve, with those that it does.
    pub fn with_dialect(mut self, name: &str) -> Result<Self> {
        let (name, path) = match self.row {
            Some(row) => row.dialect_called(name).ok_or_else(|| not_served(row, name))?,
            None => (name, ""),
        };
        self.dialect = Some(dialect(name)?);
        self.path = path;
        Ok(self)
    }

    /// The whole name of a dialect that it serves.
    pub(crate) fn dialect_called(&self, name: &str) -> Option<&'static str> {
        self.row?.dialect_called(name).map(|(dialect, _)| dialect)
    }

    /// The same, with the endpoint of what is no conversation, where that is another.
    pub(crate) fn besides_chat(&self) -> Option<Self> {
        (!self.path.is_empty()).then(|| Self { path: "", ..self.clone() })
    }

    /// Sets the format in which it is asked for vectors, by name (`openai-embeddings`).
    ///
    /// # Errors
    /// `Configuration` for a format that is not known.
    pub fn embedding(mut self, format: &str) -> Result<Self> {
        self.embedding = Some(embedding(format)?);
        Ok(self)
    }

    /// Sets the format in which it is asked to order documents, by name (`jina-rerank`).
    ///
    /// # Errors
    /// `Configuration` for a format that is not known.
    pub fn reranking(mut self, format: &str) -> Result<Self> {
        self.reranking = Some(reranking(format)?);
        Ok(self)
    }

    /// Sets the format in which it is asked for its models, by name (`openai-models`).
    ///
    /// # Errors
    /// `Configuration` for a format that is not known.
    pub fn listing(mut self, format: &str) -> Result<Self> {
        self.listing = Some(listing(format)?);
        Ok(self)
    }

    /// Sets the format in which it is asked how many tokens a conversation is, by name (`anthropic-count`).
    ///
    /// # Errors
    /// `Configuration` for a format that is not known.
    pub fn counting(mut self, format: &str) -> Result<Self> {
        self.counting = Some(counting(format)?);
        Ok(self)
    }

    /// Sets the format in which it takes batches, by name (`openai-batches`).
    ///
    /// # Errors
    /// `Configuration` for a format that is not known.
    pub fn batching(mut self, format: &str) -> Result<Self> {
        self.batching = Some(batching(format)?);
        Ok(self)
    }

    /// Adds a header to every request.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.endpoint.headers.insert(name, value);
        self
    }

    /// Sets a quirk, by a name that the dialect's room documents.
    #[must_use]
    pub fn quirk(mut self, name: &str, value: &str) -> Self {
        self.endpoint.quirks.set(name, value);
        self
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.endpoint.provider
    }

    /// The dialect it speaks; `None` where it holds no conversations.
    pub fn dialect(&self) -> Option<&'static dyn Dialect> {
        self.dialect
    }

    /// An origin at an endpoint of its own, with every format that it has.
    pub(crate) fn origin(&self, endpoint: Endpoint, transport: Arc<dyn Transport>) -> Origin {
        let mut origin = match self.dialect {
            Some(dialect) => Origin::new(dialect, endpoint, transport),
            None => Origin::without_chat(endpoint, transport),
        };
        if let Some(embedding) = self.embedding {
            origin = origin.with_embedding(embedding);
        }
        if let Some(reranking) = self.reranking {
            origin = origin.with_reranking(reranking);
        }
        if let Some(counting) = self.counting {
            origin = origin.with_counting(counting);
        }
        origin
    }

    /// The format in which it counts tokens.
    pub(crate) fn counts_in(&self) -> Option<&'static Counting> {
        self.counting
    }

    /// The format in which it takes batches.
    pub(crate) fn batches_in(&self) -> Option<&'static dyn Batching> {
        self.batching
    }

    /// The format in which it lists its models.
    pub(crate) fn lists_in(&self) -> Option<&'static Listing> {
        self.listing
    }

    /// The endpoint, with what the environment adds. The transport is for keys that are fetched; nothing is sent
    /// before they are needed.
    ///
    /// # Errors
    /// `Configuration` where the base URL or a key that the provider wants is missing, with the variables that
    /// would give it.
    pub fn endpoint(&self, env: &Env, transport: &Arc<dyn Transport>) -> Result<Endpoint> {
        if let Some(Identity(set)) = &self.aws {
            let mut endpoint = self.with_environment(env)?;
            let identity = set(Aws::new(env.clone(), transport.clone()));
            identity.complete(&mut endpoint).map_err(|error| error.with_provider(self.id()))?;
            return Ok(endpoint);
        }
        let mut endpoint = self.endpoint_without_key(env)?;
        // A signer has its own; what is in the environment is not for it.
        if let Auth::Signed(_) | Auth::None = endpoint.auth {
            return Ok(endpoint);
        }
        if endpoint.key.is_none() {
            if let Some(token) = env.first(self.token_env().iter().copied()) {
                endpoint.key = Some(token.into());
                endpoint.auth = Auth::Bearer;
            } else {
                endpoint.key = env.first(self.key_env().iter().copied()).map(Secret::new);
                if endpoint.key.is_none() {
                    endpoint.key = env.stored_key(self.id())?;
                }
            }
        }
        if endpoint.key.is_none() && self.key_required {
            let names = [self.key_env(), self.token_env()].concat();
            let message = format!(
                "no key for {}: {}",
                self.name(),
                set_one(&names, "give it: `api_key` in a configuration, `.key(…)` in code")
            );
            return Err(Error::new(ErrorKind::Configuration, message).with_provider(self.id()));
        }
        Ok(endpoint)
    }

    /// The endpoint for calls that bring a key with them: none is looked for, and it is sent as the provider wants its
    /// keys. Where it is called with an AWS identity, that stays.
    pub(crate) fn endpoint_for_given_key(&self, env: &Env, transport: &Arc<dyn Transport>) -> Result<Endpoint> {
        if self.aws.is_some() { self.endpoint(env, transport) } else { self.endpoint_without_key(env) }
    }

    /// The endpoint, whether or not there is a key: for looking at requests without sending them.
    ///
    /// # Errors
    /// `Configuration` where nothing says where it is.
    pub fn endpoint_without_key(&self, env: &Env) -> Result<Endpoint> {
        let mut endpoint = self.with_environment(env)?;
        if endpoint.base_url.is_empty() && self.is_aws_row() {
            endpoint.base_url = aws::usual_base_url(env).map_err(|error| error.with_provider(self.id()))?;
        }
        if endpoint.base_url.is_empty() {
            let names = self.row.map_or(&[][..], |row| row.base_url_env);
            let message = format!(
                "{} needs a base URL: {}",
                self.name(),
                set_one(names, "give it: `base_url` in a configuration, `.base_url(…)` in code")
            );
            return Err(Error::new(ErrorKind::Configuration, message).with_provider(self.id()));
        }
        Ok(endpoint)
    }

    /// The endpoint, at the URL that was set here or in the environment, if one was, with the headers whose values
    /// stand in the environment.
    fn with_environment(&self, env: &Env) -> Result<Endpoint> {
        let mut endpoint = self.endpoint.clone();
        let Some(row) = self.row else {
            endpoint.base_url = self.base_url.clone().unwrap_or_default();
            return Ok(endpoint);
        };
        if let Some(given) = self.base_url.clone().or_else(|| env.first(row.base_url_env.iter().copied())) {
            endpoint.base_url = row.whole_base_url(&given);
            if let Some(now) = row.moved(&endpoint.base_url) {
                let note = format!("{} is gone; {now} was asked: set that", endpoint.base_url);
                endpoint.notices.push(Loss::new(Feature::Other("base_url".into()), "base_url", note));
                now.clone_into(&mut endpoint.base_url);
            }
        }
        if !endpoint.base_url.is_empty() {
            endpoint.base_url = row.base_url_with(&endpoint.base_url, self.path);
        }
        for (name, variables) in row.header_env {
            let Some(value) = env.first(variables.iter().copied()) else { continue };
            let value = HeaderValue::from_str(&value).map_err(|_| {
                let message = format!("{} cannot be sent as a header; check it", variables.join(" or "));
                Error::new(ErrorKind::Configuration, message).with_provider(self.id())
            })?;
            endpoint.headers.entry(HeaderName::from_static(name)).or_insert(value);
        }
        Ok(endpoint)
    }

    fn is_aws_row(&self) -> bool {
        self.row.is_some_and(|row| row.auth == AuthRow::Aws)
    }

    /// The model to use when a request names none: set here, else in the environment, else the row's.
    pub fn default_model(&self, env: &Env) -> Option<String> {
        let row = self.row;
        let from_env = || env.first(row?.model_env.iter().copied());
        let from_row = || row.map(|r| r.model.to_owned()).filter(|m| !m.is_empty());
        self.model.clone().or_else(from_env).or_else(from_row)
    }

    /// Whether there is a key for it, set here, in the environment or stored.
    pub fn has_key(&self, env: &Env) -> bool {
        let names = self.key_env().iter().chain(self.token_env());
        self.endpoint.key.is_some()
            || env.first(names.copied()).is_some()
            || env.stored_key(self.id()).is_ok_and(|key| key.is_some())
    }

    /// The environment variables that can hold its key.
    pub fn key_env(&self) -> &'static [&'static str] {
        self.row.map_or(&[], |row| row.key_env)
    }

    /// The environment variables that can hold a bearer token in place of a key. None for a provider that sends its
    /// key otherwise than its row says.
    fn token_env(&self) -> &'static [&'static str] {
        let row = self.row.filter(|row| row.endpoint().auth == self.endpoint.auth);
        row.map_or(&[], |row| row.token_env)
    }

    fn name(&self) -> &str {
        self.row.map_or(&self.endpoint.provider, |row| row.name)
    }
}

/// What a row says, where it says something.
fn stated<T>(name: &str, find: impl FnOnce(&str) -> Result<T>) -> Result<Option<T>> {
    if name.is_empty() { Ok(None) } else { find(name).map(Some) }
}

/// A dialect by its name.
fn dialect(name: &str) -> Result<&'static dyn Dialect> {
    let all = sabir_dialects::dialects();
    let found = all.iter().copied().find(|dialect| dialect.name() == name);
    found.ok_or_else(|| not_known("dialect", name, all.iter().map(|dialect| dialect.name())))
}

fn embedding(name: &str) -> Result<&'static Embedding> {
    exchange("format for vectors", name, sabir_dialects::embeddings())
}

fn reranking(name: &str) -> Result<&'static Reranking> {
    exchange("format for orders of documents", name, sabir_dialects::rerankings())
}

fn listing(name: &str) -> Result<&'static Listing> {
    exchange("format for lists of models", name, sabir_dialects::listings())
}

fn counting(name: &str) -> Result<&'static Counting> {
    exchange("format for counts of tokens", name, sabir_dialects::countings())
}

fn batching(name: &str) -> Result<&'static dyn Batching> {
    let all = sabir_dialects::batches::all().iter().map(|known| known.name());
    sabir_dialects::batches::of(name).ok_or_else(|| not_known("format for batches", name, all))
}

/// One format of a kind by its name.
fn exchange<Q: 'static, A: 'static>(
    kind: &str,
    name: &str,
    all: &[&'static dyn Exchange<Request = Q, Response = A>],
) -> Result<&'static dyn Exchange<Request = Q, Response = A>> {
    let found = all.iter().copied().find(|format| format.name() == name);
    found.ok_or_else(|| not_known(kind, name, all.iter().map(|format| format.name())))
}

fn not_known<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let known = known.collect::<Vec<_>>().join(", ");
    Error::new(ErrorKind::Configuration, format!("unknown {kind} {name:?}; the known ones are {known}"))
}

/// The error of a dialect that a provider does not serve.
fn not_served(row: &ProviderRow, name: &str) -> Error {
    let served: Vec<&str> = row.dialects().map(|(dialect, _)| dialect).collect();
    if served.is_empty() {
        return Error::new(ErrorKind::Configuration, format!("{} holds no conversations; it has no dialects", row.id));
    }
    let short = served.iter().filter_map(|dialect| Some(dialect.split_once('-')?.1));
    let near = providers::nearest(name, served.iter().copied().chain(short));
    let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
    let message = format!("{} does not serve {name:?}; it serves {}{hint}", row.id, served.join(", "));
    Error::new(ErrorKind::Configuration, message).with_provider(row.id)
}

/// The error of a provider that is not known.
pub(crate) fn unknown(id: &str, near: Option<&str>) -> Error {
    let hint =
        near.map_or_else(|| "`Provider::custom` makes a new one".to_owned(), |near| format!("did you mean {near:?}?"));
    Error::new(ErrorKind::Configuration, format!("unknown provider {id:?}; {hint}"))
}

fn set_one(variables: &[&str], or: &str) -> String {
    match variables {
        [] => or.to_owned(),
        names => format!("set {} or {or}", names.join(" or ")),
    }
}
