//! What is refused, at the paths of each dialect: with the right status, in the shape in which that dialect's clients read
//! errors, and with nothing of what was sent in it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, Method};
use http_body_util::Full;
use sabir::layers::{Budget, Limit, Limits, Receipts, Spend, Stack, Window};
use sabir::prices::{ModelPrices, Overlay, Price, Prices, Rates, Usd};
use sabir::{Client, Env, Provider, Registry};
use sabir_gateway::{Gateway, Keys, VirtualKey};
use sabir_sim::Simulator;
use serde_json::Value;

/// A dialect: a path, a body that asks `sim/a`, and what is there in each of its errors.
struct Spoken {
    path: &'static str,
    body: &'static str,
    shape: &'static [&'static str],
    /// Its own status where the usual one is another: `(usual, own)`.
    other: &'static [(u16, u16)],
}

const OPENAI: &[&str] = &["/error/message", "/error/type"];
const ANTHROPIC: &[&str] = &["/error/message", "/error/type", "/type"];
const GEMINI: &[&str] = &["/error/message", "/error/status"];
const BEDROCK: &[&str] = &["/message", "/__type"];
/// AWS has no 401, and a quota is a 400 (Bedrock Runtime API reference, common errors and Converse).
const OF_AWS: &[(u16, u16)] = &[(401, 403), (429, 400)];

/// Nothing left to pay with (Anthropic's `billing_error`; Ollama's cloud).
const PAID: &[(u16, u16)] = &[(429, 402)];

const SPOKEN: [Spoken; 16] = [
    Spoken {
        path: "/v1/chat/completions",
        body: r#"{"model":"sim/a","max_tokens":9,"messages":[{"role":"user","content":"pepper"}]}"#,
        shape: OPENAI,
        other: &[],
    },
    Spoken {
        path: "/v1/completions",
        body: r#"{"model":"sim/a","max_tokens":9,"prompt":"pepper"}"#,
        shape: OPENAI,
        other: &[],
    },
    Spoken {
        path: "/v1/responses",
        body: r#"{"model":"sim/a","max_output_tokens":9,"input":"pepper"}"#,
        shape: OPENAI,
        other: &[],
    },
    Spoken { path: "/v1/embeddings", body: r#"{"model":"sim/a","input":"pepper"}"#, shape: OPENAI, other: &[] },
    Spoken {
        path: "/v1/messages",
        body: r#"{"model":"sim/a","max_tokens":9,"messages":[{"role":"user","content":"pepper"}]}"#,
        shape: ANTHROPIC,
        other: PAID,
    },
    Spoken {
        path: "/v1beta/models/sim%2Fa:generateContent",
        body: r#"{"contents":[{"parts":[{"text":"pepper"}]}],"generationConfig":{"maxOutputTokens":9}}"#,
        shape: GEMINI,
        other: &[],
    },
    Spoken {
        path: "/v1beta/models/sim%2Fa:embedContent",
        body: r#"{"content":{"parts":[{"text":"pepper"}]}}"#,
        shape: GEMINI,
        other: &[],
    },
    Spoken {
        path: "/api/chat",
        body: r#"{"model":"sim/a","messages":[{"role":"user","content":"pepper"}],"options":{"num_predict":9}}"#,
        shape: &["/error"],
        other: PAID,
    },
    Spoken {
        path: "/api/generate",
        body: r#"{"model":"sim/a","prompt":"pepper","options":{"num_predict":9}}"#,
        shape: &["/error"],
        other: PAID,
    },
    Spoken { path: "/api/embed", body: r#"{"model":"sim/a","input":"pepper"}"#, shape: &["/error"], other: &[] },
    Spoken {
        path: "/v2/chat",
        body: r#"{"model":"sim/a","max_tokens":9,"messages":[{"role":"user","content":"pepper"}]}"#,
        shape: &["/message"],
        other: PAID,
    },
    Spoken {
        path: "/v1/chat",
        body: r#"{"model":"sim/a","max_tokens":9,"message":"pepper"}"#,
        shape: &["/message"],
        other: PAID,
    },
    Spoken {
        path: "/v2/rerank",
        body: r#"{"model":"sim/a","query":"pepper","documents":["salt"]}"#,
        shape: &["/message"],
        other: &[],
    },
    Spoken {
        path: "/v1/rerank",
        body: r#"{"model":"sim/a","query":"pepper","documents":["salt"]}"#,
        shape: &["/detail"],
        other: &[],
    },
    Spoken {
        path: "/model/sim%2Fa/converse",
        body: r#"{"messages":[{"role":"user","content":[{"text":"pepper"}]}],"inferenceConfig":{"maxTokens":9}}"#,
        shape: BEDROCK,
        other: OF_AWS,
    },
    Spoken {
        path: "/generate",
        body: r#"{"model":"sim/a","inputs":"pepper","parameters":{"max_new_tokens":9}}"#,
        shape: &["/error", "/error_type"],
        // Text Generation Inference has 422 for what does not hold.
        other: &[(400, 422), (429, 402)],
    },
];

/// Asks, and gives status, headers and the answer as it is.
async fn ask(
    gateway: &Gateway,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, HeaderMap, Bytes) {
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a request");
    let (head, mut pieces) = gateway.answer(request).await.into_parts();
    let mut answer = Vec::new();
    while let Some(piece) = pieces.next().await {
        answer.extend_from_slice(&piece.expect("a piece"));
    }
    (head.status.as_u16(), head.headers, answer.into())
}

impl Spoken {
    /// Holds a refusal against what it must be.
    fn check(&self, what: &str, usual: u16, says: &str, (status, headers, answer): &(u16, HeaderMap, Bytes)) {
        let text = String::from_utf8_lossy(answer);
        let about = format!("{what} at {}: {status} {text}", self.path);
        let own = self.other.iter().find(|(of, _)| *of == usual).map_or(usual, |(_, own)| *own);
        assert_eq!(*status, own, "{about}");
        let json: Value = serde_json::from_slice(answer).unwrap_or_else(|_| panic!("{about}"));
        for field in self.shape {
            assert!(json.pointer(field).is_some_and(Value::is_string), "{field}, {about}");
        }
        assert_eq!(headers["content-type"], "application/json", "{about}");
        assert!(text.contains(says), "{says}, {about}");
        assert!(!text.contains("pepper") && !text.contains("sk-sabir-guess"), "{about}");
        assert!(headers.contains_key("x-sabir-request-id"), "{about}");
    }
}

fn client(stack: Stack) -> Client {
    Client::builder().env(Env::none()).service("sim", Simulator::new()).stack(stack).build().expect("a client")
}

#[tokio::test]
async fn every_refusal_is_told_in_the_clients_dialect() {
    let keys = Keys::new();
    let issue = |key: VirtualKey| keys.issue(key).expect("a key").expose().to_owned();
    let good = issue(VirtualKey::new("good"));
    let narrow = issue(VirtualKey::new("narrow").models(["sim/b"]));
    let old = issue(VirtualKey::new("old").expires(SystemTime::UNIX_EPOCH));
    let gateway = Gateway::new(client(Stack::new())).keys(keys.clone()).longest_body(600);
    for spoken in &SPOKEN {
        let key = [("x-api-key", good.as_str())];
        let post = |path: &str, headers: &[(&str, &str)], body: &str| {
            let (gateway, path, body) = (gateway.clone(), path.to_owned(), body.to_owned());
            let headers: Vec<(String, String)> =
                headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            async move {
                let headers: Vec<(&str, &str)> =
                    headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                ask(&gateway, Method::POST, &path, &headers, &body).await
            }
        };
        let (path, body) = (spoken.path, spoken.body);
        let answered = post(path, &key, body).await;
        assert_eq!(answered.0, 200, "{path}: {}", String::from_utf8_lossy(&answered.2));
        spoken.check("no key", 401, "no key was sent", &post(path, &[], body).await);
        spoken.check("a wrong key", 401, "not known", &post(path, &[("x-api-key", "sk-sabir-guess")], body).await);
        spoken.check("an expired key", 401, "expired", &post(path, &[("x-api-key", &old)], body).await);
        spoken.check("another model", 403, "it may ask sim/b", &post(path, &[("x-api-key", &narrow)], body).await);
        let broken = body.replacen('{', "{\n", 1).replacen(':', ":]", 1);
        spoken.check("no JSON", 400, "line 2 column", &post(path, &key, &broken).await);
        let long = format!("{body}{}", " ".repeat(600));
        spoken.check("a long body", 413, "600 bytes", &post(path, &key, &long).await);
        let packed = [key[0], ("content-encoding", "gzip")];
        spoken.check("a packed body", 415, "compressed", &post(path, &packed, body).await);
        let nobodys = (path.replace("sim%2F", "sin%2F"), body.replace("sim/a", "sin/a"));
        spoken.check("a model of nobody", 404, "did you mean", &post(&nobodys.0, &key, &nobodys.1).await);
        let got = ask(&gateway, Method::GET, path, &key, "").await;
        // A list of models is asked for so.
        if got.0 != 404 || !path.contains("/models/") {
            spoken.check("another method", 405, "ask by POST", &got);
            assert_eq!(got.1["allow"], "POST");
        }
    }
}

#[tokio::test]
async fn limits_and_budgets_are_told_in_the_clients_dialect() {
    let hour = Duration::from_secs(3_600);
    let limits = Limits::default().refuse().limit(Limit::requests(1, hour).together());
    let limited = Gateway::new(client(Stack::new().limits(limits)));
    let standard = Rates { input: Some(Price(1_000_000_000)), output: Some(Price(1_000_000_000)), ..Rates::default() };
    let models = [("sim/*".to_owned(), ModelPrices { standard, ..ModelPrices::default() })].into();
    let receipts = Receipts::new(Prices::default().with(Overlay { version: None, models }));
    let nothing = Spend::by(&receipts).budget(Budget::per(Window::day(), Usd(1)).named("pocket money"));
    let spent = Gateway::new(client(Stack::new().spend(nothing)));
    assert_eq!(ask(&limited, Method::POST, SPOKEN[0].path, &[], SPOKEN[0].body).await.0, 200);
    for spoken in &SPOKEN {
        let refused = ask(&limited, Method::POST, spoken.path, &[], spoken.body).await;
        Spoken { other: &[], ..*spoken }.check("a limit", 429, "1 requests", &refused);
        let wait: u64 = refused.1["retry-after"].to_str().expect("text").parse().expect("seconds");
        assert!((1..=3_600).contains(&wait), "{wait}");
        let refused = ask(&spent, Method::POST, spoken.path, &[], spoken.body).await;
        spoken.check("a budget", 429, "pocket money", &refused);
    }
}

#[tokio::test]
async fn a_path_of_nobody_is_told_in_the_dialect_that_it_looks_like() {
    let gateway = Gateway::new(client(Stack::new()));
    for (path, headers, shape) in [
        ("/v1/chat/completion", &[][..], OPENAI),
        ("/v1/message", &[("anthropic-version", "2023-06-01")], ANTHROPIC),
        ("/v1beta/models/m:generateContents", &[], GEMINI),
        ("/api/chats", &[], &["/error"]),
        ("/v2/chats", &[], &["/message"]),
        ("/model/m/convers", &[], BEDROCK),
    ] {
        for method in [Method::POST, Method::DELETE] {
            let spoken = Spoken { path, body: "", shape, other: &[] };
            let refused = ask(&gateway, method, path, headers, "{}").await;
            spoken.check("a path of nobody", 404, "nothing is served at", &refused);
            let said = String::from_utf8_lossy(&refused.2);
            assert!(!said.contains("model_not_found"), "it is no model that is missing: {said}");
        }
    }
}

#[tokio::test]
async fn who_needs_a_key_is_not_told_where_a_provider_stands() {
    let registry = Registry::empty();
    let provider = Provider::custom("inner", "openai-chat", "http://127.0.0.1:1/v1").expect("a provider");
    registry.register(provider.key("k"));
    let client = Client::builder().env(Env::none()).registry(registry).build().expect("a client");
    let keys = Keys::new();
    let key = keys.issue(VirtualKey::new("ada")).expect("a key");
    let key = [("x-api-key", key.expose())];
    let closed = Gateway::new(client).keys(keys);
    for spoken in &SPOKEN {
        let at = |text: &str| text.replace("sim%2F", "inner%2F").replace("sim/", "inner/");
        let (status, _, answer) = ask(&closed, Method::POST, &at(spoken.path), &key, &at(spoken.body)).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(status >= 400 && !answer.contains("127.0.0.1"), "{}: {status} {answer}", spoken.path);
    }
    let (status, _, answer) =
        ask(&closed, Method::POST, SPOKEN[0].path, &key, &SPOKEN[0].body.replace("sim/", "inner/")).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(status == 502 && answer.contains("inner cannot be reached"), "{answer}");
}
