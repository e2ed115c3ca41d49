//! Who is asked, with which key, and what is said when that is not clear.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sabir::transport::{Body, BoxFuture, whole};
use sabir::{Client, Env, ErrorKind, Provider, Registry, Result, Stage, Transport};
use sabir_sim::Simulator;

/// A transport that keeps what it is given and answers like a chat service.
#[derive(Clone, Debug, Default)]
struct Wire(Arc<Mutex<Vec<http::Request<Bytes>>>>);

impl Transport for Wire {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        self.0.lock().expect("a lock").push(request);
        let body = r#"{"id":"1","model":"m","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}"#;
        Box::pin(async move { Ok(http::Response::new(whole(body))) })
    }
}

impl Wire {
    /// URL, `authorization` and body of the last request.
    fn last(&self) -> (String, String, String) {
        let sent = self.0.lock().expect("a lock");
        let request = sent.last().expect("a request");
        let key = request.headers().get("authorization").map_or("", |v| v.to_str().expect("text")).to_owned();
        (request.uri().to_string(), key, String::from_utf8_lossy(request.body()).into_owned())
    }
}

fn env() -> Env {
    [
        ("OPENAI_API_KEY", "from-env"),
        ("GROQ_API_KEY", "groq-env"),
        ("GROQ_MODEL", "env-model"),
        ("GROQ_BASE_URL", "https://groq.test/v1"),
    ]
    .into_iter()
    .collect()
}

#[tokio::test]
async fn what_is_set_wins_over_the_environment_and_that_over_the_row() {
    let wire = Wire::default();
    let client = Client::builder().env(env()).transport(wire.clone()).build().expect("a client");
    client.chat(sabir::ChatRequest::new("openai/some/model").user("hi")).await.expect("an answer");
    let (url, key, body) = wire.last();
    assert_eq!((url.as_str(), key.as_str()), ("https://api.openai.com/v1/chat/completions", "Bearer from-env"));
    assert!(body.starts_with(r#"{"model":"some/model""#), "{body}");

    let client = Client::builder().env(env()).transport(wire.clone()).provider("groq").build().expect("a client");
    client.complete("hi").await.expect("an answer");
    let (url, key, body) = wire.last();
    assert_eq!((url.as_str(), key.as_str()), ("https://groq.test/v1/chat/completions", "Bearer groq-env"));
    assert!(body.starts_with(r#"{"model":"env-model""#), "{body}");

    let client = Client::builder()
        .env(env())
        .transport(wire.clone())
        .model("groq/mine")
        .key("explicit")
        .base_url("https://mine.test/v9/")
        .header("x-team", "blue")
        .build()
        .expect("a client");
    client.complete("hi").await.expect("an answer");
    let (url, key, _) = wire.last();
    assert_eq!((url.as_str(), key.as_str()), ("https://mine.test/v9/chat/completions", "Bearer explicit"));
    assert_eq!(wire.0.lock().expect("a lock").last().expect("a request").headers()["x-team"], "blue");
}

#[tokio::test]
async fn what_is_unclear_is_said_before_anything_is_sent() {
    let wire = Wire::default();
    let client = Client::builder().env(Env::none()).transport(wire.clone()).build().expect("a client");
    let cases = [
        ("openai/gpt-6-luna", "OPENAI_API_KEY"),
        ("opnai/gpt-6-luna", "did you mean \"openai\"?"),
        ("gpt-6-luna", "Write provider/gpt-6-luna, for example openai/gpt-6-luna"),
        ("", "no model is set"),
        ("custom/x", "base URL"),
        ("nonsense-that-is-far-from-all/x", "register it"),
    ];
    for (model, says) in cases {
        let error = client.chat(sabir::ChatRequest::new(model).user("hi")).await.expect_err(model);
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Configuration, Stage::NotSent), "{model}: {error}");
        assert!(error.message().contains(says), "{model}: {error}");
        assert!(!error.is_retryable());
    }
    assert!(wire.0.lock().expect("a lock").is_empty());
    assert_eq!(Client::new("nobody/x").expect_err("unknown").kind(), ErrorKind::Configuration);
    assert!(Provider::builtin("github-models").expect_err("retired").message().contains("gone"));
    let error = Client::builder().key("k").build().expect_err("a key for whom?");
    assert!(error.message().contains(".provider("), "{error}");
    let error = Client::builder().provider("openai").header("bad name", "x").build().expect_err("no such header");
    assert!(error.message().contains("bad name"), "{error}");
}

#[tokio::test]
async fn providers_come_and_go_at_run_time() {
    let wire = Wire::default();
    let registry = Registry::empty();
    let client = Client::builder()
        .env(Env::none())
        .registry(registry.clone())
        .transport(wire.clone())
        .build()
        .expect("a client");
    assert!(client.chat(sabir::ChatRequest::new("mine/x").user("hi")).await.is_err());
    for port in [1, 2] {
        registry
            .register(Provider::custom("mine", "openai-chat", format!("http://localhost:{port}")).expect("a provider"));
        client.chat(sabir::ChatRequest::new("mine/x").user("hi")).await.expect("an answer");
        assert_eq!(wire.last().0, format!("http://localhost:{port}/chat/completions"));
    }
    assert_eq!(registry.ids(), ["mine"]);
    assert!(
        Provider::custom("x", "no-such-dialect", "http://x").expect_err("unknown").message().contains("openai-chat")
    );
}

#[tokio::test]
async fn a_stream_tells_what_the_unary_call_gives() {
    let client = Client::builder().service("sim", Simulator::new()).model("sim/any").build().expect("a client");
    let unary = client.chat("Tell me of the sea.").await.expect("an answer");
    let streamed = client.stream("Tell me of the sea.").await.expect("a stream").finish().await.expect("an answer");
    assert_eq!((&unary.parts, &unary.finish, &unary.usage), (&streamed.parts, &streamed.finish, &streamed.usage));
    assert!(unary.latency.is_some_and(|l| l.first.is_none()) && streamed.latency.is_some_and(|l| l.first.is_some()));

    let mut text = String::new();
    let mut stream = client.stream("Tell me of the sea.").await.expect("a stream");
    while let Some(delta) = stream.next_text().await {
        text.push_str(&delta.expect("text"));
    }
    assert_eq!(text, unary.text());
    assert!(stream.next().await.is_none(), "nothing follows the terminal item");
}

#[test]
fn the_blocking_client_does_the_same() {
    let client = Client::builder().service("sim", Simulator::new()).model("sim/any").build().expect("a client");
    let client = sabir::blocking::Client::from_async(client).expect("a client");
    let text = client.complete("Why is the sea salt?").expect("an answer");
    let events: Vec<_> =
        client.stream("Why is the sea salt?").expect("a stream").collect::<Result<_>>().expect("events");
    let Some(sabir::chat::Event::Done(answer)) = events.last() else { panic!("the last event is {:?}", events.last()) };
    assert_eq!(answer.text(), text);
}

#[tokio::test]
async fn a_client_is_a_tower_service() {
    use tower_service::Service as _;
    let mut client = Client::builder().service("sim", Simulator::new()).model("sim/any").build().expect("a client");
    let reply = client.call(sabir::ChatRequest::from("hi")).await.expect("a reply");
    assert!(!reply.whole().expect("a whole answer").text().is_empty());
}

#[test]
fn debug_shows_no_key() {
    let client = Client::builder()
        .env(Env::none())
        .provider("openai")
        .key("sk-very-secret-key-1234")
        .header("x-token", "hush-hush")
        .build();
    let shown = format!("{client:?}");
    assert!(!shown.contains("very-secret") && !shown.contains("hush-hush"), "{shown}");
}
