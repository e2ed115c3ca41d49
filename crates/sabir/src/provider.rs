//! A provider: who speaks which dialect, where, and with which key.

use http::{HeaderName, HeaderValue};
use sabir_core::{Auth, Dialect, Endpoint, Error, ErrorKind, Result, Secret};
use sabir_dialects::providers::{self, ProviderRow};

use crate::Env;

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
    dialect: &'static dyn Dialect,
    row: Option<&'static ProviderRow>,
    base_url: Option<String>,
    model: Option<String>,
    key_required: bool,
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
            dialect: dialect(row.dialect)?,
            row: Some(row),
            base_url: None,
            model: None,
            key_required: row.key_required,
        })
    }

    /// A provider of one's own: an id for it, the dialect it speaks, and where its API begins. It takes a bearer
    /// key if one is given.
    ///
    /// # Errors
    /// `Configuration` for a dialect that is not known.
    pub fn custom(id: impl Into<String>, dialect_name: &str, base_url: impl Into<String>) -> Result<Self> {
        Ok(Self {
            endpoint: Endpoint { provider: id.into(), ..Endpoint::default() },
            dialect: dialect(dialect_name)?,
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

    /// Sets how the key is sent.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.endpoint.auth = auth;
        self
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

    /// The dialect it speaks.
    pub fn dialect(&self) -> &'static dyn Dialect {
        self.dialect
    }

    /// The endpoint, with what the environment adds.
    ///
    /// # Errors
    /// `Configuration` where the base URL or a key that the provider wants is missing, with the variables that
    /// would give it.
    pub fn endpoint(&self, env: &Env) -> Result<Endpoint> {
        let mut endpoint = self.endpoint_without_key(env)?;
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
    pub fn endpoint_without_key(&self, env: &Env) -> Result<Endpoint> {
        let mut endpoint = self.endpoint.clone();
        let names = self.row.map_or(&[][..], |row| row.base_url_env);
        if let Some(given) = self.base_url.clone().or_else(|| env.first(names.iter().copied())) {
            endpoint.base_url = self.row.map_or_else(|| given.clone(), |row| row.whole_base_url(&given));
        }
        if endpoint.base_url.is_empty() {
            let message =
                format!("{} needs a base URL: {}", self.name(), set_one(names, "give it with `.base_url(…)`"));
            return Err(Error::new(ErrorKind::Configuration, message).with_provider(self.id()));
        }
        Ok(endpoint)
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

/// A dialect by its name.
fn dialect(name: &str) -> Result<&'static dyn Dialect> {
    sabir_dialects::dialect(name).ok_or_else(|| {
        let known = sabir_dialects::dialects().iter().map(|d| d.name()).collect::<Vec<_>>().join(", ");
        Error::new(ErrorKind::Configuration, format!("unknown dialect {name:?}; the known ones are {known}"))
    })
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
