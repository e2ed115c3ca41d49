//! The gateway over real sockets, in front of the simulator.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use sabir::chat::{ChatRequest, ChatResponse, Event};
use sabir::drive::Origin;
use sabir::http::HttpTransport;
use sabir::ledger::{Dimension, Ended, Filter, Group, Ledger, Opened, Spent};
use sabir::{Call, Client, Dialect, Endpoint, Env, ErrorKind, Request, Result, Secret, Service as _};
use sabir_gateway::{Gateway, Keys, Server, VirtualKey};
use sabir_sim::{Simulator, Turn};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A gateway whose client knows the simulator as `sim`.
fn gateway(simulator: &Simulator) -> Gateway {
    let client = Client::builder().env(Env::none()).model("sim/a").service("sim", simulator.clone()).build();
    Gateway::new(client.expect("a client")).models(["sim/a", "sim/b"])
}

async fn start(gateway: Gateway) -> Server {
    Server::start(gateway, "127.0.0.1:0").await.expect("it listens")
}

/// A client of the gateway that speaks a dialect, and shows a key.
fn origin(dialect: &'static dyn Dialect, server: &Server, key: &str) -> Origin {
    let endpoint =
        Endpoint { provider: "gateway".into(), base_url: server.url(), key: Some(key.into()), ..Endpoint::default() };
    Origin::new(dialect, endpoint, Arc::new(HttpTransport::builder().build().expect("a transport")))
}

async fn unary(origin: &Origin, model: &str) -> Result<ChatResponse> {
    let request = ChatRequest::new(model).user("Hello").max_tokens(4_000);
    origin.call(&Call::default(), &Request::Chat(request)).await?.whole()
}

async fn streamed(origin: &Origin, model: &str) -> Result<ChatResponse> {
    let mut request = ChatRequest::new(model).user("Hello").max_tokens(4_000);
    request.stream = true;
    let mut stream = origin.call(&Call::default(), &Request::Chat(request)).await?.stream()?;
    loop {
        if let Event::Done(response) = stream.next().await.expect("a terminal item comes first")? {
            return Ok(*response);
        }
    }
}

/// Sends bytes and reads until the connection ends.
async fn raw(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("it is written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
}

const HELLO: &str = r#"{"model":"sim/a","messages":[{"role":"user","content":"Hello"}]}"#;

#[tokio::test]
async fn every_dialect_is_answered_from_any_model() {
    let simulator = Simulator::new();
    let server = start(gateway(&simulator)).await;
    for dialect in sabir::dialects::dialects() {
        let origin = origin(*dialect, &server, "any");
        let whole = unary(&origin, "sim/a").await.unwrap_or_else(|e| panic!("{}: {e}", dialect.name()));
        let stream = streamed(&origin, "sim/a").await.unwrap_or_else(|e| panic!("{}: {e}", dialect.name()));
        assert!(!whole.text().is_empty() && whole.text() == stream.text(), "{}", dialect.name());
    }
    let asked = simulator.chats();
    assert_eq!(asked.len(), 2 * sabir::dialects::dialects().len());
    assert!(asked.iter().all(|chat| chat.model == "a"), "the prefix names the provider");
}

#[tokio::test]
async fn other_formats_are_answered_too() {
    let server = start(gateway(&Simulator::new())).await;
    for (path, body, expected) in [
        ("/v1/embeddings", r#"{"model":"sim/a","input":"salt"}"#, r#""object":"embedding""#),
        ("/v2/rerank", r#"{"model":"sim/a","query":"salt","documents":["sea","sky"]}"#, "relevance_score"),
        (
            "/v1/messages/count_tokens",
            r#"{"model":"sim/a","messages":[{"role":"user","content":"Hi"}]}"#,
            "input_tokens",
        ),
        // Its provider does not count: it is counted here.
        (
            "/v1/messages/count_tokens",
            r#"{"model":"ollama/m","messages":[{"role":"user","content":"Hi"}]}"#,
            "input_tokens",
        ),
        ("/api/show", r#"{"model":"sim/b"}"#, "{"),
    ] {
        let answer = raw(&server, &post(path, "", body)).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(expected), "{path}: {answer}");
    }
    for (path, headers, expected) in [
        ("/v1/models", "", r#""id":"sim/b""#),
        ("/v1/models/sim/a", "", r#""id":"sim/a""#),
        ("/v1/models", "anthropic-version: 2023-06-01\r\n", r#""has_more""#),
        ("/v1beta/models", "", r#""models/sim/a""#),
        ("/api/tags", "", r#""sim/b""#),
        ("/healthz", "", "ok"),
        ("/readyz", "", "ready"),
        ("/api/version", "", "version"),
        ("/metrics", "", "\r\n\r\n"),
    ] {
        let answer = raw(&server, &get(path, headers)).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(expected), "{path}: {answer}");
    }
}

/// Hears which calls a ledger is told of.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl Ledger for Heard {
    fn open(&self, attempt: &Opened) -> Result<()> {
        self.0.lock().expect("free").push(attempt.call.to_string());
        Ok(())
    }

    fn raise(&self, _: &Opened) -> Result<()> {
        Ok(())
    }

    fn close(&self, _: &Opened, _: &Ended) -> Result<()> {
        Ok(())
    }

    fn spent(&self, _: &Filter) -> Result<Spent> {
        Ok(Spent::default())
    }

    fn report(&self, _: &Filter, _: &[Dimension]) -> Result<Vec<Group>> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn answers_tell_of_themselves() {
    let simulator = Simulator::new();
    simulator.push(Turn::text("Salt."));
    let ledger = Arc::new(Heard::default());
    let client = Client::builder().env(Env::none()).service("sim", simulator).ledger(ledger.clone());
    let server = start(Gateway::new(client.build().expect("a client"))).await;
    let body = r#"{"model":"sim/a","top_k":3,"max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}"#;
    let answer = raw(&server, &post("/v1/messages", "anthropic-version: 2023-06-01\r\n", body)).await;
    for header in
        ["x-sabir-request-id: ", "x-sabir-attempts: 1\r\n", "x-sabir-provider: sim\r\n", "x-sabir-model: a\r\n"]
    {
        assert!(answer.contains(header), "{header} in {answer}");
    }
    let calls = ledger.0.lock().expect("free").clone();
    assert_eq!(calls.len(), 1);
    assert!(answer.contains(&format!("x-sabir-request-id: {}\r\n", calls[0])), "{calls:?}: {answer}");
}

#[tokio::test]
async fn keys_let_in_and_keep_out_in_the_clients_dialect() {
    let keys = Keys::new();
    let key = keys.issue(VirtualKey::new("ada").models(["sim/a"])).expect("a key");
    let simulator = Simulator::new();
    let admin: Secret = "the-admin".into();
    let server = start(gateway(&simulator).keys(keys.clone()).admin(&admin)).await;
    for dialect in sabir::dialects::dialects() {
        let name = dialect.name();
        let origin = |key: &str| origin(*dialect, &server, key);
        unary(&origin(key.expose()), "sim/a").await.unwrap_or_else(|e| panic!("{name}: {e}"));
        let refused = unary(&origin("sk-sabir-guess"), "sim/a").await.expect_err("no such key");
        assert_eq!(refused.kind(), ErrorKind::Authentication, "{name}: {refused}");
        assert!(!refused.to_string().contains("guess"), "{name}: {refused}");
        if name != "huggingface-textgen" {
            let refused = unary(&origin(key.expose()), "sim/b").await.expect_err("not this model");
            assert_eq!(refused.kind(), ErrorKind::Permission, "{name}: {refused}");
        }
    }
    assert_eq!(simulator.served(), sabir::dialects::dialects().len() as u64, "who is kept out costs nothing");

    let shown = raw(&server, &get("/v1/models", &format!("x-api-key: {}\r\n", key.expose()))).await;
    assert!(shown.contains("sim/a") && !shown.contains("sim/b"), "{shown}");
    let metrics = raw(&server, &get("/metrics", &format!("x-api-key: {}\r\n", key.expose()))).await;
    assert!(metrics.starts_with("HTTP/1.1 401"), "{metrics}");
    let metrics = raw(&server, &get("/metrics", "authorization: Bearer the-admin\r\n")).await;
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    keys.revoke("ada");
    let late = raw(&server, &post("/v1/chat/completions", &format!("api-key: {}\r\n", key.expose()), HELLO)).await;
    assert!(late.starts_with("HTTP/1.1 401") && late.contains("not known here"), "{late}");
}

#[tokio::test]
async fn bad_requests_get_one_clear_line_and_the_right_status() {
    let simulator = Simulator::new();
    let server = start(gateway(&simulator).longest_body(200)).await;
    let chat = "/v1/chat/completions";
    let unknown = HELLO.replace("sim/a", "sin/a");
    let long = HELLO.replace("Hello", &"x".repeat(300));
    for (request, status, says) in [
        (get("/nope", ""), 404, "/v1/chat/completions"),
        (get(chat, ""), 405, "allow: POST"),
        (post("/v1/models", "", ""), 405, "allow: GET"),
        (post(chat, "", "{\"model\":\"sim/a\",\n \"messages\":[}"), 400, "line 2"),
        (post(chat, "", r#"{"model":"sim/a"}"#), 400, "messages"),
        (post(chat, "", &unknown), 404, "did you mean"),
        (post(chat, "", &long), 413, "200 bytes"),
        (post(chat, "content-encoding: gzip\r\n", "x"), 415, "compressed"),
        // Requests that could be smuggled past somebody who reads them otherwise (RFC 9112, 6.3).
        (post(chat, "transfer-encoding: chunked\r\ncontent-length: 3\r\n", "0\r\n\r\n"), 400, ""),
        (post(chat, "content-length: 4\r\n", "ab"), 400, ""),
        ("nonsense\r\n\r\n".to_owned(), 400, ""),
        (get("/healthz", &format!("x: {}\r\n", "y".repeat(100_000))), 431, ""),
        ("GET /healthz HTTP/1.0\r\n\r\n".to_owned(), 200, "ok"),
    ] {
        let answer = raw(&server, &request).await;
        let line: String = request.chars().take(60).collect();
        let said = answer.split(' ').nth(1).unwrap_or_default();
        assert_eq!(said, status.to_string(), "{line}: {answer}");
        assert!(answer.contains(says), "{line}: {says} in {answer}");
    }
    assert_eq!(simulator.served(), 0);
}

#[tokio::test]
async fn requests_may_come_one_after_the_other_before_their_answers() {
    let server = start(gateway(&Simulator::new())).await;
    let one = post("/v1/chat/completions", "", HELLO).replace("connection: close\r\n", "");
    let answers = raw(&server, &format!("{one}{one}{}", get("/healthz", ""))).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_its_call() {
    let simulator = Simulator::new().pace(Duration::from_millis(5));
    // Nothing is read on; what is, is in `left.rs`.
    let server = start(gateway(&simulator).read_on(Duration::ZERO, 0)).await;
    let long = r#"{"model":"sim/a","stream":true,"messages":[{"role":"user","content":"Write a long story"}]}"#;
    let mut client = TcpStream::connect(server.address()).await.expect("a connection");
    client.write_all(post("/v1/chat/completions", "", long).as_bytes()).await.expect("it is written");
    let mut some = [0; 64];
    client.read_exact(&mut some).await.expect("it begins");
    drop(client);
    let over = async {
        while simulator.in_flight() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), over).await.expect("the call is over");
    assert_eq!(simulator.cancelled(), 1);
}

#[tokio::test]
async fn draining_lets_streams_end() {
    let simulator = Simulator::new().pace(Duration::from_millis(5));
    let server = start(gateway(&simulator)).await;
    let address = server.address();
    let asked = origin(sabir::dialects::dialect("openai-chat").expect("a dialect"), &server, "any");
    let under_way = tokio::spawn(async move { streamed(&asked, "sim/a").await });
    while simulator.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(server.drain(Duration::from_secs(10)).await, "all ended in time");
    let answer = under_way.await.expect("it ran").expect("a whole answer");
    assert!(!answer.text().is_empty());
    assert!(TcpStream::connect(address).await.is_err(), "nobody else is let in");
}

#[tokio::test]
async fn a_gateway_without_keys_stays_at_home() {
    let refused = Server::start(gateway(&Simulator::new()), "0.0.0.0:0").await.expect_err("open to all");
    assert_eq!(refused.kind(), ErrorKind::Configuration);
    assert!(refused.message().contains("keys"), "{refused}");
    Server::start(gateway(&Simulator::new()).keys(Keys::new()), "0.0.0.0:0").await.expect("with keys it may");
    let wrong = Server::start(gateway(&Simulator::new()), "nowhere").await.expect_err("no address");
    assert!(wrong.message().contains("cannot listen on nowhere"), "{wrong}");
}
