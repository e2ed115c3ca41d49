//! Which model answers when none is named: what the configuration says, else the first provider with a key, else a local
//! Ollama, else the simulator.

use std::sync::OnceLock;
use std::time::Duration;

use sabir::config::{Config, KeyFile};
use sabir::{Client, Env, Error, Registry};

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
    let env = env();
    let registry = Registry::new();
    registry.register_service(SIMULATOR, sabir_sim::Simulator::new());
    let client = Client::builder().registry(registry.clone()).env(env.clone()).config(config)?.build()?;
    if let Some(model) = model {
        // A provider's name alone means its default model.
        let whole = match registry.get(&model) {
            Ok(provider) if !model.contains('/') => match provider.default_model(&env) {
                Some(default) => format!("{model}/{default}"),
                None => model,
            },
            _ => model,
        };
        return Ok((client, whole));
    }
    if config.model.is_some() || config.provider.is_some() {
        // The client knows both.
        return Ok((client, String::new()));
    }
    for id in registry.ids() {
        if let Ok(provider) = registry.get(&id)
            && provider.dialect().is_some()
            && provider.has_key(&env)
            && let Some(model) = provider.default_model(&env)
        {
            return Ok((client, format!("{id}/{model}")));
        }
    }
    // A file of keys that cannot be used is not the same as no key.
    if let Some(file) = key_file() {
        file.read()?;
    }
    if let Some(model) = first_local_model(env).await {
        notice(&format!("No key is set; asking the local Ollama ({model})."));
        return Ok((client, format!("ollama/{model}")));
    }
    notice(
        "No key is set (OPENAI_API_KEY, ANTHROPIC_API_KEY, …) and no local Ollama answers: this is the built-in simulator.",
    );
    Ok((client, format!("{SIMULATOR}/simulated")))
}

/// The first model that a local Ollama has, if one answers at once.
async fn first_local_model(env: Env) -> Option<String> {
    let client = Client::builder().env(env).timeout(Duration::from_millis(300)).build().ok()?;
    client.models("ollama").await.ok()?.into_iter().next().map(|model| model.id)
}
