//! Dialects and providers by the names that people give them.

use sabir::{Dialect, Endpoint, Env, Error, ErrorKind, Provider, Registry};

/// Names that mean a dialect with a provider's row.
const WITH_PROVIDER: &[(&str, &str, &str)] =
    &[("mistral-chat", "openai-chat", "mistral"), ("huggingface-chat", "openai-chat", "huggingface")];

/// Which provider stands for a dialect where none is named: its inventor.
const INVENTORS: &[(&str, &str)] = &[("openai-chat", "openai"), ("anthropic-messages", "anthropic")];

/// A dialect, and the provider whose row goes with it.
pub(crate) struct Named {
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) provider: Option<Provider>,
}

/// Finds a dialect by its name, and the provider.
pub(crate) fn find(dialect: &str, provider: Option<&str>) -> Result<Named, Error> {
    let alias = WITH_PROVIDER.iter().find(|(name, ..)| *name == dialect);
    let name = alias.map_or(dialect, |(_, name, _)| *name);
    let dialect = sabir::dialects::dialect(name).ok_or_else(|| {
        let known =
            sabir::dialects::dialects().iter().map(|d| d.name()).chain(WITH_PROVIDER.iter().map(|(name, ..)| *name));
        let known = known.collect::<Vec<_>>().join(", ");
        Error::new(ErrorKind::Configuration, format!("unknown dialect {dialect:?}; the known ones are {known}"))
    })?;
    let inventor = || INVENTORS.iter().find(|(of, _)| *of == name).map(|(_, provider)| *provider);
    let provider = provider.or(alias.map(|(.., provider)| *provider)).or_else(inventor);
    let provider = provider.map(|id| Registry::new().get(id)).transpose()?;
    Ok(Named { dialect, provider })
}

impl Named {
    /// The provider's endpoint, or one that stands for none.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, Error> {
        match &self.provider {
            Some(provider) => provider.endpoint_without_key(&Env::process()),
            None => Ok(Endpoint { base_url: "http://localhost".into(), ..Endpoint::default() }),
        }
    }
}
