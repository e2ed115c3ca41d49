//! Which model answers when none is named: the first provider with a key, else a local Ollama, else the simulator.

use std::time::Duration;

use bytes::Bytes;
use sabir::transport::{Timeouts, Transport};
use sabir::{Client, Env, Error, Registry};

use crate::output::notice;

/// The id under which the built-in simulator can be called.
pub(crate) const SIMULATOR: &str = "sim";

/// A client, and the model that it is to use.
pub(crate) async fn client(model: Option<String>) -> Result<(Client, String), Error> {
    let env = Env::process();
    let registry = Registry::new();
    registry.register_service(SIMULATOR, sabir_sim::Simulator::new());
    let client = Client::builder().registry(registry.clone()).env(env.clone()).build()?;
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
    for id in registry.ids() {
        if let Ok(provider) = registry.get(&id)
            && provider.has_key(&env)
            && let Some(model) = provider.default_model(&env)
        {
            return Ok((client, format!("{id}/{model}")));
        }
    }
    if let Some(model) = first_local_model(&registry, &env).await {
        notice(&format!("No key is set; asking the local Ollama ({model})."));
        return Ok((client, format!("ollama/{model}")));
    }
    notice(
        "No key is set (OPENAI_API_KEY, ANTHROPIC_API_KEY, …) and no local Ollama answers: this is the built-in simulator.",
    );
    Ok((client, format!("{SIMULATOR}/simulated")))
}

/// The first model that a local Ollama has, if one answers at once.
async fn first_local_model(registry: &Registry, env: &Env) -> Option<String> {
    let endpoint = registry.get("ollama").ok()?.endpoint(env).ok()?;
    let mut request = http::Request::get(endpoint.url("/models").ok()?).body(Bytes::new()).ok()?;
    let limit = Some(Duration::from_millis(300));
    request.extensions_mut().insert(Timeouts { connect: limit, first_byte: limit, idle: limit, total: limit });
    let transport = sabir::http::HttpTransport::new().ok()?;
    let mut body = transport.send(request).await.ok()?.into_body();
    let mut all = Vec::new();
    while let Some(piece) = std::future::poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        all.extend_from_slice(&piece.ok()?);
        if all.len() > 1 << 20 {
            return None;
        }
    }
    let list: serde_json::Value = serde_json::from_slice(&all).ok()?;
    Some(list.pointer("/data/0/id")?.as_str()?.to_owned())
}
