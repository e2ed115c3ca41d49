//! Time limits, broken connections and cancelling. Every wait here ends by the limit under test, so a slow
//! machine makes the tests slower and never wrong.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::time::Duration;

use futures_util::StreamExt;
use sabir_core::transport::{Timeouts, Transport};
use sabir_core::{ErrorKind, Stage};
use support::*;
use tokio::sync::mpsc;

const SHORT: Option<Duration> = Some(Duration::from_millis(50));

#[tokio::test]
async fn connecting_includes_the_tls_handshake() {
    // Accepts, and never says hello.
    let (address, _) = raw(|mut stream| async move { wait_for_close(&mut stream).await }).await;
    let http = builder().timeouts(Timeouts { connect: SHORT, ..Timeouts::default() }).build().unwrap();
    let error = in_time(http.send(get(format!("https://{address}/v1?key=hunter2")))).await.err().unwrap();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::NotSent));
    assert_eq!(
        error.message(),
        format!(
            "no connection to {address} within 50ms; check the address and the network, or raise the connect limit"
        )
    );
}

#[tokio::test]
async fn a_server_that_never_answers() {
    let (address, _) = raw(|mut stream| async move { wait_for_close(&mut stream).await }).await;
    // Set on the request: the transport's own limit is a minute.
    let request =
        within(post(format!("http://{address}/"), "{}"), Timeouts { first_byte: SHORT, ..Timeouts::default() });
    let error = in_time(transport().send(request)).await.err().unwrap();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::MaybeSent));
    assert!(error.message().starts_with(&format!("{address} took the request and sent nothing for 50ms; ")), "{error}");
}

#[tokio::test]
async fn the_first_byte_limit_does_not_run_while_connecting() {
    let (address, _) = raw(|mut stream| async move { wait_for_close(&mut stream).await }).await;
    let limits = Timeouts { connect: Some(Duration::from_millis(150)), first_byte: SHORT, ..Timeouts::default() };
    let error = in_time(transport().send(within(get(format!("https://{address}/")), limits))).await.err().unwrap();
    assert!(error.message().contains("within 150ms"), "{error}");
}

#[tokio::test]
async fn a_total_limit_holds_before_and_inside_the_answer() {
    let (address, _) = raw(|mut stream| async move {
        let request = read_request(&mut stream).await;
        if request.starts_with("GET /body") {
            write(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome").await;
        }
        wait_for_close(&mut stream).await;
    })
    .await;
    let limits = Timeouts { total: SHORT, ..Timeouts::default() };
    let error = in_time(transport().send(within(get(format!("http://{address}/head")), limits))).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("within 50ms in all"), "{error}");

    let limits = Timeouts { total: Some(Duration::from_secs(1)), ..Timeouts::default() };
    let response = in_time(transport().send(within(get(format!("http://{address}/body")), limits))).await.unwrap();
    let (_, error) = pieces(response.into_body()).await;
    let error = error.unwrap();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::Answered));
    assert!(error.message().contains("did not end within 1s in all"), "{error}");
}

#[tokio::test]
async fn a_pause_inside_the_answer() {
    let (closed, mut saw_close) = mpsc::channel(16);
    let (address, _) = raw(move |mut stream| {
        let closed = closed.clone();
        async move {
            read_request(&mut stream).await;
            write(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nfirst").await;
            wait_for_close(&mut stream).await;
            closed.try_send(()).unwrap();
        }
    })
    .await;
    let http = builder().timeouts(Timeouts { idle: SHORT, ..Timeouts::default() }).build().unwrap();
    let response = in_time(http.send(get(format!("http://{address}/")))).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(in_time(body.next()).await.unwrap().unwrap(), "first");
    let error = in_time(body.next()).await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::Answered));
    assert_eq!(
        error.message(),
        format!("{address} stopped in the middle of its answer for 50ms; raise the idle limit if it needs longer")
    );
    // The connection is closed by the error, not by the drop of the body.
    in_time(saw_close.recv()).await.unwrap();
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn lifted_limits_are_no_limits() {
    let (address, _) = hyper_server(None, |_| async { answer("ok") }).await;
    let never = Some(Duration::MAX);
    let limits = Timeouts { connect: never, first_byte: never, idle: never, total: never };
    let response = in_time(transport().send(within(get(format!("http://{address}/")), limits))).await.unwrap();
    assert_eq!(text(response.into_body()).await, "ok");
}

#[tokio::test]
async fn a_reset_after_the_request_may_have_been_received() {
    let (address, _) = raw(|mut stream| async move {
        read_request(&mut stream).await;
        reset(stream);
    })
    .await;
    let error = in_time(transport().send(post(format!("http://{address}/"), "{}"))).await.err().unwrap();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Network, Stage::MaybeSent));
    assert!(error.message().ends_with("it may have received the request"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn a_reset_inside_the_body_and_a_body_cut_short() {
    for (end_by_reset, kind) in [(true, ErrorKind::Network), (false, ErrorKind::Truncated)] {
        for framing in ["content-length: 100\r\n\r\nsome", "transfer-encoding: chunked\r\n\r\n4\r\nsome\r\n"] {
            let (end, mut may_end) = mpsc::channel::<()>(16);
            let wait = std::sync::Arc::new(tokio::sync::Mutex::new(Some(end)));
            let (ready, ready_to_end) = tokio::sync::oneshot::channel::<()>();
            let ready_to_end = std::sync::Arc::new(tokio::sync::Mutex::new(Some(ready_to_end)));
            let (address, _) = raw(move |mut stream| {
                let (wait, ready_to_end) = (wait.clone(), ready_to_end.clone());
                async move {
                    read_request(&mut stream).await;
                    write(&mut stream, format!("HTTP/1.1 200 OK\r\n{framing}")).await;
                    // A reset overtakes what was not read yet, so wait until the piece has been.
                    let go = ready_to_end.lock().await.take().unwrap();
                    go.await.unwrap();
                    if end_by_reset {
                        reset(stream);
                    } else {
                        drop(stream);
                    }
                    drop(wait.lock().await.take());
                }
            })
            .await;
            let mut body = in_time(transport().send(get(format!("http://{address}/")))).await.unwrap().into_body();
            assert_eq!(in_time(body.next()).await.unwrap().unwrap(), "some");
            ready.send(()).unwrap();
            assert!(in_time(may_end.recv()).await.is_none());
            let error = in_time(body.next()).await.unwrap().unwrap_err();
            assert_eq!((error.kind(), error.stage()), (kind, Stage::Answered), "{framing:?} {error}");
            assert!(error.message().contains(&address.to_string()), "{error}");
        }
    }
}

#[tokio::test]
async fn dropping_the_call_or_the_body_closes_the_connection() {
    let (seen, mut events) = mpsc::channel(16);
    let (address, _) = raw(move |mut stream| {
        let seen = seen.clone();
        async move {
            if read_request(&mut stream).await.starts_with("GET /body") {
                write(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nfirst").await;
            }
            seen.try_send("request").unwrap();
            wait_for_close(&mut stream).await;
            seen.try_send("closed").unwrap();
        }
    })
    .await;
    let http = transport();

    let call = tokio::spawn({
        let http = http.clone();
        async move { http.send(get(format!("http://{address}/head"))).await.map(drop) }
    });
    assert_eq!(in_time(events.recv()).await, Some("request"));
    call.abort();
    assert_eq!(in_time(events.recv()).await, Some("closed"));

    let mut body = in_time(http.send(get(format!("http://{address}/body")))).await.unwrap().into_body();
    assert_eq!(in_time(body.next()).await.unwrap().unwrap(), "first");
    assert_eq!(in_time(events.recv()).await, Some("request"));
    drop(body);
    assert_eq!(in_time(events.recv()).await, Some("closed"));
}

#[tokio::test]
async fn dropping_an_http2_body_resets_its_stream_and_no_other() {
    use http_body_util::{BodyExt, StreamBody};
    use hyper::body::Frame;

    /// Tells when the server's side of the stream is given up.
    struct Told(mpsc::Sender<()>);
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.try_send(());
        }
    }

    let (tls, root) = tls(&["h2"]);
    let (gone, mut told) = mpsc::channel(16);
    let (address, connections) = hyper_server(Some(tls), move |request| {
        let told = Told(gone.clone());
        async move {
            if request.uri().path() == "/quick" {
                std::mem::forget(told);
                return answer("quick");
            }
            let first = futures_util::stream::iter([Ok(Frame::data("first".into()))]);
            let never = futures_util::stream::once(async move {
                let _told = told;
                std::future::pending().await
            });
            http::Response::new(BodyExt::boxed(StreamBody::new(first.chain(never))))
        }
    })
    .await;
    let http = builder().add_root(root).build().unwrap();
    let url = format!("https://localhost:{}", address.port());
    let mut body = in_time(http.send(get(format!("{url}/endless")))).await.unwrap().into_body();
    assert_eq!(in_time(body.next()).await.unwrap().unwrap(), "first");
    drop(body);
    in_time(told.recv()).await.unwrap();
    assert_eq!(text(in_time(http.send(get(format!("{url}/quick")))).await.unwrap().into_body()).await, "quick");
    assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), 1);
}
