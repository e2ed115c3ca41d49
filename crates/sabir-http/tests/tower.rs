//! Other people's clients as transports.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use sabir_core::transport::{Timeouts, Transport};
use sabir_core::{ErrorKind, Stage};
use sabir_http::TowerTransport;
use support::*;

#[tokio::test]
async fn hyper_utils_client_is_a_transport_and_its_connect_errors_are_told_apart() {
    let (address, _) =
        hyper_server(None, |request| async move { answer(request.into_body().collect().await.unwrap().to_bytes()) })
            .await;
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let http: TowerTransport<_, Full<Bytes>> = TowerTransport::new(client);
    let response = in_time(http.send(post(format!("http://{address}/"), "hello"))).await.unwrap();
    assert_eq!(text(response.into_body()).await, "hello");

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = in_time(http.send(get(format!("http://127.0.0.1:{port}/")))).await.err().unwrap();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Network, Stage::NotSent));
}

/// A service that never answers, or fails, by the path.
#[derive(Clone)]
struct Odd;

impl tower_service::Service<Request<Full<Bytes>>> for Odd {
    type Response = Response<Full<Bytes>>;
    type Error = std::io::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        Box::pin(async move {
            if request.uri().path() == "/never" {
                std::future::pending::<()>().await;
            }
            Err(std::io::Error::other("odd"))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_requests_limits_hold_and_other_errors_may_have_been_sent() {
    let http: TowerTransport<_, Full<Bytes>> = TowerTransport::new(Odd);
    let limits = Timeouts {
        connect: Some(Duration::from_secs(1)),
        first_byte: Some(Duration::from_secs(2)),
        ..Timeouts::default()
    };
    let started = tokio::time::Instant::now();
    let error = http.send(within(get("http://host/never"), limits)).await.err().unwrap();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::MaybeSent));
    assert_eq!(started.elapsed().as_secs(), 3);

    let error = http.send(get("http://host/?key=hunter2")).await.err().unwrap();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Network, Stage::MaybeSent));
    assert_eq!(error.message(), "the client below failed on the way to host");
}
