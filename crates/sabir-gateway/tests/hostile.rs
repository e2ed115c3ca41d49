//! Clients that are slow, deaf or not let in: each gets one clear answer in its own dialect, or loses its connection.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sabir::chat::ChatRequest;
use sabir::drive::Origin;
use sabir::http::HttpTransport;
use sabir::layers::{Budget, Limit, Limits, Receipts, Spend, Stack, Window};
use sabir::prices::{ModelPrices, Overlay, Price, Prices, Rates, Usd};
use sabir::{Call, Client, Dialect, Endpoint, Env, Error, ErrorKind, Request, Service as _};
use sabir_gateway::{Gateway, Keys, Server, VirtualKey};
use sabir_sim::{Simulator, Turn};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn gateway(simulator: &Simulator, stack: Stack) -> Gateway {
    let client = Client::builder().env(Env::none()).service("sim", simulator.clone()).stack(stack).build();
    Gateway::new(client.expect("a client"))
}

async fn start(gateway: Gateway) -> Server {
    Server::start(gateway, "127.0.0.1:0").await.expect("it listens")
}

/// How a client that speaks this dialect understands its refusal; `None` where it was answered.
async fn refusal(dialect: &'static dyn Dialect, server: &Server, key: &str) -> Option<Error> {
    let endpoint =
        Endpoint { provider: "gateway".into(), base_url: server.url(), key: Some(key.into()), ..Endpoint::default() };
    let origin = Origin::new(dialect, endpoint, Arc::new(HttpTransport::builder().build().expect("a transport")));
    let request = ChatRequest::new("sim/a").user("Hello, pepper").max_tokens(100);
    origin.call(&Call::default(), &Request::Chat(request)).await.err()
}

#[tokio::test]
async fn an_expired_key_is_told_in_every_dialect() {
    let keys = Keys::new();
    let old = keys.issue(VirtualKey::new("old").expires(SystemTime::UNIX_EPOCH)).expect("a key");
    let off = keys.issue(VirtualKey::new("off")).expect("a key");
    keys.change("off", |key| key.disabled = true);
    let simulator = Simulator::new();
    let server = start(gateway(&simulator, Stack::new()).keys(keys)).await;
    for dialect in sabir::dialects::dialects() {
        for (key, says) in [(&old, "expired"), (&off, "disabled")] {
            let refused = refusal(*dialect, &server, key.expose()).await.expect("refused");
            assert_eq!(refused.kind(), ErrorKind::Authentication, "{}: {refused}", dialect.name());
            let said = refused.to_string();
            assert!(said.contains(says) && !said.contains(key.expose()) && !said.contains("pepper"), "{said}");
        }
    }
    assert_eq!(simulator.served(), 0);
}

#[tokio::test]
async fn a_limit_and_a_budget_are_told_in_every_dialect() {
    let hour = Duration::from_secs(3_600);
    let limits = Limits::default().refuse().limit(Limit::requests(1, hour).together());
    let standard = Rates { input: Some(Price(1_000_000_000)), output: Some(Price(1_000_000_000)), ..Rates::default() };
    let models = [("sim/*".to_owned(), ModelPrices { standard, ..ModelPrices::default() })].into();
    let receipts = Receipts::new(Prices::default().with(Overlay { version: None, models }));
    let nothing = Spend::by(&receipts).budget(Budget::per(Window::day(), Usd(1)).named("pocket money"));
    let simulator = Simulator::new();
    let limited = start(gateway(&simulator, Stack::new().limits(limits))).await;
    let spent = start(gateway(&simulator, Stack::new().spend(nothing))).await;
    let mut answered = 0;
    for dialect in sabir::dialects::dialects() {
        let name = dialect.name();
        match refusal(*dialect, &limited, "any").await {
            Some(refused) => {
                assert_eq!(refused.status().map(|status| status.as_u16()), Some(429), "{name}: {refused}");
                assert!(refused.retry_after().is_some_and(|wait| wait <= hour), "{name}: {refused:?}");
            }
            None => answered += 1,
        }
        let refused = refusal(*dialect, &spent, "any").await.expect("there is nothing to spend");
        assert!(refused.status().is_some_and(|status| status.is_client_error()), "{name}: {refused:?}");
        assert!(refused.to_string().contains("pocket money"), "{name}: {refused}");
    }
    assert_eq!((answered, simulator.served()), (1, 1), "one an hour, and nothing for nothing");
}

/// Reads until the connection ends, however it does.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A connection may be reset after its last bytes.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends a byte a second until nobody takes them any more, and gives how many went and what was answered.
async fn drip(server: &Server, head: &str) -> (u64, String) {
    let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
    stream.write_all(head.as_bytes()).await.expect("it is written");
    tokio::time::pause();
    let (mut answer, mut sent) = ([0; 4_096], 0);
    loop {
        tokio::select! {
            read = stream.read(&mut answer) => {
                let read = read.unwrap_or(0);
                return (sent, String::from_utf8_lossy(&answer[..read]).into_owned());
            }
            () = tokio::time::sleep(Duration::from_secs(1)) => {
                if stream.write_all(b" ").await.is_err() || sent > 10_000 {
                    return (sent, rest(&mut stream).await);
                }
                sent += 1;
            }
        }
    }
}

#[tokio::test]
async fn a_body_of_a_byte_a_second_is_not_waited_for() {
    let simulator = Simulator::new();
    let server = start(gateway(&simulator, Stack::new())).await;
    let head =
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\nanthropic-version: 2023-06-01\r\ncontent-length: 100000\r\n\r\n";
    let (sent, answer) = drip(&server, head).await;
    assert!(sent < 120, "{sent} bytes");
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("too slowly"), "{answer}");
    assert!(answer.contains(r#""type":"error""#), "in the client's dialect: {answer}");
}

#[tokio::test]
async fn a_head_of_a_byte_a_second_is_not_waited_for() {
    let server = start(gateway(&Simulator::new(), Stack::new())).await;
    let (sent, answer) = drip(&server, "POST /v1/messages HTTP/1.1\r\nx: ").await;
    assert!(sent < 120, "{sent} bytes");
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains(r#""type":"error""#), "{answer}");
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends() {
    let simulator = Simulator::new();
    simulator.push(Turn::text(format!("{} ", "salt".repeat(256)).repeat(20 << 10)));
    let server = start(gateway(&simulator, Stack::new())).await;
    let body = r#"{"model":"sim/a","stream":true,"messages":[{"role":"user","content":"Hello"}]}"#;
    let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
    let request =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.expect("it is written");
    while simulator.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    let over = async {
        while simulator.in_flight() > 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(600), over).await.expect("the call is over");
    drop(stream);
}

#[tokio::test]
async fn an_old_client_gets_a_stream_that_ends_with_its_connection() {
    let server = start(gateway(&Simulator::new(), Stack::new())).await;
    let body = r#"{"model":"sim/a","stream":true,"messages":[{"role":"user","content":"Hello"}]}"#;
    let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
    let request = format!("POST /v1/chat/completions HTTP/1.0\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.expect("it is written");
    let answer = rest(&mut stream).await.to_lowercase();
    assert!(answer.starts_with("http/1.0 200") && !answer.contains("transfer-encoding"), "{answer}");
    assert!(answer.trim_end().ends_with("data: [done]"), "{answer}");
}

#[tokio::test]
async fn compressed_bodies_are_not_unpacked() {
    let simulator = Simulator::new();
    let server = start(gateway(&simulator, Stack::new())).await;
    for encoding in ["gzip", "br", "zstd", "deflate", "gzip, identity"] {
        let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-encoding: {encoding}\r\n\
             content-length: 4\r\n\r\n\x1f\u{b}\x08\x00"
        );
        stream.write_all(request.as_bytes()).await.expect("it is written");
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 415"), "{encoding}: {answer}");
    }
    assert_eq!(simulator.served(), 0);
}

#[tokio::test]
async fn what_could_be_smuggled_past_somebody_is_refused() {
    let server = start(gateway(&Simulator::new(), Stack::new())).await;
    for headers in [
        "content-length: 4\r\ncontent-length: 5\r\n",
        "content-length: 4, 5\r\n",
        "content-length: +4\r\n",
        "content-length: 0x4\r\n",
        "content-length: -4\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "content-length : 4\r\n",
        "content-length: 4\r\n folded: x\r\n",
        "x\0y: 1\r\n",
    ] {
        let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
        let request = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{headers}\r\nabcd");
        stream.write_all(request.as_bytes()).await.expect("it is written");
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{headers:?}: {answer}");
    }
}

/// Reads one answer that says its length, and gives its head.
async fn one_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    loop {
        if let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&answer[..head]).to_lowercase();
            let said = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = said.and_then(|length| length.parse().ok()).expect("a length");
            if answer.len() >= head.len() + 4 + length {
                return head;
            }
        }
        assert!(stream.read_buf(&mut answer).await.expect("an answer") > 0, "closed: {answer:?}");
    }
}

#[tokio::test]
async fn a_connection_lives_on_after_a_refusal_whose_body_came_late() {
    let keys = Keys::new();
    keys.issue(VirtualKey::new("somebody")).expect("a key");
    let server = start(gateway(&Simulator::new(), Stack::new()).keys(keys)).await;
    let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
    for _ in 0..3 {
        let head = "POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: sk-other\r\ncontent-length: 4\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("it is written");
        // As SDKs do, which write the body by itself; what refuses does not need it.
        let early = tokio::time::timeout(Duration::from_millis(20), stream.readable()).await;
        assert!(early.is_err(), "it is answered when all of it has come");
        stream.write_all(b"abcd").await.expect("it is written");
        let head = one_answer(&mut stream).await;
        assert!(head.starts_with("http/1.1 401") && !head.contains("connection: close"), "{head}");
    }
}

#[tokio::test]
async fn a_refused_body_that_does_not_end_costs_its_connection() {
    let keys = Keys::new();
    keys.issue(VirtualKey::new("somebody")).expect("a key");
    let server = start(gateway(&Simulator::new(), Stack::new()).keys(keys)).await;
    let asked = [
        ("content-length: 4", ""),
        ("content-length: 4\r\nexpect: 100-continue", ""),
        ("content-length: 99000000", "abcd"),
    ];
    for (more, body) in asked {
        let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
        let request = format!("POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: sk-other\r\n{more}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.expect("it is written");
        tokio::time::pause();
        let answer = rest(&mut stream).await;
        tokio::time::resume();
        let head = answer.to_lowercase();
        assert!(head.starts_with("http/1.1 401") && head.contains("connection: close"), "{more}: {answer}");
    }
}
