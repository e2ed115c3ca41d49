//! Providers, with their keys.

use http::HeaderValue;
use sabir_config::{AuthConfig, Config, ProviderConfig, Rotation, SecretRef};
use sabir_core::{Auth, Error, ErrorKind, Result};
use sabir_dialects::providers;
use sabir_layers::{KeyPool, Keys, PoolKey};

use crate::{Env, Provider, Registry};

/// Registers the providers of a configuration, and gives the keys of those that have several.
pub(super) fn register(config: &Config, registry: &Registry, env: &Env) -> Result<Option<Keys>> {
    let keys = Keys::new();
    let mut pools = 0;
    for (id, said) in config.providers.iter() {
        let provider = provider(id, said).map_err(|error| error.with_provider(id))?;
        let pool = if said.keys.is_empty() { None } else { Some(pool(id, said)?) };
        let id = own_id(config, id);
        registry.register_as(id.to_owned(), provider);
        if let Some(pool) = pool {
            keys.set(id, pool);
            pools += 1;
        }
    }
    general_key(config, registry, env)?;
    Ok((pools > 0).then_some(keys))
}

/// A provider's own id, of the name by which a configuration speaks of it: calls are known by that. What is said of an
/// alias (`claude`) or of one dialect (`openai:responses`) is said of the provider.
pub(super) fn own_id<'a>(config: &Config, name: &'a str) -> &'a str {
    let is_another = |id: &str| config.providers.get(id).is_some_and(|said| said.like.is_some());
    if is_another(name) {
        return name;
    }
    let is_own = config.providers.contains_key(name);
    let base = name.split_once(':').filter(|_| !is_own).map_or(name, |(base, _)| base);
    if is_another(base) { base } else { providers::find(base).map_or(base, |row| row.id) }
}

/// A model by its provider's own id, in whichever dialect: what limits and budgets count by.
pub(super) fn any_dialect(config: &Config, model: &str) -> String {
    let parts = model.split_once('/');
    parts.map_or_else(|| model.to_owned(), |(name, rest)| format!("{}/{rest}", own_id(config, name)))
}

/// A model (`provider/model`) by its provider's own id, and by the whole name of the dialect where one is said.
pub(super) fn own_model(config: &Config, model: &str) -> String {
    let Some((name, rest)) = model.split_once('/') else { return model.to_owned() };
    let id = own_id(config, name);
    let said = name.split_once(':').filter(|_| !config.providers.contains_key(name));
    let Some((_, dialect)) = said else { return format!("{id}/{rest}") };
    let like = config.providers.get(id).and_then(|said| said.like.as_deref());
    let served = providers::find(like.unwrap_or(id)).and_then(|row| row.dialect_called(dialect));
    format!("{id}:{}/{rest}", served.map_or(dialect, |(dialect, _)| dialect))
}

/// The key that was given for the provider of requests that name none, where it has none of its own: what is said of one
/// provider weighs more than what is said of whichever it is.
fn general_key(config: &Config, registry: &Registry, env: &Env) -> Result<()> {
    let Some(key) = &config.api_key else { return Ok(()) };
    let stated = config.model.as_deref().and_then(|model| model.split_once('/')).map(|(id, _)| id);
    let Some(id) = config.provider.as_deref().or(stated) else { return Ok(()) };
    let id = registry.own_id(id);
    // A service of the program's own needs no key.
    let Ok(provider) = registry.get(id) else { return Ok(()) };
    let has_pool = config.providers.iter().any(|(name, said)| own_id(config, name) == id && !said.keys.is_empty());
    if !has_pool && !provider.has_key(env) {
        registry.register_as(id.to_owned(), provider.key(resolve(key, id)?));
    }
    Ok(())
}

fn provider(id: &str, said: &ProviderConfig) -> Result<Provider> {
    let row = providers::find(said.like.as_deref().unwrap_or(id));
    let dialect = said.dialect.as_deref();
    let mut provider = match (row, dialect, &said.base_url) {
        // A second account answers under the name of the provider that it is like: that has prices and traits.
        (Some(row), ..) => Provider::builtin(row.id)?,
        (None, dialect, Some(url)) => Provider::custom(id, dialect.unwrap_or("openai-chat"), &url.0)?,
        _ => return Err(Error::new(ErrorKind::Configuration, format!("{id} needs a base URL"))),
    };
    if let (Some(dialect), Some(_)) = (dialect, row) {
        provider = provider.with_dialect(dialect)?;
    }
    if let Some(url) = &said.base_url {
        provider = provider.base_url(&url.0);
    }
    if let Some(model) = &said.model {
        provider = provider.model(model);
    }
    if let Some(auth) = &said.auth {
        provider = provider.auth(match auth {
            AuthConfig::Header(name) => Auth::Header(name.clone()),
            AuthConfig::Query(name) => Auth::Query(name.clone()),
            AuthConfig::None => Auth::None,
            _ => Auth::Bearer,
        });
    }
    if let Some(key) = &said.api_key {
        provider = provider.key(resolve(key, id)?);
    }
    for (name, value) in &said.headers {
        provider = crate::builder::add_header(provider, name, resolve(value, id)?.expose())?;
    }
    Ok(said.quirks.iter().fold(provider, |provider, (name, value)| provider.quirk(name, value)))
}

fn pool(id: &str, said: &ProviderConfig) -> Result<KeyPool> {
    let key = |(name, key): (&String, &sabir_config::KeyConfig)| {
        Ok(PoolKey::new(name, resolve(&key.key, id)?).weight(key.weight.unwrap_or(1)))
    };
    let keys: Vec<PoolKey> = said.keys.iter().map(key).collect::<Result<_>>()?;
    Ok(KeyPool::new(keys).rotation(match said.rotation {
        Rotation::Weighted => sabir_layers::Rotation::Weighted,
        Rotation::LeastBusy => sabir_layers::Rotation::LeastBusy,
        _ => sabir_layers::Rotation::RoundRobin,
    }))
}

/// Fetches a key, which must be one that a header can hold.
fn resolve(key: &SecretRef, id: &str) -> Result<sabir_core::Secret> {
    let secret = key.resolve().map_err(|error| error.with_provider(id))?;
    if HeaderValue::from_str(secret.expose()).is_err() {
        let message = format!("the key from {key} has characters that no header can hold; look for line breaks in it");
        return Err(Error::new(ErrorKind::Configuration, message).with_provider(id));
    }
    Ok(secret)
}
