//! Servers of the Model Context Protocol behind the gateway's keys and limits.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sabir::config::KeyHash;
use sabir_gateway::Keys;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use self::house::{House, until};

mod house;

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow"}}"#;
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#;
const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\nset-cookie: a=b\r\n\r\n";

/// A server that keeps what it is asked. A call streams an event, and a second one when it may; `GET` streams for ever.
struct Upstream {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    goes_on: Arc<Notify>,
}

impl Upstream {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
        let (asked, goes_on) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
        let (heard, waits) = (asked.clone(), goes_on.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(answer(socket, heard.clone(), waits.clone()));
            }
        });
        Self { url, asked, goes_on }
    }

    fn last(&self) -> String {
        self.asked.lock().expect("no panic").last().expect("it was asked").to_lowercase()
    }

    fn count(&self) -> usize {
        self.asked.lock().expect("no panic").len()
    }
}

async fn answer(mut socket: TcpStream, asked: Arc<Mutex<Vec<String>>>, goes_on: Arc<Notify>) {
    let text = request(&mut socket).await;
    asked.lock().expect("no panic").push(text.clone());
    let say = |text: &str| text.as_bytes().to_vec();
    if text.starts_with("GET") || text.contains("tools/call") {
        socket.write_all(&say(&format!("{STREAM}data: first\n\n"))).await.expect("written");
        if text.starts_with("GET") {
            // Until the other side goes.
            let _ = socket.read(&mut [0; 1]).await;
            return;
        }
        goes_on.notified().await;
        socket.write_all(&say("data: second\n\n")).await.expect("written");
    } else if text.contains("letmein") {
        let body = r#"{"jsonrpc":"2.0","id":0,"result":{}}"#;
        let head = "content-type: application/json\r\nmcp-session-id: s-1\r\nconnection: close\r\nserver: x";
        let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        socket.write_all(answer.as_bytes()).await.expect("written");
    } else {
        let head = "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        socket.write_all(head.as_bytes()).await.expect("written");
    }
}

/// One request with its body.
async fn request(socket: &mut TcpStream) -> String {
    let (mut text, mut piece) = (String::new(), [0; 4096]);
    loop {
        let read = socket.read(&mut piece).await.expect("read");
        text.push_str(std::str::from_utf8(&piece[..read]).expect("text"));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if read == 0 || body.len() >= length.map_or(0, |length| length.parse().expect("a number")) {
            return text;
        }
    }
}

fn config(upstream: &Upstream, more: &str) -> String {
    let hash = |key: &str| KeyHash(Keys::hash(&key.into()));
    format!(
        "[mcp.far]\nurl = \"{0}\"\nheaders = {{ Authorization = \"Bearer letmein\", X-Api-Key = \"theirs\" }}\n\
         [mcp.locked]\nurl = \"{0}\"\n[mcp.lost]\nurl = \"http://127.0.0.1:1/mcp\"\n[mcp.other]\nurl = \"{0}\"\n\
         [gateway]\nmax_body = \"1KiB\"\n[limits]\nmax_wait = \"0\"\n\
         [gateway.keys.ada]\nhash = \"{1}\"\nmcp = [\"far\", \"locked\", \"lost\"]\n{more}\n\
         [gateway.keys.bob]\nhash = \"{2}\"\n[gateway.keys.eve]\nhash = \"{3}\"\nteam = \"red\"\nmcp = [\"far\", \"other\"]\n\
         [gateway.teams.red]\nmcp = [\"locked\", \"other\"]\n",
        upstream.url,
        hash("k-ada"),
        hash("k-bob"),
        hash("k-eve"),
    )
}

const ADA: &str = "authorization: Bearer k-ada\r\n";

#[tokio::test]
async fn requests_go_on_with_the_servers_credentials_and_not_the_clients() {
    let upstream = Upstream::new().await;
    let house = House::new(&config(&upstream, "")).await;
    let headers = "x-api-key: k-ada\r\ncookie: c=k-ada\r\nx-other: k-ada\r\naccept: application/json, text/event-stream\r\n\
                   content-type: application/json\r\nmcp-protocol-version: 2025-06-18\r\nmcp-session-id: s-0\r\n";
    let (status, text) = house.ask("POST", "/mcp/far", headers, INITIALIZE).await;
    assert!(status == 200 && text.ends_with(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#), "{text}");
    assert!(text.contains("mcp-session-id: s-1") && text.contains("x-sabir-request-id"), "{text}");
    assert!(!text.contains("server: x") && !text.contains("set-cookie"), "{text}");
    let last = upstream.last();
    for there in [
        "post /mcp http",
        "authorization: bearer letmein",
        "x-api-key: theirs",
        "mcp-session-id: s-0",
        "mcp-protocol-version: 2025-06-18",
        "accept: application/json, text/event-stream",
        "content-type: application/json",
        &INITIALIZE.to_lowercase(),
    ] {
        assert!(last.contains(there), "{there} in {last}");
    }
    assert!(!last.contains("k-ada") && !last.contains("cookie") && !last.contains("x-other"), "{last}");

    let (status, _) = house.ask("DELETE", "/mcp/far/", &format!("{ADA}mcp-session-id: s-1\r\n"), "").await;
    assert!(status == 200 && upstream.last().starts_with("delete /mcp http"));
    let (status, text) = house.ask("POST", "/mcp/locked", ADA, INITIALIZE).await;
    assert!(status == 502 && text.contains("does not take the gateway's credentials"), "{text}");
    let (status, text) = house.ask("POST", "/mcp/lost", ADA, INITIALIZE).await;
    assert!(status == 502 && text.contains("the MCP server lost cannot be reached") && !text.contains(":1/"), "{text}");
}

#[tokio::test]
async fn a_key_uses_the_servers_that_it_and_its_team_may() {
    let upstream = Upstream::new().await;
    let house = House::new(&config(&upstream, "")).await;
    let bearer = |key: &str| format!("authorization: Bearer {key}\r\n");
    for (method, path, headers, body, status) in [
        ("POST", "/mcp/far", String::new(), INITIALIZE, 401),
        ("POST", "/mcp/far", bearer("k-nobody"), INITIALIZE, 401),
        ("POST", "/mcp/far", bearer("k-bob"), INITIALIZE, 404),
        ("POST", "/mcp/far", bearer("k-eve"), INITIALIZE, 404),
        ("POST", "/mcp/locked", bearer("k-eve"), INITIALIZE, 404),
        ("POST", "/mcp/other", bearer("k-ada"), INITIALIZE, 404),
        ("POST", "/mcp/models", bearer("k-ada"), INITIALIZE, 404),
        ("POST", "/mcp/far/v1/chat/completions", bearer("k-ada"), INITIALIZE, 404),
        ("PUT", "/mcp/far", bearer("k-ada"), INITIALIZE, 405),
        ("POST", "/mcp/far", format!("{ADA}origin: http://evil.example.com\r\n"), INITIALIZE, 403),
        ("POST", "/mcp/far", bearer("k-ada"), &"x".repeat(2000), 413),
    ] {
        let (got, text) = house.ask(method, path, &headers, body).await;
        assert_eq!(got, status, "{method} {path} {headers}: {text}");
        assert!(text.contains(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":""#), "{text}");
    }
    assert_eq!(upstream.count(), 0);
    // What it and its team have both is reached.
    assert_eq!(house.ask("POST", "/mcp/other", &bearer("k-eve"), INITIALIZE).await.0, 502);
    let here = format!("{ADA}origin: http://localhost:6274\r\n");
    assert_eq!(house.ask("POST", "/mcp/far", &here, INITIALIZE).await.0, 200);
}

#[tokio::test]
async fn answers_stream_and_hold_their_place() {
    let upstream = Upstream::new().await;
    let house = House::new(&config(&upstream, "limits = { concurrent_calls = 1 }")).await;
    let mut first = house.begin("POST", "/mcp/far", ADA, CALL).await;
    let begun = until(&mut first, "data: first").await;
    assert!(begun.contains("content-type: text/event-stream") && !begun.contains("second"), "{begun}");
    let (status, text) = house.ask("POST", "/mcp/far", ADA, INITIALIZE).await;
    assert!(status == 429 && text.contains("jsonrpc"), "{text}");
    upstream.goes_on.notify_one();
    until(&mut first, "data: second").await;
    first.read_to_end(&mut Vec::new()).await.expect("its end");
    assert_eq!(house.ask("POST", "/mcp/far", ADA, INITIALIZE).await.0, 200);
    // Who goes away leaves the place.
    let mut left = house.begin("POST", "/mcp/far", ADA, CALL).await;
    until(&mut left, "data: first").await;
    drop(left);
    while house.ask("POST", "/mcp/far", ADA, INITIALIZE).await.0 == 429 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn requests_are_counted() {
    let upstream = Upstream::new().await;
    let house = House::new(&config(&upstream, "limits = { requests = 2, per = \"1h\" }")).await;
    for _ in 0..2 {
        assert_eq!(house.ask("POST", "/mcp/far", ADA, INITIALIZE).await.0, 200);
    }
    let (status, text) = house.ask("POST", "/mcp/far", ADA, INITIALIZE).await;
    assert!(status == 429 && text.contains("retry-after: "), "{text}");
    assert_eq!(upstream.count(), 2);
    assert_eq!(house.ask("DELETE", "/mcp/far", ADA, "").await.0, 200, "to end something is always allowed");
}

#[tokio::test]
async fn streams_that_wait_end_when_the_gateway_does() {
    let upstream = Upstream::new().await;
    let house = House::new(&config(&upstream, "")).await;
    let mut stream = house.begin("GET", "/mcp/far", &format!("{ADA}last-event-id: 7\r\n"), "").await;
    until(&mut stream, "data: first").await;
    assert!(upstream.last().contains("last-event-id: 7"));
    assert!(house.server.drain(Duration::from_secs(60)).await, "nothing was cut off");
    stream.read_to_end(&mut Vec::new()).await.expect("a proper end");
}

#[tokio::test]
async fn where_no_keys_are_asked_for_only_what_is_open_to_all_is() {
    let upstream = Upstream::new().await;
    let servers = format!(
        "[mcp.far]\nurl = \"{0}\"\nheaders = {{ A = \"letmein\" }}\n[mcp.other]\nurl = \"{0}\"\n",
        upstream.url
    );
    let house = House::new(&servers).await;
    assert_eq!(house.ask("POST", "/mcp/far", "", INITIALIZE).await.0, 404);
    let house = House::new(&format!("{servers}[gateway]\nmcp = [\"far\"]\n")).await;
    assert_eq!(house.ask("POST", "/mcp/far", "", INITIALIZE).await.0, 200);
    assert_eq!(house.ask("POST", "/mcp/other", "", INITIALIZE).await.0, 404);
    assert_eq!(house.ask("POST", "/mcp/far", "origin: http://x.example:8911\r\n", INITIALIZE).await.0, 403);
}
