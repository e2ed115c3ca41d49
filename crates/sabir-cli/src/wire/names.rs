//! Dialects, formats and providers by the names that people give them.

use sabir::dialects::{countings, dialects, embeddings, listings, providers, rerankings};
use sabir::exchange::{Counting, Embedding, Listing, Reranking};
use sabir::{Dialect, Endpoint, Env, Error, ErrorKind, Provider, Registry};

/// Names that mean a dialect with a provider's row.
const WITH_PROVIDER: &[(&str, &str, &str)] =
    &[("mistral-chat", "openai-chat", "mistral"), ("huggingface-chat", "openai-chat", "huggingface")];

/// What is spoken, and the provider whose row goes with it.
pub(crate) struct Named<T = &'static dyn Dialect> {
    pub(crate) dialect: T,
    pub(crate) provider: Option<Provider>,
    /// Whether somebody said which provider.
    stated: bool,
}

/// A format of one question and one answer.
#[derive(Clone, Copy)]
pub(crate) enum Format {
    Embed(&'static Embedding),
    Rerank(&'static Reranking),
    Models(&'static Listing),
    Count(&'static Counting),
}

/// Finds a dialect by its name, and the provider.
pub(crate) fn find(dialect: &str, provider: Option<&str>) -> Result<Named, Error> {
    let alias = WITH_PROVIDER.iter().find(|(name, ..)| *name == dialect);
    let name = alias.map_or(dialect, |(_, name, _)| *name);
    let found = sabir::dialects::dialect(name).ok_or_else(|| {
        let message = if format(name).is_some() {
            format!("{dialect} holds no conversations; this is for dialects that do: {}", conversations_known())
        } else {
            format!("unknown dialect {dialect:?}; the known ones are {}", known())
        };
        Error::new(ErrorKind::Configuration, message)
    })?;
    let mut named = with_provider(found, name, provider.or(alias.map(|(.., provider)| *provider)))?;
    // Where the provider serves it; a provider that does not lends its URL and key as they are.
    named.provider = named.provider.map(|provider| provider.clone().with_dialect(name).unwrap_or(provider));
    Ok(named)
}

/// Finds a format of one question and one answer by its name, and the provider. `None` where it is none of these.
pub(crate) fn find_format(name: &str, provider: Option<&str>) -> Option<Result<Named<Format>, Error>> {
    Some(with_provider(format(name)?, name, provider))
}

/// All names that are known, for people.
pub(crate) fn known() -> String {
    let formats = embeddings().iter().map(|f| f.name()).chain(rerankings().iter().map(|f| f.name()));
    let more = listings().iter().map(|f| f.name()).chain(countings().iter().map(|f| f.name()));
    list(conversations().chain(formats).chain(more))
}

/// All names of dialects that hold conversations, for people.
pub(crate) fn conversations_known() -> String {
    list(conversations())
}

fn conversations() -> impl Iterator<Item = &'static str> {
    dialects().iter().map(|dialect| dialect.name()).chain(WITH_PROVIDER.iter().map(|(name, ..)| *name))
}

fn list(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn format(name: &str) -> Option<Format> {
    let embed = || Some(Format::Embed(embeddings().iter().copied().find(|format| format.name() == name)?));
    let rerank = || Some(Format::Rerank(rerankings().iter().copied().find(|format| format.name() == name)?));
    let models = || Some(Format::Models(listings().iter().copied().find(|format| format.name() == name)?));
    let count = || Some(Format::Count(countings().iter().copied().find(|format| format.name() == name)?));
    embed().or_else(rerank).or_else(models).or_else(count)
}

fn with_provider<T>(dialect: T, name: &str, provider: Option<&str>) -> Result<Named<T>, Error> {
    let stated = provider.is_some();
    let provider = provider.or_else(|| providers::inventor(name).map(|row| row.id));
    let provider = provider.map(|id| Registry::new().get(id)).transpose()?;
    Ok(Named { dialect, provider, stated })
}

impl<T> Named<T> {
    /// The provider's endpoint, or one that stands for none.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, Error> {
        let nowhere = || Endpoint { base_url: "http://localhost".into(), ..Endpoint::default() };
        match &self.provider {
            Some(provider) => match provider.endpoint_without_key(&Env::process()) {
                // An inventor that is somewhere else for everybody (a region, a resource) was not asked for.
                Err(_) if !self.stated => Ok(nowhere()),
                endpoint => endpoint,
            },
            None => Ok(nowhere()),
        }
    }
}
