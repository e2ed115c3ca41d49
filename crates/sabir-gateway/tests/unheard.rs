//! What is no request: too long, contradicting itself, no HTTP, or not coming to its end. The server itself refuses it, in
//! the shape in which the clients of that path read errors, with nothing of what was sent in it.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sabir::{Client, Env};
use sabir_gateway::{AccessLog, Gateway, Server};
use sabir_sim::{Simulator, Turn};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A path of each dialect whose errors look different, and what is there in them.
const PLACES: [(&str, &[&str]); 8] = [
    ("/v1/chat/completions", &["/error/message", "/error/type"]),
    ("/v1/responses", &["/error/message", "/error/type"]),
    ("/v1/messages", &["/error/message", "/error/type", "/type"]),
    ("/v1beta/models/sim%2Fa:generateContent", &["/error/message", "/error/status"]),
    ("/api/chat", &["/error"]),
    ("/v2/chat", &["/message"]),
    ("/model/sim%2Fa/converse", &["/message", "/__type"]),
    ("/generate", &["/error", "/error_type"]),
];

const ANTHROPIC: &[&str] = PLACES[2].1;
const OPENAI: &[&str] = PLACES[0].1;

fn gateway(simulator: &Simulator) -> Gateway {
    Gateway::new(Client::builder().env(Env::none()).service("sim", simulator.clone()).build().expect("a client"))
}

async fn start() -> Server {
    Server::start(gateway(&Simulator::new()), "127.0.0.1:0").await.expect("it listens")
}

async fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// All that comes until the connection ends, which is closed and not reset.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("it is closed in order");
    String::from_utf8(answer).expect("text")
}

/// Holds all that was answered against what one refusal must be.
fn check(what: &str, answer: &str, status: u16, shape: &[&str], says: &str) {
    let about = format!("{what}: {answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{about}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{about}");
    let header = |name: &str| {
        let values = head.lines().filter_map(|line| line.split_once(": ").filter(|(of, _)| *of == name));
        let values: Vec<&str> = values.map(|(_, value)| value).collect();
        assert_eq!(values.len(), 1, "{name}, {about}");
        values[0].to_owned()
    };
    assert_eq!(header("content-length"), body.len().to_string(), "{about}");
    assert_eq!(header("connection"), "close", "{about}");
    assert_eq!(header("content-type"), "application/json", "{about}");
    assert_eq!(header("x-sabir-request-id").len(), 32, "{about}");
    assert!(header("date").ends_with(" GMT"), "{about}");
    let json: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{about}"));
    for field in shape {
        assert!(json.pointer(field).is_some_and(Value::is_string), "{field}, {about}");
    }
    assert!(body.contains(says), "{says}, {about}");
    assert!(!answer.contains("pepper") && !answer.contains("sk-guess"), "{about}");
}

/// What cannot be taken, with what is answered and what that says.
fn bad(path: &str) -> Vec<(&'static str, String, u16, &'static str)> {
    let key = "host: x\r\nauthorization: Bearer sk-guess\r\n";
    let with = |headers: &str| format!("POST {path}?pepper HTTP/1.1\r\n{key}{headers}\r\nabcd");
    let many: String = (0..101).fold(String::new(), |many, at| format!("{many}x-{at}: pepper\r\n"));
    vec![
        ("a long header", with(&format!("x: {}\r\n", "pepper".repeat(17_000))), 431, "65536 bytes"),
        ("many long headers", with(&format!("x: {}\r\n", "pepper".repeat(200)).repeat(90)), 431, "65536 bytes"),
        ("many headers", with(&many), 431, "100 headers"),
        ("a long URL", format!("GET {path}?{} HTTP/1.1\r\n{key}\r\n", "pepper".repeat(17_000)), 414, "URL"),
        ("two lengths", with("content-length: 4\r\ncontent-length: 5\r\n"), 400, "lengths"),
        ("two lengths at once", with("content-length: 4, 5\r\n"), 400, "lengths"),
        ("a length and another coding", with("content-length: 4\r\ntransfer-encoding: pepper\r\n"), 400, "lengths"),
        ("a length and chunks", with("Content-Length: 4\r\ntransfer-encoding: chunked\r\n"), 400, "lengths"),
        ("chunks and a length", with("Transfer-Encoding:chunked\r\nx: y\r\ncontent-length:4\r\n"), 400, "lengths"),
        ("a space before a colon", with("content-length : 4\r\n"), 400, "header"),
        ("a folded header", with("a: b\r\n pepper: c\r\n"), 400, "header"),
        ("a NUL", with("pep\0per: 1\r\n"), 400, "header"),
        ("no method", format!("P(ST {path} HTTP/1.1\r\n{key}\r\n"), 400, "first line"),
        ("no URL", format!("POST {path}?\x01 HTTP/1.1\r\n{key}\r\n"), 400, "first line"),
        ("another version", format!("POST {path} HTTP/1.7\r\n{key}\r\n"), 400, "first line"),
        ("an old coding", format!("POST {path} HTTP/1.0\r\n{key}transfer-encoding: chunked\r\n\r\n"), 400, "lengths"),
    ]
}

#[tokio::test]
async fn what_is_no_request_is_told_in_the_clients_dialect() {
    let server = start().await;
    for (path, shape) in PLACES {
        for (what, sent, status, says) in bad(path) {
            let mut stream = connect(&server).await;
            stream.write_all(sent.as_bytes()).await.expect("all of it is taken");
            check(&format!("{what} at {path}"), &rest(&mut stream).await, status, shape, says);
        }
    }
}

#[tokio::test]
async fn it_is_told_on_a_connection_that_was_used_before() {
    let server = start().await;
    for (path, shape) in PLACES {
        for (what, sent, status, says) in bad(path) {
            let mut stream = connect(&server).await;
            for _ in 0..2 {
                stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("written");
                assert!(until(&mut stream, r#"{"status":"ok"}"#).await.starts_with("HTTP/1.1 200"));
            }
            stream.write_all(sent.as_bytes()).await.expect("all of it is taken");
            check(&format!("{what} at {path}"), &rest(&mut stream).await, status, shape, says);
        }
    }
}

/// What comes until a word has come.
async fn until(stream: &mut TcpStream, word: &str) -> String {
    let (mut text, mut piece) = (String::new(), [0; 4_096]);
    while !text.ends_with(word) {
        let read = stream.read(&mut piece).await.expect("read");
        assert!(read > 0, "it ended: {text}");
        text.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    text
}

#[tokio::test]
async fn it_is_told_however_it_comes() {
    let server = start().await;
    let mut stream = connect(&server).await;
    for byte in b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\n" {
        stream.write_all(&[*byte]).await.expect("written");
        tokio::task::yield_now().await;
    }
    check("a byte at a time", &rest(&mut stream).await, 400, ANTHROPIC, "lengths");
}

#[tokio::test]
async fn what_is_no_http_is_told_in_the_usual_shape() {
    let server = start().await;
    for (sent, says) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03pepper, who greets by TLS"[..], "this is TLS"),
        (b"\x00\xff\xfe pepper\r\n\r\n", "no request of HTTP"),
        (b"{\"pepper\": 1}\r\n\r\n", "no request of HTTP"),
        (b"SSH-2.0-pepper\r\n", "no request of HTTP"),
        (b"PRI * HTTP/2.0\r\n\r\npepper\r\n\r\n", "no request of HTTP"),
        (b"GET / pepper HTTP/1.1\r\n\r\n", "no request of HTTP"),
    ] {
        let mut stream = connect(&server).await;
        stream.write_all(sent).await.expect("written");
        check(&String::from_utf8_lossy(sent), &rest(&mut stream).await, 400, OPENAI, says);
    }
}

#[tokio::test]
async fn an_answer_to_head_has_no_body() {
    let server = start().await;
    let mut stream = connect(&server).await;
    stream.write_all(b"HEAD /v1/messages HTTP/1.1\r\ncontent-length: x\r\n\r\n").await.expect("written");
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn good_answers_before_it_stay_whole() {
    let simulator = Simulator::new();
    let server = Server::start(gateway(&simulator), "127.0.0.1:0").await.expect("it listens");
    for is_streamed in [false, true] {
        simulator.push(Turn::text("salt ".repeat(20_000)));
        let body = format!(
            r#"{{"model":"sim/a","max_tokens":90000,"stream":{is_streamed},"messages":[{{"role":"user","content":"Hi"}}]}}"#
        );
        let good = format!("POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let mut stream = connect(&server).await;
        // In one write, so that the second is there before the first is answered.
        stream
            .write_all(format!("{good}POST /v1/messages HTTP/1.1\r\npepper\r\n\r\n").as_bytes())
            .await
            .expect("written");
        let answers = rest(&mut stream).await;
        let (first, second) = answers.split_at(answers.rfind("HTTP/1.1 ").expect("two answers"));
        assert!(first.starts_with("HTTP/1.1 200 "), "{answers}");
        let end = if is_streamed { "\r\n0\r\n\r\n" } else { "}" };
        assert!(first.matches("salt").count() >= 20_000 && first.ends_with(end), "{answers}");
        // What came behind another request is not known; it is most likely of the same client.
        check("pipelined", second, 400, ANTHROPIC, "no request of HTTP");
    }
}

#[tokio::test]
async fn who_waits_to_be_told_to_go_on_is_told() {
    let server = start().await;
    let body = r#"{"model":"sim/a","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
    let mut stream = connect(&server).await;
    let length = body.len();
    for _ in 0..2 {
        let head = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("written");
        assert_eq!(until(&mut stream, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(body.as_bytes()).await.expect("written");
        assert!(until(&mut stream, "}").await.starts_with("HTTP/1.1 200 "));
    }
}

/// Where a head came behind another request nobody looks at it but hyper, which leaves a length beside a coding out of
/// account and ends the connection (RFC 9112 §6.1): nothing can be smuggled by it.
#[tokio::test]
async fn behind_another_request_chunks_count_and_nothing_after_them() {
    let server = start().await;
    for headers in
        ["content-length: 45\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 45"]
    {
        let mut stream = connect(&server).await;
        let smuggled = "0\r\n\r\nGET /readyz HTTP/1.1\r\nhost: pepper\r\n\r\n";
        let good = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        let sent = format!("{good}POST /v1/messages HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n{smuggled}");
        stream.write_all(sent.as_bytes()).await.expect("written");
        let mut answer = Vec::new();
        // What was not read may take a little of the end with it.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        let (first, second) = answer.split_at(answer.rfind("HTTP/1.1 ").expect("two answers"));
        assert!(first.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(second.starts_with("HTTP/1.1 400 ") && second.contains("connection: close"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{answer}");
    }
}

#[tokio::test]
async fn a_body_may_have_any_lines() {
    let server = start().await;
    let text = "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n";
    let body = format!("{text}{{\"model\"");
    let mut stream = connect(&server).await;
    for _ in 0..2 {
        let head = format!("POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
        for piece in [head.as_str(), body.as_str()] {
            stream.write_all(piece.as_bytes()).await.expect("written");
            tokio::task::yield_now().await;
        }
        let answer = until(&mut stream, "}").await;
        assert!(answer.contains("not JSON") && !answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_told_so() {
    let server = start().await;
    for (path, shape) in PLACES {
        for sent in [format!("POST {path}?pepper HTTP/1.1\r\nx: pepper"), format!("POST {path}?pepper")] {
            let mut stream = connect(&server).await;
            stream.write_all(sent.as_bytes()).await.expect("written");
            tokio::time::pause();
            let answer = rest(&mut stream).await;
            tokio::time::resume();
            check(&sent, &answer, 408, shape, "75 s");
        }
    }
}

#[tokio::test]
async fn what_may_become_http_2_is_not_waited_for_either() {
    let server = start().await;
    // All but the last begin HTTP/2 as well as anything else.
    for sent in ["P", "PRI * HTTP/2.0\r\n\r\nSM", "PO"] {
        let mut stream = connect(&server).await;
        stream.write_all(sent.as_bytes()).await.expect("written");
        tokio::time::pause();
        check(sent, &rest(&mut stream).await, 408, OPENAI, "75 s");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_head_has_its_time_from_where_it_begins() {
    let server = start().await;
    let mut stream = connect(&server).await;
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(70)).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\n").await.expect("written");
    tokio::time::sleep(Duration::from_secs(60)).await;
    stream.write_all(b"\r\n").await.expect("written");
    assert!(until(&mut stream, r#"{"status":"ok"}"#).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn who_is_idle_is_told_nothing() {
    let server = start().await;
    let mut fresh = connect(&server).await;
    let mut used = connect(&server).await;
    used.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("written");
    until(&mut used, r#"{"status":"ok"}"#).await;
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    // It would be taken for the answer to what is asked next.
    assert_eq!((rest(&mut fresh).await, rest(&mut used).await), (String::new(), String::new()));
    assert!((74..80).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_long_head_of_http_2_is_told_in_the_clients_dialect() {
    let server = start().await;
    for (path, shape) in PLACES {
        let socket = TokioIo::new(connect(&server).await);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), socket).await.expect("HTTP/2");
        drop(tokio::spawn(connection));
        for (size, status) in [(100_000, 431), (200_000, 431), (1_000, 400)] {
            let request = http::Request::post(format!("http://x{path}")).header("x-long", "pepper".repeat(size / 6));
            let request = request.header("authorization", "Bearer sk-guess").body(Full::new(Bytes::from("[")));
            let answer = sender.send_request(request.expect("a request")).await.expect("an answer");
            let (head, body) = answer.into_parts();
            let said = body.collect().await.expect("a body").to_bytes();
            let about = format!("{size} at {path}: {head:?} {}", String::from_utf8_lossy(&said));
            // Text Generation Inference has 422 for what does not hold.
            let usual = if status == 400 && path == "/generate" { 422 } else { status };
            assert_eq!(head.status.as_u16(), usual, "{about}");
            assert_eq!(head.headers["content-type"], "application/json", "{about}");
            assert!(head.headers.contains_key("x-sabir-request-id"), "{about}");
            let json: Value = serde_json::from_slice(&said).unwrap_or_else(|_| panic!("{about}"));
            assert!(shape.iter().all(|field| json.pointer(field).is_some_and(Value::is_string)), "{about}");
            assert!(!about.contains("pepper") && !about.contains("sk-guess"), "{about}");
            assert_eq!(about.contains("65536 bytes"), status == 431, "{about}");
        }
    }
}

#[tokio::test]
async fn a_head_of_http_2_that_is_not_read_at_all_ends_no_other_request() {
    let server = start().await;
    let socket = TokioIo::new(connect(&server).await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), socket).await.expect("HTTP/2");
    drop(tokio::spawn(connection));
    for (long, status) in [(300_000, 431), (60_000, 200)] {
        let request = http::Request::get("http://x/healthz").header("x-long", "x".repeat(long));
        let answer = sender.send_request(request.body(Full::new(Bytes::new())).expect("a request")).await;
        assert_eq!(answer.expect("an answer").status().as_u16(), status);
    }
}

#[tokio::test]
async fn http_2_is_not_idle_for_ever() {
    let server = start().await;
    let socket = TokioIo::new(connect(&server).await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), socket).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    tokio::time::pause();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let request = http::Request::get("http://x/healthz").body(Full::new(Bytes::new())).expect("a request");
        assert_eq!(sender.send_request(request).await.expect("an answer").status(), 200);
    }
    let begun = tokio::time::Instant::now();
    drop(tokio::time::timeout(Duration::from_secs(80), connection).await.expect("it ends"));
    assert!(begun.elapsed().as_secs() >= 74 && sender.is_closed(), "{:?}", begun.elapsed());
    // Nor may the head of a request come for as long as it likes: this one has a beginning, and not its end.
    let mut stream = connect(&server).await;
    let frames = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\0\0\0\0\x01\x82";
    stream.write_all(frames).await.expect("written");
    let reading = async {
        let mut answer = Vec::new();
        // It may be reset, with what nobody read.
        let _ = stream.read_to_end(&mut answer).await;
    };
    tokio::time::timeout(Duration::from_secs(160), reading).await.expect("it ends");
}

/// What is written to it, for whoever asks.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_access_log_has_a_line_of_it() {
    let paper = Paper::default();
    let gateway = gateway(&Simulator::new()).access_log(AccessLog::to(paper.clone()).expect("a log"));
    let server = Server::start(gateway, "127.0.0.1:0").await.expect("it listens");
    for sent in ["POST /v1/messages?key=sk-guess HTTP/1.1\r\npepper\r\n\r\n", "pepper /pepper pepper\r\n\r\n"] {
        let mut stream = connect(&server).await;
        stream.write_all(sent.as_bytes()).await.expect("written");
        let answer = rest(&mut stream).await;
        let id = answer.split("x-sabir-request-id: ").nth(1).expect("an id")[..32].to_owned();
        let line = loop {
            let log = String::from_utf8(paper.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).expect("text");
            if let Some(line) = log.lines().find(|line| line.contains(&id)) {
                break line.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert!(!line.contains("pepper") && !line.contains("sk-guess"), "{line}");
        let said: Value = serde_json::from_str(&line).expect("JSON");
        let is_read = sent.starts_with("POST");
        assert_eq!(said["status"], 400, "{line}");
        assert_eq!(said["method"], if is_read { "POST" } else { "-" }, "{line}");
        assert_eq!(said["path"], if is_read { "/v1/messages" } else { "*" }, "{line}");
        assert_eq!(said["format"], if is_read { "anthropic-messages" } else { "openai-chat" }, "{line}");
    }
}
