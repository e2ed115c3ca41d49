//! Which model answers when none is named: what the configuration says, else the first provider with a key, else a local
//! Ollama, else the simulator.

use std::sync::OnceLock;
use std::time::Duration;

use sabir::config::{Config, KeyFile};
use sabir::dialects::providers::nearest;
use sabir::{Client, ClientBuilder, Env, Error, ErrorKind, Registry};

use crate::logging;
use crate::output::notice;

/// The id under which the built-in simulator can be called.
pub(crate) const SIMULATOR: &str = "sim";

/// The file of keys in its usual place; `None` where there is no home.
pub(crate) fn key_file() -> Option<KeyFile> {
    KeyFile::usual(|name| std::env::var(name).ok())
}

/// The process's environment, and below it the keys that `sabir keys` keeps. The file is read once, and only where a key
/// is looked for that no variable has.
pub(crate) fn env() -> Env {
    let Some(file) = key_file() else { return Env::process() };
    let read = OnceLock::new();
    Env::process().stored_keys(move |id| {
        if read.get().is_none() {
            // What another thread has read meanwhile is the same.
            let _ = read.set(file.read()?);
        }
        Ok(read.get().and_then(|keys| keys.get(id)).cloned())
    })
}

/// A client, and the model that it is to use.
pub(crate) async fn client(config: &Config, model: Option<String>) -> Result<(Client, String), Error> {
    client_over(config, model, |builder| builder).await
}

/// As [`client`], with what stands below all layers of the configuration.
pub(crate) async fn client_over(
    config: &Config,
    model: Option<String>,
    below: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<(Client, String), Error> {
    let client = connect(config, below)?;
    let model = self::model(&client, config, model).await?;
    Ok((client, model))
}

/// A client as the configuration has it, with what stands below all its layers: every attempt goes through that.
pub(crate) fn connect(config: &Config, below: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Result<Client, Error> {
    logging::start(config, None);
    let registry = Registry::new();
    registry.register_service(SIMULATOR, sabir_sim::Simulator::new());
    below(Client::builder().registry(registry).env(env())).config(config)?.build()
}

/// The model that is asked: the one that was named, or else the one that the configuration or the environment has.
pub(crate) async fn model(client: &Client, config: &Config, named: Option<String>) -> Result<String, Error> {
    let (registry, env) = (client.registry(), client.env());
    if let Some(model) = named {
        // A provider's name alone means its default model.
        return Ok(match registry.get(&model) {
            Ok(provider) if !model.contains('/') => match provider.default_model(env) {
                Some(default) => format!("{model}/{default}"),
                None => model,
            },
            _ => return in_words(client, config, model),
        });
    }
    if config.model.is_some() || config.provider.is_some() {
        // The client knows both.
        return in_words(client, config, String::new());
    }
    for id in registry.ids() {
        if let Ok(provider) = registry.get(&id)
            && provider.dialect().is_some()
            && provider.has_key(env)
            && let Some(model) = provider.default_model(env)
        {
            return Ok(format!("{id}/{model}"));
        }
    }
    // A file of keys that cannot be used is not the same as no key.
    if let Some(file) = key_file() {
        file.read()?;
    }
    if let Some(model) = first_local_model(env.clone()).await {
        notice(&format!("No key is set; asking the local Ollama ({model})."));
        return Ok(format!("ollama/{model}"));
    }
    notice(
        "No key is set (OPENAI_API_KEY, ANTHROPIC_API_KEY, …) and no local Ollama answers: this is the built-in simulator.",
    );
    Ok(format!("{SIMULATOR}/simulated"))
}

/// A model as it is called from now on: `provider/model`, or a name of the configuration's, which stands for one or
/// several.
fn in_words(client: &Client, config: &Config, model: String) -> Result<String, Error> {
    let own = |name: &str| config.aliases.contains_key(name) || config.routes.contains_key(name);
    let wanted = if model.is_empty() { config.model.clone().unwrap_or_default() } else { model };
    if own(&wanted) {
        return Ok(wanted);
    }
    match client.resolve(&wanted) {
        Ok((provider, model)) => Ok(format!("{provider}/{model}")),
        Err(error) => {
            let names = config.aliases.keys().chain(config.routes.keys()).map(String::as_str);
            match nearest(&wanted, names) {
                Some(near) if !wanted.contains('/') => {
                    let message = format!("there is no model {wanted:?} in the configuration; did you mean {near:?}?");
                    Err(Error::new(ErrorKind::Configuration, message))
                }
                _ => Err(error),
            }
        }
    }
}

/// The first model that a local Ollama has, if one answers at once.
async fn first_local_model(env: Env) -> Option<String> {
    let client = Client::builder().env(env).timeout(Duration::from_millis(300)).build().ok()?;
    client.models("ollama").await.ok()?.into_iter().next().map(|model| model.id)
}
