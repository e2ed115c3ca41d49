//! A provider by its aliases and dialects: what a key may, what limits count and what headers and reports say is of one.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Response, StatusCode};
use http_body_util::Full;
use sabir::config::{Format, Loader};
use sabir::ledger::MemoryLedger;
use sabir::transport::{Body, BoxFuture, whole};
use sabir::{Client, Env, Result, Transport};
use sabir_gateway::Gateway;

const ANSWER: &str = r#"{"id":"1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}"#;

/// Counts what it is asked.
#[derive(Clone, Debug, Default)]
struct Wire(Arc<Mutex<usize>>);

impl Transport for Wire {
    fn send(&self, _: http::Request<Bytes>) -> BoxFuture<'_, Result<Response<Body>>> {
        *self.0.lock().expect("free") += 1;
        Box::pin(async { Ok(Response::new(whole(ANSWER))) })
    }
}

/// A gateway of a configuration, whose keys are `k` and what `said` has.
fn gateway(said: &str) -> Gateway {
    let config = format!(
        "[retry]\nmax_attempts = 1\n[limits]\nmax_wait = \"0s\"\n[providers.anthropic]\napi_key = \"sk-a\"\n{said}"
    );
    let config = Loader::new().text("sabir.toml", &config, Format::Toml).load();
    let config = config.unwrap_or_else(|faults| panic!("{faults}"));
    let client = Client::builder().env(Env::none()).transport(Wire::default()).config(&config).expect("keys");
    let client = client.ledger(Arc::new(MemoryLedger::default())).build().expect("a client");
    Gateway::from_config(client, &config).expect("a gateway")
}

async fn ask(gateway: &Gateway, key: &str, method: &str, path: &str, body: String) -> (StatusCode, String, String) {
    let request = http::Request::builder().method(method).uri(path).header("x-api-key", key);
    let answer = gateway.answer(request.body(Full::new(Bytes::from(body))).expect("a request")).await;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let said = headers.get("x-sabir-provider").map_or("", |said| said.to_str().expect("text")).to_owned();
    let pieces: Vec<_> = answer.into_body().collect().await;
    let text = pieces.into_iter().map(|piece| String::from_utf8_lossy(&piece.expect("text")).into_owned()).collect();
    (status, said, text)
}

async fn chat(gateway: &Gateway, key: &str, model: &str) -> (StatusCode, String) {
    let body = format!(r#"{{"model":"{model}","max_tokens":9,"messages":[{{"role":"user","content":"Hi"}}]}}"#);
    let (status, provider, _) = ask(gateway, key, "POST", "/v1/messages", body).await;
    (status, provider)
}

const NAMES: [&str; 3] = ["anthropic", "claude", "claude:messages"];

#[tokio::test]
async fn a_key_may_ask_a_provider_by_all_its_names_or_by_none() {
    let gateway = gateway(
        "[gateway.keys.ada]\nkey = \"k-ada\"\nmodels = [\"anthropic/*\"]\n\
         [gateway.keys.bob]\nkey = \"k-bob\"\nmodels = [\"claude/*\"]\n\
         [gateway.keys.eve]\nkey = \"k-eve\"\nmodels = [\"openai/*\", \"cl*\"]\n",
    );
    for name in NAMES {
        let model = format!("{name}/claude-haiku-4-5");
        for key in ["k-ada", "k-bob"] {
            let (status, provider) = chat(&gateway, key, &model).await;
            assert_eq!((status.as_u16(), provider.as_str()), (200, "anthropic"), "{key} {model}");
        }
    }
    assert_eq!(chat(&gateway, "k-eve", "anthropic/claude-haiku-4-5").await.0, 403);
}

#[tokio::test]
async fn a_limit_of_a_provider_is_not_evaded_by_another_name_of_it() {
    for first in 0..NAMES.len() {
        let gateway = gateway(
            "limits = { requests_per_minute = 1 }\n[gateway]\nraw = true\n[gateway.keys.ada]\nkey = \"k-ada\"\nraw = true\n",
        );
        for turn in 0..NAMES.len() {
            let model = format!("{}/claude-haiku-4-5", NAMES[(first + turn) % NAMES.len()]);
            let (status, _) = chat(&gateway, "k-ada", &model).await;
            assert_eq!(status == 200, turn == 0, "{model}: {status}");
        }
        for name in NAMES {
            let body = r#"{"model":"claude-haiku-4-5","max_tokens":9,"messages":[]}"#.to_owned();
            for path in ["v1/messages", "v1/files"] {
                let (status, ..) = ask(&gateway, "k-ada", "POST", &format!("/raw/{name}/{path}"), body.clone()).await;
                assert_eq!(status, 429, "{name} {path}");
            }
        }
    }
}

#[tokio::test]
async fn usage_is_of_one_provider_and_asked_for_by_any_name() {
    let gateway = gateway("[gateway.keys.ada]\nkey = \"k-ada\"\nraw = true\n");
    for name in NAMES {
        assert_eq!(chat(&gateway, "k-ada", &format!("{name}/claude-haiku-4-5")).await.0, 200);
        let (status, ..) = ask(&gateway, "k-ada", "POST", &format!("/raw/{name}/v1/files"), "{}".to_owned()).await;
        assert_eq!(status, 200, "{name}");
    }
    for of in ["", "&provider=anthropic", "&provider=claude"] {
        let (_, _, text) = ask(&gateway, "k-ada", "GET", &format!("/v1/usage?by=provider{of}"), String::new()).await;
        assert!(text.contains("anthropic") && !text.contains("claude") && text.contains("\"attempts\":6"), "{text}");
    }
}
