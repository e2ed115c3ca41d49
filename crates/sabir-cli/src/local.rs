//! Which model answers when none is named: what the configuration says, else the first provider with a key, else a local
//! Ollama, else the simulator.

use std::time::Duration;

use sabir::config::Config;
use sabir::{Client, ClientBuilder, Env, Error, Registry};

use crate::output::notice;

/// The id under which the built-in simulator can be called.
pub(crate) const SIMULATOR: &str = "sim";

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
    let env = Env::process();
    let registry = Registry::new();
    registry.register_service(SIMULATOR, sabir_sim::Simulator::new());
    let builder = Client::builder().registry(registry.clone()).env(env.clone());
    let client = below(builder).config(config)?.build()?;
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
