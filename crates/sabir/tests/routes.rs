//! Names that layers give, and keys that calls bring.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sabir::layers::{KeyPool, Keys, Route, Routes};
use sabir::transport::{Body, BoxFuture, whole};
use sabir::{ChatRequest, Client, Env, ErrorKind, Result, Transport};
use sabir_sim::{Failure, Script, Simulator, Turn};

fn failing() -> Simulator {
    Simulator::scripted(Script::new().turn(Turn::error(Failure::new(503, "closed")).forever()))
}

#[tokio::test]
async fn the_name_of_a_route_is_a_model() {
    let (a, b) = (failing(), Simulator::new());
    let routes = Routes::new([
        Route::named("fast", ["a/one", "b/two"]),
        Route::named("acme/large", ["b/large"]),
        Route::named("b/small", ["b/smaller"]),
    ]);
    let builder = || Client::builder().service("a", a.clone()).service("b", b.clone()).layer(routes.clone());
    let client = builder().provider("b").model("fast").build().expect("a client");

    let answer = client.complete("Hi").await;
    assert!(answer.is_ok(), "the route is the client's own model: {answer:?}");
    let asked = |names: &Simulator| names.chats().pop().map(|chat| chat.model);
    assert_eq!((asked(&a), asked(&b)), (Some("one".into()), Some("two".into())));
    let streamed = client.stream(ChatRequest::new("fast").user("Hi")).await.expect("a stream").finish().await;
    assert_eq!(streamed.expect("an answer").attempts.len(), 1);
    for (name, model) in
        [("fast", "two"), ("route/fast", "two"), ("acme/large", "large"), ("b/small", "smaller"), ("b/fast", "fast")]
    {
        let answer = client.chat(ChatRequest::new(name).user("Hi")).await.expect(name);
        assert_eq!((answer.model.as_str(), asked(&b).as_deref()), (model, Some(model)), "{name}");
    }
    assert_eq!(client.resolve("fast").expect("it is known"), ("route".into(), "fast".into()));
    assert!(client.abilities("fast").is_ok(), "a route can be asked everything");

    // A name is known as long as its route is there.
    assert!(routes.remove("fast"));
    let client = builder().build().expect("a client");
    let error = client.chat(ChatRequest::new("fast").user("Hi")).await.expect_err("nobody knows it");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let without = Client::builder().env(Env::none()).service("b", b.clone()).build().expect("a client");
    assert!(without.chat(ChatRequest::new("acme/large").user("Hi")).await.is_err());
}

/// A transport that keeps the headers it is given.
#[derive(Clone, Debug, Default)]
struct Wire(Arc<Mutex<Vec<http::HeaderMap>>>);

impl Transport for Wire {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        self.0.lock().expect("a lock").push(request.headers().clone());
        let body = r#"{"id":"1","model":"m","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],
            "content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","role":"assistant","type":"message"}"#;
        Box::pin(async move { Ok(http::Response::new(whole(body))) })
    }
}

#[tokio::test]
async fn a_call_that_brings_a_key_needs_none_in_the_environment() {
    let wire = Wire::default();
    let sent = |header: &str| {
        let all = wire.0.lock().expect("a lock");
        all.last().and_then(|headers| Some(headers.get(header)?.to_str().expect("text").to_owned()))
    };
    let keys = || {
        let pool = || KeyPool::new([("one", "key-1"), ("two", "key-2")]);
        Keys::new().pool("openai", pool()).pool("anthropic", pool())
    };
    let bare = Client::builder().env(Env::none()).transport(wire.clone()).build().expect("a client");
    let client = bare.with_layer(keys());
    let ask = |model: &str| ChatRequest::new(model).user("Hi").max_tokens(9);
    for key in ["Bearer key-1", "Bearer key-2", "Bearer key-1"] {
        client.chat(ask("openai/m")).await.expect("an answer");
        assert_eq!(sent("authorization").as_deref(), Some(key));
    }
    client.chat(ask("openai:openai-responses/m")).await.ok();
    assert_eq!(sent("authorization").as_deref(), Some("Bearer key-2"), "another dialect, the same account");
    client.chat(ask("anthropic/m")).await.expect("an answer");
    assert_eq!((sent("x-api-key").as_deref(), sent("authorization")), (Some("key-1"), None));
    let error = bare.chat(ask("openai/m")).await.expect_err("without the layer a key is wanted");
    assert_eq!(error.kind(), ErrorKind::Configuration);

    // A key in the environment is for calls that bring none; a bearer token there changes nothing for those that do.
    let env = [("OPENAI_API_KEY", "from-env"), ("ANTHROPIC_AUTH_TOKEN", "token")];
    let both = Client::builder().env(env.into_iter().collect()).transport(wire.clone()).build().expect("a client");
    for _ in 0..2 {
        both.chat(ask("openai/m")).await.expect("an answer");
        assert_eq!(sent("authorization").as_deref(), Some("Bearer from-env"));
        both.with_layer(keys()).chat(ask("openai/m")).await.expect("an answer");
        assert_eq!(sent("authorization").as_deref(), Some("Bearer key-1"));
        both.with_layer(keys()).chat(ask("anthropic/m")).await.expect("an answer");
        assert_eq!((sent("x-api-key").as_deref(), sent("authorization")), (Some("key-1"), None));
    }
}
