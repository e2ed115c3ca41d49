//! What a model refuses is not sent to it, whatever dialect it is asked in, and is said.

use sabir::chat::{Effort, Tool, ToolChoice};
use sabir::drive::encode;
use sabir::transport::{Body, BoxFuture};
use sabir::{ChatRequest, Client, Env, ErrorKind, Provider, Result, Transport};
use serde_json::{Value, json};

/// What is sent to a built-in provider, and the paths of what is lost.
fn sent(provider: &str, request: &ChatRequest) -> (Value, Vec<String>) {
    let provider = Provider::builtin(provider).expect("built in");
    let endpoint = provider.endpoint_without_key(&Env::none()).expect("it has a base URL");
    let encoded =
        encode(provider.dialect().expect("it has models that chat"), request, &endpoint).expect("it can be sent");
    let body = serde_json::from_slice(&encoded.body).expect("JSON");
    (body, encoded.losses.into_iter().map(|loss| loss.path).collect())
}

fn ask(model: &str) -> ChatRequest {
    let tool = Tool::function("f", "Does it.", json!({"type": "object", "properties": {}}));
    ChatRequest::new(model).user("hi").tool(tool)
}

#[test]
fn claude_gets_what_it_takes() {
    let asked = ask("claude-sonnet-5-5").temperature(0.5).tool_choice(ToolChoice::Required).effort(Effort::None);
    let (body, lost) = sent("anthropic", &asked);
    assert_eq!(lost, ["reasoning", "temperature", "tool_choice"]);
    assert_eq!(body.get("temperature"), None);
    assert_eq!(body["tool_choice"], json!({"type": "auto"}));
    assert_eq!(body["thinking"], json!({"type": "adaptive"}));
    assert_eq!(body["output_config"], json!({"effort": "low"}));
    assert_eq!(body["max_tokens"], 32_000);

    let (body, lost) = sent("anthropic", &ask("claude-haiku-4-5").temperature(0.5).effort(Effort::Low));
    assert_eq!((lost, &body["temperature"]), (vec!["reasoning.effort".to_owned()], &json!(0.5)));
    assert_eq!(body["thinking"], json!({"type": "enabled", "budget_tokens": 1024}));
    assert_eq!(body.get("output_config"), None);
    assert_eq!(sent("anthropic", &ask("claude-3-5-sonnet-20241022")).0["max_tokens"], 8192, "the model's own limit");
    assert_eq!(sent("anthropic", &ask("claude-unheard-of")).0["max_tokens"], 4096);
}

#[test]
fn gpt_gets_what_it_takes() {
    let (body, lost) = sent("openai", &ask("gpt-6.1-sol").temperature(0.5).effort(Effort::None));
    assert_eq!(
        (lost, &body["reasoning_effort"]),
        (vec!["reasoning".to_owned(), "temperature".to_owned()], &json!("low"))
    );
    let quiet = ask("gpt-6-luna").temperature(0.5).effort(Effort::None);
    let (body, lost) = sent("openai", &quiet);
    assert_eq!((lost.len(), &body["temperature"], &body["reasoning_effort"]), (0, &json!(0.5), &json!("none")));
}

#[test]
fn functions_or_thoughts() {
    let thinking = ask("gpt-5.6").effort(Effort::High);
    for asked in [ask("gpt-5.6"), thinking] {
        let (body, lost) = sent("openai", &asked);
        assert_eq!((lost, &body["reasoning_effort"]), (vec!["reasoning".to_owned()], &json!("none")));
    }
    let quiet = ask("gpt-5.6").effort(Effort::None);
    let toolless = ChatRequest { tools: Vec::new(), ..ask("gpt-5.6") }.effort(Effort::High);
    for (asked, effort) in [(quiet, "none"), (toolless, "high")] {
        let (body, lost) = sent("openai", &asked);
        assert_eq!((lost.len(), &body["reasoning_effort"]), (0, &json!(effort)));
    }
    assert_eq!(sent("openai", &ask("gpt-6-luna")).0.get("reasoning_effort"), None);
}

/// A transport that must not be used.
#[derive(Debug)]
struct Unused;

impl Transport for Unused {
    fn send(&self, _: http::Request<bytes::Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        panic!("nothing is to be sent")
    }
}

#[tokio::test]
async fn what_cannot_be_is_said_before_anything_is_sent() {
    let client = Client::builder().env(Env::none()).key("k").transport(Unused).model("anthropic/claude-opus-5-5");
    let client = client.build().expect("a client");
    let strict = ChatRequest::default().user("hi").temperature(0.5).strict();
    let prefilled = ChatRequest::default().user("hi").assistant("Well,");
    for (asked, why) in [(strict, "claude-opus-5-5 takes no sampling parameters"), (prefilled, "does not go on from")] {
        let error = client.chat(asked).await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn what_is_known_can_be_asked_for() {
    assert_eq!(sabir::traits("anthropic", "claude-opus-5-5").sampling, Some(false));
    assert_eq!(sabir::traits("custom", "claude-opus-5-5"), sabir::ModelTraits::default());
}
