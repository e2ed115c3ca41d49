//! The real services: one cheap call each of chat, stream, tools and structured output, of every provider whose key is
//! in the environment. Run by `scripts/test-live`; nothing here runs without a key.

use sabir::chat::{ResponseFormat, Tool, ToolChoice};
use sabir::{ChatRequest, Client, Env, ErrorKind, Registry, Result};
use serde_json::{Value, json};

#[tokio::test]
#[ignore = "spends money: run by scripts/test-live"]
async fn every_provider_with_a_key_answers() {
    let (registry, env) = (Registry::new(), Env::process());
    let client = Client::builder().registry(registry.clone()).env(env.clone()).build().expect("a client");
    let mut failures = Vec::new();
    let mut asked = 0;
    for row in sabir::dialects::providers::rows() {
        let Ok(provider) = registry.get(row.id) else { continue };
        let model = if row.cheap_model.is_empty() { row.model } else { row.cheap_model };
        if !provider.has_key(&env) || model.is_empty() || row.dialect.is_empty() {
            continue;
        }
        asked += 1;
        let model = format!("{}/{model}", row.id);
        for (what, outcome) in [
            ("chat", chat(&client, &model).await),
            ("stream", stream(&client, &model).await),
            ("tools", tools(&client, &model).await),
            ("structured output", structured(&client, &model).await),
        ] {
            match outcome {
                Ok(()) => println!("{model}: {what} ok"),
                // What a provider says it cannot do is no failure of ours.
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    println!("{model}: {what} not supported: {error}");
                }
                Err(error) => failures.push(format!("{model}: {what}: {error}")),
            }
        }
    }
    println!("{asked} providers asked");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn ask(model: &str, text: &str) -> ChatRequest {
    ChatRequest::new(model).user(text).max_tokens(2_000)
}

async fn chat(client: &Client, model: &str) -> Result<()> {
    let answer = client.chat(ask(model, "Say the word harbour.")).await?;
    assert!(!answer.text().is_empty() && answer.usage.output_total() > Some(0), "{model}: {answer:?}");
    Ok(())
}

async fn stream(client: &Client, model: &str) -> Result<()> {
    let mut stream = client.stream(ask(model, "Count from one to five.")).await?;
    let mut items = Vec::new();
    while let Some(item) = stream.next().await {
        items.push(item);
    }
    if let Some(Err(error)) = items.last() {
        return Err(error.clone());
    }
    if let Err(violation) = sabir_testkit::check_events(&items) {
        panic!("{model}: {violation}");
    }
    Ok(())
}

async fn tools(client: &Client, model: &str) -> Result<()> {
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] });
    let request = ask(model, "What is the weather in Valletta? Use the tool.")
        .tool(Tool::function("weather", "The weather in a city", schema))
        .tool_choice(ToolChoice::Auto);
    let answer = client.chat(request).await?;
    for call in answer.tool_calls() {
        let arguments: Value = call.parse()?;
        assert!(arguments["city"].is_string(), "{model}: {arguments}");
    }
    Ok(())
}

async fn structured(client: &Client, model: &str) -> Result<()> {
    let schema = json!({
        "type": "object",
        "properties": { "port": { "type": "string" } },
        "required": ["port"],
        "additionalProperties": false,
    });
    let format = ResponseFormat::JsonSchema { name: "port".into(), schema, description: None, strict: Some(true) };
    let answer = client.chat(ask(model, "Name a port, as JSON with the field port.").response_format(format)).await?;
    if answer.losses.is_empty() {
        let object: Value = serde_json::from_str(&answer.text()).unwrap_or_else(|e| panic!("{model}: {e}"));
        assert!(object["port"].is_string(), "{model}: {object}");
    }
    Ok(())
}
