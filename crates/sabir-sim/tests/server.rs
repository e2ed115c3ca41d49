//! The simulator over sockets: as `sabir-http` sees it, and byte by byte.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use http::StatusCode;
use sabir_core::chat::{ChatRequest, ChatResponse, Event};
use sabir_core::drive::Origin;
use sabir_core::{Call, Dialect, Endpoint, ErrorKind, Request, Result, Service, Stage};
use sabir_http::HttpTransport;
use sabir_sim::{Failure, Fault, Script, Server, Simulator, Turn};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn serve(script: Script) -> Server {
    Server::start(Simulator::scripted(script), "127.0.0.1:0").await.expect("a free port")
}

/// Every dialect that is built in: at least two, so that no loop over them is empty.
fn served() -> &'static [&'static dyn Dialect] {
    let served = sabir_dialects::dialects();
    assert!(served.len() >= 2, "{served:?}");
    served
}

fn origin(dialect: &'static dyn Dialect, server: &Server) -> Origin {
    let endpoint =
        Endpoint { provider: "sim".into(), base_url: server.url(), key: Some("any".into()), ..Endpoint::default() };
    Origin::new(dialect, endpoint, Arc::new(HttpTransport::builder().build().expect("a transport")))
}

async fn streamed(origin: &Origin) -> Result<ChatResponse> {
    let mut request = ChatRequest::new("m").user("Hello").max_tokens(4_000);
    request.stream = true;
    let mut stream = origin.call(&Call::default(), &Request::Chat(request)).await?.stream()?;
    loop {
        if let Event::Done(response) = stream.next().await.expect("a terminal item comes first")? {
            return Ok(*response);
        }
    }
}

async fn unary(origin: &Origin) -> Result<ChatResponse> {
    let request = ChatRequest::new("m").user("Hello").max_tokens(4_000);
    origin.call(&Call::default(), &Request::Chat(request)).await?.whole()
}

/// Waits for what another task is about to do.
async fn eventually(mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("it never came to be");
}

/// Sends bytes and reads until the connection ends.
async fn raw(server: &Server, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(server.address()).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn every_dialect_is_answered_over_http() {
    let server = serve(Script::new()).await;
    for dialect in served() {
        let origin = origin(*dialect, &server);
        let (whole, folded) = (unary(&origin).await.expect("an answer"), streamed(&origin).await.expect("an answer"));
        assert!(whole.text().contains("You said: “Hello”"), "{}", whole.text());
        assert_eq!((whole.text(), &whole.parts), (folded.text(), &folded.parts));
    }
    assert_eq!(server.simulator().cancelled(), 0);
}

#[tokio::test]
async fn faults_are_the_same_over_a_socket() {
    let pieces = Fault::ChunkBytes { n: NonZeroUsize::new(5).expect("not zero") };
    let text = || Turn::text("Words enough to be cut in the middle.");
    for dialect in served() {
        let server = serve(
            Script::new()
                .turn(Turn::error(Failure::new(429, "slow down").retry_after_secs(3.0)))
                .turn(text().fault(Fault::CutAt { bytes: 200 }))
                .turn(text().fault(Fault::ResetAt { bytes: 200 }))
                .turn(text().fault(Fault::page(StatusCode::BAD_GATEWAY, "<html>")))
                .turn(text().fault(pieces.clone()))
                .turn(text().fault(Fault::Refuse)),
        )
        .await;
        let origin = origin(*dialect, &server);
        let error = streamed(&origin).await.expect_err("429");
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimit, Some(Duration::from_secs(3))));
        assert_eq!(streamed(&origin).await.expect_err("cut").kind(), ErrorKind::Truncated);
        let error = streamed(&origin).await.expect_err("reset");
        // A reset may overtake the bytes before it.
        assert_eq!(error.kind(), ErrorKind::Network, "{error}");
        assert_ne!(error.stage(), Stage::NotSent, "{error}");
        assert_eq!(streamed(&origin).await.expect_err("a page").status(), Some(StatusCode::BAD_GATEWAY));
        assert_eq!(streamed(&origin).await.expect("pieces").text(), "Words enough to be cut in the middle.");
        assert_eq!(streamed(&origin).await.expect_err("refused").kind(), ErrorKind::Network);
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels() {
    let dialect = &served()[0];
    let server = serve(
        Script::new().turn(Turn::text("Words enough to be cut in the middle.").fault(Fault::Stall { bytes: 400 })),
    )
    .await;
    let mut request = ChatRequest::new("m").user("x").max_tokens(4_000);
    request.stream = true;
    let origin = origin(*dialect, &server);
    let reply = origin.call(&Call::default(), &Request::Chat(request)).await.expect("a head");
    let mut stream = reply.stream().expect("a stream");
    stream.next().await.expect("an event").expect("no error");
    assert_eq!(server.simulator().in_flight(), 1);
    drop(stream);
    eventually(async || server.simulator().in_flight() == 0).await;
    assert_eq!(server.simulator().cancelled(), 1);
}

#[tokio::test]
async fn plain_http_is_spoken() {
    let server = serve(Script::new()).await;
    let answer =
        raw(&server, "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("x-sabir-simulated: true\r\n") && answer.contains("content-length: 15\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n{\"status\":\"ok\"}"), "{answer}");
    let answer = raw(&server, "GET /nope HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("/v1/chat/completions"), "{answer}");
    let answer = raw(&server, "nonsense\r\n\r\n").await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let head = "POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\nconnection: close\r\n\r\n";
    let answer = raw(&server, head).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn vectors_and_orders_are_given_over_http() {
    let server = serve(Script::new()).await;
    for (path, body, expected) in [
        ("/v1/embeddings", r#"{"model":"m","input":["salt","sea"]}"#, r#""object":"embedding""#),
        ("/v2/rerank", r#"{"model":"m","query":"salt","documents":["sea salt","sky"]}"#, r#""relevance_score""#),
    ] {
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n", body.len());
        let answer = raw(&server, &format!("{head}connection: close\r\n\r\n{body}")).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains(expected), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_taken_or_wrong_address_is_said_in_one_line() {
    let server = serve(Script::new()).await;
    let error = Server::start(Simulator::new(), server.address()).await.expect_err("taken");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Network, Stage::NotSent));
    assert!(error.message().contains(&server.address().to_string()) && error.message().contains("another"), "{error}");
    let error = Server::start(Simulator::new(), "not an address").await.expect_err("no address");
    assert_eq!((error.kind(), error.to_string().lines().count()), (ErrorKind::Configuration, 1));
    assert_eq!(server.url(), format!("http://{}", server.address()));
}

#[tokio::test]
async fn stopping_closes_the_listener_and_the_connections() {
    let server = serve(Script::new()).await;
    let address = server.address();
    let mut open = TcpStream::connect(address).await.expect("it listens");
    open.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it reads");
    let mut first = [0; 15];
    open.read_exact(&mut first).await.expect("it answers");
    assert_eq!(server.run_until(async { "stopped" }).await, "stopped");
    let mut rest = Vec::new();
    // Closed or reset: either way it is over.
    let _ = open.read_to_end(&mut rest).await;
    eventually(async || TcpStream::connect(address).await.is_err()).await;
}
