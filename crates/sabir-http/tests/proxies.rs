//! Through proxies: forwarded, tunnelled, with and without credentials.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::net::SocketAddr;

use sabir_core::transport::Transport;
use sabir_core::{ErrorKind, Stage};
use support::*;
use tokio::io::{AsyncReadExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// `user:pass word`, as the header has it.
const CREDENTIALS: &str = "Basic dXNlcjpwYXNzIHdvcmQ=";

/// A proxy that tunnels for whoever has the credentials, and answers forwarded requests itself.
async fn proxy() -> (SocketAddr, mpsc::Receiver<String>) {
    let (heads, seen) = mpsc::channel(16);
    let (address, _) = raw(move |mut stream| {
        let heads = heads.clone();
        async move {
            let head = read_request(&mut stream).await;
            let allowed = head.to_lowercase().contains(&format!("proxy-authorization: {CREDENTIALS}").to_lowercase());
            heads.try_send(head.clone()).unwrap();
            if !allowed {
                write(&mut stream, "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n").await;
            } else if let Some(target) = head.strip_prefix("CONNECT ") {
                let port: u16 = target.split_whitespace().next().unwrap().rsplit(':').next().unwrap().parse().unwrap();
                let mut there = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                write(&mut stream, "HTTP/1.1 200 Connection established\r\n\r\n").await;
                let _ = copy_bidirectional(&mut stream, &mut there).await;
            } else {
                write(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nforwarded").await;
            }
        }
    })
    .await;
    (address, seen)
}

#[tokio::test]
async fn a_tls_target_is_tunnelled_and_its_request_hidden_from_the_proxy() {
    let (tls, root) = tls(&["h2", "http/1.1"]);
    let (target, _) = hyper_server(Some(tls), |request| async move {
        answer(format!("{:?} {:?}", request.version(), request.headers().get("proxy-authorization")))
    })
    .await;
    let (proxy, mut seen) = proxy().await;
    let http = builder().proxy(format!("http://user:pass%20word@{proxy}")).add_root(root).build().unwrap();
    let response = in_time(http.send(get(format!("https://localhost:{}/v1", target.port())))).await.unwrap();
    assert_eq!(text(response.into_body()).await, "HTTP/2.0 None");
    let head = seen.recv().await.unwrap();
    assert!(head.starts_with(&format!("CONNECT localhost:{} HTTP/1.1\r\n", target.port())), "{head}");
}

#[tokio::test]
async fn a_plain_target_is_asked_of_the_proxy() {
    let (proxy, mut seen) = proxy().await;
    let http = builder().proxy(format!("http://user:pass%20word@{proxy}")).build().unwrap();
    let response = in_time(http.send(post("http://no-such-host.invalid/v1?x=1", "{}"))).await.unwrap();
    assert_eq!(text(response.into_body()).await, "forwarded");
    let head = seen.recv().await.unwrap();
    assert!(head.starts_with("POST http://no-such-host.invalid/v1?x=1 HTTP/1.1\r\n"), "{head}");
}

#[tokio::test]
async fn a_proxy_that_refuses() {
    let (proxy, _seen) = proxy().await;
    let http = builder().proxy(format!("http://user:hunter2@{proxy}")).build().unwrap();
    let error = in_time(http.send(get("https://example.invalid/"))).await.err().unwrap();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Network, Stage::NotSent));
    assert_eq!(
        error.message(),
        format!(
            "the proxy {proxy} wants credentials to reach example.invalid; write them in its URL as http://user:password@host:port"
        )
    );
    let shown = format!("{error:?} {http:?}");
    assert!(!shown.contains("hunter2"), "{shown}");

    // A plain request reached the proxy, and its answer is an answer.
    let response = in_time(http.send(get("http://example.invalid/"))).await.unwrap();
    assert_eq!(response.status(), 407);
}

#[tokio::test]
async fn a_proxy_that_is_not_there() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let http = builder().proxy(format!("http://127.0.0.1:{port}")).build().unwrap();
    for scheme in ["http", "https"] {
        let error = in_time(http.send(get(format!("{scheme}://example.invalid/")))).await.err().unwrap();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Network, Stage::NotSent));
        assert!(
            error.message().starts_with(&format!(
                "cannot reach the proxy 127.0.0.1:{port} on the way to example.invalid: connection refused"
            )),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_socks_proxy_is_given_the_name_and_the_right_port() {
    let (wanted, mut seen) = mpsc::channel(16);
    let (proxy, _) = raw(move |mut stream| {
        let wanted = wanted.clone();
        async move {
            // RFC 1928: greeting, then CONNECT to a domain name.
            let mut greeting = [0; 2];
            stream.read_exact(&mut greeting).await.unwrap();
            let mut methods = vec![0; usize::from(greeting[1])];
            stream.read_exact(&mut methods).await.unwrap();
            write(&mut stream, [5, 0]).await;
            let mut request = [0; 5];
            stream.read_exact(&mut request).await.unwrap();
            assert_eq!(request[..4], [5, 1, 0, 3]);
            let mut name = vec![0; usize::from(request[4])];
            stream.read_exact(&mut name).await.unwrap();
            let port = stream.read_u16().await.unwrap();
            wanted.try_send(format!("{}:{port}", String::from_utf8(name).unwrap())).unwrap();
            write(&mut stream, [5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).await;
            let head = read_request(&mut stream).await;
            assert!(head.starts_with("GET /v1 HTTP/1.1\r\n"), "{head}");
            write(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        }
    })
    .await;
    let http = builder().proxy(format!("socks5h://{proxy}")).build().unwrap();
    let response = in_time(http.send(get("http://no-such-host.invalid/v1"))).await.unwrap();
    assert_eq!(text(response.into_body()).await, "ok");
    assert_eq!(seen.recv().await.as_deref(), Some("no-such-host.invalid:80"));
}
