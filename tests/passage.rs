//! What goes through a gateway byte by byte, beside the same exchange read and written anew: every recorded exchange, by
//! both ways, and both say the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use sabir::chat::{ChatResponse, Meta};
use sabir::drive::decode_whole;
use sabir::layers::{Receipts, Spend, Stack};
use sabir::ledger::{Dimension, Filter, Group, Ledger, MemoryLedger};
use sabir::transport::{Body, BoxFuture};
use sabir::{Client, Env, Provider, Registry, Result, Transport};
use sabir_gateway::Gateway;
use sabir_tests::{Playback, Recording, recordings};

/// The dialects whose bytes may go through, and how many of the recorded exchanges do at least.
const DIALECTS: &[(&str, usize)] = &[
    ("anthropic-messages", 1),
    ("cohere-v2-chat", 1),
    ("gemini-generate", 1),
    ("ollama-chat", 1),
    ("ollama-generate", 1),
    ("openai-chat", 1),
    ("openai-responses", 1),
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

/// A recorded exchange as a client of the gateway has it, whose provider is called `p`.
struct Exchange {
    recording: Recording,
    path: String,
    body: Bytes,
    /// The body that the provider may get.
    passed: Bytes,
}

impl Exchange {
    fn of(recording: Recording) -> Option<Self> {
        let mut request = recording.request.clone().filter(|_| recording.status.is_success())?;
        let passed = serde_json::to_vec(&request).expect("JSON").into();
        let mut path = recording.path.clone();
        if let Some(model) = request.get("model").and_then(|model| model.as_str()) {
            request["model"] = format!("p/{model}").into();
        } else {
            let (before, model) = path.split_once("/models/")?;
            path = format!("{before}/models/p/{model}");
        }
        Some(Self { recording, path, body: serde_json::to_vec(&request).expect("JSON").into(), passed })
    }

    async fn by(&self, passes: bool, change: impl Fn(Stack) -> Stack) -> Came {
        let recording = &self.recording;
        // In pieces that have nothing to do with frames.
        let pieces = recording.body.chunks(if recording.stream { 97 } else { 1 << 20 }).map(Bytes::copy_from_slice);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let plays =
            Playback { status: recording.status, headers: recording.headers.clone(), pieces: pieces.collect() };
        let provider = Provider::custom("p", recording.room().name(), "https://provider.test/v1").expect("a provider");
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
            spent: ledger.report(&Filter::default(), &by).expect("a report"),
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

/// What both ways must say alike. What one dialect alone says of an answer is more in the provider's own bytes.
fn said(mut response: ChatResponse) -> ChatResponse {
    response.meta = Meta::default();
    response.losses.clear();
    for part in &mut response.parts {
        part.meta = Meta::default();
    }
    response
}

#[tokio::test]
async fn every_recorded_exchange_says_the_same_by_both_ways() {
    let (mut failures, mut counts) = (Vec::new(), BTreeMap::new());
    for (dialect, _) in DIALECTS {
        for exchange in recordings(dialect).into_iter().filter_map(Exchange::of) {
            let recording = &exchange.recording;
            let (fast, slow) = (exchange.by(true, |stack| stack).await, exchange.by(false, |stack| stack).await);
            let mut wrong = |what: &str, fast: &dyn std::fmt::Debug, slow: &dyn std::fmt::Debug| {
                failures.push(format!("{dialect} {}: {what}\n  fast {fast:?}\n  slow {slow:?}", recording.id));
            };
            let passed = fast.asked.as_ref().is_some_and(|(.., body)| *body == exchange.passed);
            if let (true, Some(fast), Some(slow)) = (passed, &fast.asked, &slow.asked) {
                let counted: &mut (usize, usize) = counts.entry(*dialect).or_default();
                counted.0 += 1;
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
    println!("went through, of them streams: {counts:?}");
    let shown = failures.iter().take(12).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} differ:\n{shown}", failures.len());
    for (dialect, least) in DIALECTS {
        assert!(counts.get(dialect).is_some_and(|(all, _)| all >= least), "{dialect}: {counts:?}");
    }
}
