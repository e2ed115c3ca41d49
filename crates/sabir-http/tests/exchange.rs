//! Requests and answers over real sockets: protocols, reuse, and servers that cannot be reached.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{StatusCode, Version};
use http_body_util::BodyExt;
use sabir_core::transport::Transport;
use sabir_core::{ErrorKind, Stage};
use support::*;

/// Answers with what it was asked.
async fn echo(request: http::Request<hyper::body::Incoming>) -> Answer {
    let head = format!("{:?} {} {}", request.version(), request.method(), request.uri().path());
    let length = request.headers().get("content-length").map(|l| l.to_str().unwrap().to_owned());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    answer(format!("{head} length={length:?} {}", String::from_utf8_lossy(&body)))
}

#[tokio::test]
async fn a_post_over_http1_and_the_connection_is_used_again() {
    let (address, connections) = hyper_server(None, echo).await;
    let http = transport();
    for turn in 0..5 {
        let response =
            in_time(http.send(post(format!("http://{address}/v1/chat"), format!("turn {turn}")))).await.unwrap();
        assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_11));
        assert_eq!(text(response.into_body()).await, format!("HTTP/1.1 POST /v1/chat length=Some(\"6\") turn {turn}"));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn without_a_pool_each_call_connects() {
    let (address, connections) = hyper_server(None, echo).await;
    let http = builder().pool(0, std::time::Duration::from_secs(1)).build().unwrap();
    for _ in 0..3 {
        text(http.send(get(format!("http://{address}/"))).await.unwrap().into_body()).await;
    }
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn http2_over_tls_with_an_added_root() {
    let (tls, root) = tls(&["h2", "http/1.1"]);
    let (address, connections) = hyper_server(Some(tls), echo).await;
    let url = format!("https://localhost:{}/v1", address.port());
    let http = builder().add_root(root.clone()).build().unwrap();
    // Until one connection has negotiated HTTP/2, nobody knows that it can be shared.
    text(in_time(http.send(get(&url))).await.unwrap().into_body()).await;
    let calls = (0..8).map(|n| {
        let (http, url) = (http.clone(), url.clone());
        async move {
            let response = http.send(post(url, n.to_string())).await.unwrap();
            assert_eq!(response.version(), Version::HTTP_2);
            text(response.into_body()).await
        }
    });
    let answers = in_time(futures_util::future::join_all(calls)).await;
    assert_eq!(answers[7], "HTTP/2.0 POST /v1 length=Some(\"1\") 7");
    assert_eq!(connections.load(Ordering::SeqCst), 1);

    let plain = builder().add_root(root).only_added_roots(true).http2(false).build().unwrap();
    let response = in_time(plain.send(get(&url))).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_11);
}

#[tokio::test]
async fn an_unknown_root_is_told_apart_from_a_server_without_tls() {
    let (tls, _) = tls(&[]);
    let (address, _) = hyper_server(Some(tls), echo).await;
    let error = in_time(transport().send(get(format!("https://{address}/?key=hunter2")))).await.err().unwrap();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Network, Stage::NotSent));
    assert_eq!(
        error.message(),
        format!(
            "no TLS connection to {address}: its certificate is signed by nobody we trust; name the file of its root certificate in SSL_CERT_FILE if the server is yours"
        )
    );

    let (address, _) = hyper_server(None, echo).await;
    let error = in_time(transport().send(get(format!("https://{address}/")))).await.err().unwrap();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Network, Stage::NotSent));
    assert!(error.message().contains("is the base URL meant to begin with http://?"), "{error}");
}

#[tokio::test]
async fn a_refused_connection_and_a_name_that_does_not_resolve() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error =
        in_time(transport().send(get(format!("http://127.0.0.1:{port}/secret?key=hunter2")))).await.err().unwrap();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Network, Stage::NotSent));
    assert!(error.is_retryable());
    assert_eq!(
        error.message(),
        format!("cannot reach 127.0.0.1:{port}: connection refused; is the server running and the base URL right?")
    );

    let error = in_time(transport().send(get("http://no-such-host.invalid/"))).await.err().unwrap();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Network, Stage::NotSent));
    assert!(error.message().starts_with("cannot find no-such-host.invalid: "), "{error}");
}

#[tokio::test]
async fn what_cannot_be_sent_is_a_configuration_error() {
    for url in ["/v1/chat", "ftp://host/", "localhost:80"] {
        let error = transport().send(get(url)).await.err().unwrap();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Configuration, Stage::NotSent), "{url}");
    }
    let error = builder().add_root("-----BEGIN CERTIFICATE-----\nrubbish").build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert_eq!(builder().add_root(b"not der".as_slice()).build().unwrap_err().kind(), ErrorKind::Configuration);
    assert_eq!(builder().proxy("gopher://x").build().unwrap_err().kind(), ErrorKind::Configuration);
}

#[tokio::test]
async fn the_callers_own_headers_win() {
    let (address, _) = hyper_server(None, |request| async move {
        answer(format!("{:?} {:?}", request.headers().get("accept-encoding"), request.headers().get("host")))
    })
    .await;
    let http = transport();
    let mut request = get(format!("http://{address}/"));
    request.headers_mut().insert("accept-encoding", "identity".parse().unwrap());
    request.headers_mut().insert("host", "elsewhere".parse().unwrap());
    let said = text(http.send(request).await.unwrap().into_body()).await;
    assert_eq!(said, "Some(\"identity\") Some(\"elsewhere\")");
    let said = text(http.send(get(format!("http://{address}/"))).await.unwrap().into_body()).await;
    let asked = if cfg!(feature = "compression") { "Some(\"gzip, br, zstd\")" } else { "None" };
    assert_eq!(said, format!("{asked} Some(\"{address}\")"));
    let plain = builder().decompress(false).build().unwrap();
    let said = text(plain.send(get(format!("http://{address}/"))).await.unwrap().into_body()).await;
    assert!(said.starts_with("None "), "{said}");
}

#[tokio::test]
async fn a_dead_pooled_connection_is_replaced_without_a_word() {
    let (address, connections) = raw(|mut stream| async move {
        read_request(&mut stream).await;
        write(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        // Closed though the client was promised keep-alive.
    })
    .await;
    let http = transport();
    for _ in 0..2 {
        let response = in_time(http.send(get(format!("http://{address}/")))).await.unwrap();
        assert_eq!(text(response.into_body()).await, "ok");
        // Let the client's connection task see the close.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_body_larger_than_any_buffer_arrives_whole_both_ways() {
    let (address, _) =
        hyper_server(None, |request| async move { answer(request.into_body().collect().await.unwrap().to_bytes()) })
            .await;
    let sent = Bytes::from((0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect::<Vec<_>>());
    let response = in_time(transport().send(post(format!("http://{address}/"), sent.clone()))).await.unwrap();
    let (got, error) = pieces(response.into_body()).await;
    assert_eq!(error, None);
    assert!(got.concat() == sent, "{} pieces differ from what was sent", got.len());
}
