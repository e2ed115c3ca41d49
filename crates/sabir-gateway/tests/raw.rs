//! Raw requests: who may, what goes on, what comes back, and where it stands afterwards.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use sabir::layers::guard::{Guard, MaxSize};
use sabir::layers::{Budget, Limit, Limits, Spend, Stack, Window};
use sabir::ledger::{Dimension, Filter, Group, Ledger, MemoryLedger};
use sabir::prices::Usd;
use sabir::transport::{Body, BoxFuture, whole};
use sabir::{Client, Env, Provider, Registry, Result, Secret, Transport};
use sabir_gateway::{AccessLog, Gateway, Keys, VirtualKey};

type Sent = Arc<Mutex<Vec<http::Request<Bytes>>>>;

/// A provider that answers everything alike, and keeps what it was asked.
#[derive(Clone, Debug)]
struct Provides {
    sent: Sent,
    status: u16,
    body: &'static str,
}

impl Transport for Provides {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<Response<Body>>> {
        self.sent.lock().expect("free").push(request);
        let mut response = Response::new(whole(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).expect("a status");
        for (name, value) in [
            ("content-type", "application/json"),
            ("x-own", "1"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("set-cookie", "a=b"),
            ("x-sabir-cost", "0"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        Box::pin(async move { Ok(response) })
    }
}

struct House {
    gateway: Gateway,
    sent: Sent,
    ledger: Arc<dyn Ledger>,
    key: Secret,
}

const ANSWER: &str = r#"{"id":"c1","model":"gpt-4o-mini","choices":[{"message":{"role":"assistant","content":"No."},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2},"more":1}"#;

fn house(key: VirtualKey, status: u16, change: impl Fn(Stack, Spend) -> Stack) -> House {
    let sent = Sent::default();
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::default());
    let registry = Registry::new();
    registry.register(Provider::builtin("openai").expect("built in").key("sk-of-the-provider"));
    registry.register(Provider::builtin("gemini").expect("built in").key("sk-of-google"));
    let client = Client::builder()
        .env(Env::none())
        .registry(registry)
        .transport(Provides { sent: sent.clone(), status, body: ANSWER })
        .stack(change(Stack::standard(), Spend::default().ledger(ledger.clone())))
        .build()
        .expect("a client");
    let keys = Keys::new();
    let key = keys.issue(key).expect("a key");
    House { gateway: Gateway::new(client).keys(keys), sent, ledger, key }
}

fn spending(stack: Stack, spend: Spend) -> Stack {
    stack.spend(spend)
}

fn open() -> VirtualKey {
    let mut key = VirtualKey::new("ada");
    key.raw = true;
    key
}

impl House {
    async fn ask(
        &self,
        method: Method,
        uri: &str,
        headers: &[(&'static str, &str)],
        body: &'static str,
    ) -> Response<Body> {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from_static(body.as_bytes()))).expect("a request");
        self.gateway.answer(request).await
    }

    async fn post(&self, uri: &str, body: &'static str) -> Response<Body> {
        let key = format!("Bearer {}", self.key.expose());
        self.ask(Method::POST, uri, &[("authorization", &key), ("content-type", "application/json")], body).await
    }

    fn spent(&self) -> Vec<Group> {
        self.ledger.report(&Filter::default(), &[Dimension::Provider, Dimension::Model]).expect("a report")
    }

    fn last(&self) -> (String, HeaderMap, Bytes) {
        let (head, body) = self.sent.lock().expect("free").last().cloned().expect("it was sent").into_parts();
        (format!("{} {}", head.method, head.uri), head.headers, body)
    }
}

async fn text(response: Response<Body>) -> String {
    let mut body = response.into_body();
    let mut all = Vec::new();
    while let Some(piece) = body.next().await {
        all.extend_from_slice(&piece.expect("it does not break off"));
    }
    String::from_utf8(all).expect("text")
}

#[tokio::test]
async fn it_is_shut_until_it_is_opened() {
    let shut = house(VirtualKey::new("ada"), 200, spending);
    for uri in ["/raw/openai/v1/files", "/raw/openai/v1/chat/completions"] {
        assert_eq!(shut.post(uri, "{}").await.status(), StatusCode::FORBIDDEN, "{uri}");
    }
    assert!(shut.sent.lock().expect("free").is_empty());
    let House { gateway, .. } = &shut;
    let opened = House { gateway: gateway.clone().raw(true), ..shut };
    assert_eq!(opened.post("/raw/openai/v1/files", "{}").await.status(), StatusCode::OK);
    let nobody = opened.ask(Method::GET, "/raw/openai/v1/files", &[], "").await;
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(opened.post("/raw/nobody/v1/files", "").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(opened.post("/raw/openai/v1/../admin", "").await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(opened.sent.lock().expect("free").len(), 1);
}

#[tokio::test]
async fn the_providers_key_takes_the_place_of_ours() {
    let house = house(open(), 418, spending);
    let headers = [
        ("x-api-key", house.key.expose()),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("host", "gateway.test"),
        ("cookie", "c=1"),
        ("openai-beta", "files=v2"),
        ("content-encoding", "gzip"),
    ];
    let answer = house.ask(Method::DELETE, "/raw/openai/v1/files/f-1?a=b&key=k1", &headers, "\u{1}bytes").await;
    assert_eq!(answer.status(), StatusCode::IM_A_TEAPOT, "whatever it is");
    let names: Vec<_> = answer.headers().keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, ["content-type", "x-own", "x-sabir-request-id"]);
    assert_eq!(text(answer).await, ANSWER);
    let (line, headers, body) = house.last();
    assert_eq!(line, "DELETE https://api.openai.com/v1/files/f-1?a=b");
    assert_eq!(headers["authorization"], "Bearer sk-of-the-provider");
    assert_eq!(
        (&headers["openai-beta"], &headers["content-encoding"]),
        (&"files=v2".parse().unwrap(), &"gzip".parse().unwrap())
    );
    assert_eq!(headers.len(), 3, "{headers:?}");
    assert_eq!(body, "\u{1}bytes");

    let by_query = format!("/raw/gemini/v1beta/files?pageSize=2&key={}", house.key.expose());
    house.ask(Method::GET, &by_query, &[], "").await;
    let (line, headers, _) = house.last();
    assert_eq!(line, "GET https://generativelanguage.googleapis.com/v1beta/files?pageSize=2");
    assert_eq!(headers["x-goog-api-key"], "sk-of-google");
}

#[tokio::test]
async fn what_is_in_a_known_format_is_metered_as_any_call() {
    let house = house(open(), 200, spending);
    let body = r#"{ "model":"gpt-4o-mini", "messages":[{"role":"user","content":"Hi"}], "novel":1 }"#;
    let answer = house.post("/raw/openai/v1/chat/completions", body).await;
    assert_eq!(answer.headers()["x-sabir-provider"], "openai");
    assert!(answer.headers().contains_key("x-sabir-cost"));
    assert_eq!(text(answer).await, ANSWER, "byte by byte");
    let (line, _, sent) = house.last();
    assert_eq!((line.as_str(), sent.as_ref()), ("POST https://api.openai.com/v1/chat/completions", body.as_bytes()));
    let groups = house.spent();
    assert_eq!((groups.len(), groups[0].names[1].as_str(), groups[0].unpriced), (1, "gpt-4o-mini", 0));
    assert!(groups[0].nano_usd > 0 && groups[0].usage.output == Some(2));

    // Another dialect of the same provider is spoken, not translated.
    house.post("/raw/openai/v1/responses", r#"{"model":"gpt-4o-mini","input":"Hi"}"#).await;
    assert_eq!(house.last().0, "POST https://api.openai.com/v1/responses");
}

#[tokio::test]
async fn what_is_not_read_costs_what_nobody_knows() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let mut house = house(open(), 200, spending);
    house.gateway = house.gateway.access_log(AccessLog::to(Lines(log.clone())).expect("a log"));
    drop(text(house.post("/raw/openai/v1/batches", "{}").await).await);
    let groups = house.spent();
    assert_eq!((groups.len(), groups[0].attempts, groups[0].unpriced, groups[0].nano_usd), (1, 1, 1, 0));
    assert_eq!(groups[0].names, ["openai", "raw"]);
    assert!(groups[0].usage.is_unknown());
    let House { gateway, .. } = house;
    drop(gateway);
    let line = wait_for(&log).await;
    for part in [
        r#""format":"raw""#,
        r#""key":"ada""#,
        r#""provider":"openai""#,
        r#""path":"/raw/openai/v1/batches""#,
        r#""status":200"#,
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!line.contains("nano_usd"), "{line}");
}

#[tokio::test]
async fn a_hard_budget_refuses_what_it_cannot_count() {
    let bounded = |stack: Stack, spend: Spend| stack.spend(spend.budget(Budget::per(Window::day(), Usd::dollars(5))));
    let strict = house(open(), 200, bounded);
    let answer = strict.post("/raw/openai/v1/batches", "{}").await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(text(answer).await.contains("price"));
    assert!(strict.sent.lock().expect("free").is_empty(), "before anything is sent");
    let body = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hi"}],"max_tokens":5}"#;
    assert_eq!(strict.post("/raw/openai/v1/chat/completions", body).await.status(), StatusCode::OK, "this it can");
}

#[tokio::test]
async fn limits_hold_until_the_body_is_over() {
    let one = |stack: Stack, spend: Spend| {
        stack.spend(spend).limits(Limits::default().limit(Limit::concurrent(1).for_tag("key", "ada")).refuse())
    };
    let house = house(open(), 200, one);
    let first = house.post("/raw/openai/v1/files", "").await;
    assert_eq!(first.status(), StatusCode::OK);
    assert_eq!(house.post("/raw/openai/v1/files", "").await.status(), StatusCode::TOO_MANY_REQUESTS);
    drop(text(first).await);
    assert_eq!(house.post("/raw/openai/v1/files", "").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_must_be_read_is_not_passed_by() {
    let guarded = |stack: Stack, spend: Spend| stack.spend(spend).guard(Guard::new().check(MaxSize::request(9)));
    let checked = house(open(), 200, guarded);
    assert_eq!(checked.post("/raw/openai/v1/files", "").await.status(), StatusCode::BAD_REQUEST);
    // A key of some models could name any other in what nobody reads.
    let few = house(open().models(["openai/gpt-4o-mini"]), 200, spending);
    assert_eq!(few.post("/raw/openai/v1/batches", "").await.status(), StatusCode::FORBIDDEN);
    let body = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hi"}]}"#;
    assert_eq!(few.post("/raw/openai/v1/chat/completions", body).await.status(), StatusCode::OK);
    let body = r#"{"model":"gpt-5","messages":[{"role":"user","content":"Hi"}]}"#;
    assert_eq!(few.post("/raw/openai/v1/chat/completions", body).await.status(), StatusCode::FORBIDDEN);
}

/// Lines that can be read while they are written.
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("free").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The log's thread writes when it comes to it.
async fn wait_for(log: &Mutex<Vec<u8>>) -> String {
    loop {
        let written = String::from_utf8(log.lock().expect("free").clone()).expect("text");
        if written.ends_with('\n') {
            return written;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
