//! What goes through a gateway byte by byte, beside the same exchange read and written anew: every recorded exchange, by
//! both ways, and both say the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use sabir::chat::{ChatResponse, Meta};
use sabir::drive::decode_whole;
use sabir::layers::guard::{Guard, MaxSize};
use sabir::layers::{MidStream, Receipts, Route, Routes, Spend, Stack, Target};
use sabir::ledger::{Dimension, Filter, Group, Ledger, MemoryLedger};
use sabir::transport::{Body, BoxFuture};
use sabir::{Client, Env, Provider, Registry, Result, Transport};
use sabir_gateway::Gateway;
use sabir_tests::{Playback, Recording, recordings};

/// The dialects whose bytes may go through, a provider that speaks each, and how many of the recorded exchanges do at
/// least, with a whole answer and with a stream.
const DIALECTS: &[(&str, &str, (usize, usize))] = &[
    ("anthropic-messages", "anthropic", (60, 60)),
    ("cohere-v2-chat", "cohere", (20, 20)),
    ("gemini-generate", "gemini", (70, 60)),
    ("ollama-chat", "ollama", (12, 14)),
    ("ollama-generate", "ollama", (3, 2)),
    ("openai-chat", "openai", (230, 100)),
    ("openai-responses", "openai", (130, 80)),
];

/// Plays an answer back, and keeps what was asked.
#[derive(Clone, Debug)]
struct Heard {
    plays: Playback,
    asked: Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>,
}

impl Transport for Heard {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        let (head, body) = request.clone().into_parts();
        self.asked.lock().expect("free").push((head.uri.to_string(), head.headers, body));
        self.plays.send(request)
    }
}

/// What came of one exchange.
struct Came {
    asked: Option<(String, HeaderMap, Bytes)>,
    status: StatusCode,
    headers: BTreeMap<String, String>,
    body: Bytes,
    spent: Vec<Group>,
}

/// A recorded exchange as a client of the gateway has it.
struct Exchange {
    recording: Recording,
    /// Whose prices hold.
    provider: &'static str,
    path: String,
    body: Bytes,
    /// The body that the provider may get.
    passed: Bytes,
}

impl Exchange {
    fn of(recording: Recording, provider: &'static str) -> Option<Self> {
        let mut request = recording.request.clone().filter(|_| recording.status.is_success())?;
        let passed = serde_json::to_vec(&request).expect("JSON").into();
        let mut path = recording.path.clone();
        if let Some(model) = request.get("model").and_then(|model| model.as_str()) {
            request["model"] = format!("{provider}/{model}").into();
        } else {
            let (before, model) = path.split_once("/models/")?;
            path = format!("{before}/models/{provider}/{model}");
        }
        Some(Self { recording, provider, path, body: serde_json::to_vec(&request).expect("JSON").into(), passed })
    }

    async fn by(&self, passes: bool, change: impl Fn(Stack) -> Stack) -> Came {
        let recording = &self.recording;
        // In pieces that have nothing to do with frames.
        let pieces = recording.body.chunks(if recording.stream { 97 } else { 1 << 20 }).map(Bytes::copy_from_slice);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let plays = Playback { status: recording.status, headers: recording.headers.clone(), pieces: pieces.collect() };
        let provider =
            Provider::custom(self.provider, recording.room().name(), "https://provider.test/v1").expect("a provider");
        let registry = Registry::empty();
        registry.register(provider);
        let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::default());
        let stack = Stack::standard().receipts(Receipts::default()).spend(Spend::default().ledger(ledger.clone()));
        let client = Client::builder()
            .env(Env::none())
            .registry(registry)
            .transport(Heard { plays, asked: asked.clone() })
            .stack(change(stack))
            .build()
            .expect("a client");
        let request = http::Request::builder()
            .method(Method::POST)
            .uri(&self.path)
            .header(CONTENT_TYPE, "application/json")
            .body(http_body_util::Full::new(self.body.clone()))
            .expect("a request");
        let answer = Gateway::new(client).passage(passes).answer(request).await;
        let (head, mut pieces) = answer.into_parts();
        let mut body = Vec::new();
        while let Some(piece) = pieces.next().await {
            body.extend_from_slice(&piece.expect("the gateway's answers do not break off"));
        }
        let told = head.headers.iter().filter(|(name, _)| {
            let name = name.as_str();
            name == "content-type" || name.starts_with("x-sabir-") && !name.ends_with("-id")
        });
        let headers = told.map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()));
        let by = [Dimension::Provider, Dimension::Model];
        Came {
            asked: asked.lock().expect("free").pop(),
            status: head.status,
            headers: headers.collect(),
            body: body.into(),
            spent: {
                let mut spent = ledger.report(&Filter::default(), &by).expect("a report");
                for group in &mut spent {
                    group.latency = Duration::ZERO;
                }
                spent
            },
        }
    }
}

impl Came {
    fn read(&self, recording: &Recording) -> Result<ChatResponse> {
        let mut headers = HeaderMap::new();
        if let Some(kind) = self.headers.get("content-type") {
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(kind).expect("a header"));
        }
        decode_whole(recording.room(), self.status, &headers, &self.body, recording.stream)
    }
}

/// What both ways must say alike. The provider's own bytes say more of what it alone has (its word for the end, its own
/// figure of the cost, uses of its tools), and less where it leaves out what its dialect demands: an id, a zero.
fn said(mut response: ChatResponse) -> ChatResponse {
    (response.meta, response.cost, response.finish.raw) = (Meta::default(), None, None);
    response.losses.clear();
    response.usage.tools.clear();
    for counter in [&mut response.usage.cache_read, &mut response.usage.reasoning] {
        *counter = counter.filter(|count| *count > 0);
    }
    if response.id == "chatcmpl-sabir" {
        response.id.clear();
    }
    for part in &mut response.parts {
        part.meta = Meta::default();
    }
    response
}

#[tokio::test]
async fn every_recorded_exchange_says_the_same_by_both_ways() {
    let (mut failures, mut counts) = (Vec::new(), BTreeMap::new());
    for (dialect, provider, _) in DIALECTS {
        for exchange in recordings(dialect).into_iter().filter_map(|recording| Exchange::of(recording, provider)) {
            let recording = &exchange.recording;
            let (fast, slow) = (exchange.by(true, |stack| stack).await, exchange.by(false, |stack| stack).await);
            let mut wrong = |what: &str, fast: &dyn std::fmt::Debug, slow: &dyn std::fmt::Debug| {
                failures.push(format!("{dialect} {}: {what}\n  fast {fast:?}\n  slow {slow:?}", recording.id));
            };
            let passed = fast.asked.as_ref().is_some_and(|(.., body)| *body == exchange.passed);
            if let (true, Some(fast), Some(slow)) = (passed, &fast.asked, &slow.asked) {
                let counted: &mut (usize, usize) = counts.entry(*dialect).or_default();
                counted.0 += usize::from(!recording.stream);
                counted.1 += usize::from(recording.stream);
                if (&fast.0, &fast.1) != (&slow.0, &slow.1) {
                    wrong("is sent elsewhere", &(&fast.0, &fast.1), &(&slow.0, &slow.1));
                }
            }
            let without_losses = |came: &Came| {
                let mut headers = came.headers.clone();
                headers.remove("x-sabir-losses");
                (came.status, headers)
            };
            if without_losses(&fast) != without_losses(&slow) {
                wrong("headers", &without_losses(&fast), &without_losses(&slow));
            }
            if format!("{:?}", fast.spent) != format!("{:?}", slow.spent) {
                wrong("is charged otherwise", &fast.spent, &slow.spent);
            }
            match (fast.read(recording), slow.read(recording)) {
                (Ok(fast), Ok(slow)) if said(fast.clone()) == said(slow.clone()) => {}
                (Ok(fast), Ok(slow)) => wrong("says something else", &said(fast), &said(slow)),
                (Err(fast), Err(slow)) if fast.kind() == slow.kind() => {}
                (fast, slow) => wrong("ends otherwise", &fast.is_ok(), &slow.is_ok()),
            }
            if passed && fast.status.is_success() && fast.read(recording).is_ok() && fast.body != recording.body {
                wrong("the answer is not the provider's own", &fast.body, &recording.body);
            }
        }
    }
    println!("went through, whole and streamed: {counts:?}");
    let shown = failures.iter().take(12).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} differ:\n{shown}", failures.len());
    for (dialect, _, (whole, streamed)) in DIALECTS {
        assert!(
            counts.get(dialect).is_some_and(|came| came.0 >= *whole && came.1 >= *streamed),
            "{dialect}: {counts:?}"
        );
    }
}

/// The half of each streamed answer: what had come before it broke off is told, and that it did, as by the other way.
#[tokio::test]
async fn what_breaks_off_is_told_in_the_clients_dialect() {
    for (dialect, provider, _) in DIALECTS {
        let mut count = 0;
        for mut recording in recordings(dialect).into_iter().filter(|recording| recording.stream).take(40) {
            recording.body.truncate(recording.body.len() / 2);
            let Some(exchange) = Exchange::of(recording, provider) else { continue };
            let (fast, slow) = (exchange.by(true, |stack| stack).await, exchange.by(false, |stack| stack).await);
            let id = &exchange.recording.id;
            let (Err(fast), Err(slow)) = (fast.read(&exchange.recording), slow.read(&exchange.recording)) else {
                continue;
            };
            assert_eq!(fast.kind(), slow.kind(), "{id}: {fast} {slow}");
            let text = |error: &sabir::Error| error.partial().map(ChatResponse::text).unwrap_or_default();
            assert_eq!(text(&fast), text(&slow), "{id}");
            count += usize::from(!text(&fast).is_empty());
        }
        assert!(count > 0 || *dialect == "ollama-generate", "{dialect}: none broke off in the middle of a text");
    }
}

fn asked(body: &'static str) -> Exchange {
    let mut recording = recordings("openai-chat").into_iter().find(|one| one.status.is_success()).expect("one");
    (recording.stream, recording.headers) = (false, HeaderMap::new());
    recording.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    recording.body = Bytes::from_static(
        br#"{ "id":"1","model":"m-2","new":{"b":[1.0]},"choices":[{"index":0,"message":{"role":"assistant","content":"No.","sung":true},
            "finish_reason":"stop"}] }"#,
    );
    let passed = Bytes::from_static(body.as_bytes());
    Exchange { recording, provider: "openai", path: "/v1/chat/completions".into(), body: passed.clone(), passed }
}

/// A request in which nothing stands that Sabir would write so.
const ODD: &str = r#"{ "novel": {"a": [1e3, 1.50]},  "messages":[{"role":"user", "content":"Is it?", "mood":"dark"}], "model" : "openai/gpt-4o-mini" }"#;

#[tokio::test]
async fn what_is_not_known_here_goes_through() {
    let exchange = asked(ODD);
    let came = exchange.by(true, |stack| stack).await;
    let (_, _, sent) = came.asked.as_ref().expect("it was asked");
    assert_eq!(*sent, ODD.replace("openai/gpt-4o-mini", "gpt-4o-mini"), "only the model's name is another");
    assert_eq!(came.body, exchange.recording.body);
    assert_eq!(came.headers["x-sabir-provider"], "openai");
    assert_eq!(came.headers["x-sabir-model"], "m-2");
    assert_eq!((came.spent.len(), came.spent[0].attempts), (1, 1));
}

/// The provider has another word for a setting: only the request is written anew.
#[tokio::test]
async fn what_is_answered_goes_through_where_the_request_could_not() {
    let exchange = asked(
        r#"{"model":"openai/m","messages":[{"role":"user","content":"Is it?"}],"max_completion_tokens":5,"new":1}"#,
    );
    let came = exchange.by(true, |stack| stack).await;
    let (_, _, sent) = came.asked.as_ref().expect("it was asked");
    let sent: serde_json::Value = serde_json::from_slice(sent).expect("JSON");
    assert_eq!((&sent["max_tokens"], &sent["max_completion_tokens"]), (&5.into(), &serde_json::Value::Null));
    assert_eq!(came.body, exchange.recording.body);
    // Who asks by the older word for tools is answered by it.
    let older = r#"{"model":"openai/m","messages":[{"role":"user","content":"Is it?"}],"functions":[{"name":"f"}]}"#;
    let exchange = asked(older);
    assert_ne!(exchange.by(true, |stack| stack).await.body, exchange.recording.body);
}

#[tokio::test]
async fn what_a_layer_needs_is_written_anew() {
    let exchange = asked(ODD);
    let guarded = |stack: Stack| stack.guard(Guard::new().check(MaxSize::request(1 << 20)));
    for (why, came) in [
        ("it is switched off", exchange.by(false, |stack| stack).await),
        ("a guard saw what it read", exchange.by(true, guarded).await),
        (
            "a name is said twice",
            asked(r#"{"model":"openai/m","messages":[{"role":"user","content":"a","content":"b"}]}"#)
                .by(true, |stack| stack)
                .await,
        ),
    ] {
        let (_, _, sent) = came.asked.as_ref().expect("it was asked");
        assert!(sent.starts_with(br#"{"model":"#), "{why}: {sent:?}");
        assert_ne!(came.body, exchange.recording.body, "{why}");
        assert!(came.read(&exchange.recording).is_ok_and(|answer| answer.text() == "No."), "{why}");
    }
}

/// Answers the first time with the one body, and then with the other.
#[derive(Clone, Debug)]
struct BreaksOff(Arc<Mutex<Vec<&'static str>>>);

impl Transport for BreaksOff {
    fn send(&self, _: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        let body = self.0.lock().expect("free").pop().expect("one more");
        let mut response = http::Response::new(sabir::transport::whole(body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        Box::pin(async move { Ok(response) })
    }
}

#[tokio::test]
async fn what_another_continues_is_written_from_there_on() {
    let first = "data: {\"id\":\"1\",\"new\":1,\"model\":\"a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"One two\"}}]}\n\n";
    let second = "data: {\"id\":\"2\",\"model\":\"b\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" three\"}}]}\n\n\
                  data: {\"id\":\"2\",\"model\":\"b\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
                  data: [DONE]\n\n";
    let route = Route::named("fast", [Target::new("p", "a"), Target::new("p", "b").prefill(true)]);
    let registry = Registry::empty();
    registry.register(Provider::custom("p", "openai-chat", "https://provider.test/v1").expect("a provider"));
    let client = Client::builder()
        .env(Env::none())
        .registry(registry)
        .transport(BreaksOff(Arc::new(Mutex::new(vec![second, first]))))
        .stack(Stack::standard().routes(Routes::new([route.mid_stream(MidStream::Continue)])))
        .build()
        .expect("a client");
    let body = r#"{"model":"fast","messages":[{"role":"user","content":"Count"}],"stream":true,"stream_options":{"include_usage":true}}"#;
    let request = http::Request::builder().method(Method::POST).uri("/v1/chat/completions");
    let request = request.body(http_body_util::Full::new(Bytes::from(body))).expect("a request");
    let answer = Gateway::new(client).answer(request).await;
    let pieces: Vec<Bytes> = answer.into_body().map(|piece| piece.expect("it does not break off")).collect().await;
    assert_eq!(pieces[0], first, "byte by byte");
    let all: Vec<u8> = pieces.concat();
    let dialect = sabir::dialects::dialect("openai-chat").expect("it is built");
    let read = decode_whole(dialect, StatusCode::OK, &HeaderMap::new(), &all, true).expect("it is whole");
    assert_eq!((read.text().as_str(), read.id.as_str()), ("One two three", "1"));
}
