//! A provider: who speaks which dialect, where, and with which key.

use std::fmt;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use sabir_core::exchange::{Embedding, Listing, Reranking};
use sabir_core::{Auth, Dialect, Endpoint, Error, ErrorKind, Exchange, Result, Secret, Transport};
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
    embedding: Option<&'static Embedding>,
    reranking: Option<&'static Reranking>,
    listing: Option<&'static Listing>,
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
    /// A provider that is built in, by its id (`openai`, `anthropic`, `groq` …) or alias.
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
            embedding: stated(row.embed, embedding)?,
            reranking: stated(row.rerank, reranking)?,
            listing: stated(row.models, listing)?,
            aws: (row.auth == AuthRow::Aws).then(|| Identity(Arc::new(|aws| aws))),
            row: Some(row),
            base_url: None,
            model: None,
            key_required: row.key_required,
        })
    }

    /// A provider of one's own: an id for it, the dialect it speaks, and where its API begins. It takes a bearer
    /// key if one is given. What else it has is said by [`embedding`](Self::embedding),
    /// [`reranking`](Self::reranking) and [`listing`](Self::listing).
    ///
    /// # Errors
    /// `Configuration` for a dialect that is not known.
    pub fn custom(id: impl Into<String>, dialect_name: &str, base_url: impl Into<String>) -> Result<Self> {
        Ok(Self {
            endpoint: Endpoint { provider: id.into(), ..Endpoint::default() },
            dialect: Some(dialect(dialect_name)?),
            embedding: None,
            reranking: None,
            listing: None,
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

    /// The format in which it gives vectors, orders documents and lists its models.
    pub(crate) fn formats(&self) -> (Option<&'static Embedding>, Option<&'static Reranking>, Option<&'static Listing>) {
        (self.embedding, self.reranking, self.listing)
    }

    /// The endpoint, with what the environment adds. The transport is for keys that are fetched; nothing is sent
    /// before they are needed.
    ///
    /// # Errors
    /// `Configuration` where the base URL or a key that the provider wants is missing, with the variables that
    /// would give it.
    pub fn endpoint(&self, env: &Env, transport: &Arc<dyn Transport>) -> Result<Endpoint> {
        if let Some(Identity(set)) = &self.aws {
            let mut endpoint = self.with_given_url(env);
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
            let names = self.row.map_or(&[][..], |row| row.key_env);
            endpoint.key = env.first(names.iter().copied()).map(Secret::new);
        }
        if endpoint.key.is_none() && self.key_required {
            let message = format!("no key for {}: {}", self.name(), set_one(self.key_env(), "give it with `.key(…)`"));
            return Err(Error::new(ErrorKind::Configuration, message).with_provider(self.id()));
        }
        Ok(endpoint)
    }

    /// The endpoint, whether or not there is a key: for looking at requests without sending them.
    ///
    /// # Errors
    /// `Configuration` where nothing says where it is.
    pub fn endpoint_without_key(&self, env: &Env) -> Result<Endpoint> {
        let mut endpoint = self.with_given_url(env);
        if endpoint.base_url.is_empty() && self.is_aws_row() {
            endpoint.base_url = aws::usual_base_url(env).map_err(|error| error.with_provider(self.id()))?;
        }
        if endpoint.base_url.is_empty() {
            let names = self.row.map_or(&[][..], |row| row.base_url_env);
            let message =
                format!("{} needs a base URL: {}", self.name(), set_one(names, "give it with `.base_url(…)`"));
            return Err(Error::new(ErrorKind::Configuration, message).with_provider(self.id()));
        }
        Ok(endpoint)
    }

    /// The endpoint, at the URL that was set here or in the environment, if one was.
    fn with_given_url(&self, env: &Env) -> Endpoint {
        let mut endpoint = self.endpoint.clone();
        let names = self.row.map_or(&[][..], |row| row.base_url_env);
        if let Some(given) = self.base_url.clone().or_else(|| env.first(names.iter().copied())) {
            endpoint.base_url = self.row.map_or_else(|| given.clone(), |row| row.whole_base_url(&given));
        }
        endpoint
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

    /// Whether there is a key for it, set here or in the environment.
    pub fn has_key(&self, env: &Env) -> bool {
        self.endpoint.key.is_some() || env.first(self.key_env().iter().copied()).is_some()
    }

    /// The environment variables that can hold its key.
    pub fn key_env(&self) -> &'static [&'static str] {
        self.row.map_or(&[], |row| row.key_env)
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
